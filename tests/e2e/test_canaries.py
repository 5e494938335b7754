"""Nobody's name and no token, in any byte that the pipeline under a real scheduler leaves behind.

Canaries are planted wherever people stand: in the shop behind the API and its access token, in
every field of the drops that holds one, and where none belongs: a URL, a property, a column nobody
knows, a row that breaks the contract, a file without a header. The DAGs run, first against a shop
that refuses a field and a token, so that there are logs of failures. Then everything they wrote is
searched: landing, warehouse, published file, reports, dbt's target, task logs, Airflow's database
with its XComs, temporary files and the home directory of the user they run as.

Slow (minutes); `make test-scheduler` runs it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import sqlite3
import zipfile
import zlib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from ingestion.pseudonyms import Pseudonyms
from ingestion.synthetic.shopify.database import ShopDatabase
from ingestion.synthetic.shopify.faults import Fault
from ingestion.synthetic.shopify.server import listen
from ingestion.synthetic.shopify.shop import Shop
from setae import demo
from setae.scheduler import running
from setae.warehouse import Home
from tests import searching
from tests.conftest import KEY, make_home
from tests.worlds import shop as world, small

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(1800)]

TOKEN = "shpat_qzTokenBird0123456789abcdef"
DAY = "2026-06-09"

CONFIG = f"""
as_of = {world.END.isoformat()}
business_timezone = "Europe/Berlin"
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "{{folder}}"
account = "small"
currency = "EUR"
small_reject_minimum_count = 500

[sources.shopify]
kind = "shopify"
url = "{{url}}"
account = "demo"

[dbt_vars]
segment_min_person_count = 2
"""

PLANTED = (
    "qzmailbird",
    "qznamebird",
    "qzstreetbird",
    "qzhandlebird",
    "qzdevicebird",
    "qzuserbird",
    "qzcustomerbird",
    "qztextbird",
    "qzagentbird",
    "203.0.113.77",
    "491517248",
    "+49 151 55500",
    "canary.",
    "canary person",
    " canary street",
    str(world.customer(1)),
    str(world.customer(23)),
    TOKEN,
    TOKEN.removeprefix("shpat_"),
)
"""What must be found nowhere; canaries and the phones of 491517248 are the hand-made shop's."""

MAIL = "QzMailBird.{n}@Mail.Example"
PHONE = "+49 151 55500{n:03d}"


