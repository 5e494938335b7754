"""How long work says where it is: a protocol, and the silent form that is the default."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a stage tells the person who waits."""

    def step(self, text: str) -> None:
        """A new part of the work begins."""

    def advance(self, done: int, total: int, text: str = "") -> None:
        """So many of so many are done; `text` names the one at hand."""


class Silent:
    """Tells nobody."""

    def step(self, text: str) -> None:
        """Nothing."""

    def advance(self, done: int, total: int, text: str = "") -> None:
        """Nothing."""
