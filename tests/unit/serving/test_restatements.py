"""What a publication credits otherwise than the one before it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from serving import publish
from serving.ledger import ledger_path
from tests.unit.serving.conftest import MartsWorld

Credit = tuple[str, str, str, float, float]
"""Order, its day, party, share and money; a party `x` is the channel of that name."""


def credit(marts: MartsWorld, version: int, rows: list[Credit]) -> None:
    """A build with these default credits, and the same credited to nobody by another model."""
    marts.build(version)
    with duckdb.connect(str(marts.home.marts)) as connection:
        connection.execute(
            "create or replace table marts.marts.fct_attribution_credits (order_key varchar, "
            "order_date date, party_type varchar, party_key varchar, currency_code varchar, "
            "is_default boolean, credit_share decimal(18, 12), credit_amount decimal(18, 4))"
        )
        for order, day, party, share, amount in rows:
            kind = "channel" if party == "x" else "creator"
            connection.execute(
                "insert into marts.marts.fct_attribution_credits values "
                "($1, $2, $3, $4, 'EUR', true, $5, $6), "
                "($1, $2, 'unattributed', 'unattributed', 'EUR', false, 1, $6)",
                [order, day, kind, party, share, amount],
            )


def published(marts: MartsWorld) -> tuple[int | None, list[dict[str, Any]] | None]:
    """What `marts.publication` says."""
    path = (marts.serving / "current.duckdb").resolve()
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute(
            "select restated_order_count, restatements from marts.publication"
        ).fetchone()
    assert row is not None
    return row


def logged(marts: MartsWorld) -> list[tuple[Any, ...]]:
    """The ledger's rows, without their run."""
    with duckdb.connect(str(ledger_path(marts.settings)), read_only=True) as connection:
        return connection.execute(
            "select right(run_id, 4), order_key, party_key, credit_share_before, "
            "credit_share_after, credit_amount_before, credit_amount_after "
            "from ops.credit_restatements"
        ).fetchall()


def test_a_moved_mapping_is_told_by_month_and_kept_by_order(marts: MartsWorld) -> None:
    """One order goes from ana to ben, one is halved with x; a refund alone moves nobody."""
    credit(
        marts,
        1,
        [
            ("o1", "2026-03-31", "ana", 1, 10),
            ("o2", "2026-04-01", "ana", 1, 20),
            ("o3", "2026-04-02", "ben", 1, 5),
            ("gone", "2026-04-02", "ben", 1, 5),
        ],
    )
    marts.publish()
    assert published(marts) == (None, None)
    credit(
        marts,
        2,
        [
            ("o1", "2026-03-31", "ben", 1, 10),
            ("o2", "2026-04-01", "ana", 0.5, 10),
            ("o2", "2026-04-01", "x", 0.5, 10),
            ("o3", "2026-04-02", "ben", 1, 3),
            ("new", "2026-04-03", "ana", 1, 7),
        ],
    )
    marts.publish()
    count, changes = published(marts)
    assert count == 2
    assert changes is not None
    assert [tuple(change.values()) for change in changes] == [
        (date(2026, 3, 1), "creator", "ana", "EUR", Decimal(-1), Decimal(-10)),
        (date(2026, 3, 1), "creator", "ben", "EUR", Decimal(1), Decimal(10)),
        (date(2026, 4, 1), "channel", "x", "EUR", Decimal("0.5"), Decimal(10)),
        (date(2026, 4, 1), "creator", "ana", "EUR", Decimal("-0.5"), Decimal(-10)),
    ]
    assert logged(marts) == [
        ("0002", "o1", "ana", 1, 0, 10, 0),
        ("0002", "o1", "ben", 0, 1, 0, 10),
        ("0002", "o2", "x", 0, Decimal("0.5"), 0, 10),
        ("0002", "o2", "ana", 1, Decimal("0.5"), 20, 10),
    ]


def test_the_log_outlives_the_publications_that_made_it(marts: MartsWorld) -> None:
    for version in range(1, 7):
        credit(marts, version, [("o1", "2026-04-01", "ab"[version % 2], 1, 10)])
        marts.publish()
    runs = [row[0] for row in logged(marts)]
    assert runs == [f"{number:04}" for number in range(2, 7) for _ in range(2)]
    assert len(list(marts.serving.glob("marts-*.duckdb"))) == 3


def test_the_same_credits_restate_no_order(marts: MartsWorld) -> None:
    for version, day in ((1, "2026-04-02"), (2, "2026-04-03")):
        credit(marts, version, [("o1", "2026-04-01", "ana", 1, 10), (day, day, "ben", 1, 5)])
        marts.publish()
    assert published(marts) == (0, [])


def test_beside_a_damaged_file_nobody_can_tell(
    marts: MartsWorld, caplog: pytest.LogCaptureFixture
) -> None:
    credit(marts, 1, [("o1", "2026-04-01", "ana", 1, 10)])
    marts.publish()
    path = (marts.serving / "current.duckdb").resolve()
    path.chmod(0o644)
    path.write_bytes(b"no database")
    credit(marts, 2, [("o1", "2026-04-01", "ben", 1, 10)])
    marts.publish()
    assert published(marts) == (None, None)
    assert f"{path} cannot be read" in caplog.text


@pytest.mark.parametrize("before", [True, False])
def test_beside_marts_without_credits_nobody_can_tell(marts: MartsWorld, before: bool) -> None:
    for version, has_credits in ((1, before), (2, not before)):
        if has_credits:
            credit(marts, version, [("o1", "2026-04-01", "ana", 1, 10)])
        else:
            marts.build(version)
            with duckdb.connect(str(marts.home.marts)) as connection:
                connection.execute("drop table if exists marts.marts.fct_attribution_credits")
        marts.publish()
    assert published(marts) == (None, None)


def test_what_a_run_found_that_died_is_not_in_the_log(
    marts: MartsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    credit(marts, 1, [("o1", "2026-04-01", "ana", 1, 10)])
    marts.publish()
    credit(marts, 2, [("o1", "2026-04-01", "ben", 1, 10)])
    with monkeypatch.context() as broken:
        broken.setattr(publish.shelf, "write_manifest", _die)
        with pytest.raises(RuntimeError):
            marts.publish()
    assert list((marts.serving / "restatements").iterdir())
    credit(marts, 3, [("o1", "2026-04-01", "ana", 1, 10)])
    marts.publish()
    assert logged(marts) == []
    assert not list((marts.serving / "restatements").iterdir())


def _die(*_: object) -> None:
    raise RuntimeError
