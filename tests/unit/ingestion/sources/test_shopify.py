"""The Shopify connector against the loopback shop: what it lands, how it waits, what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from graphql import build_schema, parse, validate

from ingestion import api, contract, sources
from ingestion.pseudonyms import Pseudonyms
from ingestion.sources.shopify import bulk, queries, records, streams
from ingestion.sources.shopify.client import Client
from ingestion.sources.shopify.records import KIND, People
from ingestion.synthetic.shopify.cost import STRICT
from ingestion.synthetic.shopify.faults import Fault
from ingestion.synthetic.shopify.server import Host, listen
from setae.errors import ConfigError, SourceBusy, SourceError
from setae.settings import load_settings
from tests.conftest import KEY, make_home
from tests.worlds import shop as world
from tests.worlds.pulling import DAY, TOKEN, VARIABLE, Pull, pulling

ROOT = Path(__file__).resolve().parents[4]

Pulls = Callable[..., Pull]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with listen() as made:
        yield made


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the hand-made shop, written once."""
    return world.write_shop(tmp_path_factory.mktemp("shop") / "shop")


@pytest.fixture
def pull(host: Host, small_shop: Path, tmp_path: Path) -> Iterator[Pulls]:
    """Makes homes that pull from the shop."""
    with ExitStack() as stack:

        def make(**options: Any) -> Pull:
            link = tmp_path / "shop"
            if not link.exists():
                link.symlink_to(small_shop)
            return stack.enter_context(pulling(host, tmp_path, **options))

        yield make


# -- records ------------------------------------------------------------------------------------


def money(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount}}


ORDER: dict[str, Any] = {
    "id": "gid://shopify/Order/7",
    "legacyResourceId": "7",
    "name": "#1007",
    "createdAt": "2026-05-01T10:00:00Z",
    "processedAt": "2026-05-01T09:59:00Z",
    "updatedAt": "2026-05-04T12:00:00Z",
    "cancelledAt": None,
    "test": False,
    "currencyCode": "EUR",
    "displayFinancialStatus": "PARTIALLY_REFUNDED",
    "taxesIncluded": False,
    "sourceName": "web",
    "email": " Ana.Lopez@Example.COM ",
    "discountCodes": ["Mira10", "FREESHIP"],
    "subtotalPriceSet": money("94.5"),
    "totalDiscountsSet": money("10.5"),
    "totalShippingPriceSet": money("4.9"),
    "totalTaxSet": None,
    "totalPriceSet": money("99.4"),
    "totalRefundedSet": money("27.0"),
    "customer": {"legacyResourceId": "3"},
    "shippingAddress": {"countryCodeV2": "ES"},
    "customerJourneySummary": {
        "ready": True,
        "customerOrderIndex": 2,
        "firstVisit": {
            "occurredAt": "2026-04-20T08:00:00Z",
            "landingPage": "https://shop.example/shoes/red?email=ana@example.com&utm_source=x",
            "referrerUrl": "https://l.instagram.com/?u=1",
            "source": "instagram",
            "sourceType": "POST",
            "utmParameters": {
                "source": "instagram",
                "medium": "influencer",
                "campaign": "spring",
                "content": "mira",
                "term": None,
            },
        },
        "lastVisit": None,
    },
    "lineItems": {
        "nodes": [
            {
                "id": "gid://shopify/LineItem/71",
                "sku": "SHOE",
                "quantity": 2,
                "currentQuantity": 1,
                "isGiftCard": False,
                "product": {"legacyResourceId": "5"},
                "originalUnitPriceSet": money("30.0"),
                "originalTotalSet": money("60.0"),
                "discountedTotalSet": money("54.0"),
                "discountAllocations": [
                    {
                        "allocatedAmountSet": money("6.0"),
                        "discountApplication": {"code": "mira10"},
                    }
                ],
            },
            {
                "id": "gid://shopify/LineItem/72",
                "sku": None,
                "quantity": 1,
                "currentQuantity": 1,
                "isGiftCard": True,
                "product": None,
                "originalUnitPriceSet": money("45.0"),
                "originalTotalSet": money("45.0"),
                "discountedTotalSet": money("40.5"),
                "discountAllocations": [
                    {
                        "allocatedAmountSet": money("3.5"),
                        "discountApplication": {"code": "Mira10"},
                    },
                    {"allocatedAmountSet": money("1.0"), "discountApplication": {}},
                ],
            },
        ],
        "pageInfo": {"hasNextPage": False, "endCursor": "x"},
    },
    "refunds": [
        {
            "id": "gid://shopify/Refund/9",
            "legacyResourceId": "9",
            "createdAt": None,
            "updatedAt": "2026-05-04T12:00:00Z",
            "totalRefundedSet": money("27.0"),
            "refundLineItems": {
                "nodes": [
                    {
                        "quantity": 1,
                        "restocked": False,
                        "subtotalSet": money("20.0"),
                        "lineItem": {"id": "gid://shopify/LineItem/71"},
                    },
                    {
                        "quantity": 0,
                        "restocked": True,
                        "subtotalSet": money("5.5"),
                        "lineItem": {"id": "gid://shopify/LineItem/71"},
                    },
                ],
                "pageInfo": {"hasNextPage": False, "endCursor": None},
            },
        }
    ],
}
PEOPLE = People(Pseudonyms(KEY), "demo")


