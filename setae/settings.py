"""Settings: `setae.toml` in the data home, overridden by environment variables `SETAE_*`.

This module is the only reader of either. `load_settings()` finds the data home (the argument, else
`SETAE_HOME`, else `var/setae`), reads `<home>/setae.toml` if it is there and returns one frozen,
typed object. `docs/reference/settings.md` and `.env.example` are held to it by tests.
"""

from __future__ import annotations

import os
import stat
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psutil
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from setae.errors import ConfigError

DEFAULT_HOME = Path("var/setae")
CONFIG_FILE = "setae.toml"
KEY_FILE = "pii.key"
MINIMUM_KEY_BYTES = 32
_MIB = 2**20


def _known_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is no IANA time zone, such as 'Europe/Berlin'") from error
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs an offset, such as 2026-11-22T00:00:00Z")
    return value.astimezone(UTC)


def available_memory_bytes() -> int:
    """Memory this process may use: the cgroup's limit if there is one, else the machine's."""
    limits = [psutil.virtual_memory().total]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # no such controller, or "max"
            continue
    return min(limits)


def _default_memory_limit() -> str:
    # DuckDB's own default reads the host's memory and is killed in a smaller container.
    # Half of what is there: dbt, Great Expectations and Airflow's workers live beside it.
    return f"{available_memory_bytes() // 2 // _MIB}MiB"


def _default_threads() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


