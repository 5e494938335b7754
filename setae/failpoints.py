"""Fail points: named places between two durable steps where a test can end the process.

`SETAE_FAILPOINT=load:before_commit:2` ends the process with exit code 137, as SIGKILL would, the
second time it passes `load:before_commit`; `SETAE_FAILPOINT=load:any:37` ends it at the 37th fail
point of that stage, whichever it is. `SETAE_FAILPOINT_LOG=FILE` writes down the name of each one
passed, so that a moment of a run can be named by work done and not by seconds. Without the
variables a fail point costs two look-ups. They are no settings: they exist so that exactly-once
loading can be proven by killing it.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

_passed: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """End the process here if `SETAE_FAILPOINT` asks for it.

    Args:
        name: `<stage>:<place>`, unique in the code base.
    """
    log = os.environ.get("SETAE_FAILPOINT_LOG")
    if log:
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(f"{name}\n")
    wanted = os.environ.get("SETAE_FAILPOINT")
    if not wanted:
        return
    stage, place, *hits = wanted.split(":")
    if name != f"{stage}:{place}" and (place != "any" or not name.startswith(f"{stage}:")):
        return
    _passed[wanted] += 1
    if _passed[wanted] == int(hits[0] if hits else 1):
        os._exit(137)