def test_an_order_becomes_records_that_tie_and_name_nobody() -> None:
    bundle = records.split_order(ORDER, PEOPLE)
    assert bundle.updated_at == datetime(2026, 5, 4, 12, tzinfo=UTC)
    found = bundle.records
    (order,) = found["orders"]
    # One refund, two parts of it, ready, not cancelled.
    assert order["revision"] == 4
    # The vector of the design for this address.
    assert order["email_pid"] == "k1_1b29abd603269a25fd516a4e86d0c614"
    assert order["customer_pid"] == Pseudonyms(KEY).make("customer", "shopify:demo", "3")
    assert (order["subtotal_amount"], order["discount_amount"], order["tax_amount"]) == (
        *("94.5", "10.5"),
        None,
    )
    assert [(line["discount_amount"], line["net_amount"]) for line in found["order_lines"]] == [
        ("6.0", "54.0"),
        ("4.5", "40.5"),
    ]
    assert found["order_lines"][1]["product_id"] is None
    assert [(code["code"], code["amount"]) for code in found["order_discount_codes"]] == [
        ("Mira10", "9.5"),  # 6.0 and 3.5, however it was typed
        ("FREESHIP", None),  # took nothing off the lines
    ]
    (touch,) = found["order_touches"]
    assert (touch["touch_role"], touch["landing_path"], touch["referrer_host"]) == (
        "first",
        "/shoes/red",
        "l.instagram.com",
    )
    (refund,) = found["refunds"]
    assert (refund["amount"], refund["returned_sales_amount"]) == ("27.0", "25.5")
    assert refund["refunded_at"] == "2026-05-04T12:00:00Z"
    # One line given back in two portions is one record.
    assert [
        (part["line_id"], part["quantity"], part["amount"], part["is_restocked"])
        for part in found["refund_lines"]
    ] == [("71", 1, "25.5", True)]
    text = repr(found).lower()
    assert "lopez" not in text
    assert "ana@" not in text


def test_nothing_is_said_of_a_journey_before_it_is_ready() -> None:
    waiting = ORDER | {
        "customerJourneySummary": {"ready": False, "firstVisit": None, "lastVisit": None}
    }
    bundle = records.split_order(waiting, PEOPLE)
    assert bundle.records["order_touches"] == []
    assert bundle.records["orders"][0]["revision"] == 3
    without = records.split_order(ORDER | {"customerJourneySummary": None}, PEOPLE)
    assert without.records["orders"][0]["is_journey_ready"] is None


