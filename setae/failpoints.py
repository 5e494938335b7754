"""Fail points: named places between two durable steps where a test can end the process.

`SETAE_FAILPOINT=load:before_commit:2` ends the process with exit code 137, as SIGKILL would, the
second time it passes `load:before_commit`. Without the variable a fail point costs one look-up. The
variable is no setting: it exists so that exactly-once loading can be proven by killing it.
"""

from __future__ import annotations

import os
from collections import Counter

_passed: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """End the process here if `SETAE_FAILPOINT` asks for it.

    Args:
        name: `<stage>:<place>`, unique in the code base.
    """
    wanted = os.environ.get("SETAE_FAILPOINT")
    if not wanted:
        return
    stage, place, *hits = wanted.split(":")
    if name != f"{stage}:{place}":
        return
    _passed[name] += 1
    if _passed[name] == int(hits[0] if hits else 1):
        os._exit(137)
