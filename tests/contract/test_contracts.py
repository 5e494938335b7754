"""The contract files keep their own promises, and everything made from them is fresh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from ingestion import contract, validate
from ingestion.contract import CONTRACT_VERSION, DUCKDB_TYPES
from ingestion.conversion import Terms
from ingestion.pseudonyms import CLASSES, Pseudonyms
from ingestion.validate import Rules
from tests.conftest import KEY

ROOT = Path(__file__).resolve().parents[2]
ALL = [(kind, name) for kind in contract.source_kinds() for name in contract.inputs(kind)]
DROPS = contract.inputs("drops")

NAMED_IN_THE_DESIGN = {
    *("creators", "creator_accounts", "creator_follower_snapshots", "posts"),
    *("post_metric_snapshots", "post_metrics_daily", "activity_events", "tracked_links"),
    *("link_clicks", "promo_codes", "promo_code_products", "code_redemptions", "products"),
    *("customers", "orders", "order_lines", "refunds", "refund_lines", "order_discount_codes"),
    *("order_touches", "affiliate_conversions", "campaigns", "campaign_exposures"),
    *("platform_claims", "survey_responses", "creator_costs", "comments", "identity_links"),
    *("referrals", "fx_rates_daily", "experiments", "roster"),
}


def checker(kind: str, name: str) -> Draft202012Validator:
    return Draft202012Validator(contract.schema(kind, name), format_checker=FormatChecker())


def test_every_entity_of_the_design_has_a_contract() -> None:
    assert set(DROPS) == NAMED_IN_THE_DESIGN


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_contract_is_a_json_schema_with_descriptions(kind: str, name: str) -> None:
    raw = contract.schema(kind, name)
    Draft202012Validator.check_schema(raw)
    assert raw["title"] == name
    assert raw["x-version"] == CONTRACT_VERSION
    assert raw["description"].startswith("One row per ")
    for field, value in raw["properties"].items():
        assert value["description"].endswith("."), field
        assert value["x-type"] in DUCKDB_TYPES, field
        for column in value.get("x-columns", ()):
            assert column["description"].endswith("."), column["name"]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_the_example_validates(kind: str, name: str) -> None:
    (example,) = contract.schema(kind, name)["examples"]
    assert list(checker(kind, name).iter_errors(example)) == []
    unknown = set(example) - set(contract.schema(kind, name)["properties"])
    assert unknown == set()


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_keys_times_and_parents_name_columns_that_are_there(kind: str, name: str) -> None:
    one = contract.load(kind, name)
    if not one.is_landed:
        return
    columns = [column.name for column in one.columns]
    assert len(columns) == len(set(columns))
    assert set(one.key) <= set(columns)
    assert one.time_column is None or one.time_column in columns
    assert not one.is_occurrence or one.column(one.time_column or "").required
    assert not any(column.startswith("_") for column in columns)
    if one.parent is not None:
        parent = contract.load(kind, one.parent.entity)
        for ours, theirs in one.parent.columns:
            assert one.column(ours).duckdb_type == parent.column(theirs).duckdb_type
    for alternative in one.any_of:
        assert all(one.field(field) is not None for field in alternative.fields)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_what_names_people_has_a_class_and_is_never_a_column_itself(kind: str, name: str) -> None:
    one = contract.load(kind, name)
    plain = {field.name for field in one.fields if field.pseudonym or field.is_dropped}
    if one.is_landed:
        assert not plain & {column.name for column in one.columns}
    for field in one.fields:
        if field.pseudonym and not field.pseudonym.key_class.startswith("by:"):
            assert field.pseudonym.key_class in CLASSES


@pytest.mark.parametrize("name", DROPS)
def test_every_drop_can_be_corrected(name: str) -> None:
    one = contract.load("drops", name)
    if one.is_landed:
        assert {"updated_at", "revision"} <= {column.name for column in one.columns}


# Values by type: what a plain JSON Schema validator accepts, and what it does not.
ACCEPTED: dict[str, list[Any]] = {
    "money": ["12.50", 12.5, 0],
    "int": [3, "3"],
    "bool": [True, "false", "1", 0],
    "ccy": ["EUR"],
    "cc": ["ES"],
    "rate": [0.5, 1],
    "ts": ["2026-11-22T04:10:00+01:00"],
    "date": ["2026-11-22"],
    "id": ["a", 7],
}
REFUSED: dict[str, list[Any]] = {
    "money": ["1,5", "NaN", True],
    "int": [-1, "x", 1.5],
    "bool": ["yes", "Tr", 2],
    "ccy": ["eur", "EURO"],
    "cc": ["es", "ESP"],
    "rate": [1.5, -0.1],
    "ts": [20261122],
    "date": [20261122, "22.11.2026"],
    "id": [1.5, True, {}],
}


@pytest.mark.parametrize("name", DROPS)
def test_the_schema_says_what_the_rules_say(name: str) -> None:
    """A validator in another language, given the files alone, comes to the same verdicts."""
    one = contract.load("drops", name)
    rules = Rules(one, Terms("drops", "demo"), Pseudonyms(KEY))
    schema = checker("drops", name)
    for field in one.fields:
        for values, is_accepted in ((ACCEPTED, True), (REFUSED, False)):
            for value in values.get(field.x_type, ()):
                given = one.example | {field.name: value}
                line = validate.parse_line(json.dumps(given).encode())
                assert isinstance(line, dict)
                broken = {item.field for item in rules.check(line).violations}
                wrong = {error.path[0] for error in schema.iter_errors(given) if error.path}
                assert (field.name not in broken) is is_accepted, (field.name, value)
                assert (field.name not in wrong) is is_accepted, (field.name, value)


def test_the_reference_page_is_fresh() -> None:
    page = ROOT / "docs" / "reference" / "contract.md"
    assert page.read_text(encoding="utf-8") == contract.reference(), (
        "run `python -m ingestion.contract --write-docs`"
    )


def test_the_drops_page_shows_every_entity_s_example() -> None:
    page = (ROOT / "docs" / "sources" / "drops.md").read_text(encoding="utf-8")
    assert page == contract.with_examples(page, "drops"), (
        "run `python -m ingestion.contract --write-docs`"
    )
    for name in DROPS:
        assert f"`{name}/`" in page
