"""A local Airflow for one data home: `setae up`, and the engine under `setae demo`.

Everything lies in `<home>/airflow`: SQLite metadata, logs, secrets (mode 0600). The processes run
each in a session of its own and bind to 127.0.0.1 only: the API server with the pages, the
scheduler (LocalExecutor) and the DAG processor. However the owner ends, by Ctrl-C, by a crash or by
SIGKILL, the guard ends them all (`setae.guard`).

The migrated metadata database is made once per environment (about 7 s) and copied for each home.
This module talks to Airflow by its command line and its REST interface only and imports none of
it.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import http.client
import importlib.metadata
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from rich.console import Console
from rich.status import Status

from setae.errors import ConfigError, LeaseHeld, SetaeError, StorageError
from setae.guard import Guard
from setae.progress import Progress, Silent
from setae.settings import Settings
from setae.warehouse import Home, read_json, storage_errors, write_atomically

HOST = "127.0.0.1"
PORTS = range(8080, 8100)
"""Tried in this order; then any free one."""

USER = "admin"
WRITER_POOL = "duckdb_writer"
WRITER_SLOTS = 1
FOLLOWERS = ("transform_warehouse", "publish_marts", "maintain_warehouse")
"""DAGs of every home; the `ingest_*` ones are those of its configured sources."""

COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
WITH_PAGES = {**COMPONENTS, "triggerer": ("triggerer", "--skip-serve-logs")}
"""For `setae up`: no DAG of ours needs the triggerer, but the pages call its absence a fault."""

READY_TIMEOUT_SECONDS = 180.0
TOKEN_SECONDS = 4 * 3600
REPEATABLE_TRIES = 5
"""Of a request that changes nothing, or the same again, by being repeated; each waits a minute."""
_POLL_SECONDS = 0.25


class AirflowFailed(SetaeError):
    """Airflow did not start, or one of its processes ended."""


@dataclass(frozen=True)
class Credentials:
    """The one user of the local Airflow.

    Attributes:
        is_new: Made by this start; the password is shown only then.
    """

    user: str
    password: str
    path: Path
    is_new: bool


def dags_directory() -> Path:
    """Where the DAGs are: beside this package in a clone, inside it when installed."""
    here = Path(__file__).resolve().parent
    for place in (here.parent / "dags", here / "dags"):
        if (place / "assets.py").exists():
            return place
    raise ConfigError(f"{here.parent}: no dags; install Setae again from its repository")


class Api:
    """Airflow's REST interface on loopback."""

    def __init__(self, port: int, credentials: Credentials) -> None:
        self._port = port
        self._credentials = credentials
        self._token: str | None = None

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Read a resource of `/api/v2`."""
        suffix = "?" + urlencode(query, doseq=True) if query else ""
        return self._call("GET", f"/api/v2{path}{suffix}", None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a resource of `/api/v2`."""
        return self._call("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change a resource of `/api/v2`."""
        return self._call("PATCH", f"/api/v2{path}", body)

    def health(self) -> dict[str, str | None]:
        """State by component; empty while the server does not answer."""
        try:
            answer = self._request("GET", "/api/v2/monitor/health", None, authenticated=False)
        except (OSError, http.client.HTTPException, AirflowFailed):
            return {}
        return {name: part.get("status") for name, part in answer.items()}

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Ask; what changes nothing by being asked twice is asked again on a busy machine."""
        left = 1 if method == "POST" else REPEATABLE_TRIES
        while True:
            left -= 1
            try:
                return self._ask(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise AirflowFailed(
                        f"Airflow did not answer {method} {path}: {type(error).__name__}; see the "
                        "logs in <home>/airflow/logs, and try again when the machine is less busy"
                    ) from None
                time.sleep(_POLL_SECONDS)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        if self._token is None:
            who = {"username": self._credentials.user, "password": self._credentials.password}
            answer = self._request("POST", "/auth/token", who, authenticated=False)
            self._token = str(answer["access_token"])
        return self._request(method, path, body, authenticated=True)

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None, *, authenticated: bool
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if authenticated:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPConnection(HOST, self._port, timeout=60)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, body=text, headers=headers)
            response = connection.getresponse()
            content = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise AirflowFailed(
                f"Airflow refused {method} {path}: {response.status} {content[:300]}"
            )
        value = json.loads(content) if content else {}
        return value if isinstance(value, dict) else {"value": value}


class LocalAirflow:
    """The local Airflow of one home. Get a running one from `running()`."""

    def __init__(
        self,
        settings: Settings,
        *,
        port: int | None = None,
        components: dict[str, tuple[str, ...]] = COMPONENTS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.environment = environment or {}
        self.components = components
        self.path = Home(settings.home).airflow
        self.port = port or free_port()
        self.logs = self.path / "logs"
        self.credentials = _credentials(self.path)
        self.api = Api(self.port, self.credentials)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: Guard | None = None

    @property
    def url(self) -> str:
        """Of the UI."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start the components; they are not ready yet."""
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = airflow_environment(self.settings, port=self.port) | dict(self.environment)
        _ensure_database(self.path, environment)
        self._guard = Guard()
        for name, arguments in self.components.items():
            with self.component_log(name).open("ab") as log:
                process = subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
                    [sys.executable, "-m", "airflow", *arguments],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=self.path,
                )
            self._guard.watch(process.pid)
            self._processes[name] = process

    def wait_until_ready(self, progress: Progress) -> None:
        """Wait for all components, then make the writer pool and see that every DAG is there.

        Raises:
            AirflowFailed: A component ended, a DAG cannot be imported, or it took too long.
        """
        until = time.monotonic() + READY_TIMEOUT_SECONDS
        wanted = {path.stem for path in dags_directory().glob("*_*.py")}
        parts = ["metadatabase", *(name.replace("-", "_") for name in self.components)]
        parts.remove("api_server")
        progress.step("waiting for Airflow")
        while True:
            self.check_alive()
            health = self.api.health()
            waiting = [name for name in parts if health.get(name) != "healthy"]
            if not waiting:
                break
            if time.monotonic() > until:
                raise AirflowFailed(
                    f"{self.path}: not ready after {READY_TIMEOUT_SECONDS:.0f} s "
                    f"(waiting for {', '.join(waiting)}); see {self.logs}"
                )
            time.sleep(_POLL_SECONDS)
        self._make_pool()
        progress.step("waiting for the DAGs")
        while missing := wanted - self._known_dags():
            self.check_alive()
            if time.monotonic() > until:
                why = self._import_error() or f"see {self.component_log('dag-processor')}"
                raise AirflowFailed(
                    f"{dags_directory()}: {', '.join(sorted(missing))} did not appear; {why}"
                )
            time.sleep(_POLL_SECONDS)

    def check_alive(self) -> None:
        """Make sure that no component has ended.

        Raises:
            AirflowFailed: One has; the message has its last line and the path of its log.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = self.component_log(name)
                raise AirflowFailed(
                    f"airflow {name} ended with code {process.returncode}: "
                    f"{last_line(log)}; see {log}"
                )

    def stop(self) -> None:
        """End all components, whatever they do; every stage is safe to end at any point."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        for process in self._processes.values():
            process.wait()
        self._processes = {}

    def component_log(self, name: str) -> Path:
        """Where a component writes."""
        return self.logs / f"{name}.log"

    def task_log(self, task: dict[str, Any]) -> Path:
        """Where a task instance, as the REST interface describes it, writes."""
        folder = (
            self.logs
            / f"dag_id={task['dag_id']}"
            / f"run_id={task['dag_run_id']}"
            / f"task_id={task['task_id']}"
        )
        if task.get("map_index", -1) >= 0:
            folder /= f"map_index={task['map_index']}"
        return folder / f"attempt={max(task.get('try_number') or 1, 1)}.log"

    def unpause(self, dag_ids: list[str]) -> None:
        """Let the scheduler run these DAGs."""
        for dag_id in dag_ids:
            self.api.patch(f"/dags/{dag_id}", {"is_paused": False})

    def unpause_once(self) -> None:
        """Unpause the home's DAGs the first time they are seen; a person's later pause stays."""
        path = self.path / "unpaused.json"
        seen = set(read_json(path)["dags"]) if path.exists() else set()
        kinds = {source.kind for source in self.settings.sources.values()}
        new = sorted(({f"ingest_{kind}" for kind in kinds} | set(FOLLOWERS)) - seen)
        if new:
            self.unpause(new)
            write_atomically(path, json.dumps({"dags": sorted(seen | set(new))}) + "\n")

    def fail_unfinished_runs(self) -> None:
        """Close runs that an earlier, interrupted Airflow left open, so that none is waited for."""
        for state in ("running", "queued"):
            for run in self.api.get("/dags/~/dagRuns", state=state, limit=100)["dag_runs"]:
                self.api.patch(
                    f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}", {"state": "failed"}
                )

    def _make_pool(self) -> None:
        pools = {pool["name"] for pool in self.api.get("/pools", limit=100)["pools"]}
        if WRITER_POOL not in pools:
            self.api.post(
                "/pools",
                {"name": WRITER_POOL, "slots": WRITER_SLOTS, "description": "The one writer."},
            )

    def _known_dags(self) -> set[str]:
        return {dag["dag_id"] for dag in self.api.get("/dags", limit=100)["dags"]}

    def _import_error(self) -> str | None:
        errors = self.api.get("/importErrors", limit=1)["import_errors"]
        if not errors:
            return None
        lines = [line for line in errors[0]["stack_trace"].splitlines() if line.strip()]
        return f"{errors[0]['filename']}: {lines[-1].strip() if lines else 'import error'}"


