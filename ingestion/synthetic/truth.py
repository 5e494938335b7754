"""What really happened, beside the drops; the pipeline never reads it.

    creators      one row per creator: tier, trust, planted effects, code, fraud, wave, targets
    people        one row per person: rates, and what the feeds know the person by
    devices       one row per visitor id and person seen on it
    exposures     one row per person and post seen
    visits        one row per visit, with its cause
    orders        one row per order, with its cause, creator and code
    codes         one row per code and range, with what is odd about it
    claims        one row per order and platform that claims it
    machines      one row per visitor id of a machine
    surveys       one row per answer, with the true creator
    feed_faults   one row per fault of a file, with the rule that must catch it
    targets       one row per number an estimator should find: name, group, value

and `truth.json`: parameters, rows of each file, expected quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.synthetic import arrays, arrivals, events, orders as buying, shop, words
from ingestion.synthetic.clock import Clock
from ingestion.synthetic.columns import NONE, Floats, Ints
from ingestion.synthetic.creators import CODE_KINDS, FOREVER, STATUSES, Programme
from ingestion.synthetic.drops import creator_ids
from ingestion.synthetic.feeds import Ledger
from ingestion.synthetic.influence import Exposures
from ingestion.synthetic.orders import CODE_REASONS, SOURCES, Orders
from ingestion.synthetic.partners import CLAIMING, Claims
from ingestion.synthetic.people import People, customer_ids
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.scenario import TIERS
from ingestion.synthetic.visits import CAUSES, CHANNELS, CREATOR, DECLARED, LEAK, Visits


def rounded(values: Floats) -> pa.Array:
    """Rates with eight decimal places: beyond, platforms' mathematics differ."""
    return pa.array(np.round(values, 8))


class TruthFile:
    """A truth table that grows block by block."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.parquet"
        self._writer: Any = None

    def append(self, table: pa.Table) -> None:
        """More rows."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")
        self._writer.write_table(table, row_group_size=131_072)

    def close(self) -> None:
        """The end."""
        if self._writer is not None:
            self._writer.close()


def creators(programme: Programme, clock: Clock) -> pa.Table:
    """One row per creator."""
    made = programme.creators
    rows = np.arange(len(made), dtype=np.int64)
    ends = np.where(made.active_to >= FOREVER, NONE, made.active_to)
    code = made.code
    leaked = np.where(code == NONE, FOREVER, programme.leaked[np.maximum(code, 0)])
    return pa.table(
        {
            "creator_id": creator_ids(rows),
            "handle": pa.array([programme.handle(one) for one in rows.tolist()], pa.string()),
            "tier": arrays.names(TIERS, made.tier),
            "niche": arrays.names(words.NICHES, made.niche),
            "platform": arrays.names(words.PLATFORMS, made.platform),
            "followers": arrays.ints(made.followers),
            "final_followers": arrays.ints(programme.followers[rows, -1]),
            "is_counted": arrays.flags(made.is_counted),
            "has_token": arrays.flags(made.has_token),
            "is_fraud": arrays.flags(made.fraud_day != NONE),
            "fraud_day": arrays.ints(made.fraud_day, made.fraud_day != NONE),
            "bought_followers": arrays.ints(made.bought, made.fraud_day != NONE),
            "trust": rounded(made.trust),
            "return_effect": rounded(made.return_effect),
            "order_effect": rounded(made.order_effect),
            "reply_rate": rounded(made.reply_rate),
            "disclosure_rate": rounded(made.disclosure),
            "posts_per_day": rounded(made.posting),
            "wave": arrays.ints(made.wave + 1, made.wave != NONE),
            "joined_at": arrays.instants(made.joined),
            "active_from": arrays.instants(made.active_from),
            "active_to": arrays.instants(ends),
            "status": arrays.names(STATUSES, made.status_at(clock.end - 1)),
            "code": arrays.names(programme.texts, code),
            "code_leaked_at": arrays.instants(np.where(leaked >= FOREVER, NONE, leaked)),
            "person_id": arrays.ints(made.person, made.person != NONE),
            "is_affiliate": arrays.flags(made.is_affiliate),
            "pod": arrays.ints(made.pod, made.pod != NONE),
        }
    )


