"""Ends processes for sure: when asked to, and when the process that started them dies.

A guard is a small process of its own. It reads the session leaders to watch from its standard
input, a line each, and waits there. When the pipe closes, because the owner closed it or because
the owner is gone (also by SIGKILL, which nobody can handle), it ends every process of those
sessions: first politely, then by force. There is no other way out of `setae up`, so the way out
is always the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil

GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1


class Guard:
    """The owner's side of a guard process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "setae.guard"],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the owner's terminal must not reach it
        )

    def watch(self, pid: int) -> None:
        """End the session that this process leads when the owner ends.

        Args:
            pid: Of a child started with `start_new_session=True`.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End everything watched, and wait until it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def end_sessions(leaders: list[int], *, grace_seconds: float = GRACE_SECONDS) -> None:
    """End every process of these sessions, by SIGTERM and after a while by SIGKILL."""
    for kind, patience in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, grace_seconds)):
        for process in _members(leaders):
            _send(process, kind)
        until = time.monotonic() + patience
        while _members(leaders):
            if time.monotonic() > until:
                break
            time.sleep(_POLL_SECONDS)
        else:
            return


def _members(leaders: list[int]) -> list[psutil.Process]:
    wanted, found = set(leaders), []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) in wanted and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return found


def _send(process: psutil.Process, kind: signal.Signals) -> None:
    try:
        process.send_signal(kind)
    except psutil.NoSuchProcess:
        return


def main() -> None:
    """Read session leaders until the owner closes the pipe or dies, then end them."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)
    leaders = [int(line) for line in sys.stdin if line.strip()]
    end_sessions(leaders)


if __name__ == "__main__":
    main()