def planted(number: int) -> list[small.Delivery]:
    """One person in every field of every file that a person can stand in."""
    mail, at = MAIL.format(n=number), "2026-04-20T10:00:00Z"
    name, phone = f"QzNameBird-{number}", PHONE.format(n=number)
    customer, user = f"qzcustomerbird-{number}", f"QzUserBird-{number}"
    device, handle = f"qzdevicebird-{number}", f"QzHandleBird.{number}"
    visit = {"anonymous_id": device, "user_id": user}
    extra = {"first_name": name, "phone": phone, "address": f"{number} QzStreetBird Road"}
    rows: dict[str, dict[str, Any]] = {
        "customers": {"customer_id": customer, "email": mail, "user_id": user, **extra},
        "orders": {
            "order_id": f"bird{number}",
            "ordered_at": at,
            "customer_id": customer,
            "email": mail,
            "currency": "EUR",
            "gross_amount": "20.00",
            "total_amount": "20.00",
            "note": f"for {name}, ring {phone}",
            **visit,
            **extra,
        },
        "activity_events": {
            "event_id": f"bird{number}",
            "event_type": "page_view",
            "occurred_at": at,
            "url": f"https://shop.example/account?email={mail}&utm_source=instagram&tel={phone}",
            "referrer": f"https://mail.example/{mail}/inbox?user={user}",
            "properties": {"email": mail, "name": name, "phone": phone},
            "user_agent": "QzAgentBird/1.0",
            **visit,
        },
        "link_clicks": {
            "click_id": f"bird{number}",
            "link_id": "l-c0",
            "clicked_at": at,
            "ip": "203.0.113.77",
            "user_agent": "QzAgentBird/1.0",
            "referrer": f"https://mail.example/?to={mail}",
            **visit,
        },
        "comments": {
            "platform": "instagram",
            "comment_id": f"bird{number}",
            "post_id": f"birdpost{number}",
            "commented_at": at,
            "commenter": f"@{handle}",
            "text": f"QzTextBird write to {mail} or {phone}, says @{handle}",
        },
        "posts": {
            "platform": "instagram",
            "post_id": f"birdpost{number}",
            "platform_user_id": "ig-c0",
            "creator_id": "c0",
            "posted_at": "2026-04-19T10:00:00Z",
            "format": "image",
            "caption": f"QzTextBird with @{handle} {mail}",
            "mentions": [f"@{handle}"],
        },
        # Not enrolled: of these only the pseudonym of the handle is kept.
        "creators": {
            "creator_id": f"bird{number}",
            "handle": f"@{handle}",
            "display_handle": handle,
            "platform": "instagram",
            "status": "prospect",
            "consent_basis": "legit_interest",
            "customer_id": customer,
        },
        "identity_links": {
            "left_type": "visitor",
            "left_id": device,
            "right_type": "email",
            "right_id": mail,
            "link_type": "identify",
            "first_seen_at": at,
        },
        "survey_responses": {
            "response_id": f"bird{number}",
            "order_id": f"bird{number}",
            "asked_at": at,
            "answer": f"QzTextBird saw @{handle}, mail me: {mail}",
        },
        "referrals": {
            "referral_id": f"bird{number}",
            "referrer_customer_id": customer,
            "referred_customer_id": f"{customer}-friend",
            "referred_at": at,
        },
        "campaign_exposures": {
            "campaign_id": "birds",
            "customer_id": customer,
            "anonymous_id": device,
            "exposed_at": at,
        },
        "code_redemptions": {
            "redemption_id": f"bird{number}",
            "code": "ANA10",
            "customer_id": customer,
            "redeemed_on": "2026-04-20",
        },
    }
    broken = [
        # No time zone, an amount with a name in it, text cut in the middle, not UTF-8 further on.
        json.dumps({**rows["orders"], "order_id": f"bad{number}", "ordered_at": "2026-04-20T10"}),
        json.dumps({**rows["orders"], "order_id": f"ugly{number}", "gross_amount": mail}),
        json.dumps({**rows["orders"], "order_id": f"cut{number}"})[:-9],
        json.dumps([mail, name, phone]),
        f"{mail};{name};{phone}",
    ]
    suffix = ".ndjson.gz" if number % 2 else ".ndjson"
    return [
        small.Delivery(
            entity,
            f"birds-{number}{suffix}",
            (row,),
            raw_lines=tuple(broken) if entity == "orders" else (),
        )
        for entity, row in rows.items()
    ]


def drop(folder: Path) -> None:
    """The small world with the canaries among it, and files that nobody can use."""
    for delivery in [*small.deliveries(), *planted(1), *planted(2)]:
        delivery.write(folder)
    mail, phone = MAIL.format(n=3), PHONE.format(n=3)
    people = folder / "customers"
    (people / "without-header.csv").write_text(f"{mail},QzNameBird,{phone}\n")
    (people / f"export of {mail}.csv").write_text(
        f"customer_id,email,Phone of {mail},country\n"
        f'qzcustomerbird-3,"{mail}",{phone},DE\n'
        f"qzcustomerbird-4,{mail},{phone},QzNameBird,too,many\n"
    )
    (people / "latin.csv").write_bytes(
        b"customer_id,email,country\nqzcustomerbird-5,QzMailBird\xe9@mail.example,DE\n"
    )
    (people / "cut.ndjson.gz").write_bytes(gzip.compress(f"{mail}\n".encode() * 50, mtime=0)[:-9])
    table = pa.table({"customer_id": ["qzcustomerbird-6"], "email": [mail], "Phone": [phone]})
    pq.write_table(table, people / "people.parquet")