@pytest.mark.parametrize(
    ("value", "kind", "size"),
    [
        ({"percentage": 0.1}, "percent", "10.0"),
        ({"amount": {"amount": "5.0"}}, "fixed", "5.0"),
        (None, "bxgy", None),
    ],
)
def test_a_discount_is_a_record_for_each_code(value: Any, kind: str, size: str | None) -> None:
    discount = {
        "__typename": "DiscountCodeBxgy" if value is None else "DiscountCodeBasic",
        "status": "ACTIVE",
        "startsAt": "2026-05-01T00:00:00Z",
        "endsAt": None,
        "createdAt": "2026-04-01T00:00:00Z",
        "updatedAt": "2026-04-02T00:00:00Z",
        "usageLimit": 5,
        "codes": {"nodes": [{"code": "A"}, {"code": "B"}]},
        "customerGets": {"value": value} if value else None,
    }
    found = records.split_discount(
        {"id": "gid://shopify/DiscountCodeNode/4", "codeDiscount": discount}
    )
    rows = found.records["discount_codes"]
    assert [(row["discount_id"], row["code"]) for row in rows] == [("4", "A"), ("4", "B")]
    assert {(row["discount_type"], row["discount_value"]) for row in rows} == {(kind, size)}


def test_every_question_is_one_the_vendor_s_schema_answers() -> None:
    schema = build_schema(
        (ROOT / "ingestion/synthetic/shopify/schema.graphql").read_text(encoding="utf-8")
    )
    asked = {
        name: text
        for name, text in vars(queries).items()
        if name.isupper() and isinstance(text, str)
    }
    assert len(asked) > 10
    assert {name: validate(schema, parse(text)) for name, text in asked.items()} == {
        name: [] for name in asked
    }
    for text in asked.values():
        assert not re.search(r"\b(note|phone|firstName|lastName|displayName|address1)\b", text)


def test_the_records_have_the_contract_s_fields() -> None:
    bundle = records.split_order(ORDER, PEOPLE)
    for entity, rows in bundle.records.items():
        fields = {field.name for field in contract.load(KIND, entity).fields}
        for row in rows:
            assert set(row) == fields, entity
    assert {table for stream in streams.STREAMS for table in stream.tables} == set(
        sources.get(KIND).entities()
    )


# -- a clean fetch ------------------------------------------------------------------------------


def test_a_first_fetch_lands_the_whole_shop_and_the_next_costs_one_request_a_stream(
    pull: Pulls,
) -> None:
    one = pull()
    landed = one.fetch()
    assert one.landed() == one.expected()
    assert sum(manifest.good_count for manifest in landed if manifest.entity == "orders") == 60
    assert one.clock.naps == []
    before = one.asked()
    again = one.fetch()
    # The scopes, and four streams; what is read again within the lag is the last order.
    assert one.asked() - before == 5
    assert {manifest.entity: manifest.good_count for manifest in again}["orders"] == 1
    assert one.landed() == one.expected()


def test_an_open_window_ends_a_minute_before_now_and_as_of_is_the_only_now(pull: Pulls) -> None:
    one = pull(now=world.made(10) + timedelta(seconds=30))
    one.fetch()
    assert (str(world.order(10)),) not in one.landed()["orders"]
    one.shop.now += timedelta(minutes=2)
    one.fetch()
    assert (str(world.order(10)),) in one.landed()["orders"]
    two = pull(now=world.END)
    two.settings = two.settings.model_copy(update={"as_of": world.made(20)})
    assert {manifest.window_end_at for manifest in two.fetch()} == {world.made(20)}


def test_a_shop_without_access_to_people_lands_without_them(pull: Pulls) -> None:
    one = pull()
    one.shop.personal = False
    one.fetch()
    landed = one.landed()
    assert {row[0] for row in landed["customers"].values()} == {None}
    assert landed["orders"] == one.expected()["orders"]


