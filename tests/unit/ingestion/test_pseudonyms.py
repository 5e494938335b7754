"""Pseudonyms: the vectors of the contract, normalisation, and SQL that does the same."""

from __future__ import annotations

import duckdb
import pytest

from ingestion import pseudonyms
from ingestion.pseudonyms import CLASSES, Pseudonyms
from setae.errors import ConfigError
from setae.settings import load_settings
from tests.conftest import KEY

MADE = Pseudonyms(KEY)

VECTORS = [
    ("email", "", " Ana.Lopez@Example.COM ", "k1_1b29abd603269a25fd516a4e86d0c614"),
    ("handle", "instagram", "@Nano_Ana", "k1_ff0e702c8dafa58c856554a437732232"),
    (
        "customer",
        "shopify:demo",
        "gid://shopify/Customer/7",
        "k1_46749ef7e1ed30784c2f6833df4084ce",
    ),
]


@pytest.mark.parametrize(("key_class", "scope", "value", "expected"), VECTORS)
def test_the_vectors_of_the_contract(key_class: str, scope: str, value: str, expected: str) -> None:
    assert MADE.make(key_class, scope, value) == expected


def test_sql_makes_the_vectors_from_normalised_values() -> None:
    with duckdb.connect() as connection:
        MADE.install(connection)
        row = connection.execute(
            "select pid_email('', 'ana.lopez@example.com'), pid_handle('instagram', 'nano_ana'), "
            "pid_customer('shopify:demo', 'gid://shopify/Customer/7')"
        ).fetchone()
    assert row == tuple(expected for *_, expected in VECTORS)


@pytest.mark.parametrize("key_class", CLASSES)
def test_sql_and_python_agree_in_every_class(key_class: str) -> None:
    values = {"email": "a@b.co", "phone": "+34600123456", "ip_net": "203.0.113.7"}
    value = values.get(key_class, "x-1")
    normalised = {"ip_net": "203.0.113.0/24"}.get(key_class, value)
    with duckdb.connect() as connection:
        MADE.install(connection)
        row = connection.execute(f"select pid_{key_class}('s', ?)", [normalised]).fetchone()
    assert row == (MADE.make(key_class, "s", value),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" Ana.Lopez@Example.COM ", "ana.lopez@example.com"),
        ("ana+shop@gmail.com", "ana+shop@gmail.com"),  # no rules of one provider
        ("ana@münchen.de", "ana@xn--mnchen-3ya.de"),
        ("ａｎａ@example.com", "ana@example.com"),  # full-width letters, by NFKC
        ("STRASSE@EXAMPLE.DE", "strasse@example.de"),
        ("straße@example.de", "strasse@example.de"),  # casefold
        ("ana", None),
        ("ana@localhost", None),
        ("a b@example.com", None),
        ("@example.com", None),
        ("ana@exa mple.com", None),
        ("", None),
    ],
)
def test_e_mail_is_normalised_or_has_no_pseudonym(value: str, expected: str | None) -> None:
    assert pseudonyms.normalise_email(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("@Nano_Ana", "nano_ana"), (" nano_ana@ ", "nano_ana"), ("@@", None), ("ﬁn", "fin")],
)
def test_handles_are_compared_without_case_and_at_sign(value: str, expected: str | None) -> None:
    assert pseudonyms.normalise_handle(value) == expected


@pytest.mark.parametrize(
    ("value", "calling_code", "expected"),
    [
        ("+34 600 123 456", None, "+34600123456"),
        ("0034-600-123-456", None, "+34600123456"),
        ("600 123 456", "34", "+34600123456"),
        ("0170 1234567", "49", "+491701234567"),
        ("600 123 456", None, None),
        ("12", "34", None),
    ],
)
def test_phones_become_e164(value: str, calling_code: str | None, expected: str | None) -> None:
    assert pseudonyms.normalise_phone(value, calling_code=calling_code) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.250", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "20010db80001/48"),
        ("2001:DB8:1:ffff::", "20010db80001/48"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.256", None),
        ("host", None),
    ],
)
def test_addresses_become_networks(value: str, expected: str | None) -> None:
    assert pseudonyms.normalise_network(value) == expected


def test_another_scope_class_or_key_is_another_pseudonym() -> None:
    made = {
        MADE.make("customer", "drops:a", "7"),
        MADE.make("customer", "drops:b", "7"),
        MADE.make("user", "drops:a", "7"),
        Pseudonyms(bytes(32), "k1").make("customer", "drops:a", "7"),
    }
    assert len(made) == 4


def test_the_master_key_does_not_show() -> None:
    assert KEY.hex() not in repr(MADE)
    assert repr(KEY) not in repr(MADE)


def test_no_key_is_a_hard_failure(tmp_path) -> None:
    with pytest.raises(ConfigError, match="setae init"):
        load_settings(tmp_path).pii_master()
