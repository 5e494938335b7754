"""Judge the built marts and publish them as a new versioned file.

**What.** `check_marts` runs the gate before publication (business bands, totals that must tie
out, drift against the last publication); `publish_marts` copies the marts file under `serving/`,
syncs it to disk and swaps `current.duckdb` to it in one rename. Readers see the old file or the
new one.

**When.** After every run of `transform_warehouse`, also one that had nothing to build: publishing
what is published already changes nothing. By hand: with the partition key `ledger`.

**If it fails.** `check_marts`: the last publication stays, see
docs/runbooks/marts_gate_failed.md. `publish_marts`: no space or a lease, see
docs/runbooks/publish_late.md. A wrong publication is undone by `setae publish --rollback`.

**Safe to rerun?** Yes. The same marts have the same content hash and are published once.
"""

from datetime import timedelta

from airflow.sdk import DAG, task
from assets import AFTER_A_BUILD, PUBLICATION

from setae.orchestration import TASK_DEFAULTS, WRITER_POOL, TaskProgress, deadline
from setae.settings import load_settings

with DAG(
    dag_id="publish_marts",
    doc_md=__doc__,
    schedule=AFTER_A_BUILD,
    catchup=False,
    max_active_runs=1,
    default_args={**TASK_DEFAULTS, "pool": WRITER_POOL},
    deadline=deadline(timedelta(hours=1), runbook="publish_late"),
    tags=["layer:marts", "source:all", "tier:1"],
):

    @task
    def check_marts() -> None:
        """Judge the built marts (`setae check marts`)."""
        from setae import stages

        stages.check(load_settings(), stage="marts", progress=TaskProgress())

    @task(outlets=[PUBLICATION])
    def publish_marts() -> None:
        """Publish the marts that passed (`setae publish`)."""
        from setae import stages

        stages.publish(load_settings(), progress=TaskProgress())

    check_marts() >> publish_marts()