def test_children_beyond_the_first_page_all_arrive(host: Host, tmp_path: Path) -> None:
    folder = world.write_shop(tmp_path / "shop")

    def extend(name: str, rows: list[dict[str, Any]]) -> None:
        table = pq.read_table(folder / f"{name}.parquet")
        more = pa.Table.from_pylist(rows, table.schema)
        pq.write_table(pa.concat_tables([table, more]), folder / f"{name}.parquet")

    order, at = world.order(5), world.made(5) + timedelta(days=3)
    lines = queries.LINES * 2 + 30
    extend(
        "order_lines",
        [
            {
                "line_id": order * 1000 + number,
                "order_id": order,
                "position": 10 + number,
                "product_id": 1,
                "sku": None,
                "title": "x",
                "quantity": 1,
                "unit_amount": Decimal("1.00"),
                "discount_amount": Decimal("0.00"),
                "net_amount": Decimal("1.00"),
                "is_gift_card": False,
            }
            for number in range(lines)
        ],
    )
    refunds = queries.REFUNDS + 3
    extend(
        "refunds",
        [
            {
                "refund_id": order * 100 + number,
                "order_id": order,
                "created_at": at,
                "visible_at": at,
                "total_amount": Decimal("1.00") * (queries.REFUND_LINES + 5 if number == 0 else 1),
            }
            for number in range(refunds)
        ],
    )
    given = [(order * 100, number) for number in range(queries.REFUND_LINES + 5)]
    given += [(order * 100 + number, 100 + number) for number in range(1, refunds)]
    extend(
        "refund_lines",
        [
            {
                "refund_line_id": order * 10_000 + place,
                "refund_id": refund,
                "line_id": order * 1000 + line,
                "quantity": 1,
                "subtotal": Decimal("1.00"),
                "is_restocked": False,
            }
            for place, (refund, line) in enumerate(given)
        ],
    )
    extend(
        "variants",
        [
            {"variant_id": 9_000 + number, "product_id": 3, "sku": "v", "price": Decimal("1.00")}
            for number in range(queries.VARIANTS + 40)
        ],
    )
    with pulling(host, tmp_path) as one:
        one.fetch()
        assert one.landed() == one.expected()
        assert (
            len([key for key in one.landed()["order_lines"] if key[0] == str(order)]) == lines + 2
        )


# -- waiting ------------------------------------------------------------------------------------


def paged(one: Pull) -> list[int]:
    """The numbers of the orders that come page by page, without anything landed."""
    client = Client(
        one.settings.source("shopify"), name="shopify", clock=one.clock, chance=lambda: 1.0
    )
    pages = client.pages(queries.ORDERS, "orders", search=streams.search(None, world.END))
    return sorted(int(node["legacyResourceId"]) for nodes in pages for node in nodes)


EVERY_ORDER = [world.order(number) for number in range(1, 61)]

PASSING = [
    # Pages of 20 orders ask for 242 points and take 77, and the bucket fills by 100 a second: from
    # 0 points 3 s bring 300, after page two 223 are left, and 1 s more brings what page three asks.
    (Fault("throttled", page=2), [3.0, 1.0]),
    # From 150 points 1 s brings 250, of which 173 are left.
    (Fault("throttled", page=2, available=150.0), [1.0, 1.0]),
    (Fault("too_many_requests", page=2, retry_after="7"), [7.0]),
    (Fault("too_many_requests"), [1.0]),
    (Fault("too_many_requests", retry_after="Wed, 10 Jun 2026 00:00:09 GMT"), [9.0]),
    (Fault("internal_error", page=3, times=3), [1.0, 2.0, 4.0]),
    (Fault("internal_error", request_id=False), [1.0]),
    (Fault("security_rejection"), [1.0]),
    (Fault("server_error", page=2, status=500), [1.0]),
    (Fault("server_error", page=2, status=502, times=2), [1.0, 2.0]),
    (Fault("server_error", status=503), [1.0]),
    (Fault("server_error", page=2, status=504), [1.0]),
    (Fault("reset", page=2), [1.0]),
    (Fault("truncated", page=2), [1.0]),
    (Fault("html", page=2), [1.0]),
    (Fault("empty_body", page=2), [1.0]),
    (Fault("wrong_content_type", page=2), []),
]


