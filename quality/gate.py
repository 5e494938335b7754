"""The two gates: loaded files before they are modelled, marts before they are published.

    ops.loaded_files + raw_*  ──suites──▶ Great Expectations (SQL) ──▶ ops.gate_results
    marts_db.marts.*                                                   reports/gate-<stage>.html

Severity `error` stops the run, `warn` is reported; Great Expectations' own success is not asked,
because it counts both. A file that failed stays failed, and is judged again with the next batch,
until it is mended (`setae quarantine release`, a corrected delivery) or accepted with a reason
(`setae check raw --accept FILE --reason '…'`). The caller holds the lease, no connection is open.

Run it alone: `setae check raw`, `setae check marts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from quality import marts, raw, results
from quality.checks import Check, Result, Suite
from quality.facts import Facts, gather
from quality.report import write_report
from setae import ledger
from setae.errors import DataError
from setae.failpoints import failpoint
from setae.progress import Progress, Silent
from setae.settings import Settings
from setae.warehouse import MARTS_ALIAS, Home, connect, literal

if TYPE_CHECKING:
    from quality.datasource import Warehouse

Stage = Literal["raw", "marts"]

_SPELLED_OUT = 20
"""Up to so many files are named in the SQL of a result; more are looked up in the result's row."""


@dataclass(frozen=True)
class GateReport:
    """What a gate found.

    Attributes:
        stage: `raw` or `marts`.
        gate_run_id: Under which `ops.gate_results` has it.
        results: One per check.
        file_status: What becomes of each judged file: `passed` or `failed`.
        report: The HTML page.
    """

    stage: Stage
    gate_run_id: str
    results: tuple[Result, ...]
    report: Path
    file_status: Mapping[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[Result, ...]:
        """What stops the run; each has a `line` for a person."""
        return tuple(result for result in self.results if result.stops)

    @property
    def warnings(self) -> tuple[Result, ...]:
        """What failed with severity `warn`."""
        return tuple(
            result for result in self.results if result.outcome == "failed" and not result.stops
        )

    @property
    def passed(self) -> bool:
        """Whether the run may go on."""
        return not self.failures

    @property
    def check_count(self) -> int:
        """How many checks were judged or could not be for want of history."""
        return len(self.results)

    @property
    def counts(self) -> dict[str, int]:
        """Checks by outcome: passed, warned, failed, no_history."""
        counted = Counter(
            "warned" if result.outcome == "failed" and not result.stops else result.outcome
            for result in self.results
        )
        return {name: counted[name] for name in ("passed", "warned", "failed", "no_history")}

    @property
    def message(self) -> str:
        """One line that says how it went."""
        if self.passed:
            counts = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count)
            return f"gate {self.stage}: {counts or 'nothing to judge'}"
        more = len(self.failures) - 1
        also = f" (and {more} more)" if more else ""
        return f"{self.failures[0].line}{also}; see {self.report}"


def check_raw(
    settings: Settings, *, as_of: datetime | None = None, progress: Progress | None = None
) -> GateReport:
    """Judge every loaded file that no gate has passed yet, and every feed's freshness.

    Args:
        settings: Of the home.
        as_of: What freshness is measured against; by default the settings', else the newest
            window's end.
        progress: Told about each suite.

    Returns:
        The report; `file_status` is for the caller to write into the ledger.
    """
    return _check(settings, "raw", raw.suites, as_of=as_of, progress=progress)


def check_marts(settings: Settings, *, progress: Progress | None = None) -> GateReport:
    """Judge the built marts, and what changed since the last publication.

    Args:
        settings: Of the home.
        progress: Told about each suite.
    """
    return _check(settings, "marts", marts.suites, as_of=None, progress=progress)


def _check(
    settings: Settings,
    stage: Stage,
    make_suites: Callable[[duckdb.DuckDBPyConnection, Facts], Sequence[Suite]],
    *,
    as_of: datetime | None,
    progress: Progress | None,
) -> GateReport:
    home, told = Home(settings.home), progress or Silent()
    checked_at = datetime.now(UTC)
    attach = {}
    if stage == "marts":
        attach = {MARTS_ALIAS: home.marts}
        current = home.serving / "current.duckdb"
        if current.exists():
            attach[marts.PREVIOUS] = current.resolve()
    if stage == "marts" and not home.marts.exists():
        raise DataError(f"{home.marts}: no marts yet; run `setae transform` first")
    with connect(settings) as connection:
        ledger.create(connection)
        results.create(connection)
        gate_run_id = results.next_run_id(connection, stage)
        for name, file in attach.items():
            connection.execute(f"attach {literal(str(file))} as {name} (read_only)")
        facts = gather(connection, settings, as_of=as_of)
        suites = make_suites(connection, facts)
    failpoint("check:before_judging")
    judged = _judge(settings, suites, attach, gate_run_id, told)
    failpoint("check:after_judging")
    with connect(settings) as connection:
        results.write(
            connection,
            judged,
            gate_run_id=gate_run_id,
            stage=stage,
            build_digest=facts.build_digest if stage == "marts" else None,
            as_of=facts.as_of,
            checked_at=checked_at,
        )
    failpoint("check:after_results")
    report = GateReport(
        stage=stage,
        gate_run_id=gate_run_id,
        results=judged,
        report=home.reports / f"gate-{stage}.html",
        file_status=_file_status(facts, judged) if stage == "raw" else {},
    )
    write_report(
        report.report,
        stage=stage,
        gate_run_id=gate_run_id,
        results=judged,
        counts=report.counts,
        as_of=facts.as_of,
        checked_at=checked_at,
        file_status=report.file_status,
    )
    failpoint("check:after_report")
    return report