@contextlib.contextmanager
def running(
    settings: Settings,
    *,
    port: int | None = None,
    components: dict[str, tuple[str, ...]] = COMPONENTS,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Iterator[LocalAirflow]:
    """A running local Airflow; stopped on the way out, however that is.

    Args:
        settings: Of the home.
        port: Of the UI on loopback; by default the first free one from 8080.
        components: Which processes.
        environment: Variables for them beside our own, such as a source's token.
        progress: Told what is waited for.

    Raises:
        LeaseHeld: This home's Airflow runs already.
        AirflowFailed: It did not start.
    """
    with _only_one(settings), contextlib.ExitStack() as held:
        chosen = port or held.enter_context(own_port())
        airflow = LocalAirflow(
            settings, port=chosen, components=components, environment=environment
        )
        try:
            airflow.start()
            airflow.wait_until_ready(progress or Silent())
            yield airflow
        finally:
            airflow.stop()


def up(settings: Settings, *, port: int | None = None, console: Console | None = None) -> None:
    """Run the home's Airflow until Ctrl-C.

    Args:
        settings: Of the home.
        port: Of the pages on loopback; by default the first free one from 8080.
        console: Where to say what happens.

    Raises:
        LeaseHeld: This home's Airflow runs already.
        AirflowFailed: It did not start, or one of its processes ended.
    """
    out = console or Console(highlight=False)
    # A service manager ends us by SIGTERM; it takes the same way out as Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            out.status("starting Airflow (about 20 s)") as status,
            running(
                settings, port=port, components=WITH_PAGES, progress=StatusLine(status)
            ) as airflow,
        ):
            airflow.unpause_once()
            status.stop()
            _greet(airflow, out)
            while True:
                time.sleep(1)
                airflow.check_alive()
    except KeyboardInterrupt:
        out.print("Airflow has ended.")
    finally:
        signal.signal(signal.SIGTERM, before)