@pytest.mark.parametrize(
    ("fault", "waits"), PASSING, ids=lambda value: value.kind if isinstance(value, Fault) else ""
)
def test_what_passes_by_itself_costs_its_wait_and_no_record(
    pull: Pulls, fault: Fault, waits: list[float]
) -> None:
    one = pull()
    one.shop.faults.add(replace(fault))
    assert paged(one) == EVERY_ORDER
    assert one.clock.naps == waits


def test_all_of_it_in_one_fetch_costs_no_row_and_doubles_none(pull: Pulls) -> None:
    one = pull()
    faults = [
        Fault("throttled", root="products"),
        Fault("internal_error", root="codeDiscountNodes"),
        Fault("reset", root="customers", page=1),
        Fault("server_error", root="customers", page=2, status=502),
        Fault("too_many_requests", root="ordersCount", retry_after="7"),
        Fault("truncated", root="orders", page=1),
        Fault("html", root="orders", page=2),
        Fault("empty_body", root="orders", page=3),
        Fault("wrong_content_type", root="orders", page=3),
    ]
    one.shop.faults.add(*faults)
    landed = one.fetch()
    assert {fault.kind: fault.used for fault in faults} == {fault.kind: 1 for fault in faults}
    assert one.landed() == one.expected()
    counted = {manifest.entity: manifest.good_count for manifest in landed}
    assert counted["orders"] == 60


