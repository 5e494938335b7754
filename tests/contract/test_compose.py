"""The compose files: valid by the published schema, no default secret, nothing open to the network.

No Docker engine is needed: interpolation and `extends` are done here as the specification says, and
`tests/e2e/test_compose.py` runs the very commands of the services natively.
"""

from __future__ import annotations

import importlib.resources
import json
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

from setae.settings import Settings
from tests.compose import ROOT, MissingVariable, interpolated, resolved

FILES = ("docker-compose.yml", "docker/airflow.yml")
SECRETS = {
    "POSTGRES_PASSWORD",
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_SECRET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_ADMIN_PASSWORD",
}
VALUES = {name: f"value-of-{name.lower()}" for name in SECRETS}
AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(scope="module")
def services():
    return resolved(VALUES)["services"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_valid_by_the_compose_schema(name):
    place = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor"
    schema = json.loads((place / "compose-spec.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    content = yaml.safe_load((ROOT / name).read_text())
    assert [error.message for error in validator.iter_errors(content)] == []
    broken = {**content, "services": {"x": {"prots": ["80:80"]}}}
    assert list(validator.iter_errors(broken)), "the schema must notice a wrong key"


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_nothing_starts_without_a_secret(name):
    for value in (None, ""):
        values = {**VALUES, name: value} if value is not None else {**VALUES}
        if value is None:
            del values[name]
        with pytest.raises(MissingVariable, match=name):
            resolved(values)


def test_the_required_variables_are_the_secrets_and_no_secret_has_a_default():
    text = "".join((ROOT / name).read_text() for name in FILES)
    required = set(re.findall(r"\$\{(\w+):\?", text))
    defaulted = set(re.findall(r"\$\{(\w+):-", text))
    assert required == SECRETS
    assert defaulted == {"AIRFLOW_PORT"}
    assert not re.search(r"airflow:airflow|admin:admin\b|password: *\w+ *$", text)


def test_every_port_is_on_loopback(services):
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"api-server": ["127.0.0.1:8080:8080"]}
    other = resolved({**VALUES, "AIRFLOW_PORT": "9090"})["services"]["api-server"]
    assert other["ports"] == ["127.0.0.1:9090:8080"]


def test_long_running_services_have_a_health_check_and_start_in_order(services):
    for name, service in services.items():
        if name == "init":
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
    waits = {name: service.get("depends_on", {}) for name, service in services.items()}
    assert waits["init"] == {"postgres": {"condition": "service_healthy"}}
    assert waits["api-server"] == {"init": {"condition": "service_completed_successfully"}}
    assert waits["scheduler"] == {"api-server": {"condition": "service_healthy"}}


def test_data_survives_in_named_volumes_that_are_declared(services):
    declared = set(resolved(VALUES)["volumes"])
    used = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert used == declared == {"home", "metadata"}
    assert {services[name]["volumes"][0] for name in AIRFLOW} == {"home:/data"}


def test_metadata_is_postgres_and_its_password_is_the_required_one(services):
    for name in AIRFLOW:
        url = services[name]["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        assert url == (
            "postgresql+psycopg2://airflow:value-of-postgres_password@postgres:5432/airflow"
        )
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "value-of-postgres_password"


def test_the_services_run_the_native_commands_without_rights(services):
    from setae.scheduler import WITH_PAGES

    for name, arguments in WITH_PAGES.items():
        assert services[name]["command"] == ["airflow", *arguments]
    for name in AIRFLOW:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert re.search(r"^USER setae$", dockerfile, re.MULTILINE)
    assert "uv sync --locked" in dockerfile
    assert (ROOT / "docker" / "init.sh").stat().st_mode & stat.S_IXUSR


def test_the_image_copies_every_package_and_nothing_that_is_missing():
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, "dbt_project", "dags"} <= names
    for name in names:
        assert (ROOT / name).exists(), name


def test_the_hardening_is_that_of_the_local_airflow(services, settings):
    from setae.scheduler import airflow_environment

    native = airflow_environment(settings, port=8080)
    compose = services["scheduler"]["environment"]
    for name in (
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS",
        "AIRFLOW__CORE__EXECUTOR",
        "AIRFLOW__CORE__PARALLELISM",
        "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG",
        "AIRFLOW__CORE__LOAD_EXAMPLES",
        "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED",
        "SCARF_ANALYTICS",
        "DBT_SEND_ANONYMOUS_USAGE_STATS",
        "GX_ANALYTICS_ENABLED",
    ):
        assert compose[name] == native[name], name
    assert native["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_the_example_names_every_setting_and_every_variable_of_compose():
    text = (ROOT / ".env.example").read_text()
    names = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    settings = {f"SETAE_{name.upper()}" for name in Settings.model_fields} - {"SETAE_SOURCES"}
    of_sources = {"SETAE_SOURCES__DROPS__CURRENCY", "SETAE_SOURCES__SHOPIFY__TOKEN"}
    assert names == settings | SECRETS | of_sources | {"AIRFLOW_PORT"}
    for field in Settings.model_fields.values():
        assert f"# {field.description}\n" in text


def test_the_example_holds_no_secret():
    text = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^(\w+)=$", text, re.MULTILINE)) == SECRETS
    assert "SETAE_PII_KEY=\n" in text


def test_make_env_fills_every_secret_with_one_of_its_own_and_keeps_a_file(tmp_path):
    (tmp_path / "docker").mkdir()
    for name in ("docker/make_env.py", ".env.example"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    command = [sys.executable, str(tmp_path / "docker" / "make_env.py")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    path = tmp_path / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [line.split("=", 1) for line in path.read_text().splitlines() if line[:1].isalpha()]
    values = dict(lines)
    assert set(values) == SECRETS
    assert len(set(values.values())) == len(SECRETS)
    assert all(len(value) >= 20 for value in values.values())
    resolved(values)
    before = path.read_text()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1
    assert path.read_text() == before


def test_interpolation_follows_the_specification():
    assert interpolated("${A:-x}/${B:?no}", {"A": "", "B": "b"}) == "x/b"
    assert interpolated("$${A}", {}) == "${A}"
    assert interpolated(["${A:-1}", {"k": "${A:-2}"}], {}) == ["1", {"k": "2"}]


def test_compose_files_are_where_the_docs_say():
    page = Path(ROOT / "docs/run/airflow.md").read_text()
    assert "python docker/make_env.py" in page
    assert "docker compose up --build --detach" in page
