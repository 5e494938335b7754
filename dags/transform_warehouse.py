"""Load what has landed, judge it, and build and test the marts.

**What.** Loads every landed file that the ledger lacks, runs the raw gate over them, then one dbt
build over what passed and is not modelled yet. One asset event for each mart built.

**When.** After any ingest DAG. By hand: partition key `ledger`; `full_refresh` starts from nothing.

**If it fails.** docs/runbooks/transform_late.md; at `check_raw` docs/runbooks/raw_gate_failed.md.

**Safe to rerun?** Yes. Rows and ledger commit together, and a set built twice changes nothing.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task
from assets import AFTER_ANY_SOURCE, BUILDS, LEDGER, MODELS, model_asset

from setae.orchestration import TASK_DEFAULTS, WRITER_POOL, TaskProgress, deadline
from setae.settings import load_settings

with DAG(
    dag_id="transform_warehouse",
    doc_md=__doc__,
    schedule=AFTER_ANY_SOURCE,
    catchup=False,
    max_active_runs=1,
    default_args={**TASK_DEFAULTS, "pool": WRITER_POOL},
    deadline=deadline(timedelta(hours=2), runbook="transform_late"),
    params={"full_refresh": Param(default=False, type="boolean")},
    tags=["layer:marts", "source:all", "tier:1"],
):

    @task
    def ingest_landed_files() -> None:
        """Load every landed file that the ledger lacks (`setae load`)."""
        from setae import stages

        stages.load(load_settings(), progress=TaskProgress())

    @task
    def check_raw() -> None:
        """Judge the loaded files; staging reads only what passed (`setae check raw`)."""
        from setae import stages

        stages.check(load_settings(), stage="raw", progress=TaskProgress())

    @task(outlets=[BUILDS, MODELS])
    def transform_models(params: Any = None, outlet_events: Any = None) -> None:
        """Build and test the marts in one dbt call (`setae transform`)."""
        from setae import stages

        result = stages.transform(load_settings(), progress=TaskProgress(), **params)
        for model in result.models:
            outlet_events[MODELS].add(model_asset(model))
        outlet_events[BUILDS].add_partitions(LEDGER)

    ingest_landed_files() >> check_raw() >> transform_models()