def codes(programme: Programme) -> pa.Table:
    """One row per code and range."""
    made = programme.codes
    ends = np.where(made.valid_to >= FOREVER, NONE, made.valid_to)
    leaked = programme.leaked[made.text]
    return pa.table(
        {
            "code": arrays.names(programme.texts, made.text),
            "creator_id": creator_ids(made.creator),
            "kind": arrays.names(CODE_KINDS, made.kind),
            "percent": arrays.ints(made.percent),
            "valid_from": arrays.instants(made.valid_from),
            "valid_to": arrays.instants(ends),
            "delivered_at": arrays.instants(
                np.where(made.delivered >= FOREVER, NONE, made.delivered)
            ),
            "leaked_at": arrays.instants(np.where(leaked >= FOREVER, NONE, leaked)),
        }
    )


def people(made: People, since: Ints) -> pa.Table:
    """One row per person of a block.

    Args:
        since: When each got an account; `FOREVER` where never.
    """
    person = made.person
    return pa.table(
        {
            "person_id": arrays.ints(person),
            "customer_id": arrays.ints(customer_ids(person)),
            "user_id": arrays.only(since < FOREVER, events.user_ids(person)),
            "email": shop.emails(person),
            "country": arrays.names(words.COUNTRIES, made.country),
            "niche": arrays.names(words.NICHES, made.niche),
            "visits_per_day": rounded(made.hazard),
            "purchase_probability": rounded(made.purchase),
            "interest": rounded(made.interest),
            "sign_in_rate": rounded(made.sign_in),
            "is_tracked": arrays.flags(made.is_tracked),
            "is_old_customer": arrays.flags(made.is_old),
            "shares_tablet": arrays.flags(made.shares_tablet),
        }
    )


def exposures(made: Exposures, people: People, posts: Posts, chances: Floats) -> pa.Table:
    """One row per exposure of a block.

    Args:
        chances: Of a caused order; 0 where the exposure is not the pair's first.
    """
    return pa.table(
        {
            "person_id": arrays.ints(people.person[made.row]),
            "creator_id": creator_ids(made.creator),
            "post_id": arrays.texts(posts.ids()[made.post]),
            "seen_at": arrays.instants(made.seen),
            "is_first": arrays.flags(made.is_first),
            "clicked_at": arrays.instants(made.clicked),
            "order_chance": rounded(chances),
        }
    )


def visits(
    made: Visits,
    ids: Ints,
    people: People,
    exposures: Exposures,
    visitor: pa.Array,
    counts: Ints,
) -> pa.Table:
    """One row per visit of a block."""
    at = np.maximum(made.exposure, 0)
    is_caused = made.cause != 0
    some = len(exposures) > 0
    causing = np.where(is_caused, exposures.creator[at] if some else NONE, NONE)
    seen = np.where(is_caused, exposures.seen[at] if some else NONE, NONE)
    return pa.table(
        {
            "visit_id": arrays.ints(ids),
            "person_id": arrays.ints(people.person[made.row]),
            "started_at": arrays.instants(made.start),
            "cause": arrays.names(CAUSES, made.cause),
            "caused_by": creator_ids(causing),
            "exposure_seen_at": arrays.instants(seen),
            "channel": arrays.names(CHANNELS, made.channel),
            "link_creator_id": creator_ids(np.where(made.channel == CREATOR, made.creator, NONE)),
            "link_id": arrivals.link_ids(made.creator, made.link_post),
            "is_marked": arrays.flags(made.is_marked),
            "anonymous_id": visitor,
            "event_count": arrays.ints(counts),
            "buys": arrays.flags(made.buys),
        }
    )


