"""Settings: the file, the environment over it, and one line for what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from setae.errors import ConfigError
from setae.settings import load_settings
from tests.conftest import KEY, make_home


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_home(tmp_path, "threads = 7\nkeep_publications = 9\n")
    monkeypatch.setenv("SETAE_THREADS", "3")
    settings = load_settings(tmp_path)
    assert (settings.threads, settings.keep_publications) == (3, 9)


def test_an_explicit_home_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_home(tmp_path / "one")
    monkeypatch.setenv("SETAE_HOME", str(tmp_path / "two"))
    assert load_settings(tmp_path / "one").home == tmp_path / "one"
    assert load_settings().home == tmp_path / "two"


def test_as_of_is_turned_into_utc(tmp_path: Path) -> None:
    settings = make_home(tmp_path, "as_of = 2018-01-01T00:00:00-05:00\n")
    assert settings.as_of == datetime(2018, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("as_of = 2018-01-01T00:00:00\n", "as_of: .*needs an offset"),
        ('business_timezone = "Mars/Olympus"\n', "business_timezone: .*no IANA time zone"),
        ("thread = 2\n", "thread: Extra inputs"),
        ('memory_limit = "much"\n', "memory_limit: "),
        ('[sources.x]\nkind = "Fax 2"\n', r"sources\.x\.kind: "),
        ('[sources.shop]\nkind = "drops"\n', r"sources: .*name it after its kind"),
        ("threads = [\n", "cannot be read"),
    ],
)
def test_a_wrong_value_is_one_line_with_file_and_field(
    tmp_path: Path, config: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make_home(tmp_path, config)
    assert str(tmp_path / "setae.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_source_is_named_with_those_there_are(tmp_path: Path) -> None:
    settings = make_home(tmp_path, '[sources.drops]\nkind = "drops"\n')
    with pytest.raises(ConfigError, match=r"no source 'drop' \(configured: drops\)"):
        settings.source("drop")


def test_the_key_comes_from_the_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_home(tmp_path).pii_master() == KEY
    monkeypatch.setenv("SETAE_PII_KEY", "ab" * 32)
    assert load_settings(tmp_path).pii_master() == b"\xab" * 32


def test_a_missing_key_is_a_hard_failure(tmp_path: Path) -> None:
    settings = make_home(tmp_path)
    (tmp_path / "pii.key").unlink()
    with pytest.raises(ConfigError, match="no pseudonym key; run `setae init`"):
        settings.pii_master()


@pytest.mark.parametrize(("text", "message"), [("ab" * 31, "31 bytes"), ("xy", "not hex")])
def test_an_unusable_key_is_refused_without_showing_it(
    tmp_path: Path, text: str, message: str
) -> None:
    settings = make_home(tmp_path)
    (tmp_path / "pii.key").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        settings.pii_master()
    assert text not in str(caught.value)


def test_a_key_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = make_home(tmp_path)
    (tmp_path / "pii.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        settings.pii_master()


def test_the_key_is_not_in_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_home(tmp_path)
    monkeypatch.setenv("SETAE_PII_KEY", "ab" * 32)
    assert "abab" not in repr(load_settings(tmp_path))