def airflow_command(settings: Settings, arguments: list[str]) -> int:
    """Run Airflow's own command line for a home.

    Args:
        settings: Of the home.
        arguments: As `airflow` takes them, such as `["dags", "list"]`.

    Returns:
        Its exit code.
    """
    path = Home(settings.home).airflow
    environment = airflow_environment(settings, port=PORTS[0])
    (path / "logs").mkdir(parents=True, exist_ok=True)
    _ensure_database(path, environment)
    return subprocess.run(  # noqa: S603  (the arguments are the user's own)
        [sys.executable, "-m", "airflow", *arguments], env=environment, check=False
    ).returncode


class StatusLine:
    """Progress as the text of a rich status line."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def step(self, text: str) -> None:
        """Show what is waited for."""
        self._status.update(text)

    def advance(self, done: int, total: int, text: str = "") -> None:
        """Nothing: starting has no counts."""


def _greet(airflow: LocalAirflow, out: Console) -> None:
    credentials = airflow.credentials
    shown = (
        f"{credentials.password}  (shown this once; kept in {credentials.path})"
        if credentials.is_new
        else f"as shown at the first start; kept in {credentials.path}"
    )
    out.print(f"Airflow of {airflow.settings.home}")
    out.print(f"  pages     {airflow.url}", soft_wrap=True)
    out.print(f"  user      {credentials.user}")
    out.print(f"  password  {shown}", markup=False, soft_wrap=True)
    out.print(f"  logs      {airflow.logs}", soft_wrap=True)
    out.print("Ctrl-C ends it.")


def free_port(ports: Iterable[int] | None = None) -> int:
    """A free port on loopback: the first of these (by default 8080 and on), else any."""
    for port in (*(PORTS if ports is None else ports), 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return int(candidate.getsockname()[1])
    raise StorageError(f"{HOST}: no free port; end a server or give --port")


@contextlib.contextmanager
def own_port() -> Iterator[int]:
    """A free port for Airflow's pages that no other Airflow of this machine takes meanwhile.

    Half a minute lies between choosing a port and listening at it. An Airflow that lost a port in
    that time would ask the one that won it, and be refused.
    """
    with contextlib.ExitStack() as held:
        for port in PORTS:
            path = Path(tempfile.gettempdir()) / f"setae-{os.getuid()}-port-{port}.lock"
            stream = held.enter_context(path.open("a"))
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if free_port((port,)) == port:
                yield port
                return
        yield free_port(())


def airflow_environment(settings: Settings, *, port: int) -> dict[str, str]:
    """The environment of every Airflow process of a home.

    Secrets of Airflow itself are made once for each home and kept in `secrets.json`, mode 0600.
    """
    path = Home(settings.home).airflow
    keys = _secrets(path)
    return {
        **os.environ,
        "SETAE_HOME": str(settings.home),
        "AIRFLOW_HOME": str(path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_directory()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "1",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet_key"],
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:ADMIN",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_password_path(path)),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{path / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(path / "logs"),
        # Great Expectations explains itself in hundreds of lines for each check.
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "great_expectations=WARNING",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys["secret_key"],
        "AIRFLOW__API__INSTANCE_NAME": "Setae",
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt_secret"],
        "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": str(TOKEN_SECONDS),
        # A task's first call to the API server is slow on a busy machine.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        # One host, few DAGs: look often, so that a chain of short tasks is not spent waiting.
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "GX_ANALYTICS_ENABLED": "false",
    }


def build_template() -> Path:
    """Make the migrated metadata database that homes copy, unless it is there.

    It belongs to this environment and Airflow version; removing the environment removes it.

    Returns:
        Its path.
    """
    version = importlib.metadata.version("apache-airflow-core")
    path = Path(sys.prefix) / "var" / "setae" / f"airflow-{version}.db"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        place = path.with_name(f".{path.name}.{os.getpid()}")
        place.mkdir()
        try:
            database = place / "airflow.db"
            _migrate(
                {
                    **os.environ,
                    "AIRFLOW_HOME": str(place),
                    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
                    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
                },
                log=place / "migrate.log",
            )
            database.replace(path)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return path


def last_line(path: Path) -> str:
    """The last line of a log that says something, shortened."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 20_000))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return "no log"
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "empty log")