def devices(visitor: pa.Array, person: Ints) -> pa.Table:
    """One row per visitor id and person of a block."""
    table = pa.table({"anonymous_id": visitor, "person_id": arrays.ints(person)})
    return (
        table.filter(table["anonymous_id"].is_valid())
        .group_by(["anonymous_id", "person_id"], use_threads=False)
        .aggregate([([], "count_all")])
        .rename_columns(["anonymous_id", "person_id", "visit_count"])
    )


def orders(
    made: Orders, ids: Ints, programme: Programme, refunded: Ints, chances: Floats
) -> pa.Table:
    """One row per order.

    Args:
        refunded: When it is or will be refunded, µs; none.
        chances: Of a refund.
    """
    owner = buying.owners_of(programme, made.code, made.created)
    declared = np.where(made.declared == LEAK, NONE, made.declared)
    return pa.table(
        {
            "order_id": arrays.ints(ids),
            "person_id": arrays.ints(made.person, made.person != NONE),
            "created_at": arrays.instants(made.created),
            "cause": arrays.names(buying.CAUSES, made.cause),
            "creator_id": creator_ids(made.creator),
            "exposure_seen_at": arrays.instants(made.exposure_seen),
            "declared_by": arrays.names(DECLARED, declared),
            "code": arrays.names(programme.texts, made.code),
            "code_reason": arrays.names(CODE_REASONS, made.code_reason),
            "code_owner_id": creator_ids(owner),
            "last_link_creator_id": creator_ids(made.last_creator),
            "source": arrays.names(SOURCES, made.source),
            "visit_id": arrays.ints(made.visit, made.visit != NONE),
            "subtotal": arrays.money(made.subtotal),
            "total": arrays.money(made.total),
            "refund_chance": rounded(chances),
            "refund_due_at": arrays.instants(refunded),
            "cancelled_at": arrays.instants(made.cancelled),
        }
    )


def claims(made: Claims, ids: Ints, causes: Ints) -> pa.Table:
    """One row per claimed order and platform.

    Args:
        ids: Of the orders.
        causes: Of the orders.
    """
    return pa.table(
        {
            "order_id": arrays.ints(ids),
            "platform": arrays.names(CLAIMING, made.platform),
            "is_view": arrays.flags(made.is_view),
            "is_caused_by_creator": arrays.flags(causes == 1),
        }
    )


def faults(ledger: Ledger) -> pa.Table:
    """One row per fault."""
    notes = sorted(
        ledger.notes, key=lambda one: (one.entity, one.file, one.line or 0, one.kind, one.name)
    )
    return pa.table(
        {
            "entity": pa.array([one.entity for one in notes], pa.string()),
            "file": pa.array([one.file for one in notes], pa.string()),
            "line": pa.array([one.line for one in notes], pa.int64()),
            "kind": pa.array([one.kind for one in notes], pa.string()),
            "name": pa.array([one.name for one in notes], pa.string()),
            "rule": pa.array([one.rule for one in notes], pa.string()),
            "row_count": pa.array([one.row_count for one in notes], pa.int64()),
        }
    )


def expected(ledger: Ledger) -> dict[str, Any]:
    """Per entity: files, rows received, rows that must be quarantined, rows that are repeats."""
    out: dict[str, Any] = {}
    for entity in sorted(ledger.rows):
        notes = [one for one in ledger.notes if one.entity == entity]

        def rows(kinds: Iterable[str], notes: list[Any] = notes) -> int:
            return sum(one.row_count for one in notes if one.kind in kinds)

        out[entity] = {
            "files": len(ledger.rows[entity]),
            "received": sum(ledger.rows[entity].values()),
            "rejected": rows(("broken row",)),
            "parked": rows(("orphan",)),
            "repeated": rows(("repeated rows", "duplicate file")),
            "never_delivered": ledger.never_delivered.get(entity, 0),
        }
    return out