def _judge(
    settings: Settings,
    suites: Sequence[Suite],
    attach: Mapping[str, Path],
    gate_run_id: str,
    progress: Progress,
) -> tuple[Result, ...]:
    judged = [
        _without_history(suite, check)
        for suite in suites
        for check in suite.checks
        if check.missing_history is not None
    ]
    wanted = [
        (suite, [check for check in suite.checks if check.missing_history is None])
        for suite in suites
    ]
    wanted = [(suite, checks) for suite, checks in wanted if checks]
    if wanted:
        from quality.datasource import open_warehouse

        with open_warehouse(settings, attach=attach) as warehouse:
            for done, (suite, checks) in enumerate(wanted):
                progress.advance(done, len(wanted), suite.name)
                verdicts = warehouse.judge(suite, checks)
                judged += [
                    _result(warehouse, suite, check, verdicts.get(check.name), gate_run_id)
                    for check in checks
                ]
            progress.advance(len(wanted), len(wanted))
    order = {suite.name: number for number, suite in enumerate(suites)}
    return tuple(sorted(judged, key=lambda result: (order[result.suite], result.check.name)))


def _without_history(suite: Suite, check: Check) -> Result:
    return Result(
        check=check,
        suite=suite.name,
        outcome="no_history",
        observed=check.missing_history or "",
        file_ids=suite.file_ids,
    )


def _result(
    warehouse: Warehouse, suite: Suite, check: Check, verdict: str | None, gate_run_id: str
) -> Result:
    if verdict:
        return Result(
            check=check,
            suite=suite.name,
            outcome="failed",
            observed=f"could not be judged ({verdict})",
            failing_sql=_shown(suite, check, gate_run_id),
            file_ids=suite.file_ids,
            failed_file_ids=suite.file_ids,
        )
    observed = None if verdict is not None else check.observed_if_passed
    if observed is None:
        rows = warehouse.query(_with_batch(suite, check.observed_sql))
        observed = "nothing" if not rows or rows[0][0] is None else str(rows[0][0])
    if verdict is None:
        return Result(
            check=check,
            suite=suite.name,
            outcome="passed",
            observed=observed,
            file_ids=suite.file_ids,
        )
    failing = _with_batch(suite, check.failing_sql)
    failed_row_count = int(warehouse.query(f"select count(*) from ({failing}) as failing")[0][0])
    failed = suite.file_ids
    if check.file_column is not None:
        found = warehouse.query(
            f"select distinct {check.file_column} from ({failing}) as failing "
            f"where {check.file_column} is not null order by 1"
        )
        judged = {str(file_id) for (file_id,) in found} & set(suite.file_ids)
        # Rows of files that passed earlier can fail because of one that came now: then all do.
        failed = tuple(sorted(judged)) or suite.file_ids
    return Result(
        check=check,
        suite=suite.name,
        outcome="failed",
        observed=observed,
        failed_row_count=failed_row_count,
        failing_sql=_shown(suite, check, gate_run_id),
        file_ids=suite.file_ids,
        failed_file_ids=failed,
    )


def _with_batch(suite: Suite, sql: str) -> str:
    return sql.replace("{batch}", f"({suite.query})")


def _shown(suite: Suite, check: Check, gate_run_id: str) -> str:
    """The failing rows' SQL as it stays true: by the files' ids, not by their gate status."""
    sql = _with_batch(suite, check.failing_sql)
    if suite.file_filter is None:
        return sql
    if len(suite.file_ids) <= _SPELLED_OUT:
        files = "(" + ", ".join(literal(file_id) for file_id in suite.file_ids) + ")"
    else:
        files = (
            "(select unnest(file_ids) from ops.gate_results "
            f"where gate_run_id = {literal(gate_run_id)} and suite_name = {literal(suite.name)} "
            f"and check_name = {literal(check.name)})"
        )
    return sql.replace(suite.file_filter, files)


def _file_status(facts: Facts, judged: Sequence[Result]) -> dict[str, str]:
    failed = {file_id for result in judged if result.stops for file_id in result.failed_file_ids}
    return {
        file_id: "failed" if file_id in failed else "passed"
        for batch in facts.batches
        for file_id in batch.file_ids
    }