@dataclass(frozen=True)
class Ran:
    """What is left of the runs.

    Attributes:
        place: The folder everything was written into.
        home: The data home in it.
        failures: What the failed runs told.
    """

    place: Path
    home: Path
    failures: tuple[str, ...]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Both sources through the DAGs, after two runs that failed; Airflow has ended."""
    outside = tmp_path_factory.mktemp("outside")
    drop(outside / "drops")
    database = ShopDatabase.load(world.write_shop(outside / "shop"))
    place = tmp_path_factory.mktemp("place")
    for name in ("user", "temporary"):
        (place / name).mkdir()
    failures = []
    with listen() as host, host.show(Shop(database, TOKEN, now=world.END)) as url:
        settings = make_home(place / "home", CONFIG.format(folder=outside / "drops", url=url))
        environment = {
            "SETAE_SOURCES__SHOPIFY__TOKEN": TOKEN,
            "HOME": str(place / "user"),
            "TMPDIR": str(place / "temporary"),
        }
        with running(settings, environment=environment) as airflow:
            board = demo.Board(Console(quiet=True), [])
            chain = demo._Chain(airflow, {}, board, until=float("inf"))
            airflow.unpause(["ingest_shopify"])
            for fault in (
                Fault("access_denied", root="orders", denied="Order.email"),
                Fault("unauthorized", root="customers"),
            ):
                host.shop.faults.add(fault)
                with pytest.raises(demo.RunFailed) as caught:
                    chain.wait("ingest_shopify", chain.trigger("ingest_shopify", DAY))
                failures.append(str(caught.value))
                host.shop.faults.clear()
                host.shop.now += timedelta(seconds=1)
            data = demo.DataSet(
                partitions={"ingest_drops": DAY, "ingest_shopify": DAY},
                business_timezone="Europe/Berlin",
                as_of=world.END.isoformat(),
                sections="",
            )
            demo._run(airflow, data, {}, board)
    return Ran(place, settings.home, tuple(failures))


def test_the_runs_left_what_is_to_be_searched(ran: Ran) -> None:
    people = Pseudonyms(KEY)
    with duckdb.connect(str(Home(ran.home).warehouse), read_only=True) as connection:
        pids = {
            pid
            for source in ("drops", "shopify")
            for (pid,) in connection.execute(
                f"select email_pid from raw_{source}.customers"
            ).fetchall()
        }
        status = Counter(connection.execute("select rule from ops.quarantine_records").fetchall())
    assert people.make("email", "", MAIL.format(n=1)) in pids
    assert people.make("email", "", world.EMAIL.format(n=7)) in pids
    assert sum(status.values()) > 10
    assert len(ran.failures) == 2
    airflow = Home(ran.home).airflow
    with closing(sqlite3.connect(airflow / "airflow.db")) as connection:
        assert connection.execute("select count(*) from xcom").fetchone()[0] >= 3
    logs = [path.read_text() for path in airflow.rglob("attempt=*.log")]
    assert any("ACCESS_DENIED" in text or "denied" in text for text in logs)
    assert list(Home(ran.home).reports.glob("*.html"))
    assert (Home(ran.home).dbt / "target" / "graph_summary.json").exists()


def test_no_canary_is_in_any_byte(ran: Ran) -> None:
    found = searching.find(ran.place, PLANTED)
    assert not found, "\n".join(
        f"{one.path.relative_to(ran.place)} {one.inside}: {one.text} as {one.form}" for one in found
    )


def test_the_search_finds_what_is_hidden(tmp_path: Path) -> None:
    text, value = "QzMailBird", b"to QzMailBird.1@mail.example;"
    places = {
        "plain": value,
        "gzip": gzip.compress(value),
        "cut": gzip.compress(value * 500)[:-9],
        "base64": base64.b64encode(b"1" + value),
        "hex": value.hex().encode(),
        "hash": hashlib.sha256(text.encode()).hexdigest().encode(),
        "UTF-16": value.decode().encode("utf-16"),
    }
    for name, data in places.items():
        (tmp_path / name).write_bytes(data)
    table = pa.table({"mail": [value.decode()] * 1000, "number": list(range(1000))})
    pq.write_table(table, tmp_path / "parquet", compression="zstd")
    with duckdb.connect(str(tmp_path / "duckdb")) as connection:
        connection.register("people", table)
        connection.execute("create table people as from people")
    with closing(sqlite3.connect(tmp_path / "sqlite")) as lite:
        lite.execute("create table xcom (value blob)")
        lite.execute("insert into xcom values (?)", (zlib.compress(value),))
        lite.commit()
    with zipfile.ZipFile(tmp_path / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("part", value * 50)
    (tmp_path / f"{text}.txt").touch()
    hidden = {one.path.name for one in searching.find(tmp_path, [text])}
    assert hidden == {path.name for path in tmp_path.iterdir()}
