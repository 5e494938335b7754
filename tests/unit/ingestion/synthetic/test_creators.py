"""Creators of a world: tiers at their bounds, what they are counted with, whose code is whose."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from ingestion.synthetic import clock as timing, creators as managing, orders as buying
from ingestion.synthetic.columns import NONE
from ingestion.synthetic.randomness import Streams
from ingestion.synthetic.scenario import Scenario, preset
from ingestion.synthetic.world import generate


def programme(scenario: Scenario) -> managing.Programme:
    clock = timing.make(
        first=scenario.start_date, days=scenario.days, timezone=scenario.business_timezone
    )
    return managing.make(scenario, Streams(scenario.seed), clock)


@pytest.fixture(scope="module")
def demo() -> managing.Programme:
    return programme(preset("demo"))


def test_creators_on_the_boundaries_stay_there_all_the_time(demo: managing.Programme) -> None:
    counts = demo.followers[:6]
    assert (counts == np.array([[999], [1_000], [9_999], [10_000], [100_000], [100_001]])).all()
    # nano below 1,000, micro below 10,000, mid up to and with 100,000, macro above
    assert demo.creators.tier[:6].tolist() == [0, 1, 1, 2, 2, 3]


def test_most_creators_are_nano_and_a_few_macro(demo: managing.Programme) -> None:
    nano, micro, mid, macro = np.bincount(demo.creators.tier, minlength=4).tolist()
    assert nano > micro > mid > macro > 5


def test_bought_followers_come_on_one_day(demo: managing.Programme) -> None:
    creators = demo.creators
    fraud = np.flatnonzero(creators.fraud_day != NONE)
    assert len(fraud) > 5
    for creator in fraud.tolist():
        growth = np.diff(demo.followers[creator])
        day = int(creators.fraud_day[creator])
        assert growth.argmax() == day - 1
        assert growth[day - 1] == pytest.approx(creators.bought[creator], rel=0.05, abs=5)


def test_a_code_has_one_owner_at_a_time_but_where_it_is_planted(demo: managing.Programme) -> None:
    codes = demo.codes
    kind = {name: number for number, name in enumerate(managing.CODE_KINDS)}
    shared = dict.fromkeys(managing.CODE_KINDS, 0)
    for text in np.unique(codes.text).tolist():
        ranges = codes.take(np.flatnonzero(codes.text == text))
        name = managing.CODE_KINDS[int(ranges.kind[0])]
        overlaps = sum(
            max(ranges.valid_from[a], ranges.valid_from[b])
            < min(ranges.valid_to[a], ranges.valid_to[b])
            for a in range(len(ranges))
            for b in range(a)
        )
        assert overlaps == (ranges.kind[0] == kind["ambiguous"])
        shared[name] += 1
    assert shared["moved"] == 3
    assert shared["late"] == 4
    assert shared["ambiguous"] == 3
    assert shared["brand"] == 2


def test_a_moved_code_is_its_new_owners_from_that_instant(demo: managing.Programme) -> None:
    codes = demo.codes
    moved = codes.take(np.flatnonzero(codes.kind == 1))
    text = int(moved.text[0])
    old, new = sorted(np.flatnonzero(moved.text == text), key=lambda row: moved.valid_from[row])
    instant = int(moved.valid_from[new])
    assert moved.valid_to[old] == instant
    owners = buying.owners_of(
        demo, np.array([text, text, NONE]), np.array([instant - 1, instant, instant])
    )
    assert owners.tolist() == [moved.creator[old], moved.creator[new], NONE]


def test_a_code_of_two_owners_is_nobodys(demo: managing.Programme) -> None:
    codes = demo.codes
    both = codes.take(np.flatnonzero(codes.kind == 3))
    later = int(both.valid_from.max())
    assert buying.owners_of(demo, both.text[:1], np.array([later])).tolist() == [NONE]


def test_only_plain_codes_leak_and_only_while_they_are_valid(demo: managing.Programme) -> None:
    leaked = np.flatnonzero(demo.leaked < managing.FOREVER)
    assert len(leaked) == 6
    for text in leaked.tolist():
        ranges = demo.codes.take(np.flatnonzero(demo.codes.text == text))
        assert ranges.kind.tolist() == [0]
        assert ranges.valid_from[0] < demo.leaked[text]


def test_every_wave_has_its_share_of_creators(demo: managing.Programme) -> None:
    wave = demo.creators.wave
    sizes = np.bincount(wave[wave != NONE], minlength=4)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.sum() > 100


def test_equal_tiers_have_equal_means() -> None:
    equal = preset("demo", creators=4_000, are_tiers_identical=True)
    creators = programme(equal).creators
    means = [creators.order_effect[creators.tier == tier].mean() for tier in range(4)]
    assert means == pytest.approx([np.mean(equal.order_effect)] * 4, rel=0.15)


def test_youtube_tells_three_digits_and_some_are_never_counted(tmp_path: Path) -> None:
    world = generate(preset("demo", people=50, creators=120, days=12), tmp_path / "world").folder
    snapshots = f"'{world}/drops/creator_follower_snapshots/*.parquet'"
    longest = duckdb.sql(
        "select max(length(rtrim(follower_count::varchar, '0'))) from "
        f"{snapshots} where platform = 'youtube' and follower_precision = 'rounded_3sf'"
    ).fetchone()
    assert longest == (3,)
    counted = duckdb.sql(f"select count(distinct platform_user_id) from {snapshots}").fetchone()
    accounts = duckdb.sql(
        f"select count(*) from read_json('{world}/drops/creator_accounts/*.ndjson')"
    ).fetchone()
    assert counted[0] < accounts[0]
