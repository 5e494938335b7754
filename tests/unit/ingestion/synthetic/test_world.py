"""A generated world: the same to the byte, whole or not at all, and sound in itself."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from ingestion.synthetic.files import sha256
from ingestion.synthetic.scenario import preset
from ingestion.synthetic.world import Summary, generate
from setae.errors import ConfigError, DataError

SHOP_ENTITIES = {
    "orders",
    "order_lines",
    "refunds",
    "refund_lines",
    "customers",
    "order_touches",
    "order_discount_codes",
    "products",
}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(sql: str) -> list[tuple]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def test_two_generations_with_one_seed_are_the_same_to_the_byte(
    tiny: Summary, tmp_path: Path
) -> None:
    again = generate(preset("tiny"), tmp_path / "again")
    assert digests(again.folder) == digests(tiny.folder)


def test_another_seed_is_another_world(tiny: Summary, tmp_path: Path) -> None:
    other = generate(preset("tiny", seed=2), tmp_path / "other")
    same = digests(other.folder / "drops").items() & digests(tiny.folder / "drops").items()
    assert not same


def test_a_component_draws_from_a_stream_of_its_own(tiny: Summary, tmp_path: Path) -> None:
    other = generate(preset("tiny", survey_share=0.9, refund_probability=0.4), tmp_path / "other")
    before, after = digests(tiny.folder / "drops"), digests(other.folder / "drops")
    moved = {path.split("/")[0] for path in before if before[path] != after.get(path)}
    # Amounts given back stand on lines, on orders, and in what a network reports.
    of_refunds = {"refunds", "refund_lines", "orders", "order_lines", "affiliate_conversions"}
    assert moved == {"survey_responses"} | of_refunds


def test_the_drops_are_the_same_wherever_the_orders_are(tiny: Summary, tiny_shop: Summary) -> None:
    with_orders, without = digests(tiny.folder / "drops"), digests(tiny_shop.folder / "drops")
    assert {path.split("/")[0] for path in with_orders.keys() - without.keys()} == SHOP_ENTITIES
    assert without.items() <= with_orders.items()


def test_world_json_names_every_file_with_its_digest(tiny: Summary) -> None:
    told = json.loads((tiny.folder / "world.json").read_text())
    found = digests(tiny.folder)
    del found["world.json"]
    assert told["files"] == found
    assert told["as_of"] == "2026-06-14T22:00:00Z"  # midnight of June 15 in Berlin
    assert told["sizes"]["people"] == 150


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    with pytest.raises(DataError, match="not empty"):
        generate(preset("tiny"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.synthetic.truth.codes", None)
    with pytest.raises(TypeError):
        generate(preset("tiny"), tmp_path / "world")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "size",
    [
        {"people": 1, "creators": 1, "days": 1},
        {"people": 2, "creators": 7, "days": 3},
        {"people": 40, "creators": 1, "days": 400, "has_faults": False},
    ],
)
@pytest.mark.parametrize("shop", ["drops", "shopify"])
def test_a_world_of_any_size_is_made(tmp_path: Path, size: dict, shop: str) -> None:
    made = generate(preset("demo", **size), tmp_path / "world", shop=shop)
    told = json.loads((made.folder / "world.json").read_text())
    assert told["sizes"]["people"] == size["people"]
    assert (tmp_path / "world" / "truth" / "targets.parquet").is_file()


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="tiny, demo, null, leaky, large"):
        preset("huge")


def test_lines_add_up_to_their_order(tiny_shop: Summary) -> None:
    shop = tiny_shop.folder / "shop"
    wrong = rows(
        f"select o.order_id from '{shop}/orders.parquet' as o left join "
        f"(select order_id, sum(net_amount) as net, sum(discount_amount) as discount, "
        f"sum(unit_amount * quantity) as gross from '{shop}/order_lines.parquet' group by all) "
        "as l using (order_id) where net is distinct from subtotal or discount <> discounts "
        "or gross <> subtotal + discounts or total <> subtotal + shipping + tax"
    )
    assert not wrong


def test_a_person_never_orders_twice_in_one_second(tiny_shop: Summary) -> None:
    orders = tiny_shop.folder / "shop" / "orders.parquet"
    assert not rows(
        f"select customer_id, created_at from '{orders}' where customer_id is not null "
        "group by all having count(*) > 1"
    )
    assert not rows(
        f"select 1 from '{orders}' where date_trunc('second', created_at) <> created_at"
    )


def test_order_numbers_grow_with_time(tiny_shop: Summary) -> None:
    orders = tiny_shop.folder / "shop" / "orders.parquet"
    assert not rows(
        f"select 1 from (select created_at, name, lag(created_at) over (order by order_id) as c, "
        f"lag(substr(name, 2)::int) over (order by order_id) as n from '{orders}') "
        "where c > created_at or substr(name, 2)::int <> n + 1"
    )


def test_refunds_give_back_no_more_than_was_paid(tiny_shop: Summary) -> None:
    shop = tiny_shop.folder / "shop"
    assert not rows(
        f"select order_id from '{shop}/refunds.parquet' join '{shop}/orders.parquet' "
        "using (order_id) group by order_id, total having sum(total_amount) > total"
    )
    assert not rows(
        f"select line_id from '{shop}/refund_lines.parquet' as r "
        f"join '{shop}/order_lines.parquet' as l using (line_id) "
        "group by line_id, l.quantity, net_amount "
        "having sum(r.quantity) > l.quantity or sum(subtotal) > net_amount"
    )


def test_the_order_index_counts_the_customers_earlier_orders(tiny_shop: Summary) -> None:
    orders = tiny_shop.folder / "shop" / "orders.parquet"
    assert not rows(
        f"select 1 from '{orders}' as o where customer_id is not null and customer_order_index <> "
        f"(select count(*) from '{orders}' as e where e.customer_id = o.customer_id "
        "and not e.is_test and e.created_at < o.created_at)"
    )


def test_nothing_lies_after_the_end(tiny_shop: Summary) -> None:
    for path in sorted((tiny_shop.folder / "shop").glob("*.parquet")):
        for name, kind, *_ in rows(f"describe select * from '{path}'"):
            if kind.startswith("TIMESTAMP") and name not in ("journey_ready_at", "ends_at"):
                late = rows(f"select max({name}) >= '{tiny_shop.as_of}'::timestamptz from '{path}'")
                assert late[0][0] is not True, (path.name, name)


def test_every_event_has_an_instant_of_its_own(tiny: Summary) -> None:
    assert not rows(
        "select anonymous_id, occurred_at from "
        "(select distinct event_id, anonymous_id, occurred_at "
        f"from '{tiny.folder}/drops/activity_events/*.parquet' where event_id not like 'bad%') "
        "group by all having count(*) > 1"
    )


def test_the_null_world_has_no_effects(tmp_path: Path) -> None:
    made = generate(preset("null", people=400, creators=30, days=40), tmp_path / "world")
    truth = made.folder / "truth"
    assert rows(f"select distinct cause from '{truth}/visits.parquet'") == [("baseline",)]
    assert rows(f"select count(*) from '{truth}/orders.parquet' where cause = 'creator'") == [(0,)]
    assert rows(f"select max(return_effect + order_effect) from '{truth}/creators.parquet'") == [
        (0.0,)
    ]
    # They share in the way people come all the same.
    assert rows(
        f"select count(*) > 50 from '{truth}/visits.parquet' where channel = 'creator'"
    ) == [(True,)]
