"""The strict rules, one table per type of field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion import contract, validate
from ingestion.conversion import Terms
from ingestion.pseudonyms import Pseudonyms
from ingestion.validate import NumberText, Rules, Violation
from tests.conftest import KEY

PSEUDONYMS = Pseudonyms(KEY)
TERMS = Terms("drops", "demo", received_at=datetime(2026, 12, 1, tzinfo=UTC))


def rules(entity: str, terms: Terms = TERMS) -> Rules:
    return Rules(contract.load("drops", entity), terms, PSEUDONYMS)


def example(entity: str, **changes: Any) -> dict[str, Any]:
    given = validate.parse_line(json.dumps(contract.load("drops", entity).example).encode())
    assert isinstance(given, dict)
    return given | changes


def verdict(entity: str, **changes: Any) -> list[tuple[str, str | None]]:
    checked = rules(entity).check(example(entity, **changes))
    return [(one.rule, one.field) for one in checked.violations]


def value_of(entity: str, field: str, value: Any) -> Any:
    """What a field becomes; its rule where it is refused."""
    checked = rules(entity).check(example(entity, **{field: value}))
    if checked.violations:
        return checked.violations[0].rule
    return checked.record.get(field)


@pytest.mark.parametrize("entity", contract.entities("drops"))
def test_every_example_is_accepted(entity: str) -> None:
    terms = Terms("drops", "demo")
    assert rules(entity, terms).check(example(entity)).violations == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a":1', "not JSON: Expecting ',' delimiter at character 7"),
        (b'{"a":1}}', "not JSON: Extra data at character 8"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":"x\ty"}', "not JSON: Invalid control character"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":NaN}', "NaN is no JSON number"),
        (b'{"a":-Infinity}', "-Infinity is no JSON number"),
        (b'{"a":1,"a":1}', "a name occurs twice in one object"),
        (b'{"a":{"b":1,"b":2}}', "a name occurs twice in one object"),
        (b'{"a":"\\u0000"}', "a text holds a NUL character"),
        (b'{"a":"\\ud800"}', "a text holds half of a surrogate pair"),
        (b'{"a":"x\x00"}', "the line holds a NUL byte"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 7 of the line"),
        (b"[1]", "the line is JSON but no object"),
        (b"5", "the line is JSON but no object"),
        (b"null", "the line is JSON but no object"),
        (b'{"a":' * 21 + b"1" + b"}" * 21, "nested deeper than 20 levels"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 20 levels"),
        (b'{"a":"' + b"x" * 2**20 + b'"}', "the line is longer than 1 MiB"),
    ],
)
def test_lines_that_cannot_be_read_break_q15(line: bytes, message: str) -> None:
    found = validate.parse_line(line)
    assert isinstance(found, Violation)
    assert found.rule == "Q15"
    assert found.message.startswith(message)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":' * 20 + b"1" + b"}" * 20,
        b'{"a":"' + b"[" * 1000 + b'"}',  # brackets inside a text nest nothing
        b'{"a":"\\ud83d\\ude00"}',
        b' {"a":1}\r',
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_lines_at_the_edge_are_read(line: bytes) -> None:
    assert isinstance(validate.parse_line(line), dict)


@pytest.mark.parametrize("line", [b"", b"  ", b"\r", b"\t \r"])
def test_blank_lines_are_no_records(line: bytes) -> None:
    assert validate.parse_line(line) is None


def test_numbers_keep_how_they_were_written() -> None:
    found = validate.parse_line(b'{"a":1e2,"b":12.50,"c":-0,"d":7}')
    assert isinstance(found, dict)
    assert [found[name].text for name in "abc"] == ["1e2", "12.50", "-0"]
    assert found["d"] == 7
    assert type(found["d"]) is int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12.5", "12.5"),
        ("12.50", "12.5"),
        ("12.50000", "12.5"),  # no information beyond the fourth place
        (12, "12"),
        (NumberText("12.3400"), "12.34"),
        ("0", "0"),
        ("007", "7"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("12.34567", "Q05"),
        (NumberText("0.00001"), "Q05"),
        (NumberText("1e2"), "Q05"),
        (NumberText("1e400"), "Q05"),
        ("-0", "Q05"),
        (NumberText("-0.0"), "Q05"),
        ("-5", "Q05"),
        ("1,234.5", "Q05"),
        ("1e2", "Q05"),
        ("999999999999999", "Q05"),
        (".5", "Q05"),
        ("+5", "Q05"),
        (" 5", "Q05"),
        ("NaN", "Q05"),
        ("", "Q05"),
        (None, "Q05"),
        (True, "Q05"),
        ({}, "Q05"),
    ],
)
def test_money(value: Any, expected: str) -> None:
    assert value_of("orders", "gross_amount", value) == expected


def test_money_that_may_be_negative() -> None:
    assert value_of("order_lines", "net_amount", "-3.25") == "-3.25"
    assert value_of("order_lines", "net_amount", "-0.5") == "-0.5"
    assert value_of("order_lines", "net_amount", "-0.0000") == "Q05"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("EUR", "EUR"), ("eur", "Q05"), ("EURO", "Q05"), ("XYZ", "Q05"), (978, "Q05"), ("", "Q05")],
)
def test_currency(value: Any, expected: str) -> None:
    assert value_of("orders", "currency", value) == expected


def test_the_source_s_currency_stands_in_for_a_missing_one() -> None:
    terms = Terms("drops", "demo", currency="EUR")
    assert rules("orders", terms).check(example("orders", currency=None)).violations == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T04:10:00+01:00", "2026-11-22T03:10:00.000000+00:00"),
        ("2026-11-22T04:10:00Z", "2026-11-22T04:10:00.000000+00:00"),
        ("2026-11-22T04:10Z", "2026-11-22T04:10:00.000000+00:00"),
        ("2026-11-22 04:10:00.1234567-0530", "2026-11-22T09:40:00.123456+00:00"),
        ("2026-11-22T04:10:00", "Q02"),
        ("2026-11-22", "Q02"),
        ("2026-02-30T00:00:00Z", "Q02"),
        ("2026-11-22T24:00:00Z", "Q02"),
        ("2026-11-22T23:59:60Z", "Q02"),
        ("2026-11-22T04:10:00+16:00", "Q02"),
        ("9999-12-31T23:59:59-05:00", "Q02"),
        ("22.11.2026 04:10", "Q02"),
        (1763784600, "Q02"),
        ("", "Q02"),
        (None, "Q02"),
    ],
)
def test_times(value: Any, expected: str) -> None:
    assert value_of("orders", "ordered_at", value) == expected


@pytest.mark.parametrize(
    ("received", "occurred", "expected"),
    [
        ("2026-11-22T04:00:00Z", "2026-11-22T04:10:00Z", []),
        ("2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z", []),  # warned, see the conversion
        ("2026-11-22T04:00:00Z", "2026-11-23T04:00:01Z", [("Q03", "occurred_at")]),
        (None, "2026-12-02T00:00:00Z", []),  # the window's end stands in
        (None, "2026-12-02T00:00:01Z", [("Q03", "occurred_at")]),
        (None, "1989-12-31T23:59:59Z", [("Q04", "occurred_at")]),
        (None, "1990-01-01T00:00:00Z", []),
    ],
)
def test_clocks(received: str | None, occurred: str, expected: list[tuple[str, str]]) -> None:
    found = verdict("activity_events", received_at=received, occurred_at=occurred)
    assert found == expected


def test_the_source_s_history_has_a_beginning() -> None:
    terms = Terms("drops", "demo", history_start_at=datetime(2026, 6, 1, tzinfo=UTC))
    before = rules("orders", terms).check(example("orders", ordered_at="2026-05-31T23:59:59Z"))
    assert [one.rule for one in before.violations] == ["Q04"]
    first = rules("orders", terms).check(example("orders", ordered_at="2026-06-01T00:00:00Z"))
    assert first.violations == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (NumberText("42.0"), "42"),
        ("42", "42"),
        (2**63 - 1, str(2**63 - 1)),
        (2**63, "Q09"),
        (-1, "Q09"),
        (NumberText("-0"), "Q09"),
        (NumberText("1.5"), "Q09"),
        ("many", "Q09"),
        (True, "Q09"),
    ],
)
def test_counts(value: Any, expected: str) -> None:
    assert value_of("creator_follower_snapshots", "follower_count", value) == expected


def test_a_metric_that_counts_is_whole_and_a_duration_need_not_be() -> None:
    assert verdict("post_metric_snapshots", value=NumberText("1.5")) == [("Q09", "value")]
    assert verdict("post_metric_snapshots", value=-1) == [("Q09", "value")]
    assert verdict("post_metric_snapshots", value=NumberText("1.5"), metric="avg_watch_s") == []
    assert verdict("post_metrics_daily", value=-1) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NumberText("0.155"), "0.155"),
        ("0.155", "0.155"),
        (1, "1"),
        (0, "0"),
        (NumberText("1.0"), "1"),
        (NumberText("1.01"), "Q09"),
        (12, "Q09"),
        ("12%", "Q09"),
        (NumberText("-0.1"), "Q09"),
    ],
)
def test_rates(value: Any, expected: str) -> None:
    assert value_of("creators", "agreed_commission_rate", value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        ("False", "false"),
        ("1", "true"),
        (0, "false"),
        ("yes", "Q08"),
        (2, "Q08"),
        ("", None),
    ],
)
def test_flags(value: Any, expected: str | None) -> None:
    assert value_of("orders", "is_test", value) == expected


def test_values_outside_their_list_break_q08() -> None:
    assert verdict("orders", financial_status="PAID") == [("Q08", "financial_status")]
    assert verdict("orders", ship_country="es") == [("Q08", "ship_country")]
    assert verdict("posts", platform="myspace") == [("Q08", "platform")]


@pytest.mark.parametrize("value", [None, "", "  ", "\u00a0", [], 1.5, True])
def test_an_id_that_is_needed_breaks_q01_when_it_is_not_there(value: Any) -> None:
    given = NumberText("1.5") if value == 1.5 and value is not True else value
    assert verdict("orders", order_id=given) == [("Q01", "order_id")]


@pytest.mark.parametrize(
    "value", ["ana@example.com", "@nano_ana", "+34 600 123 456", "203.0.113.7"]
)
def test_an_id_that_is_an_address_breaks_q01(value: str) -> None:
    found = rules("orders").check(example("orders", order_id=value))
    assert [one.rule for one in found.violations] == ["Q01"]
    assert value not in found.violations[0].message
    assert found.leftover == {}


def test_ids_are_kept_verbatim() -> None:
    assert value_of("orders", "order_id", "gid://shop/Order/7") == "gid://shop/Order/7"
    assert value_of("orders", "order_id", 6012345) == "6012345"
    assert value_of("orders", "order_id", "a b:c%") == "a b:c%"


def test_neither_visitor_nor_user_breaks_q11() -> None:
    assert verdict("activity_events", anonymous_id=None) == [("Q11", None)]
    assert verdict("activity_events", anonymous_id=" ", user_id="u-1") == []


def test_a_post_needs_an_account_or_a_creator() -> None:
    assert verdict("posts", creator_id=None, platform_user_id=None) == [("Q01", None)]


def test_all_broken_rules_are_told_in_the_order_of_the_fields() -> None:
    found = verdict("orders", gross_amount="x", ordered_at="y", currency="z")
    assert found == [("Q02", "ordered_at"), ("Q05", "currency"), ("Q05", "gross_amount")]


def test_what_names_people_becomes_a_pseudonym_and_is_not_kept() -> None:
    checked = rules("customers").check(example("customers", email=" Shopper@Example.com "))
    assert checked.overlay["customer_pid"] == PSEUDONYMS.make("customer", "drops:demo", "1001")
    assert checked.overlay["email_pid"] == PSEUDONYMS.make("email", "", "shopper@example.com")
    assert not {"customer_id", "email"} & set(checked.record)


def test_a_handle_s_scope_is_its_platform_wherever_that_stands() -> None:
    first = rules("creators").check(example("creators", handle="@Nano_Ana"))
    assert first.overlay["creator_pid"] == "k1_ff0e702c8dafa58c856554a437732232"
    turned = dict(reversed(example("creators", handle="@Nano_Ana").items()))
    assert rules("creators").check(turned).overlay == first.overlay


def test_an_e_mail_that_is_none_has_no_pseudonym_and_costs_nothing_else() -> None:
    checked = rules("customers").check(example("customers", email="call me"))
    assert checked.violations == []
    assert "email_pid" not in checked.overlay
    assert checked.notes == {"invalid_pseudonyms": 1}


def test_identity_links_take_the_class_from_the_type() -> None:
    given = example("identity_links", left_type="email", left_id="A@B.co")
    checked = rules("identity_links").check(given)
    assert checked.overlay["left_pid"] == PSEUDONYMS.make("email", "", "a@b.co")
    assert checked.overlay["right_pid"] == PSEUDONYMS.make("customer", "drops:demo", "1001")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write ana.lopez@example.com now", "write [email] now"),
        ("x%40y.co", "[email]"),
        ("thanks @nano_ana!", "thanks [handle]!"),
        ("call +34 600 123 456 today", "call [phone] today"),
        ("from 203.0.113.7 on", "from [ip] on"),
        ("size 42 @ home, v1.2.3", "size 42 @ home, v1.2.3"),
    ],
)
def test_addresses_in_free_text_are_masked(text: str, expected: str) -> None:
    assert validate.mask(text) == expected
    assert value_of("refunds", "reason", text) == expected


@pytest.mark.parametrize("part", ["x", "@", "a@", "@a", "a.", "a%40", "+", "+1", "1.", "a@b.", " "])
def test_masking_takes_one_pass_whatever_the_text_holds(part: str) -> None:
    """A pattern that backtracks would take hours for this."""
    validate.mask(part * (2**20 // len(part)))


def test_a_url_loses_its_user_and_addresses() -> None:
    found = value_of("activity_events", "url", "https://ana:pw@shop.example/u/ana@x.co?a=1")
    assert found == "https://shop.example/u/[email]?a=1"


def test_free_form_json_loses_members_that_name_people() -> None:
    given = {"size": 42, "email": "a@b.co", "buyer": {"first_name": "Ana", "note": "to a@b.co"}}
    checked = rules("activity_events").check(
        example("activity_events", properties=given | {"list": ["x", "ask @ana"]})
    )
    assert checked.record["properties"] == {"size": 42, "buyer": {}, "list": ["x", "ask [handle]"]}
    assert checked.notes == {"dropped_fields": 3, "masked_values": 1}


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        ("colour", True),
        ("product_name", True),
        ("shipping_method", True),
        ("tags.first", True),
        ("customer_email", False),
        ("e-mail", False),
        ("firstName", False),
        ("name", False),
        ("ip", False),
        ("client_ip", False),
        ("ua", False),
        ("zip_code", False),
        ("BillingAddress", False),
        ("ana@example.com", False),
        ("🙂", False),
        ("", False),
    ],
)
def test_which_unknown_fields_are_kept(name: str, is_kept: bool) -> None:
    assert validate.is_kept_name(name) is is_kept


def test_broken_values_are_shown_only_where_their_shape_names_nobody() -> None:
    checked = rules("orders").check(
        example(
            "orders",
            gross_amount="-5.00",
            ordered_at="2026-11-22 04:10:00",
            currency="eur",
            financial_status="Ana Lopez",
            ship_country="ana@example.com",
            total_amount="0034600123456",
        )
    )
    assert checked.leftover == {
        "gross_amount": "-5.00",
        "ordered_at": "2026-11-22 04:10:00",
        "currency": "eur",
    }


def test_messages_never_hold_the_value() -> None:
    canary = "canary-7f3a@example.com"
    for entity in contract.entities("drops"):
        fields = contract.load("drops", entity).fields
        checked = rules(entity).check({field.name: canary for field in fields})
        said = json.dumps([[one.message, one.field] for one in checked.violations])
        assert canary not in said
        assert canary not in json.dumps(checked.leftover)


# -- back from quarantine -------------------------------------------------------------------------


def revalidated(entity: str, payload: dict[str, Any], **set_fields: str) -> validate.Checked:
    return validate.revalidate(
        contract.load("drops", entity), payload, set_fields, terms=TERMS, pseudonyms=PSEUDONYMS
    )


PAYLOAD = {
    "order_id": "1",
    "ordered_at": "2026-11-22T03:12:00Z",
    "customer_pid": "k1_" + "a" * 32,
    "gross_amount": "60.0000",
    "discount_codes": '["ANA10"]',
}


def test_a_payload_lacks_what_was_broken_until_it_is_set() -> None:
    assert [one.rule for one in revalidated("orders", PAYLOAD).violations] == ["Q05"]
    fixed = revalidated("orders", PAYLOAD, currency="EUR")
    assert fixed.violations == []
    assert fixed.record["currency"] == "EUR"
    assert fixed.overlay == {"customer_pid": "k1_" + "a" * 32}


def test_a_field_set_to_a_plain_address_is_pseudonymised() -> None:
    fixed = revalidated("orders", PAYLOAD, currency="EUR", email="A@b.co")
    assert fixed.overlay["email_pid"] == PSEUDONYMS.make("email", "", "a@b.co")
    assert "email" not in fixed.record


def test_a_column_of_pseudonyms_takes_nothing_else() -> None:
    wrong = revalidated("orders", PAYLOAD, currency="EUR", customer_pid="ana@example.com")
    assert [(one.rule, one.field) for one in wrong.violations] == [("Q01", "customer_pid")]


def test_an_unknown_field_cannot_be_set() -> None:
    wrong = revalidated("orders", PAYLOAD, currency="EUR", colour="red")
    assert [one.message for one in wrong.violations] == ["colour is no field of orders"]


def test_a_code_is_known_by_the_column_it_was_stored_in() -> None:
    payload = {"code_norm": "ANA10", "code_display": "Ana10"}
    fixed = revalidated("promo_codes", payload, valid_from="2026-09-01T00:00:00Z")
    assert fixed.violations == []
    assert fixed.record["code"] == "Ana10"
    renamed = revalidated("promo_codes", payload, code="BO5", valid_from="2026-09-01T00:00:00Z")
    assert renamed.record["code"] == "BO5"
    assert "code_norm" not in renamed.overlay


def test_set_values_obey_the_rules_too() -> None:
    wrong = revalidated("orders", PAYLOAD, currency="euro")
    assert [one.rule for one in wrong.violations] == ["Q05"]
