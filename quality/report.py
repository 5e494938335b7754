"""The gate's report: one self-contained HTML page, every value escaped, nothing fetched.

Great Expectations' own pages write cell values unescaped and load files from elsewhere; this one
has a content security policy that forbids scripts and requests altogether.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from quality.checks import Result
from setae.warehouse import write_atomically

_ORDER = {"failed": 0, "warned": 1, "no_history": 2, "passed": 3}


def write_report(
    path: Path,
    *,
    stage: str,
    gate_run_id: str,
    results: Sequence[Result],
    counts: Mapping[str, int],
    as_of: datetime | None,
    checked_at: datetime,
    file_status: Mapping[str, str],
) -> None:
    """Write the page of one gate run, in place of the page before it.

    Args:
        path: Of the page.
        stage: `raw` or `marts`.
        gate_run_id: Under which `ops.gate_results` has the results.
        results: Of every check.
        counts: Checks by outcome.
        as_of: The clock of the gate.
        checked_at: When it ran.
        file_status: What became of each judged file.
    """
    environment = Environment(
        loader=PackageLoader("quality"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ordered = sorted(results, key=lambda result: (_ORDER[_kind(result)], result.suite))
    page = environment.get_template("gate.html").render(
        stage=stage,
        gate_run_id=gate_run_id,
        passed=not counts.get("failed"),
        counts=counts,
        entries=[(_kind(result), result) for result in ordered],
        as_of=None if as_of is None else f"{as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        checked_at=f"{checked_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        failed_files=sorted(name for name, status in file_status.items() if status == "failed"),
        file_count=len(file_status),
    )
    write_atomically(path, page)


def _kind(result: Result) -> str:
    if result.outcome == "failed" and not result.stops:
        return "warned"
    return result.outcome