def _ensure_database(path: Path, environment: dict[str, str]) -> None:
    """Give the home its metadata database, of this Airflow's version."""
    version = importlib.metadata.version("apache-airflow-core")
    database, mark = path / "airflow.db", path / "airflow.db.version"
    if not database.exists():
        try:
            template = build_template()
        except PermissionError:  # the environment is read-only: migrate in place
            _migrate(environment, log=path / "logs" / "migrate.log")
        else:
            part = path / ".airflow.db.tmp"
            shutil.copyfile(template, part)
            part.replace(database)
    elif not mark.exists() or mark.read_text().strip() != version:
        _migrate(environment, log=path / "logs" / "migrate.log")
    database.chmod(0o600)
    write_atomically(mark, version + "\n")


def _migrate(environment: dict[str, str], *, log: Path) -> None:
    with log.open("ab") as stream:
        outcome = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if outcome.returncode:
        raise AirflowFailed(f"airflow db migrate failed: {last_line(log)}; see {log}")


def _secrets(path: Path) -> dict[str, str]:
    file = path / "secrets.json"
    if not file.exists():
        _make_private(path)
        value = {
            "fernet_key": _fernet_key(),
            "secret_key": secrets.token_urlsafe(32),
            "jwt_secret": secrets.token_urlsafe(48),
        }
        write_atomically(file, json.dumps(value) + "\n", mode=0o600)
    return {name: str(value) for name, value in read_json(file).items()}


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _password_path(path: Path) -> Path:
    return path / "passwords.json"


def _credentials(path: Path) -> Credentials:
    file = _password_path(path)
    is_new = not file.exists()
    if is_new:
        _make_private(path)
        # Written beforehand, so that Airflow makes none and prints none into a log.
        write_atomically(file, json.dumps({USER: secrets.token_urlsafe(15)}) + "\n", mode=0o600)
    passwords = read_json(file)
    if USER not in passwords:
        raise ConfigError(f"{file}: has no user {USER}; remove it, and a new password is made")
    return Credentials(user=USER, password=str(passwords[USER]), path=file, is_new=is_new)


def _make_private(path: Path) -> None:
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[IO[str]]:
    """One Airflow a home: a second one would run every task twice."""
    path = Home(settings.home).airflow
    _make_private(path)
    with storage_errors(path), (path / "running.lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise LeaseHeld(
                f"{path}: Airflow runs already for this home (process {stream.read().strip()}); "
                "use that one, or end it"
            ) from None
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield stream


if __name__ == "__main__":  # at install, so that the first start need not wait for it
    build_template()
