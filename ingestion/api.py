"""Asking an API: a session that waits as the source asks, and no longer than it may.

A source judges every answer in a response hook (`judge`), because vendors say "not now" in many
ways, some of them inside an HTTP 200. The hook raises `Again` for what may pass by itself, with the
source's own number of seconds where it gave one, and a final error for everything else; what it
lets through is data. `PatientSession` sleeps and sends the same request again. Two limits hold it:
`ATTEMPTS` answers in a row that gave no reason (reset connections, 5xx) are a `SourceError`, and a
wait beyond `wait_budget_seconds` is a `SourceBusy`, which puts an Airflow task off instead of
sleeping in its slot.

Hooks must come with the request, `paginate(…, hooks=…)`: requests drops a session's own hooks as
soon as a request brings some, and dlt's client always does.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import requests
from dlt.sources.helpers.requests import Session
from requests.auth import AuthBase

from setae.errors import SourceBusy, SourceError

LOG = logging.getLogger(__name__)

ATTEMPTS = 6
"""So often one request is sent while the source gives no reason why it fails."""

LONGEST_PAUSE_SECONDS = 60.0
"""Pauses of our own choosing double up to this."""

CONNECT_SECONDS = 10.0

_NO_ANSWER = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class Clock(Protocol):
    """Time as a source sees it; tests bring one that does not pass by itself."""

    def now(self) -> datetime:
        """The moment, aware UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The moment, aware UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Again(Exception):
    """The same request may succeed later.

    Attributes:
        reason: A few words for the log and for the error if it never does; no values.
        seconds: The pause the source asked for; None leaves it to us.
    """

    def __init__(self, reason: str, *, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class HeaderToken(AuthBase):
    """Puts a token into one header of each request; it is in no URL and shows in no text."""

    def __init__(self, header: str, token: str) -> None:
        self._header = header
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with its header."""
        request.headers[self._header] = self._token
        return request

    def __repr__(self) -> str:
        return f"HeaderToken({self._header})"


class PatientSession(Session):
    """A `requests` session that sends a request until it is answered, within limits.

    Args:
        source: Name of the source, for messages.
        clock: Sleeps.
        budget_seconds: How long one request may wait in all.
        timeout_seconds: How long an answer may stay silent.
        chance: Between 0 and 1, spreads our own pauses.
    """

    def __init__(
        self,
        source: str,
        *,
        clock: Clock,
        budget_seconds: float,
        timeout_seconds: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(timeout=(CONNECT_SECONDS, timeout_seconds), raise_for_status=False)
        self._source = source
        self._clock = clock
        self._budget = budget_seconds
        self._chance = chance

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and wait until its answer is data.

        Raises:
            SourceBusy: The source wants to be left alone for longer than the budget.
            SourceError: It did not answer, so many times.
        """
        waited, failures = 0.0, 0
        while True:
            try:
                response: requests.Response = super().send(request, **options)  # type: ignore[no-untyped-call]
                return response
            except Again as again:
                reason, seconds = again.reason, again.seconds
            except _NO_ANSWER as error:
                reason, seconds = f"no answer ({type(error).__name__})", None
            if seconds is None:
                failures += 1
                if failures >= ATTEMPTS:
                    raise SourceError(
                        f"{self._source}: {reason}, {failures} times in a row; see whether the "
                        "source is up, then run the fetch again",
                        retryable=True,
                    )
                pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** (failures - 1))
                seconds = pause * (0.5 + self._chance() / 2)
            if waited + seconds > self._budget:
                retry_at = self._clock.now() + timedelta(seconds=seconds)
                raise SourceBusy(
                    f"{self._source}: {reason}; it can be asked again at "
                    f"{retry_at.isoformat(timespec='seconds')}, later than wait_budget_seconds = "
                    f"{self._budget:g} allows; run the fetch again then",
                    retry_at=retry_at,
                )
            LOG.info("%s: %s; waiting %.1f s", self._source, reason, seconds)
            self._clock.sleep(seconds)
            waited += seconds


def read_body(response: requests.Response, seconds: float) -> None:
    """Read an answer to its end, however slowly it drips, or give up after so long.

    Raises:
        Again: It did not end in time.
    """
    end = time.monotonic() + seconds
    parts = []
    for part in response.iter_content(65_536):
        parts.append(part)
        if time.monotonic() > end:
            response.close()
            raise Again("an answer that does not end")
    # What requests itself does when it is not asked to stream; a body can be read only once.
    response._content = b"".join(parts)


def retry_after(response: requests.Response, clock: Clock) -> float | None:
    """The seconds of a `Retry-After` header, in either of its forms; None without one."""
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - clock.now()).total_seconds())
