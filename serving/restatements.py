"""What a publication credits otherwise than the one before it, for orders that both have.

A code that is mapped late or moved, a click that comes late, an identity that changes, a model that
means something else: the next build repairs history, and readers who settled by the old numbers
have to see that it did. So `publish` compares the default credits of the file readers have with
those of the file they get. Sums by month and party stand in `marts.publication`; each order's
parties are kept in `serving/restatements/<run_id>.parquet`, which no pruning removes, and in the
ledger's `ops.credit_restatements`. Marts themselves hold no history of builds: the same files give
the same marts, whatever came first (ADR 14).
"""

from __future__ import annotations

import logging
from pathlib import Path

import duckdb

from serving.publications import make_durable, temporary_name
from setae.warehouse import literal, sync_directory

log = logging.getLogger(__name__)

FOLDER = "restatements"

_TABLE = "restated_credits"
_CREDITS = "fct_attribution_credits"

_FIND = f"""
create or replace temp table {_TABLE} as
with credits_before as (
    select order_key, order_date, party_type, party_key, currency_code,
        sum(credit_share) as credit_share, sum(credit_amount) as credit_amount
    from earlier.marts.{_CREDITS} where is_default
    group by all
),
credits_after as (
    select order_key, order_date, party_type, party_key, currency_code,
        sum(credit_share) as credit_share, sum(credit_amount) as credit_amount
    from marts.{_CREDITS} where is_default
    group by all
)
select
    coalesce(a.order_key, b.order_key) as order_key,
    coalesce(a.order_date, b.order_date) as order_date,
    coalesce(a.party_type, b.party_type) as party_type,
    coalesce(a.party_key, b.party_key) as party_key,
    coalesce(a.currency_code, b.currency_code) as currency_code,
    coalesce(b.credit_share, 0)::decimal(18, 12) as credit_share_before,
    coalesce(a.credit_share, 0)::decimal(18, 12) as credit_share_after,
    coalesce(b.credit_amount, 0)::decimal(18, 4) as credit_amount_before,
    coalesce(a.credit_amount, 0)::decimal(18, 4) as credit_amount_after
from credits_after as a
full join credits_before as b
    on a.order_key = b.order_key and a.party_type = b.party_type and a.party_key = b.party_key
where coalesce(a.credit_share, 0) <> coalesce(b.credit_share, 0)
    and coalesce(a.order_key, b.order_key) in (select order_key from credits_before)
    and coalesce(a.order_key, b.order_key) in (select order_key from credits_after)
"""

_COLUMNS = """
    order_key varchar, order_date date, party_type varchar, party_key varchar,
    currency_code varchar, credit_share_before decimal(18, 12), credit_share_after decimal(18, 12),
    credit_amount_before decimal(18, 4), credit_amount_after decimal(18, 4)
"""

SUMMARY_TYPE = (
    "struct(order_month date, party_type varchar, party_key varchar, currency_code varchar, "
    "order_credit_change decimal(38, 12), credit_amount_change decimal(38, 4))[]"
)
"""Of the column `restatements` of the table `publication`."""

SUMMARY = f"""
(
    select coalesce(list(change order by change), [])::{SUMMARY_TYPE}
    from (
        select struct_pack(
            order_month := date_trunc('month', order_date)::date,
            party_type := party_type,
            party_key := party_key,
            currency_code := currency_code,
            order_credit_change := sum(credit_share_after - credit_share_before),
            credit_amount_change := sum(credit_amount_after - credit_amount_before)
        ) as change
        from {_TABLE}
        group by date_trunc('month', order_date)::date, party_type, party_key, currency_code
    )
)
"""
"""Expression for it, once `find` has run on the connection."""

RESTATED_ORDERS = f"(select count(distinct order_key) from {_TABLE})"
"""Expression for the number of orders restated, once `find` has run on the connection."""


def find(connection: duckdb.DuckDBPyConnection, before: Path | None) -> bool:
    """Compare the credits of the file that is open with those of the one readers have.

    Args:
        connection: To the copy that is to be published, marts in schema `marts`.
        before: The published file readers have, None before the first.

    Returns:
        Whether there was something to compare with: not before the first publication, nor where
        the file is damaged or one of the two has no credits.
    """
    connection.execute(f"create or replace temp table {_TABLE} ({_COLUMNS})")
    if before is None or not _has_credits(connection, "current_database()"):
        return False
    try:
        connection.execute(f"attach {literal(str(before))} as earlier (read_only)")
    except duckdb.Error as error:
        log.warning("%s cannot be read, so nobody can tell what is restated: %s", before, error)
        return False
    try:
        if not _has_credits(connection, "'earlier'"):
            return False
        connection.execute(_FIND)
        return True
    finally:
        connection.execute("detach earlier")


def _has_credits(connection: duckdb.DuckDBPyConnection, database: str) -> bool:
    row = connection.execute(
        f"select count(*) from duckdb_tables() where database_name = {database} "
        f"and schema_name = 'marts' and table_name = '{_CREDITS}'"
    ).fetchone()
    return row is not None and bool(row[0])


def keep(
    connection: duckdb.DuckDBPyConnection, serving: Path, run_id: str, earlier_run_id: str | None
) -> None:
    """Write what `find` found to a file of its own; none where nothing was restated.

    Args:
        connection: On which `find` ran.
        serving: Where publications lie.
        run_id: The publication that is being made.
        earlier_run_id: The one it was compared with.
    """
    row = connection.execute(f"select count(*) from {_TABLE}").fetchone()
    if row is None or not row[0]:
        return
    temporary = temporary_name(serving, f"{FOLDER}.parquet")
    connection.execute(
        f"copy (select {literal(run_id)} as run_id, {literal(earlier_run_id or '')} as "
        f"earlier_run_id, * from {_TABLE} order by order_key, party_type, party_key) "
        f"to {literal(str(temporary))} (format parquet, compression zstd)"
    )
    make_durable(temporary)
    folder = serving / FOLDER
    folder.mkdir(exist_ok=True)
    temporary.replace(folder / f"{run_id}.parquet")
    sync_directory(folder)


def sweep(serving: Path, newest: int) -> None:
    """Remove what runs left that died before their publication existed.

    Args:
        serving: Where publications lie.
        newest: The greatest sequence of a publication; a greater one was never made.
    """
    for path in (serving / FOLDER).glob("*.parquet"):
        if int(path.stem.rsplit("-", 1)[1]) > newest:
            path.unlink()


def copy_into(connection: duckdb.DuckDBPyConnection, serving: Path, table: str) -> None:
    """Make a table of every restatement this home has published, empty where there was none."""
    connection.execute(f"create table {table} (run_id varchar, earlier_run_id varchar, {_COLUMNS})")
    if any((serving / FOLDER).glob("*.parquet")):
        connection.execute(
            f"insert into {table} by name select * from "
            f"read_parquet({literal(str(serving / FOLDER / '*.parquet'))}) "
            "order by run_id, order_key, party_type, party_key"
        )
