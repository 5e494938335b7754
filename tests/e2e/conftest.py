"""Homes with the small world, and Airflow's environment for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from setae import scheduler
from setae.settings import Settings
from setae.warehouse import Home

HERE = Path(__file__).parent


def run_dags(settings: Settings, *dag_ids: str) -> dict[str, Any]:
    """The DAGs by `dag.test()`, in a process of their own; states of runs and tasks."""
    path = Home(settings.home).airflow
    environment = scheduler.airflow_environment(settings, port=8080)
    (path / "logs").mkdir(parents=True, exist_ok=True)
    scheduler._ensure_database(path, environment)
    dags = environment["AIRFLOW__CORE__DAGS_FOLDER"]
    done = subprocess.run(
        [sys.executable, str(HERE / "run_dags.py"), dags, *dag_ids],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=570,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("STATES ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(lines[0].removeprefix("STATES "))
