"""Marts against truth: figures worked by hand on a few rows, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from evaluation import figures, worlds
from evaluation.worlds import Codes, Credit, Effect, Recovery, World

WORLD = World("by hand", "four orders", "tiny")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Recovery:
    """Ann caused o1 and o2, Bea o3; o4 would have come anyway.

    `last_touch` gives o1 to Ann, halves of o2 to both, o4 to Bea: 3 orders credited where 3 were
    caused, 1.5 of them rightly. `code` gives o3 to Bea and nothing else. Two codes leaked: K1 is
    suggested and K2 is not; K3 is suggested and did not leak; K4 leaked and has no score.
    """
    folder = tmp_path_factory.mktemp("by-hand")
    with duckdb.connect(str(folder / "built.duckdb")) as marts:
        marts.execute("""
            create schema marts;
            create table marts.fct_orders as
            select 'drops:demo:' || order_key as order_key
            from (values ('1'), ('2'), ('3'), ('4')) as t (order_key);
            create table marts.fct_attribution_credits as
            select
                'drops:demo:' || o as order_key, party_type, 'drops:demo:' || c as creator_key,
                model, 30 as window_days, model = 'last_touch' as is_default,
                s::decimal(18, 12) as credit_share
            from (values
                ('1', 'creator', 'ann', 'last_touch', 1),
                ('2', 'creator', 'ann', 'last_touch', 0.5),
                ('2', 'creator', 'bea', 'last_touch', 0.5),
                ('4', 'creator', 'bea', 'last_touch', 1),
                ('3', 'channel', null, 'last_touch', 1), ('3', 'creator', 'bea', 'code', 1)
            ) as t (o, party_type, c, model, s);
            create table marts.fct_tier_conversion as
            select
                true as is_default, 'all' as period_type, 'all' as platform,
                'setae' as tier_scheme, tier, chance as prob_nano_higher_observed
            from (values ('micro', 0.96), ('mid', 0.97), ('macro', 0.5)) as t (tier, chance);
            create table marts.fct_return_visit_lift as
            select
                7 as window_days, 'tier' as segment_type, 'setae' as tier_scheme, lift,
                n as matched_visit_count, lift - 0.02 as lift_ci_low, lift + 0.02 as lift_ci_high
            from (values (0.03, 1), (0.01, 3)) as t (lift, n);
            create table marts.fct_refund_maturity as
            select 'all' as segment_type, age as order_age_days, rate as completion_rate
            from (values (7, 0.5), (60, 1.0)) as t (age, rate);
            create table marts.fct_code_integrity_weekly as
            select
                code as code_norm, flagged as is_review_suggested, date '2026-03-10' as as_of_date,
                0.5 as review_score, true as has_owner
            from (values ('K1', true), ('K2', false), ('K3', true)) as t (code, flagged);
        """)
    truth = folder / "truth"
    truth.mkdir()
    for name, sql in {
        "creators": "select * from (values ('ann'), ('bea')) as t (creator_id)",
        "codes": "select 1 as code",
        "orders": """
            select
                *, timestamptz '2026-03-01 12:00:00+00' as created_at, 10.0 as subtotal,
                case order_id
                    when 1 then timestamptz '2026-03-05 12:00:00+00'
                    when 2 then timestamptz '2026-03-20 12:00:00+00'
                    when 3 then timestamptz '2026-07-20 12:00:00+00'
                end as refund_due_at,
                case when order_id = 4 then timestamptz '2026-03-02 09:00:00+00' end as cancelled_at
            from (values
                (1, 'creator', 'ann', null, null), (2, 'creator', 'ann', null, null),
                (3, 'creator', 'bea', null, null), (4, 'baseline', null, 'K1', 'leak'),
                (5, 'history', null, 'K2', 'leak'), (6, 'history', null, 'K4', 'leak')
            ) as t (order_id, cause, creator_id, code, code_reason)
        """,
        "targets": """
            select * from (values
                ('conversion_30d', 'tier', 'nano', 0.3), ('conversion_30d', 'tier', 'micro', 0.2),
                ('conversion_30d', 'tier', 'mid', 0.4), ('return_lift_7d', 'all', 'all', 0.02)
            ) as t (name, group_type, group_key, value)
        """,
    }.items():
        duckdb.sql(sql).write_parquet(str(truth / f"{name}.parquet"))
    return worlds.compare(WORLD, marts=folder / "built.duckdb", truth=truth)


def test_credit_is_split_into_right_wrong_and_missed(found: Recovery) -> None:
    code, last = found.credits
    assert (code.credited_share, code.factor) == (0.25, 0.3333)
    assert (code.right_share, code.found_share) == (1.0, 0.3333)
    assert (last.credited_share, last.caused_share, last.factor) == (0.75, 0.75, 1.0)
    assert (last.right_share, last.found_share) == (0.5, 0.5)
    # Ann: 1.5 credited of 2 caused; Bea: 1.5 of 1; mean caused 1.5.
    assert (last.bias, last.error) == (0.0, 0.3333)


def test_only_pairs_called_the_true_way_round_are_right(found: Recovery) -> None:
    assert [(one.pairs, one.called, one.called_right) for one in found.tiers] == [(3, 2, 1)]


def test_lift_and_refunds_stand_beside_what_happened(found: Recovery) -> None:
    lift, refunds = found.effects
    assert (lift.measured, lift.true) == (0.015, 0.02)
    # Of o1, o2 and o4, cancelled, all within 60 days, o1 and o4 come within 7; o3 comes too late.
    assert (refunds.measured, refunds.true) == (0.5, 0.6667)


def test_suggested_codes_are_counted_against_leaks(found: Recovery) -> None:
    (codes,) = found.codes
    assert codes == Codes("by hand", 3, 3, 2, 2, 1)
    assert (codes.precision, codes.recall) == (0.5, 0.5)


def test_a_worse_figure_is_named_and_a_better_one_is_not(found: Recovery) -> None:
    assert worlds.compare_accepted([found], [found]) == []
    worse = replace(found.credits[1], factor=1.5)
    said = worlds.compare_accepted([replace(found, credits=(found.credits[0], worse))], [found])
    assert said == ["by hand, last_touch: factor 1.0 → 1.5, worse by more than 0.03"]
    better = replace(found.codes[0], flagged=1)
    assert worlds.compare_accepted([replace(found, codes=(better,))], [found]) == []
    assert worlds.compare_accepted([replace(found, codes=())], [found]) == [
        "by hand, codes: was there and is not now"
    ]
    assert worlds.compare_accepted([found], [replace(found, codes=())]) == []


def test_figures_survive_their_file(found: Recovery) -> None:
    assert worlds.from_json(worlds.as_json([found])) == [found]


def test_a_missed_goal_without_a_reason_stops_the_page() -> None:
    known = worlds.from_json(figures.accepted("worlds"))
    effects = (Effect("null", "return-visit lift, 7 days", 0.2, 0.0),)
    far = [replace(one, effects=effects, world="other") for one in known]
    with pytest.raises(ValueError, match="lift"):
        worlds.page(far)


def test_a_world_without_cause_has_no_factor_and_all_credit_is_wrong() -> None:
    accepted = {one.world: one for one in worlds.from_json(figures.accepted("worlds"))}
    for one in accepted["null"].credits:
        assert one.caused_share == 0.0
        assert one.factor is None
        assert one.right_share == 0.0
    more = replace(accepted["null"].credits[0], credited_share=0.9)
    null = replace(accepted["null"], credits=(more,))
    before = replace(accepted["null"], credits=accepted["null"].credits[:1])
    (line,) = worlds.compare_accepted([null], [before])
    assert "credited_share" in line


def test_every_model_of_every_world_has_its_figures() -> None:
    known = worlds.from_json(figures.accepted("worlds"))
    assert [one.world for one in known] == [world.name for world in worlds.WORLDS]
    models = {tuple(row.model for row in one.credits) for one in known}
    assert len(models) == 1
    assert all(isinstance(row, Credit) for one in known for row in one.credits)