def test_an_answer_that_drips_is_given_up_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 20.0, 40.0, 60.0, 80.0])
    monkeypatch.setattr(api, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    response = SimpleNamespace(
        iter_content=lambda _: iter([b"a", b"b", b"c", b"d"]), close=lambda: None
    )
    with pytest.raises(api.Again, match="does not end"):
        api.read_body(response, 50.0)  # type: ignore[arg-type]
    moments = iter([0.0, 1.0, 2.0, 3.0, 4.0])
    api.read_body(response, 50.0)  # type: ignore[arg-type]
    assert response._content == b"abcd"


def test_a_shop_that_does_not_come_back_is_given_up_after_six_attempts(pull: Pulls) -> None:
    one = pull()
    one.shop.faults.add(Fault("server_error", root="orders", times=None, status=503))
    with pytest.raises(SourceError, match="HTTP 503, 6 times in a row") as caught:
        one.fetch()
    assert caught.value.retryable
    assert not isinstance(caught.value, SourceBusy)
    assert one.clock.naps == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert one.landed()["orders"] == {}
    assert one.landed()["customers"] == one.expected()["customers"]  # landed before


def test_a_wait_beyond_the_budget_is_left_to_the_scheduler(pull: Pulls) -> None:
    one = pull()
    one.shop.faults.add(Fault("too_many_requests", root="orders", page=2, retry_after="900"))
    with pytest.raises(SourceBusy, match="wait_budget_seconds = 600") as caught:
        one.fetch()
    assert caught.value.retry_at == one.shop.now + timedelta(seconds=900)
    assert caught.value.exit_code == 75
    assert one.clock.naps == []
    one.fetch()
    assert one.landed() == one.expected()


def test_throttling_without_end_uses_the_budget_up_and_no_more(pull: Pulls) -> None:
    one = pull(more="wait_budget_seconds = 10\n")
    one.shop.faults.add(Fault("throttled", root="orders", page=2, times=None))
    with pytest.raises(SourceBusy) as caught:
        paged(one)
    # 242 points at 100 a second are 3 s; a fourth time would be the twelfth second.
    assert one.clock.naps == [3.0, 3.0, 3.0]
    assert caught.value.retry_at == one.shop.now + timedelta(seconds=3)


def test_pages_that_cost_too_much_become_smaller(pull: Pulls) -> None:
    one = pull()
    one.shop.rules = STRICT
    one.shop.plan = "enterprise"
    one.shop.refill()
    assert paged(one) == EVERY_ORDER
    sizes = [entry.variables["first"] for entry in one.shop.requests("orders")]
    assert sizes[0] == 20
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 20


# -- refusing -----------------------------------------------------------------------------------


FINAL = [
    (Fault("unauthorized"), VARIABLE, False),
    (Fault("payment_required"), "frozen", False),
    (Fault("forbidden"), "still installed", False),
    (Fault("not_found"), "correct `url`", False),
    (Fault("locked", page=2), "locked", False),
    (Fault("shop_inactive"), "closed", False),
    (Fault("access_denied", denied="Order.email"), "ACCESS_DENIED", False),
    (Fault("wrong_version", page=2), "asked for API version", False),
    (Fault("null_data", page=2), "neither data nor error", False),
    (Fault("empty_data", page=2), "holds no data", True),
    (Fault("no_page_info", page=2), "whether there are more", True),
    (Fault("repeated_cursor", page=2), "has been read", True),
    (Fault("endless_cursor", times=None), "has been read", True),
]


@pytest.mark.parametrize(
    ("fault", "says", "is_retryable"),
    FINAL,
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_what_a_person_must_mend_is_said_once(
    pull: Pulls, fault: Fault, says: str, is_retryable: bool
) -> None:
    one = pull()
    one.shop.faults.add(replace(fault))
    with pytest.raises(SourceError) as caught:
        paged(one)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert TOKEN not in message
    assert caught.value.retryable is is_retryable
    assert one.clock.naps == []


@pytest.mark.parametrize("kind", ["unauthorized", "no_page_info", "endless_cursor"])
def test_a_fetch_that_fails_leaves_no_hole(pull: Pulls, kind: str) -> None:
    one = pull()
    one.shop.faults.add(Fault(kind, root="orders", times=None))
    with pytest.raises(SourceError):
        one.fetch()
    assert one.landed()["orders"] == {}
    one.shop.faults.clear()
    one.fetch()
    assert one.landed() == one.expected()


def test_scopes_are_asked_for_before_anything_is_read(pull: Pulls) -> None:
    one = pull()
    every = one.shop.scopes
    one.shop.scopes = every - {"read_products"}
    with pytest.raises(ConfigError, match="lacks read_products"):
        one.fetch()
    assert one.asked() == 1
    one.shop.scopes = every - {"read_all_orders"}
    one.shop.now = world.END + 90 * DAY
    one.fetch()  # nobody asked for history
    assert one.landed()["orders"] == {}
    settings = make_home(one.settings.home, (one.settings.home / "setae.toml").read_text())
    source = settings.sources["shopify"].model_copy(
        update={"history_start_date": world.START.date()}
    )
    one.settings = settings.model_copy(update={"sources": {"shopify": source}})
    with pytest.raises(ConfigError, match="read_all_orders"):
        one.fetch()


def test_a_search_the_shop_understands_in_part_is_refused(
    pull: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pull()
    monkeypatch.setattr(streams, "search", lambda start, end: "update_at:<'2026-01-01T00:00:00Z'")
    with pytest.raises(SourceError, match="left a condition of the search out"):
        one.fetch()
    assert one.landed()["products"] == {}


def test_what_is_not_configured_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def complaint(config: str) -> str:
        settings = make_home(tmp_path / "home", f'[sources.shopify]\nkind = "shopify"\n{config}')
        with pytest.raises(ConfigError) as caught:
            sources.get(KIND).fetch(
                settings,
                name="shopify",
                start=None,
                end=None,
                progress=None,  # type: ignore[arg-type]
            )
        return str(caught.value)

    assert "no `url`" in complaint("")
    assert VARIABLE in complaint('url = "https://x.myshopify.com"\n')
    monkeypatch.setenv(VARIABLE, TOKEN)
    assert "use https" in complaint('url = "http://x.myshopify.com"\n')


def test_a_token_in_the_file_is_refused_and_shows_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=VARIABLE) as caught:
        make_home(tmp_path, f'[sources.shopify]\nkind = "shopify"\ntoken = "{TOKEN}"\n')
    assert TOKEN not in str(caught.value)
    monkeypatch.setenv(VARIABLE, TOKEN)
    (tmp_path / "setae.toml").write_text('[sources.shopify]\nkind = "shopify"\n')
    settings = load_settings(tmp_path)
    given = settings.source("shopify").token
    assert given is not None
    assert given.get_secret_value() == TOKEN
    assert TOKEN not in f"{settings!r} {settings} {settings.source('shopify')!r}"


# -- following the cursor -----------------------------------------------------------------------


def test_an_order_updated_a_minute_before_the_cursor_arrives(pull: Pulls) -> None:
    one = pull()
    one.fetch()
    cursor = max(row[3] for row in one.landed()["orders"].values()).replace(tzinfo=UTC)
    one.shop.touch(world.order(3), cursor - timedelta(seconds=60))
    one.fetch()
    assert one.landed() == one.expected()
    # It is the lag that brings it: beyond it nothing would.
    one.shop.touch(world.order(4), cursor - timedelta(seconds=180))
    one.fetch()
    assert one.landed() != one.expected()


def test_a_child_that_appears_without_a_new_update_wins_by_what_it_holds(pull: Pulls) -> None:
    order = (str(world.order(world.PARTLY_REFUNDED)),)
    one = pull(now=world.REFUND_AT + timedelta(seconds=20))
    one.fetch(end=one.shop.now)
    seen = one.landed()["orders"][order]
    assert (seen[1], seen[3]) == (Decimal("0.0000"), world.REFUND_AT.replace(tzinfo=None))
    one.shop.now = world.REFUND_AT + timedelta(seconds=70)
    one.fetch(end=one.shop.now)
    again = one.landed()["orders"][order]
    assert again == (seen[0], Decimal("40.0000"), None, seen[3])
    assert one.landed() == one.expected()


def test_a_journey_is_asked_for_again_until_it_is_ready(pull: Pulls) -> None:
    order = str(world.order(world.NOT_READY))
    at = world.made(world.NOT_READY)
    one = pull(now=at + timedelta(hours=1))
    one.fetch()
    assert [key for key in one.landed()["order_touches"] if key[0] == order] == []
    one.shop.now = at + timedelta(hours=30)
    before = one.asked("nodes")
    one.fetch()
    assert one.asked("nodes") == before + 1
    assert [key for key in one.landed()["order_touches"] if key[0] == order] == []
    one.shop.now = at + timedelta(hours=50)
    one.fetch()
    assert len([key for key in one.landed()["order_touches"] if key[0] == order]) == 2
    assert one.landed() == one.expected(one.shop.now - timedelta(seconds=60))
    # It is ready, so nobody asks any more.
    before = one.asked("nodes")
    one.fetch()
    assert one.asked("nodes") == before


def test_a_backfill_reads_exactly_its_days_and_leaves_the_cursors_alone(pull: Pulls) -> None:
    one = pull()
    one.fetch()
    cursors = one.cursors()
    before = one.asked()
    start, end = world.START + 2 * DAY, world.START + 4 * DAY
    landed = one.fetch(start, end)
    assert one.cursors() == cursors
    asked = [
        entry.variables["search"] for entry in one.shop.log[before:] if "orders" in entry.roots
    ]
    assert asked == ["updated_at:>='2026-05-03T08:00:00Z' AND updated_at:<'2026-05-05T08:00:00Z'"]
    # Order n is made every twelve hours: 5 to 8 in these two days; 7 was refunded later.
    orders = {manifest.entity: manifest.good_count for manifest in landed}["orders"]
    assert orders == 3
    assert one.landed() == one.expected()


def test_an_order_that_moves_while_pages_are_read_comes_with_the_next_fetch(pull: Pulls) -> None:
    one = pull()
    one.shop.faults.add(
        Fault("touch", root="orders", page=2, order_id=world.order(45)),
        Fault("touch", root="orders", page=3, order_id=world.order(2)),
    )
    one.fetch()
    one.shop.now += timedelta(minutes=5)
    one.fetch()
    assert one.landed() == one.expected()


def test_a_long_window_is_read_in_parts_that_are_landed_one_by_one(
    pull: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PART_COUNT", 20)
    one = pull()
    one.shop.paging_limit = 40
    one.shop.faults.add(Fault("server_error", root="orders", after=3, times=None))
    with pytest.raises(SourceError):
        one.fetch()
    kept = len(one.landed()["orders"])
    assert 40 <= kept < 60
    one.shop.faults.clear()
    one.fetch()
    assert one.landed() == one.expected()


def test_more_records_in_one_second_than_a_part_holds_are_read_in_one(
    pull: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PART_COUNT", 5)
    one = pull()
    for number in range(1, 61):
        one.shop.touch(world.order(number), world.END - DAY)
    one.fetch()
    assert one.landed() == one.expected()


# -- bulk operations ----------------------------------------------------------------------------

BULK = "bulk_minimum_count = 10\n"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations of at most 25 orders."""
    monkeypatch.setattr(streams, "PART_COUNT", 25)


@pytest.mark.usefixtures("few")
def test_a_long_history_comes_by_bulk_operations(pull: Pulls) -> None:
    one = pull(more=BULK)
    one.fetch()
    assert one.landed() == one.expected()
    assert one.asked("bulkOperationRunQuery") >= 3
    # Only to find the first order; the windows themselves are not paged.
    assert one.asked("orders") == 1
    assert set(one.clock.naps) <= {2.0, 4.0, 8.0, 16.0}
    before = one.asked()
    one.fetch()
    assert one.asked() - before == 5


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "kind", ["bulk_failed", "bulk_canceled", "bulk_expired", "bulk_url_expired"]
)
def test_an_operation_without_a_whole_file_is_read_by_pages(pull: Pulls, kind: str) -> None:
    one = pull(more=BULK)
    one.shop.faults.add(Fault(kind))
    one.fetch()
    assert one.landed() == one.expected()
    assert one.asked("orders") > 1


@pytest.mark.usefixtures("few")
def test_a_file_that_breaks_off_is_loaded_again(pull: Pulls) -> None:
    one = pull(more=BULK)
    one.shop.faults.add(Fault("bulk_cut", times=2))
    one.fetch()
    assert one.landed() == one.expected()
    assert one.asked("orders") == 1


@pytest.mark.usefixtures("few")
def test_a_file_that_is_short_of_objects_does_not_count(
    pull: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pull(more=BULK)
    whole = bulk.Client.download

    def short(client: Any, url: str) -> Iterator[bytes]:
        yield from list(whole(client, url))[:-1]

    monkeypatch.setattr(bulk.Client, "download", short)
    one.fetch()
    assert one.landed() == one.expected()
    assert one.asked("orders") > 1


@pytest.mark.usefixtures("few")
def test_an_operation_that_still_runs_is_found_again(pull: Pulls) -> None:
    one = pull(more=BULK + "wait_budget_seconds = 30\n")
    one.shop.faults.add(Fault("bulk_stuck"))
    with pytest.raises(SourceBusy, match="will be found again"):
        one.fetch()
    assert sum(one.clock.naps) <= 30
    started = one.asked("bulkOperationRunQuery")
    assert started == 1
    one.shop.bulk.operations[-1].fate = None
    one.fetch()
    assert one.landed() == one.expected()
    windows = [
        re.search(r"updated_at:[^\"\\]*", entry.variables["text"])
        for entry in one.shop.requests("bulkOperationRunQuery")
    ]
    found = [window[0] for window in windows if window]
    assert len(found) == len(set(found))
