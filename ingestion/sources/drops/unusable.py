"""Files that cannot be used as a whole, and how much one may unpack to."""

from __future__ import annotations

MAXIMUM_UNPACKED_BYTES = 64 * 2**30
"""A file that unpacks to more is refused; deliver it in parts."""

MAXIMUM_RATIO = 250
"""Honest text packs by a factor of 5 to 50; a bomb by a thousand."""

RATIO_FROM_BYTES = 32 * 2**20
"""Below this a high ratio does no harm."""


class Unusable(Exception):
    """A delivered file as a whole is no data: one line, the reason and what to do."""


def check_unpacked(unpacked: int, packed: int) -> None:
    """Stop unpacking what has no end.

    Raises:
        Unusable: It is more than a delivery may be.
    """
    if unpacked > MAXIMUM_UNPACKED_BYTES:
        raise Unusable("unpacks to more than 64 GiB; deliver it in parts")
    if unpacked > RATIO_FROM_BYTES and unpacked > MAXIMUM_RATIO * max(packed, 1):
        raise Unusable(
            f"unpacks to more than {MAXIMUM_RATIO} times its size; deliver it uncompressed"
        )
