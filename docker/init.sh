#!/usr/bin/env bash
# Make or upgrade what the services need, once, before they start: the data home, Airflow's metadata,
# the pool of the one writer, and the password file of the one user. Safe to run at every start.
set -euo pipefail

setae init --home "$SETAE_HOME"
airflow db migrate
airflow pools set duckdb_writer 1 "The one writer."

umask 077
mkdir -p "$AIRFLOW_HOME"
python - <<'PYTHON'
import json
import os
from pathlib import Path

path = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
path.write_text(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}) + "\n")
path.chmod(0o600)
PYTHON
