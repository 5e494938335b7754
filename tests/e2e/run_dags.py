"""Run DAGs one after the other by `dag.test()` and print what became of them, as JSON.

`python run_dags.py <dags folder> <dag id> …` in the environment of a home's Airflow.
"""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
bag = DagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
states = {}
for dag_id in sys.argv[2:]:
    dag = bag.dags[dag_id]
    dag.deadline = None  # Airflow 3.3.2: dag.test() cannot read the deadlines of a run it ends
    run = dag.test()
    states[dag_id] = {
        "run": str(run.state),
        "tasks": {
            f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id: str(
                task.state
            )
            for task in run.get_task_instances()
        },
    }
    if str(run.state) != "success":
        break
sys.stdout.write("STATES " + json.dumps(states) + "\n")
