"""Sources: one folder a kind, each with an object that fetches.

A kind exists because its two folders do, `ingestion/contracts/<kind>/` (what it may deliver) and
`ingestion/sources/<kind>/` (how it is read); nothing lists the kinds a second time. `get(kind)` is
how a stage finds a source. It reads, checks against its contract, pseudonymises and lands; it opens
neither the warehouse nor the network of another source. `make new-source` writes the files of one.
"""

from __future__ import annotations

from datetime import datetime
from importlib import import_module, resources
from typing import Protocol, cast

from ingestion import contract
from ingestion.landing import Manifest
from setae.progress import Progress
from setae.settings import Settings


class Source(Protocol):
    """What every kind of source can do."""

    def entities(self) -> tuple[str, ...]:
        """Entities it may land."""

    def fetch(
        self,
        settings: Settings,
        *,
        name: str,
        start: datetime | None,
        end: datetime | None,
        progress: Progress,
    ) -> list[Manifest]:
        """Land what lies in [start, end), or all there is.

        Args:
            settings: Of the home.
            name: Of the configured source.
            start: Begin of the window, aware UTC; open where None.
            end: End of the window, not in it; open where None.
            progress: Told about each file.

        Returns:
            One manifest a landed file, those landed before included.
        """


def get(kind: str) -> Source:
    """The source of a kind.

    Raises:
        ConfigError: There is none; the message lists those there are.
    """
    contract.inputs(kind)
    return cast("Source", import_module(f"ingestion.sources.{kind}").SOURCE)


def section(kind: str) -> str:
    """The section of `setae.toml` that a new home gets for this kind.

    Raises:
        ConfigError: There is no such kind; the message lists those there are.
    """
    contract.inputs(kind)
    file = resources.files("ingestion") / "sources" / kind / "setae.toml"
    return file.read_text(encoding="utf-8")
