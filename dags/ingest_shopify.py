"""Land what changed in the Shopify shop: products, codes, customers and orders with all of theirs.

**What.** Asks the Admin API for what changed since each stream's cursor and before the partition's
end, pseudonymises and lands it under `landing/shopify/`; nothing without `[sources.shopify]`.

**When.** Daily at midnight UTC, for the day that just ended (partition key `2026-11-21`). A missed
day is in the next run. To heal a range, exactly its days and without moving a cursor: `airflow
backfill create --dag-id ingest_shopify --from-date 2026-11-01 --to-date 2026-11-21`.

**If it fails.** The message says what the shop answered. A shop that is too busy does not fail the
task: it is put off to the moment the shop named. See docs/runbooks/ingest_late.md.

**Safe to rerun?** Yes. What landed before is recognised by its content.
"""

from datetime import timedelta

from airflow.sdk import DAG, task
from assets import RAW

from setae.orchestration import (
    DAILY,
    TASK_DEFAULTS,
    TaskProgress,
    deadline,
    partition_window,
    put_off_if_busy,
)
from setae.settings import load_settings

with DAG(
    dag_id="ingest_shopify",
    doc_md=__doc__,
    schedule=DAILY,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    deadline=deadline(timedelta(hours=6), runbook="ingest_late"),
    tags=["layer:raw", "source:shopify", "tier:1"],
):

    @task
    def check_accounts() -> list[str]:
        """List the configured sources of kind `shopify`; the next task runs once for each."""
        sources = load_settings().sources
        return sorted(name for name, source in sources.items() if source.kind == "shopify")

    @task(outlets=[RAW["shopify"]], map_index_template="{{ source }}")
    def ingest_account(source: str, partition_key: str | None = None) -> None:
        """Fetch what changed before the end of the partition and land it (`setae fetch`)."""
        from setae import stages

        start, end = partition_window(partition_key)
        settings, progress = load_settings(), TaskProgress()
        with put_off_if_busy():
            stages.fetch(settings, source=source, start=start, end=end, progress=progress)

    ingest_account.expand(source=check_accounts())
