"""The command line: help with examples, one line for an error, its exit code."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from setae import cli
from setae.errors import (
    BuildFailed,
    ConfigError,
    DataError,
    GateFailed,
    LeaseHeld,
    SetaeError,
    SourceError,
    StorageError,
)
from setae.settings import load_settings
from tests.conftest import make_home

RUNNER = CliRunner()


def commands() -> list[tuple[str, ...]]:
    root = typer.main.get_command(cli.app)
    found: list[tuple[str, ...]] = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [(name, sub) for sub in inner] if inner else [(name,)]
    return sorted(found)


def test_every_command_of_the_promise_is_there() -> None:
    stages = "fetch load check transform publish run rebuild"
    around = "init status quarantine compare doctor airflow up demo simulate evaluate"
    assert {name for name, *_ in commands()} == {*stages.split(), *around.split()}


OWN_HELP = [command for command in commands() if command != ("airflow",)]
"""`setae airflow --help` is Airflow's own."""


@pytest.mark.parametrize("command", OWN_HELP, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    result = RUNNER.invoke(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example: " in result.output
    assert f"setae {' '.join(command)}" in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SetaeError("x"), 1),
        (DataError("x"), 65),
        (GateFailed("x"), 65),
        (BuildFailed("x"), 65),
        (SourceError("x"), 69),
        (StorageError("x"), 74),
        (LeaseHeld("x"), 75),
        (ConfigError("x"), 78),
    ],
)
def test_each_error_has_its_documented_exit_code(error: SetaeError, code: int) -> None:
    assert error.exit_code == code
    assert str(code) in (cli.__doc__ or "") or code == 1


def test_an_error_is_one_line_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["setae", "fetch", "nowhere", "--home", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert "no source 'nowhere'" in printed.err


def test_init_makes_a_home_with_a_key_only_its_owner_reads(tmp_path: Path) -> None:
    home = tmp_path / "home"
    result = RUNNER.invoke(
        cli.app,
        ["init", "--home", str(home), "--tier-scheme", "industry", "--business-timezone", "UTC"],
    )
    assert result.exit_code == 0, result.output
    settings = load_settings(home)
    assert settings.leading_tier_scheme == "industry"
    assert (home / "drops").is_dir()
    assert stat.S_IMODE((home / "pii.key").stat().st_mode) == 0o600
    key = settings.pii_master()
    assert len(key) == 32
    again = RUNNER.invoke(cli.app, ["init", "--home", str(home)])
    assert "kept" in again.output
    assert load_settings(home).pii_master() == key


def test_init_refuses_an_unknown_zone_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = RUNNER.invoke(
        cli.app, ["init", "--home", str(tmp_path / "h"), "--business-timezone", "Mars/Olympus"]
    )
    assert isinstance(result.exception, ConfigError)
    assert not (tmp_path / "h" / "setae.toml").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-01-01", "2018-01-01T05:00:00+00:00"),
        ("2018-07-01", "2018-07-01T04:00:00+00:00"),
        ("2018-01-01T05:00:00Z", "2018-01-01T05:00:00+00:00"),
        ("2018-01-01T05:00:00+02:00", "2018-01-01T03:00:00+00:00"),
    ],
)
def test_a_date_begins_in_the_business_zone(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "setae.toml").write_text('business_timezone = "America/New_York"\n')
    value = cli._instant(text, load_settings(tmp_path))
    assert value is not None
    assert value.isoformat() == expected


@pytest.mark.parametrize("text", ["yesterday", "2018-01-01T05:00:00"])
def test_a_time_without_offset_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="write"):
        cli._instant(text, load_settings(tmp_path))


def test_status_answers_before_anything_was_run(tmp_path: Path) -> None:
    result = RUNNER.invoke(cli.app, ["status", "--home", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "nothing yet" in result.output


def test_a_kind_that_does_not_exist_is_said_with_those_that_do(tmp_path: Path) -> None:
    make_home(tmp_path, '[sources.fax]\nkind = "fax"\n')
    for command in (["load"], ["run"], ["fetch", "fax"], ["init", "--source", "fax"]):
        home = tmp_path / "new" if command[0] == "init" else tmp_path
        result = RUNNER.invoke(cli.app, [*command, "--home", str(home)])
        assert isinstance(result.exception, ConfigError)
        assert "no source kind 'fax' (there are: complete_journey, drops" in str(result.exception)
    assert not (tmp_path / "new").exists()
    assert "no source kind 'fax'" in RUNNER.invoke(
        cli.app, ["doctor", "--home", str(tmp_path)]
    ).output.replace("\n", " ")


def test_doctor_says_what_is_missing(tmp_path: Path) -> None:
    result = RUNNER.invoke(cli.app, ["doctor", "--home", str(tmp_path)])
    assert result.exit_code == 78
    assert "setae init" in result.output
