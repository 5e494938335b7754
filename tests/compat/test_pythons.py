"""A world is the same to the byte on every Python Setae supports.

Each other interpreter that `uv python find` finds gets the locked environment in `.venv-<version>`
(kept, so that a second run is quick), generates a world there, and every file is compared. Under
pyenv, make the interpreters visible: `PYENV_VERSION=3.11.7:3.12.1:3.13.0 make test-python`. Run by
`make test-python`, never by `make test`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.synthetic.files import sha256

pytestmark = pytest.mark.pythons

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".tools" / "bin" / "uv"
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = [version for version in ("3.11", "3.12", "3.13") if version != OWN]

WORLDS = {
    "tiny": ("--scenario", "tiny"),
    # Two blocks of people, and orders in the shop.
    "crowd": ("--scenario", "leaky", "--people", "12000", "--days", "40", "--shop", "shopify"),
}


def uv(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **variables}
    env.pop("VIRTUAL_ENV", None)
    return subprocess.run(
        [str(UV), *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def environment(version: str) -> Path:
    """The interpreter of the locked environment for a version; skips where there is none."""
    if not UV.exists():
        pytest.skip("needs uv in .tools/: run `make install`")
    found = uv("python", "find", "--no-project", "--system", version)
    if found.returncode:
        pytest.skip(f"no Python {version} here; install one, or name it in PYENV_VERSION")
    place = ROOT / f".venv-{version}"
    made = uv(
        "sync", "--quiet", "--locked", "--no-dev", "--python", found.stdout.strip(),
        UV_PROJECT_ENVIRONMENT=str(place),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return place / "bin" / "python"


def digests(python: Path | str, folder: Path, *arguments: str) -> dict[str, str]:
    command = "from setae.cli import main; main()"
    subprocess.run(
        [str(python), "-c", command, "simulate", "world", *arguments, "--out", str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=550,
    )
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("version", OTHERS)
@pytest.mark.parametrize("world", WORLDS)
def test_a_world_is_the_same_to_the_byte_on_another_python(
    tmp_path: Path, version: str, world: str
) -> None:
    other = digests(environment(version), tmp_path / "other", *WORLDS[world])
    own = digests(sys.executable, tmp_path / "own", *WORLDS[world])
    assert own == other
    assert len(own) > 40
