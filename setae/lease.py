"""The lease: one writer of the warehouse, on any host, and none after it was taken over.

`warehouse.lease` beside the warehouse names the holder (host, pid, process start time, stage), its
fencing token and when it last gave a sign of life. A holder renews it from a thread; one that has
been silent for longer than `lease_ttl_seconds` (stopped, hung, host gone) is taken over: on the
same host its process is ended first, by pid and start time. The token rises with every holder and
is checked before each commit, dbt call and rename: a holder that wakes up late writes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from setae.errors import LeaseHeld
from setae.settings import Settings
from setae.warehouse import Home, read_json, storage_errors, write_atomically

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Holder:
    """Who holds the lease, as written in the file."""

    token: int
    host: str
    pid: int
    process_started_at: float
    stage: str
    acquired_at: float
    renewed_at: float
    ttl_seconds: float

    def describe(self) -> str:
        """One phrase for a person."""
        since = datetime.fromtimestamp(self.acquired_at, UTC).isoformat(timespec="seconds")
        return f"`{self.stage}` of process {self.pid} on {self.host}, since {since}"

    def process(self) -> psutil.Process | None:
        """The holder's process, if it lives on this host; a reused pid is somebody else."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.process_started_at) > 1:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None


class Lease:
    """A held lease. Get one from `lease()`."""

    def __init__(self, path: Path, holder: Holder) -> None:
        self._path = path
        self._holder = holder
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._heart.start()

    @property
    def token(self) -> int:
        """The fencing token; greater than every earlier holder's."""
        return self._holder.token

    def check(self) -> None:
        """Make sure that the lease is still ours; call it right before anything lasting.

        Raises:
            LeaseHeld: Somebody took it over; nothing more may be written.
        """
        with _locked(self._path):
            current = _read(self._path)
        if current is None or current.token != self._holder.token:
            taken = current.describe() if current else "nobody any more"
            raise LeaseHeld(
                f"{self._path}: the lease was taken over while `{self._holder.stage}` was silent "
                f"(now: {taken}); nothing was written, run it again"
            )

    def _beat(self) -> None:
        while not self._stop.wait(self._holder.ttl_seconds / 4):
            with _locked(self._path):
                current = _read(self._path)
                if current is None or current.token != self._holder.token:
                    return
                _write(self._path, Holder(**{**asdict(current), "renewed_at": time.time()}))

    def _release(self) -> None:
        self._stop.set()
        self._heart.join()
        with _locked(self._path):
            current = _read(self._path)
            if current is not None and current.token == self._holder.token:
                write_atomically(self._path, json.dumps({"token": self._holder.token}))


@contextmanager
def lease(settings: Settings, *, stage: str) -> Iterator[Lease]:
    """Hold the warehouse's lease.

    Args:
        settings: Of the home; `lease_wait_seconds` says how long to wait for another holder.
        stage: Named to others while it is held.

    Yields:
        The lease; call `check()` before each commit, dbt call and rename.

    Raises:
        LeaseHeld: Another live process holds it; the message says who, since when, what to do.
    """
    path = Home(settings.home).lease
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + settings.lease_wait_seconds
    while (held := _take(path, settings, stage)) is None:
        if time.monotonic() >= deadline:
            with _locked(path):
                current = _read(path)
            who = current.describe() if current else "another process"
            raise LeaseHeld(
                f"{path}: the warehouse is being written by {who}; wait and run again, set "
                f"SETAE_LEASE_WAIT_SECONDS, or end that process"
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield held
    finally:
        held._release()


def current_holder(settings: Settings) -> Holder | None:
    """Who holds the lease now, for `setae status`; None if nobody does."""
    path = Home(settings.home).lease
    return _read(path) if path.exists() else None


def _take(path: Path, settings: Settings, stage: str) -> Lease | None:
    with _locked(path):
        last = _read_token(path)
        current = _read(path)
        if current is not None and not _may_take_over(current):
            return None
        now = time.time()
        holder = Holder(
            token=last + 1,
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started_at=psutil.Process().create_time(),
            stage=stage,
            acquired_at=now,
            renewed_at=now,
            ttl_seconds=float(settings.lease_ttl_seconds),
        )
        _write(path, holder)
    return Lease(path, holder)


def _may_take_over(current: Holder) -> bool:
    silent = time.time() - current.renewed_at > current.ttl_seconds
    if current.host != socket.gethostname():
        return silent  # its process cannot be ended from here; the token keeps it from committing
    process = current.process()
    if process is None:
        return True
    if not silent or process.pid == os.getpid():
        return False
    # A stopped process keeps DuckDB's lock on the file, so it has to go before we can open it.
    process.kill()
    process.wait(timeout=10)
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The file's own short lock, held only while it is read and rewritten."""
    with storage_errors(path), path.with_suffix(".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _read_token(path: Path) -> int:
    return int(read_json(path)["token"]) if path.exists() else 0


def _read(path: Path) -> Holder | None:
    if not path.exists():
        return None
    value = read_json(path)
    return Holder(**value) if "pid" in value else None


def _write(path: Path, holder: Holder) -> None:
    write_atomically(path, json.dumps(asdict(holder), sort_keys=True))
