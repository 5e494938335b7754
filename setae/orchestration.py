"""What every DAG shares and what Airflow's workers must be able to import.

Airflow puts `dags/` on the path of the DAG processor and of tasks only; deadline callbacks run
elsewhere. So the task defaults, the retry policy, the deadline callback and the partition windows
live in this installed module. It is the one module outside `dags/` that imports Airflow, and it
imports nothing heavy: Airflow reads it every time it parses a DAG.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import CronPartitionTimetable, RetryDecision, RetryPolicy
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowRescheduleException

from setae.errors import SetaeError, SourceBusy

log = logging.getLogger(__name__)

DAILY = CronPartitionTimetable(
    "0 0 * * *",
    timezone="UTC",
    run_offset=-1,
    key_format="%Y-%m-%d",
    run_immediately=timedelta(0),
)
"""At midnight UTC, one partition for the day that just ended, `2026-11-21`. Unpausing a DAG in the
first hours of a day does not run the day before: a person triggers that, or a backfill does."""

WRITER_POOL = "duckdb_writer"
"""The pool of one slot; every task that opens the warehouse runs in it."""

WRITER_SLOTS = 1

ALERTS_FILE = "alerts.ndjson"
"""In `<home>/airflow`: one line for each missed deadline."""


LOG_INTERVAL_SECONDS = 2.0
"""Counts are logged at most this often, the last one always."""


class TaskProgress:
    """Writes a stage's progress into the task's log, where the UI and `setae demo` read it."""

    def __init__(self) -> None:
        self._logged_at = 0.0

    def step(self, text: str) -> None:
        """A new part of the work begins."""
        log.info("%s", text)

    def advance(self, done: int, total: int, text: str = "") -> None:
        """So many of so many are done."""
        now = time.monotonic()
        if done != total and now - self._logged_at < LOG_INTERVAL_SECONDS:
            return
        self._logged_at = now
        of = f" of {total:,}" if total else ""
        log.info("%s%s done%s", f"{done:,}", of, f": {text}" if text else "")


@contextmanager
def put_off_if_busy() -> Iterator[None]:
    """Put the task off instead of failing it while a source wants to be left alone.

    The worker's slot is free until the moment the source named, and no retry is used up.

    Raises:
        AirflowRescheduleException: With that moment.
    """
    try:
        yield
    except SourceBusy as busy:
        log.info("put off until %s: %s", busy.retry_at.isoformat(timespec="seconds"), busy)
        raise AirflowRescheduleException(busy.retry_at) from busy  # type: ignore[no-untyped-call]


class SetaeRetryPolicy(RetryPolicy):
    """Retry what may mend itself; give up at once where somebody has to change something.

    A source that is out of reach, a lease that another process holds and a full disk are tried
    again with exponential back-off. A wrong setting, bad data and a failed gate are not: the
    same call would fail the same way. Anything that is not ours keeps Airflow's own rule.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Any = None,
    ) -> RetryDecision:
        """Decide about one failure; Airflow logs and stores the reason."""
        if not isinstance(exception, SetaeError):
            return RetryDecision.default()
        what = f"{type(exception).__name__}: {exception}"
        if isinstance(exception, SourceBusy):
            delay = max(exception.retry_at - datetime.now(UTC), timedelta())
            return RetryDecision.retry(delay=delay, reason=f"may pass later: {what}")
        if exception.retryable:
            return RetryDecision.retry(reason=f"may pass later: {what}")
        return RetryDecision.fail(reason=f"final, needs a person: {what}")

    def serialize(self) -> dict[str, Any]:
        """Nothing to keep: the policy has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SetaeRetryPolicy:
        """The policy again."""
        return cls()


TASK_DEFAULTS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": SetaeRetryPolicy(),
    "execution_timeout": timedelta(hours=2),
}
"""`default_args` of every DAG."""


def deadline(interval: timedelta, *, runbook: str) -> DeadlineAlert:
    """An alert when a run is not done so long after it was queued.

    Args:
        interval: How long a run may take.
        runbook: Page under `docs/runbooks/` for the person who is called.

    Returns:
        The alert; its callback is synchronous and runs in the executor.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=interval,
        callback=SyncCallback(deadline_missed, kwargs={"runbook": runbook}),
        name=runbook,
    )


def deadline_missed(*, runbook: str, context: dict[str, Any]) -> None:
    """Write down a missed deadline: one log line, and one line in `<home>/airflow/alerts.ndjson`.

    Args:
        runbook: Page under `docs/runbooks/`.
        context: The DAG run and the deadline, from Airflow.
    """
    from setae.settings import find_home
    from setae.warehouse import Home

    run = context.get("dag_run") or {}
    alert = {
        "alert": "deadline_missed",
        "dag_id": run.get("dag_id"),
        "run_id": run.get("dag_run_id"),
        "partition_key": run.get("partition_key"),
        "queued_at": run.get("queued_at"),
        "noticed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "runbook": f"docs/runbooks/{runbook}.md",
    }
    log.error(
        "deadline missed: %s run %s; see docs/runbooks/%s.md",
        alert["dag_id"],
        alert["run_id"],
        runbook,
    )
    path = Home(find_home()).airflow / ALERTS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        stream.write(json.dumps(alert, default=str, sort_keys=True) + "\n")


def partition_window(
    key: str | None, *, zone: str = "UTC"
) -> tuple[datetime | None, datetime | None]:
    """The half-open time range of a partition.

    Args:
        key: `2017` is a year, `2017-03` a month, `2017-03-26` a day. Without a key (a run started
            by hand, `dag.test()`) the range is open: all that the source has.
        zone: IANA zone whose years, months and days are meant.

    Returns:
        Aware UTC start and end; the end belongs to the next partition.

    Raises:
        ValueError: The key has another form.
    """
    if key is None:
        return None, None
    local = ZoneInfo(zone)
    year, month, day = (*(int(part) for part in key.split("-")), 0, 0)[:3]
    start = datetime(year, month or 1, day or 1, tzinfo=local)
    if day:
        end = start + timedelta(days=1)  # the next day's midnight by the wall clock
    elif month:
        end = start.replace(year=year + month // 12, month=month % 12 + 1)
    else:
        end = start.replace(year=year + 1)
    return start.astimezone(UTC), end.astimezone(UTC)
