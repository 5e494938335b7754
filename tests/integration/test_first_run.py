"""A stranger's first run: a new home, one small file, no setting touched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.api import SystemClock
from setae import stages, transformation
from setae.initialise import initialise
from tests.integration.conftest import published

SATURDAY = datetime(2026, 11, 28, 16, 4, 1, tzinfo=UTC)
ORDER = "order_id,ordered_at,currency,gross_amount\n1,2026-11-27T10:00:00Z,EUR,10.00\n"


def test_one_order_of_yesterday_is_published_and_knows_that_it_is_young(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _: SATURDAY)
    settings = initialise(tmp_path / "shop").settings
    drop = settings.home / "drops" / "orders" / "orders.csv"
    drop.parent.mkdir()
    drop.write_text(ORDER)
    assert stages.run(settings).published.changed
    with published(settings.home) as connection:
        assert connection.execute(
            "select as_of, data_through_date::varchar from marts.publication"
        ).fetchone() == (SATURDAY.replace(tzinfo=None), "2026-11-27")
        assert connection.execute(
            "select net_sales_amount, is_mature from marts.fct_orders"
        ).fetchall() == [(10, False)]
        # Friday's buyer has been seen on Friday and on no later day; no week has ended.
        assert connection.execute(
            "select distinct period, n from marts.fct_retention_cohorts "
            "where is_mature and period != 'hour'"
        ).fetchall() == [("day", 0)]

    monkeypatch.setattr(SystemClock, "now", lambda _: SATURDAY.replace(hour=23))
    stages.fetch(settings, source="drops")
    assert transformation.plan(settings, as_of=None, full_refresh=False).is_done
