"""Deliveries: which row lies in which file, late, twice, or broken, with every fault on record.

A dated feed has one file for so many days of *delivery*, named after the last of them; a row lies
in the file of the day it was delivered, whenever it happened. What would be delivered after the end
never is. Broken rows stay below the limits of the gate, and each is noted with its file, its line
and the rule that must catch it, so that the quarantine can be checked row for row.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ingestion.synthetic.clock import DAY, SECOND, Clock
from ingestion.synthetic.columns import Bools, Ints
from ingestion.synthetic.files import TableFile, lines
from ingestion.synthetic.randomness import Luck
from ingestion.synthetic.scenario import Scenario

MAXIMUM_REJECTS = 15
MAXIMUM_REJECT_RATE = 0.04
"""In one file; the gate stops at 20 and 0.5 %, or at 2 and 5 %."""


@dataclass(frozen=True)
class Fault:
    """A way to break a row.

    Attributes:
        name: What is wrong, in words.
        rule: The rule that must reject it.
        change: Members to set; None removes one.
        spoil: What to do to the line's bytes then.
    """

    name: str
    rule: str
    change: Mapping[str, Any] = field(default_factory=dict)
    spoil: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True)
class Noted:
    """One line of the truth about faults; `line` is None where it is the file as a whole."""

    entity: str
    file: str
    line: int | None
    kind: str
    name: str
    rule: str | None
    row_count: int


def _nan(data: bytes) -> bytes:
    return data.replace(b'"<number>"', b"NaN")


def _cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def _not_utf8(data: bytes) -> bytes:
    return data[:-1] + b',"label":"caf\xe9"}'


def _twice(data: bytes) -> bytes:
    return data[:-1] + b',"click_id":"again"}'


def _nul(data: bytes) -> bytes:
    return data.replace(b"<nul>", b"\\u0000")


def _more_cells(data: bytes) -> bytes:
    return data + b",one,too,many"


BROKEN: dict[str, tuple[Fault, ...]] = {
    "orders": (
        Fault("NaN as an amount", "Q15", {"order_id": "bad-1", "total_amount": "<number>"}, _nan),
        Fault("negative price", "Q05", {"order_id": "bad-2", "gross_amount": "-5.00"}),
        Fault("unknown currency", "Q05", {"order_id": "bad-3", "currency": "EURO"}),
        Fault("time without offset", "Q02",
              {"order_id": "bad-4", "ordered_at": "2026-05-03T10:00:00"}),
    ),
    "order_lines": (Fault("negative quantity", "Q09", {"line_id": "bad-1", "quantity": -1}),),
    "link_clicks": (
        Fault("bytes that are not UTF-8", "Q15", {"click_id": "bad-1"}, _not_utf8),
        Fault("a name twice in one object", "Q15", {"click_id": "bad-2"}, _twice),
        Fault("no link", "Q01", {"click_id": "bad-3", "link_id": None}),
        Fault("a line cut short", "Q15", {"click_id": "bad-4"}, _cut),
    ),
    "comments": (
        Fault("unknown platform", "Q08", {"comment_id": "bad-1", "platform": "myspace"}),
        Fault("NUL in a text", "Q15", {"comment_id": "bad-2", "text": "<nul>"}, _nul),
    ),
    "posts": (Fault("unknown format", "Q08", {"post_id": "bad-1", "format": "hologram"}),),
    "customers": (Fault("no id", "Q01", {"customer_id": None}),),
    "survey_responses": (
        Fault("a score above 1", "Q09", {"response_id": "bad-1", "match_score": 7}),
    ),
    "activity_events": (
        Fault("unknown event type", "Q08", {"event_id": "bad-1", "event_type": "teleport"}),
        Fault("nobody's event", "Q11",
              {"event_id": "bad-2", "anonymous_id": None, "user_id": None}),
        Fault("unknown currency", "Q05", {"event_id": "bad-3", "currency": "EURO"}),
        Fault("a clock three days ahead", "Q03", {"event_id": "bad-4", "occurred_at": 3 * DAY}),
    ),
    "post_metric_snapshots": (
        Fault("a count below nought", "Q09", {"post_id": "bad-1", "value": -12}),
    ),
    "creator_costs": (
        Fault("an amount in words", "Q05", {"cost_id": "bad-1", "amount": "twelve"}),
        Fault("more cells than the header", "Q15", {"cost_id": "bad-2"}, _more_cells),
    ),
}  # fmt: skip
"""Faults of each entity; a file gets as many as its size allows."""


@dataclass
class Ledger:
    """What the drops hold, file by file, and what is wrong with them."""

    notes: list[Noted] = field(default_factory=list)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    never_delivered: dict[str, int] = field(default_factory=dict)

    def count(self, entity: str, file: str, row_count: int) -> None:
        """A finished file."""
        self.rows.setdefault(entity, {})[file] = row_count


class Drops:
    """The drop folder being filled."""

    def __init__(
        self,
        folder: Path,
        *,
        scenario: Scenario,
        clock: Clock,
        connection: duckdb.DuckDBPyConnection,
    ) -> None:
        self.folder = folder
        self.scenario = scenario
        self.clock = clock
        self.connection = connection
        self.ledger = Ledger()
        self._broken: dict[str, int] = {}

    def feed(self, entity: str, form: str, *, days: int) -> Feed:
        """A dated feed, to be appended to and closed."""
        return Feed(self, entity, form, days)

    def whole(self, entity: str, name: str, form: str, table: pa.Table) -> None:
        """One file at once, if there is anything to tell."""
        if not table.num_rows:
            return
        file = TableFile(self.folder / entity / f"{name}.{form}", form, self.connection)
        file.write(table)
        self.finish(entity, file, table)

    def finish(
        self,
        entity: str,
        file: TableFile,
        sample: pa.Table,
        extra: Sequence[bytes] = (),
    ) -> None:
        """Break some rows, close and count."""
        if self.scenario.has_faults:
            self._break_rows(entity, file, sample.slice(0, 1))
        for line in extra:
            number = file.raw(line)
            self.ledger.notes.append(
                Noted(entity, file.path.name, number, "orphan", "its parent never comes", "Q12", 1)
            )
        file.close()
        self.ledger.count(entity, file.path.name, file.row_count)

    def again(self, entity: str, name: str, copy: str) -> None:
        """Deliver a file a second time under another name."""
        source = self.folder / entity / name
        shutil.copyfile(source, source.with_name(copy))
        row_count = self.ledger.rows[entity][name]
        self.ledger.count(entity, copy, row_count)
        self.ledger.notes.append(
            Noted(entity, copy, None, "duplicate file", f"the same as {name}", None, row_count)
        )

    def _break_rows(self, entity: str, file: TableFile, sample: pa.Table) -> None:
        faults = BROKEN.get(entity, ())
        begin = self._broken.get(entity, 0)
        room = min(MAXIMUM_REJECTS, int(file.row_count * MAXIMUM_REJECT_RATE))
        chosen = faults[begin : begin + max(room, 1)]
        if file.row_count < 10 or not chosen or not sample.num_rows:
            return
        self._broken[entity] = begin + len(chosen)
        for fault in chosen:
            number = _write_broken(file, sample, fault, self.connection)
            self.ledger.notes.append(
                Noted(entity, file.path.name, number, "broken row", fault.name, fault.rule, 1)
            )


class Feed:
    """The files of one dated feed."""

    def __init__(self, drops: Drops, entity: str, form: str, days: int) -> None:
        self._drops = drops
        self._entity = entity
        self._form = form
        self._days = days
        self._files: dict[int, TableFile] = {}
        self._samples: dict[int, pa.Table] = {}

    def append(self, table: pa.Table, delivered: Ints) -> Bools:
        """Put rows into the files of the days they are delivered on, in that order.

        Returns:
            Which rows are delivered at all.
        """
        clock = self._drops.clock
        comes = delivered < clock.end
        missing = int(len(delivered) - comes.sum())
        if missing:
            never = self._drops.ledger.never_delivered
            never[self._entity] = never.get(self._entity, 0) + missing
        period = np.clip(clock.day_of(delivered), 0, clock.days - 1) // self._days
        rows = np.argsort(delivered, kind="stable")
        rows = rows[comes[rows]]
        if not len(rows):
            return comes
        # Time and period grow together, so that one gather serves all files.
        ordered = table.take(pa.array(rows))
        numbers, starts = np.unique(period[rows], return_index=True)
        ends = [*starts[1:].tolist(), len(rows)]
        for number, begin, end in zip(numbers.tolist(), starts.tolist(), ends, strict=True):
            part = ordered.slice(begin, end - begin)
            self._file(number).write(part)
            self._samples.setdefault(number, part.slice(0, 1))
        return comes

    def repeat(self, table: pa.Table, delivered: Ints) -> None:
        """Put rows into the files after those they lie in already."""
        clock = self._drops.clock
        later = np.clip(clock.day_of(delivered), 0, clock.days - 1) + self._days
        fits = (later < clock.days) & (delivered < clock.end)
        for number in np.unique(later[fits] // self._days).tolist():
            rows = np.flatnonzero(fits & (later // self._days == number))
            file = self._file(number)
            file.write(table.take(pa.array(rows)))
            self._drops.ledger.notes.append(
                Noted(
                    self._entity, file.path.name, None, "repeated rows",
                    "delivered in the file before already", None, len(rows),
                )
            )  # fmt: skip

    def close(self, *, again: bool = False, orphans: Sequence[bytes] = ()) -> None:
        """Finish all files.

        Args:
            again: Deliver the first file twice; it holds no broken row then.
            orphans: Lines for the last file whose parent never comes.
        """
        numbers = sorted(self._files)
        for number in numbers:
            file = self._files[number]
            is_last = number == numbers[-1]
            spared = again and number == numbers[0] and not is_last
            sample = self._samples.get(number, pa.table({}))
            self._drops.finish(
                self._entity,
                file,
                sample.slice(0, 0) if spared else sample,
                orphans if is_last else (),
            )
        if again and len(numbers) > 1:
            first = self._files[numbers[0]].path.name
            stem, dot, form = first.partition(".")
            self._drops.again(self._entity, first, f"{stem}-again{dot}{form}")

    def _file(self, number: int) -> TableFile:
        if number not in self._files:
            drops = self._drops
            last = min((number + 1) * self._days, drops.clock.days) - 1
            name = f"{drops.clock.date_of(last).isoformat()}.{self._form}"
            path = drops.folder / self._entity / name
            self._files[number] = TableFile(path, self._form, drops.connection)
        return self._files[number]


def late(luck: Luck, instants: Ints, share: float) -> Ints:
    """When records arrive: within seconds, some one to ten days late."""
    size = len(instants)
    soon = SECOND // 5 + luck.below(5 * SECOND, size)
    days = (1 + luck.below(10, size)) * DAY
    return instants + soon + np.where(luck.chance(share, size), days, 0)


def _write_broken(
    file: TableFile, sample: pa.Table, fault: Fault, connection: duckdb.DuckDBPyConnection
) -> int:
    row = sample.slice(0, 1)
    if file.form == "parquet":
        file.write(_changed(row, fault))
        return file.line_count
    if file.form == "csv":
        cells = {name: row[name].cast(pa.string())[0].as_py() or "" for name in row.schema.names}
        cells |= {name: "" if value is None else str(value) for name, value in fault.change.items()}
        data = ",".join(cells.values()).encode()
    else:
        value = json.loads(lines(row, connection))
        for name, given in fault.change.items():
            value[name] = given
        value = {name: one for name, one in value.items() if one is not None}
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return file.raw(fault.spoil(data) if fault.spoil else data)


def _changed(row: pa.Table, fault: Fault) -> pa.Table:
    for name, value in fault.change.items():
        position = row.schema.get_field_index(name)
        kind = row.schema.field(name).type
        if pa.types.is_timestamp(kind):
            # Ahead of the moment of receipt, which stays.
            ahead = row["received_at"][0].value + value
            column = pa.array([ahead], pa.int64()).cast(kind)
        else:
            column = pa.array([value]).cast(kind) if value is not None else pa.nulls(1, kind)
        row = row.set_column(position, name, column)
    return row
