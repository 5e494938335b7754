"""A published file opens in the DuckDB versions that BI tools embed, and hashes alike there.

Needs the package registry: each client is installed into an environment of its own. Run by
`make test-compat`, never by `make test`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from serving.content import content_hash, table_sql, tables
from tests.conftest import make_home
from tests.unit.serving.conftest import CONFIG, MartsWorld

pytestmark = pytest.mark.compat

ROOT = Path(__file__).resolve().parents[2]

CLIENTS = ("1.4.*", "1.5.*", "2.0.*")

SCRIPT = """
import json, sys
import duckdb

path, parquet, queries = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
connection = duckdb.connect(path, read_only=True)
print(json.dumps({
    "version": duckdb.__version__,
    "sums": [[str(v) for v in connection.execute(sql).fetchall()[0]] for sql in queries],
    "publication": connection.execute(
        "select run_id, row_counts['fct_orders'] from marts.publication").fetchall()[0],
    "parquet": connection.execute(
        f"select count(*) from '{parquet}/fct_orders.parquet'").fetchall()[0],
    "comment": connection.execute(
        "select comment from duckdb_columns() "
        "where table_name = 'publication' and column_name = 'run_id'").fetchall()[0],
}))
"""


@pytest.mark.parametrize("client", CLIENTS)
def test_a_published_file_opens_in_other_versions(tmp_path: Path, client: str) -> None:
    marts = MartsWorld(make_home(tmp_path / "home", CONFIG))
    result = marts.publish(1)
    path = (marts.serving / "current.duckdb").resolve()
    with duckdb.connect(str(path), read_only=True) as connection:
        catalog = path.stem
        queries = [table_sql(table, catalog=catalog) for table in tables(connection)]
        expected = [[str(v) for v in connection.execute(sql).fetchall()[0]] for sql in queries]
        assert content_hash(connection).content_hash == result.content_hash
    environment = tmp_path / "client"
    uv = shutil.which("uv", path=f"{os.environ['PATH']}{os.pathsep}{ROOT / '.tools' / 'bin'}")
    assert uv, "uv is needed to install other clients"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(environment)], check=True)
    python = environment / "bin" / "python"
    install = [uv, "pip", "install", "-q", "--python", str(python), f"duckdb=={client}"]
    subprocess.run(install, check=True)
    outcome = subprocess.run(
        [str(python), "-c", SCRIPT, str(path), str(marts.serving / "current"), json.dumps(queries)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    answer = json.loads(outcome.stdout)
    assert answer["version"].startswith(client.removesuffix("*"))
    assert answer["sums"] == expected
    assert answer["publication"] == [result.run_id, 100]
    assert answer["parquet"] == [100]
    assert answer["comment"][0].startswith("Of this publication")
