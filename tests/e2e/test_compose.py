"""The compose services' own commands and settings, run natively with a real Postgres.

No Docker engine is needed. What differs from a container is replaced: the address of Postgres, the
data folder, and the address the pages listen on. Needs Postgres' programs (`apt-get install
postgresql`); `make test-scheduler` runs it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from setae.guard import Guard
from setae.scheduler import Api, Credentials, free_port
from tests.compose import ROOT, resolved

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(600)]

PASSWORD = "a-password-of-the-test"
SECRETS = {
    "POSTGRES_PASSWORD": PASSWORD,
    "AIRFLOW_FERNET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "AIRFLOW_SECRET_KEY": "the-secret-key-of-the-test-0123456789",
    "AIRFLOW_JWT_SECRET": "the-jwt-secret-of-the-test-0123456789-0123456789-0123456789-012345",
    "AIRFLOW_ADMIN_PASSWORD": "the-admin-password-of-the-test",
}
LONG_RUNNING = ("api-server", "scheduler", "dag-processor", "triggerer")


def postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    place = shutil.which("initdb") or (str(found[-1]) if found else None)
    assert place, "no Postgres here: apt-get install postgresql"
    return Path(place).resolve().parent


@contextmanager
def postgres(port: int) -> Iterator[None]:
    """A Postgres with the user and database of the compose file."""
    programs = postgres_programs()
    folder = Path(tempfile.mkdtemp(prefix="setae-postgres-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # Postgres refuses to run as root
        entry = pwd.getpwnam("postgres")
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(programs / program), *arguments],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,
        )

    data = str(folder / "data")
    try:
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        )
        user = ("--username=airflow", f"--pwfile={secret}", "--auth=scram-sha-256")
        run("initdb", f"--pgdata={data}", *user, "--encoding=UTF8", "--locale=C")
        run("pg_ctl", "start", "--wait", f"--pgdata={data}", f"--options={options}")
        os.environ["PGPASSWORD"] = PASSWORD
        run("createdb", "--host=127.0.0.1", f"--port={port}", "--username=airflow", "airflow")
        yield
    finally:
        os.environ.pop("PGPASSWORD", None)
        run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={data}")
        shutil.rmtree(folder, ignore_errors=True)


def some_port() -> int:
    """A free port far from those of the pages."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return int(candidate.getsockname()[1])


def native(value: str, *, home: Path, database: int, pages: int) -> str:
    """A setting of a container, for this machine."""
    return (
        value.replace("@postgres:5432", f"@127.0.0.1:{database}")
        .replace("http://api-server:8080", f"http://127.0.0.1:{pages}")
        .replace("/data", str(home))
        .replace("0.0.0.0", "127.0.0.1")
    )


def test_the_services_come_up_on_postgres_and_run_a_dag(tmp_path):
    home = tmp_path / "home"
    pages, database = free_port(), some_port()
    services = resolved({**SECRETS, "AIRFLOW_PORT": str(pages)})["services"]
    image = {  # ENV of docker/Dockerfile
        "SETAE_HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    }

    def environment(name: str) -> dict[str, str]:
        own = {
            key: native(str(value), home=home, database=database, pages=pages)
            for key, value in services[name]["environment"].items()
        }
        own["AIRFLOW__API__PORT"] = str(pages)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**os.environ, **image, **own, "PATH": path}

    with postgres(database):
        (init,) = services["init"]["command"]
        script = init.replace("/opt/setae", str(ROOT))
        for _ in range(2):  # it runs at every start
            subprocess.run([script], env=environment("init"), check=True, capture_output=True)
        assert (home / "airflow" / "passwords.json").stat().st_mode & 0o777 == 0o600
        guard = Guard()
        try:
            for name in LONG_RUNNING:
                with (tmp_path / f"{name}.log").open("wb") as log:
                    process = subprocess.Popen(
                        services[name]["command"],
                        env=environment(name),
                        cwd=home,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                guard.watch(process.pid)
            password = SECRETS["AIRFLOW_ADMIN_PASSWORD"]
            who = Credentials("admin", password, home / "airflow" / "passwords.json", is_new=False)
            api = Api(pages, who)
            until = time.monotonic() + 180
            parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
            while not all(api.health().get(part) == "healthy" for part in parts):
                assert time.monotonic() < until, api.health()
                time.sleep(0.5)
            assert api.get("/pools/duckdb_writer")["slots"] == 1
            while api.get("/dags")["total_entries"] < 5:
                assert time.monotonic() < until
                time.sleep(0.5)
            api.patch("/dags/maintain_warehouse", {"is_paused": False})
            api.post("/dags/maintain_warehouse/dagRuns", {"logical_date": None, "conf": {}})
            while True:
                runs = api.get("/dags/maintain_warehouse/dagRuns")["dag_runs"]
                if runs and runs[0]["state"] in ("success", "failed"):
                    break
                assert time.monotonic() < until + 120
                time.sleep(0.5)
            assert runs[0]["state"] == "success"
            check = services["scheduler"]["healthcheck"]["test"][1:]
            subprocess.run(check, env=environment("scheduler"), check=True, capture_output=True)
        finally:
            guard.close()
