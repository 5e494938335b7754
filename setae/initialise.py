"""`setae init`: a new data home with its settings and its own pseudonym key."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ingestion import sources
from setae.errors import ConfigError
from setae.settings import MINIMUM_KEY_BYTES, Settings, find_home, load_settings
from setae.warehouse import Home, storage_errors, sync_directory, write_atomically

TIER_SCHEMES = {
    "setae": "nano [0, 1,000)  micro [1,000, 10,000)  mid [10,000, 100,000]  macro above",
    "industry": "nano [1,000, 10,000)  micro [10,000, 50,000)  mid [50,000, 500,000)  macro, mega",
}
"""Schemes of the seed `creator_tiers`; all are computed, one leads."""


@dataclass(frozen=True)
class InitResult:
    """What was made; `made_key` is false if the home had one already."""

    settings: Settings
    made_config: bool
    made_key: bool


def initialise(
    home: Path | None = None,
    *,
    source: str = "drops",
    sections: str | None = None,
    business_timezone: str = "UTC",
    tier_scheme: str = "setae",
    reporting_currency: str | None = None,
    as_of: str | None = None,
) -> InitResult:
    """Make a data home; what is there already is kept.

    Args:
        home: By default `SETAE_HOME`, else `var/setae`.
        source: Kind of the source that the new `setae.toml` configures.
        sections: Text that configures the sources, instead of the kind's own; their folders are
            the caller's to make.
        business_timezone: IANA zone whose calendar days the marts count.
        tier_scheme: Which of `TIER_SCHEMES` leads in reports.
        reporting_currency: Adds money in this currency, where a rate is known.
        as_of: Pin the only 'now', for a data set that has ended.

    Raises:
        ConfigError: A value is not allowed.
        StorageError: The folder cannot be written.
    """
    if tier_scheme not in TIER_SCHEMES:
        raise ConfigError(f"--tier-scheme {tier_scheme}: choose one of {', '.join(TIER_SCHEMES)}")
    place = Home(find_home(home))
    made_config = not place.config.exists()
    if made_config:
        text = [
            "# Settings of this data home; SETAE_* variables win. docs/reference/settings.md",
            f'business_timezone = "{business_timezone}"',
            f'leading_tier_scheme = "{tier_scheme}"',
            *([f'reporting_currency = "{reporting_currency}"'] if reporting_currency else []),
            *([f"as_of = {as_of}"] if as_of else []),
        ]
        body = sources.section(source) if sections is None else sections.lstrip()
        write_atomically(place.config, "\n".join([*text, "", body]))
    made_key = _make_key(place.key)
    try:
        settings = load_settings(place.path)
    except ConfigError:
        if made_config:
            place.config.unlink()
        raise
    for configured in settings.sources.values():
        if sections is None and configured.folder is not None:
            (place.path / configured.folder).mkdir(parents=True, exist_ok=True)
    return InitResult(settings=settings, made_config=made_config, made_key=made_key)


def _make_key(path: Path) -> bool:
    """Write a fresh key that only its owner can read; never replace one."""
    with storage_errors(path):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(MINIMUM_KEY_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        sync_directory(path.parent)
    return True
