"""Who is behind an identity at a moment: docs/metrics and ADR 9 again, in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class SignIn:
    """A user was seen on a device."""

    device: str
    user: str
    at: datetime


class People:
    """Users merge by links; a device on which nobody ever signs in is a person of its own."""

    def __init__(self, sign_ins: Iterable[SignIn], links: Iterable[tuple[str, str]]) -> None:
        self._leader: dict[str, str] = {}
        for left, right in links:
            one, other = sorted((self.of_user(left), self.of_user(right)))
            for user, leader in list(self._leader.items()):
                if leader == other:
                    self._leader[user] = one
            self._leader[other] = one
        self._sign_ins = sorted(sign_ins, key=lambda sign: sign.at)

    def of_user(self, user: str) -> str:
        """The person a user is."""
        return self._leader.get(user, user)

    def of_device(self, device: str, at: datetime) -> str:
        """Whoever signed in on it last, at or before the moment; before the first, the first."""
        owners = [one for one in self._sign_ins if one.device == device]
        if not owners:
            return f"device {device}"
        before = [one for one in owners if one.at <= at]
        return self.of_user((before or owners)[-1 if before else 0].user)
