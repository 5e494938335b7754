"""Sources: one folder a kind, each with an object that fetches.

`get(kind)` is how a stage finds it. A source reads, checks against its contract, pseudonymises and
lands; it opens neither the warehouse nor the network of another source.
"""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from typing import Protocol, cast

from ingestion import contract
from ingestion.landing import Manifest
from setae.errors import ConfigError
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
        ConfigError: There is none.
    """
    if kind not in contract.source_kinds():
        raise ConfigError(
            f"setae.toml: no source kind {kind!r} (there are: "
            f"{', '.join(contract.source_kinds())}); correct `kind`"
        )
    return cast("Source", import_module(f"ingestion.sources.{kind}").SOURCE)
