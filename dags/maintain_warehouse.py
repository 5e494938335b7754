"""Keep the data home sound: prove what is published, clear what is left over, compact.

**What.** `check_publication` compares the published files with their manifest and goes back to
the newest sound publication if they are damaged; `maintain_landing` removes what interrupted
fetches left behind; `maintain_warehouse` removes publications beyond `keep_publications` and
compacts the working files.

**When.** Daily at 03:00 UTC.

**If it fails.** `check_publication` says which file is damaged and what readers see now: see
docs/runbooks/publication_damaged.md. The others: disk or lease, see
docs/runbooks/maintain_late.md.

**Safe to rerun?** Yes. Each task finds its work done and does nothing.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from setae.orchestration import TASK_DEFAULTS, WRITER_POOL, TaskProgress, deadline
from setae.settings import load_settings

with DAG(
    dag_id="maintain_warehouse",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 3 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={**TASK_DEFAULTS, "pool": WRITER_POOL},
    deadline=deadline(timedelta(hours=3), runbook="maintain_late"),
    tags=["layer:ops", "source:all", "tier:3"],
):

    @task
    def check_publication() -> None:
        """Prove the published files; go back to the newest sound ones if need be."""
        from setae import maintenance

        maintenance.verify_publication(load_settings(), progress=TaskProgress())

    @task
    def maintain_landing() -> None:
        """Remove what interrupted fetches left in landing."""
        from setae import maintenance

        maintenance.sweep_landing(load_settings(), progress=TaskProgress())

    @task
    def maintain_warehouse() -> None:
        """Remove old publications and compact the working files."""
        from setae import maintenance

        maintenance.compact(load_settings(), progress=TaskProgress())

    check_publication() >> maintain_landing() >> maintain_warehouse()
