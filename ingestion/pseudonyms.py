"""Pseudonyms: keyed HMACs that stand for people, made before anything is written.

    class key = HMAC-SHA256(master, "stickiness/pii/v1/" + class)
    pseudonym = key id + "_" + first 32 hex digits of HMAC-SHA256(class key, scope + 0x1F + value)

The value is normalised first, by class, so that one person spells one pseudonym. What cannot be
normalised (an e-mail without a domain) has none: NULL, counted, no reason to reject the row. There
is no default key: `Settings.pii_master()` raises where none is configured.

Two forms of the same arithmetic: `Pseudonyms.make` in Python, for single values of any shape, and
`Pseudonyms.install`, which defines SQL macros that do plain values in bulk inside DuckDB. Values
the macros would have to normalise beyond ASCII are left to Python by the caller; a test holds the
two to the same results.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import idna

PURPOSE = "stickiness/pii/v1/"
SEPARATOR = "\x1f"
CLASSES = ("email", "phone", "handle", "customer", "device", "user", "ip_net", "comment_text")
PATTERN = re.compile(r"k[0-9]+_[0-9a-f]{32}")
"""What a pseudonym looks like."""

EMAIL_SQL = r"^[0-9A-Za-z.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[0-9A-Za-z-]{1,63}\.)+[0-9A-Za-z-]{2,63}$"
"""Addresses that need no more than lower case; the macros take no others."""

_EMAIL = re.compile(EMAIL_SQL)
_LOCAL = re.compile(r"[^\s@]{1,64}")
_BLOCK = 64


def normalise_email(value: str) -> str | None:
    """NFKC, trimmed, casefolded, the domain in ASCII; None where it is no address."""
    if len(value) > 1024:
        return None
    text = unicodedata.normalize("NFKC", value).strip().casefold()
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        return None
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    whole = f"{local}@{domain}"
    return whole if _EMAIL.fullmatch(f"x@{domain}") and len(whole) <= 254 else None


def normalise_handle(value: str) -> str | None:
    """NFKC, trimmed, without `@` at its ends, casefolded; None where nothing is left."""
    text = unicodedata.normalize("NFKC", value).strip().strip("@").strip().casefold()
    return text or None


def normalise_phone(value: str, *, calling_code: str | None = None) -> str | None:
    """E.164, with the shop country's calling code for numbers without one; else None.

    Args:
        value: As typed.
        calling_code: Digits, such as `34`, for national numbers.
    """
    text = unicodedata.normalize("NFKC", value).strip()
    digits = re.sub(r"[\s().\-/]", "", text)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not digits.startswith("+") and calling_code is not None:
        digits = f"+{calling_code}{digits.removeprefix('0')}"
    return digits if re.fullmatch(r"\+[1-9][0-9]{7,14}", digits) else None


def normalise_network(value: str) -> str | None:
    """The /24 of an IPv4 address or the /48 of an IPv6 one; None where it is no address."""
    try:
        address = ipaddress.ip_address(value.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"{address.packed[:6].hex()}/48"
        address = address.ipv4_mapped
    return f"{'.'.join(str(part) for part in address.packed[:3])}.0/24"


def _verbatim(value: str) -> str | None:
    return value or None


_NORMALISE: dict[str, Callable[[str], str | None]] = {
    "email": normalise_email,
    "phone": normalise_phone,
    "handle": normalise_handle,
    "ip_net": normalise_network,
}


@dataclass(frozen=True)
class Pseudonyms:
    """Makes pseudonyms with one master key.

    Attributes:
        master: At least 32 bytes; never shown, written or logged.
        key_id: Prefix that says which master made a pseudonym.
    """

    master: bytes = field(repr=False)
    key_id: str = "k1"

    def class_key(self, key_class: str) -> bytes:
        """The key of one class of identifiers."""
        return hmac.digest(self.master, (PURPOSE + key_class).encode(), "sha256")

    def make(self, key_class: str, scope: str, value: str) -> str | None:
        """The pseudonym of one value, None where the value cannot be normalised.

        Args:
            key_class: One of `CLASSES`.
            scope: Where the id is unique: a shop, a platform, or nothing.
            value: Plain, as delivered.
        """
        normalised = _NORMALISE.get(key_class, _verbatim)(value)
        if normalised is None:
            return None
        message = f"{scope}{SEPARATOR}{normalised}".encode()
        digest = hmac.digest(self.class_key(key_class), message, "sha256")
        return f"{self.key_id}_{digest.hex()[:32]}"

    def digest(self, data: bytes) -> str:
        """Keyed digest of a line that is not kept: tells equal lines, and nothing else."""
        return hmac.digest(self.class_key("quarantine"), data, "sha256").hex()

    def hasher(self) -> hmac.HMAC:
        """The same digest, for data that comes in parts."""
        return hmac.new(self.class_key("quarantine"), digestmod="sha256")

    def install(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Define `pid_<class>(scope, normalised value)` macros on a connection.

        The keys live in variables of the connection, in memory, never in SQL text.
        """
        for key_class in CLASSES:
            key = self.class_key(key_class).ljust(_BLOCK, b"\0")
            for name, pad in (("inner", 0x36), ("outer", 0x5C)):
                connection.execute(
                    f"set variable pid_{key_class}_{name} = ?", [bytes(one ^ pad for one in key)]
                )
            connection.execute(
                f"create or replace temp macro pid_{key_class}(scope, val) as "
                f"'{self.key_id}_' || substr(sha256("
                f"getvariable('pid_{key_class}_outer') || unhex(sha256("
                f"getvariable('pid_{key_class}_inner') "
                "|| encode(scope || chr(31) || val)))), 1, 32)"
            )


def file_digest(data: bytes) -> str:
    """Plain SHA-256, for contents that name nobody."""
    return hashlib.sha256(data).hexdigest()