class SourceSettings(BaseModel):
    """One configured source, `[sources.<name>]` in `setae.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Which connector reads it: a folder under `ingestion/sources/`.",
    )
    folder: Path | None = Field(
        default=None,
        description="For `drops`: the folder holding `<entity>/<file>`; relative to the home.",
    )
    account: str = Field(
        default="demo",
        pattern=r"^[a-z0-9][a-z0-9_.-]*$",
        description="Shop, app or property the ids belong to; part of every key.",
    )
    currency: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{3}$",
        description="Currency of money fields that name none (ISO 4217).",
    )
    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="For an API: its address, such as `https://<shop>.myshopify.com`; never more.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="For an API: the access token. From the environment only, never `setae.toml`.",
    )
    lag_seconds: int = Field(
        default=120,
        ge=0,
        description="For an API: how far behind the newest record each fetch reads again.",
    )
    page_size: int = Field(
        default=50, ge=1, le=250, description="For an API: records of a page, fewer if too costly."
    )
    bulk_minimum_count: int = Field(
        default=20_000,
        ge=1,
        description="For an API: a history of more records is read by bulk operations, if it can.",
    )
    wait_budget_seconds: int = Field(
        default=600,
        ge=0,
        description="For an API: how long one request may wait before the task is put off.",
    )
    request_timeout_seconds: float = Field(
        default=60, gt=0, description="For an API: how long one answer may take to arrive."
    )
    required_entities: tuple[str, ...] = Field(
        default=(),
        description="Feeds `data_through` waits for; empty: every feed that has delivered.",
    )
    history_start_date: date | None = Field(
        default=None, description="Earlier times are rejected (Q04); nothing is by default."
    )
    reject_minimum_count: int = Field(
        default=20, ge=1, description="Gate: stop at so many rejects …"
    )
    reject_maximum_rate: float = Field(
        default=0.005, ge=0, le=1, description="… if they are more than this share of the file."
    )
    small_reject_minimum_count: int = Field(
        default=2, ge=1, description="Gate for small files: stop at so many rejects …"
    )
    small_reject_maximum_rate: float = Field(
        default=0.05, ge=0, le=1, description="… if they are more than this share of the file."
    )
    freshness_warn_days: int = Field(
        default=2, ge=0, description="Gate: warn when the newest day is older than this at `as_of`."
    )
    freshness_error_days: int = Field(
        default=7, ge=0, description="Gate: stop when the newest day is older than this at `as_of`."
    )


class Settings(BaseSettings):
    """All settings of one data home. Frozen: a run never changes its mind."""

    model_config = SettingsConfigDict(
        env_prefix="SETAE_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        validate_default=True,
    )

    home: Path = Field(description="The data home; everything a run owns lies under it.")
    as_of: Annotated[datetime, AfterValidator(_aware)] | None = Field(
        default=None,
        description="The only 'now'. Unset: the end of the newest landed window, or when the "
        "newest file without a window was received.",
    )
    business_timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(
        default="UTC", description="Days and weeks are calendar days of this IANA zone."
    )
    week_start: Literal["monday", "sunday"] = Field(
        default="monday", description="First day of a week."
    )
    leading_tier_scheme: str = Field(
        default="setae", description="The creator-tier scheme that reports show first."
    )
    reporting_currency: str | None = Field(
        default=None, pattern=r"^[A-Z]{3}$", description="Adds `_reporting` money where a rate is."
    )
    threads: int = Field(
        default_factory=_default_threads,
        ge=1,
        description="DuckDB's threads; always set, never left to DuckDB.",
    )
    memory_limit: str = Field(
        default_factory=_default_memory_limit,
        pattern=r"^\d+(KiB|MiB|GiB|KB|MB|GB)$",
        description="DuckDB's memory; half of what this process may use.",
    )
    max_temp_directory_size: str = Field(
        default="50GiB",
        pattern=r"^\d+(KiB|MiB|GiB|KB|MB|GB)$",
        description="How much DuckDB may spill to `<home>/tmp`.",
    )
    keep_publications: int = Field(
        default=5, ge=2, description="How many published versions stay on disk."
    )
    lease_ttl_seconds: int = Field(
        default=3600, ge=1, description="After so long a silent holder of the lease is taken over."
    )
    lease_wait_seconds: float = Field(
        default=0, ge=0, description="How long a stage waits for the lease before exit code 75."
    )
    drift_warn_rate: float = Field(
        default=0.5, ge=0, description="Gate: warn when a mart's total moves by more than this."
    )
    pii_key: SecretStr | None = Field(
        default=None,
        description="Master key of the pseudonyms, hex, at least 32 bytes; else `<home>/pii.key`.",
    )
    pii_key_id: str = Field(
        default="k1", pattern=r"^k[0-9]+$", description="Prefix of pseudonyms made with this key."
    )
    sources: dict[str, SourceSettings] = Field(
        default_factory=dict, description="Configured sources by name."
    )
    dbt_vars: dict[str, Any] = Field(
        default_factory=dict, description="Overrides of `vars:` in `dbt_project/dbt_project.yml`."
    )

    @field_validator("sources")
    @classmethod
    def _named_as_their_kind(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        # One name all the way: folder, raw schema, dbt source, DAG. Staging reads no other.
        for name, source in value.items():
            if name != source.kind:
                raise ValueError(
                    f"[sources.{name}]: name it after its kind, [sources.{source.kind}]"
                )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The home as found, then the environment, then `<home>/setae.toml`."""
        assert isinstance(init_settings, InitSettingsSource)
        config = Path(init_settings.init_kwargs["home"]) / CONFIG_FILE
        file_settings = TomlConfigSettingsSource(settings_cls, config)
        _refuse_tokens(file_settings.toml_data, config)
        return init_settings, env_settings, file_settings

    def pii_master(self) -> bytes:
        """The master key of the pseudonyms.

        Returns:
            At least 32 bytes.

        Raises:
            ConfigError: No key, a key that is not hex, or one that is too short. There is no
                default and no plain fallback.
        """
        path = self.home / KEY_FILE
        if self.pii_key is not None:
            text, where = self.pii_key.get_secret_value(), "SETAE_PII_KEY"
        elif path.exists():
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError(f"{path}: others may read the key; run `chmod 600 {path}`")
            text, where = path.read_text(), str(path)
        else:
            raise ConfigError(
                f"{path}: no pseudonym key; run `setae init`, or set SETAE_PII_KEY to 64 hex digits"
            )
        try:
            key = bytes.fromhex(text.strip())
        except ValueError:
            raise ConfigError(
                f"{where}: the pseudonym key is not hex; give 64 hex digits"
            ) from None
        if len(key) < MINIMUM_KEY_BYTES:
            raise ConfigError(
                f"{where}: the pseudonym key has {len(key)} bytes; "
                f"give at least {MINIMUM_KEY_BYTES}"
            )
        return key

    def source(self, name: str) -> SourceSettings:
        """The settings of one source.

        Raises:
            ConfigError: No such source; the message lists those there are.
        """
        try:
            return self.sources[name]
        except KeyError:
            known = ", ".join(sorted(self.sources)) or "none"
            raise ConfigError(
                f"{self.home / CONFIG_FILE}: no source {name!r} (configured: {known}); "
                f"add a section [sources.{name}]"
            ) from None


def _refuse_tokens(values: dict[str, Any], config: Path) -> None:
    """A token in a file ends up in a backup or a repository; the key file is the only secret."""
    sections = values.get("sources", {})
    for name, section in sections.items() if isinstance(sections, dict) else ():
        if isinstance(section, dict) and "token" in section:
            raise ConfigError(
                f"{config}: [sources.{name}] holds a token; remove it, give the shop's app a new "
                f"one, and set SETAE_SOURCES__{name.upper()}__TOKEN in the environment"
            )


def find_home(home: Path | None = None) -> Path:
    """The data home: the argument, else `SETAE_HOME`, else `var/setae`; absolute."""
    return (home or Path(os.environ.get("SETAE_HOME") or DEFAULT_HOME)).expanduser().resolve()


def load_settings(home: Path | None = None) -> Settings:
    """Read the settings of one data home.

    Args:
        home: The data home; by default `SETAE_HOME`, else `var/setae`.

    Returns:
        Frozen settings; environment variables win over `setae.toml`.

    Raises:
        ConfigError: `setae.toml` cannot be read, or a value is not allowed.
    """
    place = find_home(home)
    path = place / CONFIG_FILE
    try:
        return Settings(home=place)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path} or environment: {field}: {first['msg']}; see docs/reference/settings.md"
        ) from error
