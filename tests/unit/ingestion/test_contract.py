"""Reading the contract files, and what is generated from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion import contract
from setae.errors import ConfigError


def test_a_contract_says_columns_key_time_and_parent() -> None:
    lines = contract.load("drops", "order_lines")
    assert lines.key == ("order_id", "line_id")
    assert lines.time_column is None
    assert lines.parent == contract.Parent("orders", (("order_id", "order_id"),))
    amount = lines.column("net_amount")
    assert (amount.duckdb_type, amount.required, amount.pii) == ("DECIMAL(18,4)", True, None)


def test_what_is_pseudonymised_has_a_column_of_another_name() -> None:
    customers = contract.load("drops", "customers")
    names = [column.name for column in customers.columns]
    assert names[:3] == ["customer_pid", "email_pid", "user_pid"]
    assert "email" not in names
    assert customers.column("email_pid").pii == "P1"
    assert customers.column("country").pii == "P2"


def test_what_is_derived_has_columns_of_its_own() -> None:
    names = [column.name for column in contract.load("drops", "activity_events").columns]
    assert {"url_host", "url_path", "utm_source", "referrer_host", "time_quality"} <= set(names)
    assert not {"url", "utm", "referrer", "user_agent"} & set(names)


def test_the_roster_is_delivered_but_not_landed() -> None:
    assert "roster" in contract.inputs("drops")
    assert "roster" not in contract.entities("drops")


@pytest.mark.parametrize(
    ("kind", "entity", "reason"),
    [
        ("drops", "order", "no entity 'order'"),
        ("fax", "orders", "no source kind 'fax' .*drops"),
    ],
)
def test_what_is_not_there_is_told(kind: str, entity: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        contract.load(kind, entity)


def test_a_column_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        contract.load("drops", "orders").column("colour")


def test_pages_are_written_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drops = tmp_path / "sources" / "drops.md"
    drops.parent.mkdir()
    drops.write_text(f"# Drops\n\n{contract.EXAMPLES_BEGIN}old\n{contract.EXAMPLES_END}\nTail\n")
    where = ["--docs", str(tmp_path)]
    assert contract.main(["--check", *where]) == 1
    assert capsys.readouterr().err.count("out of date") == 2
    assert contract.main(["--write-docs", *where]) == 0
    assert contract.main(["--check", *where]) == 0
    written = drops.read_text()
    assert written.startswith("# Drops\n")
    assert written.endswith("\nTail\n")
    assert "**`orders/`** One row per order." in written
    page = tmp_path / "reference" / "contract.md"
    page.write_text(page.read_text() + "\nedited by hand\n")
    assert contract.main(["--check", *where]) == 1


def test_the_page_names_every_field_and_stored_column() -> None:
    page = contract.reference()
    for kind in contract.source_kinds():
        for name in contract.inputs(kind):
            one = contract.load(kind, name)
            section = page.split(f"### {kind}: {name}\n")[1].split("\n### ")[0]
            assert all(f"| `{field.name}`" in section for field in one.fields)
            if one.is_landed:
                assert all(f"`{column.name}`" in section for column in one.columns)


def test_dbt_sources_list_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    assert contract.main(["--dbt-sources", "complete_journey"]) == 0
    text = capsys.readouterr().out
    assert "name: raw_complete_journey" in text
    assert text.count("- name: _record_hash") == len(contract.entities("complete_journey"))
    assert "data_type: decimal(18,4)" in text
