"""Interpolation and `extends` of the compose files, as the specification has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<word>[^}]*))?\})")


class MissingVariable(Exception):
    """A variable that `${NAME:?word}` requires is unset or empty."""


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with its variables filled in."""
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        found = variables.get(match["name"], "")
        if not found and match["kind"] == ":?":
            raise MissingVariable(f"{match['name']}: {match['word']}")
        return found or (match["word"] if match["kind"] == ":-" else "")

    return _VARIABLE.sub(fill, value)


def resolved(variables: Mapping[str, str]) -> dict[str, Any]:
    """`docker-compose.yml` with variables filled in and bases merged into their services."""
    content = interpolated(yaml.safe_load((ROOT / "docker-compose.yml").read_text()), variables)
    for name, service in content["services"].items():
        base = service.pop("extends", None)
        if base:
            other = yaml.safe_load((ROOT / base["file"]).read_text())
            inherited = interpolated(other["services"][base["service"]], variables)
            content["services"][name] = {**inherited, **service}
    return content
