"""Land what others dropped: files in `<folder>/<entity>/` of every configured `drops` source.

**What.** For each source of kind `drops` in `setae.toml` (an account each) one task reads the
files of the partition, checks every line against the contract, pseudonymises and lands good rows,
rejects and a manifest under `landing/<source>/`. Loads nothing: `transform_warehouse` follows.

**When.** Daily at midnight UTC, for the day that just ended; the partition key is that day,
`2026-11-21`. To heal a range, and again if need be: `airflow backfill create --dag-id
ingest_drops --from-date 2026-11-01 --to-date 2026-11-21`.

**If it fails.** A file that is unusable as a whole stops its account only; the message names the
file. Single bad rows do not fail the task, they go to quarantine (`setae quarantine list`). See
docs/runbooks/ingest_late.md.

**Safe to rerun?** Yes. A file that was landed before is recognised by its content and left alone.
"""

from datetime import timedelta

from airflow.sdk import DAG, task
from assets import RAW

from setae.orchestration import DAILY, TASK_DEFAULTS, TaskProgress, deadline, partition_window
from setae.settings import load_settings

with DAG(
    dag_id="ingest_drops",
    doc_md=__doc__,
    schedule=DAILY,
    catchup=False,
    max_active_runs=4,
    default_args=TASK_DEFAULTS,
    deadline=deadline(timedelta(hours=2), runbook="ingest_late"),
    tags=["layer:raw", "source:drops", "tier:1"],
):

    @task
    def check_accounts() -> list[str]:
        """List the configured sources of kind `drops`; the next task runs once for each."""
        sources = load_settings().sources
        return sorted(name for name, source in sources.items() if source.kind == "drops")

    @task(outlets=[RAW["drops"]], map_index_template="{{ source }}")
    def ingest_account(source: str, partition_key: str | None = None) -> None:
        """Fetch one account's files of the partition and land them (`setae fetch`)."""
        from setae import stages

        start, end = partition_window(partition_key)
        stages.fetch(load_settings(), source=source, start=start, end=end, progress=TaskProgress())

    ingest_account.expand(source=check_accounts())
