"""One generation: scenario in, folder out.

    <out>/drops/<entity>/…    files of the drop contract
    <out>/shop/*.parquet      the shop's own database, where `shop` is `shopify`
    <out>/truth/…             what really happened
    <out>/world.json          scenario, sizes, `as_of`, digest of every file

People come in blocks, so memory is bounded by one block, the orders, and the creators' posts. The
folder appears whole or not at all.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ingestion.synthetic import (
    arrays,
    bots,
    catalogue as selling,
    clicks,
    clock as timing,
    comments,
    creators as managing,
    drops,
    events,
    feeds,
    files,
    influence,
    orders as buying,
    partners,
    people as shoppers,
    posts as posting,
    refunds as returning,
    shop as shopping,
    targets,
    truth,
    visits as visiting,
)
from ingestion.synthetic.catalogue import Catalogue
from ingestion.synthetic.clock import HOUR, SECOND, Clock, instant
from ingestion.synthetic.columns import NONE, Ints, gather
from ingestion.synthetic.creators import FOREVER, Programme
from ingestion.synthetic.feeds import Drops, Feed
from ingestion.synthetic.orders import Lines, Orders
from ingestion.synthetic.partners import Claims
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.randomness import Streams
from ingestion.synthetic.refunds import Refunds
from ingestion.synthetic.scenario import Scenario
from ingestion.synthetic.truth import TruthFile
from ingestion.synthetic.words import CURRENCY
from setae.errors import DataError
from setae.progress import Progress, Silent
from setae.warehouse import storage_errors

ShopKind = Literal["drops", "shopify"]

_ROWS_AT_ONCE = 250_000
"""Rows of large feeds that are made together."""

VISITS_PER_BLOCK = 10_000_000
"""Visit numbers of a block begin at a multiple of this."""


@dataclass(frozen=True)
class Summary:
    """How large a generated world is."""

    folder: Path
    people: int
    creators: int
    posts: int
    exposures: int
    visits: int
    events: int
    clicks: int
    orders: int
    files: int
    as_of: str


@dataclass
class _Counts:
    exposures: int = 0
    visits: int = 0
    events: int = 0
    clicks: int = 0


def generate(
    scenario: Scenario,
    out: Path,
    *,
    shop: ShopKind = "drops",
    progress: Progress | None = None,
) -> Summary:
    """Generate a world into a new folder.

    Args:
        scenario: What it is like.
        out: The folder to make; it may not exist, or be empty.
        shop: Whether orders go into the drops, or only into the shop's own database.
        progress: Told of every block.

    Raises:
        DataError: The folder holds something.
        StorageError: It cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: is not empty; name a new folder, or remove this one first")
    place = out.with_name(f".{out.name}.partial")
    with storage_errors(out):
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(parents=True)
        try:
            summary = _Generation(scenario, place, shop, progress or Silent()).run()
            if out.exists():
                out.rmdir()
            place.rename(out)
        finally:
            if place.exists():
                shutil.rmtree(place)
    return replace(summary, folder=out)


class _Generation:
    def __init__(
        self, scenario: Scenario, folder: Path, shop: ShopKind, progress: Progress
    ) -> None:
        self.scenario = scenario
        self.folder = folder
        self.shop = shop
        self.progress = progress
        self.streams = Streams(scenario.seed)
        # Another crowd before the same creators: what people do has a seed of its own.
        self.crowd = Streams(scenario.seed if scenario.people_seed < 0 else scenario.people_seed)
        self.clock: Clock = timing.make(
            first=scenario.start_date, days=scenario.days, timezone=scenario.business_timezone
        )
        self.origin = int(self.clock.starts[0])
        self.drops = Drops(
            folder / "drops", scenario=scenario, clock=self.clock, connection=files.connect()
        )
        self.programme: Programme = managing.make(scenario, self.streams, self.clock)
        self.catalogue: Catalogue = selling.make(self.streams, self.clock)
        self.posts: Posts = posting.make(
            scenario, self.streams, self.clock, self.programme, self.catalogue
        )
        self.counts = _Counts()
        self.orders: list[Orders] = []
        self.lines: list[Lines] = []
        self.claims: list[Claims] = []
        self._order_count = 0
        self.event_feed = self._feed("activity_events", "parquet")
        self.click_feed = self._feed("link_clicks", "ndjson.gz")
        self.identity_feed = self._slow("identity_links", "parquet")
        self.gallery_feed = self._slow("campaign_exposures", "ndjson")
        self.truths = {
            name: TruthFile(folder / "truth", name)
            for name in ("people", "devices", "exposures", "visits")
        }

    def _feed(self, entity: str, form: str) -> Feed:
        return self.drops.feed(entity, form, days=self.scenario.file_days)

    def _slow(self, entity: str, form: str) -> Feed:
        return self.drops.feed(entity, form, days=self.scenario.slow_file_days)

    def run(self) -> Summary:
        """All of it, in order."""
        self.progress.step("people")
        blocks = -(-self.scenario.people // shoppers.BLOCK)
        audience = shoppers.Audience(self.scenario, self.programme)
        reach = influence.Reach(self.posts, len(self.programme.creators))
        for block in range(blocks):
            self._block(block, audience, reach)
            self.progress.advance(block + 1, blocks)
        self.progress.step("machines")
        self._machines()
        self.progress.step("orders")
        self._orders()
        self.progress.step("creators")
        self._creators()
        for feed in (self.event_feed, self.identity_feed, self.gallery_feed):
            feed.close()
        self.click_feed.close(again=self.scenario.has_faults)
        for file in self.truths.values():
            file.close()
        self.progress.step("truth")
        return self._finish()

    # -- people ---------------------------------------------------------------------------------

    def _block(self, block: int, audience: shoppers.Audience, reach: influence.Reach) -> None:
        scenario, streams, clock = self.scenario, self.crowd, self.clock
        people = shoppers.make(scenario, streams, block)
        follows = audience.follows(people, streams.of("follows", block))
        exposures = reach.exposures(
            follows, scenario=scenario, clock=clock, luck=streams.of("exposures", block)
        )
        visits, exposures = visiting.make(
            scenario=scenario,
            streams=streams,
            block=block,
            clock=clock,
            people=people,
            programme=self.programme,
            exposures=exposures,
            has_link=self.posts.has_link,
        )
        ids = block * VISITS_PER_BLOCK + np.arange(len(visits), dtype=np.int64)
        orders, lines = buying.make(
            streams=streams,
            block=block,
            clock=clock,
            people=people,
            programme=self.programme,
            catalogue=self.catalogue,
            exposures=exposures,
            visits=visits,
            visit_ids=ids,
        )
        recorded = events.make(
            clock=clock,
            people=people,
            programme=self.programme,
            posts=self.posts,
            catalogue=self.catalogue,
            visits=visits,
            visit_ids=ids,
            orders=orders,
            origin=self.origin,
            luck=streams.of("events", block),
        )
        self._deliver_events(recorded.events, recorded.occurred, block)
        clicked, click_facts = clicks.make(
            people=people,
            programme=self.programme,
            posts=self.posts,
            visits=visits,
            visit_ids=ids,
            visitor=recorded.visitor,
            signed_in=recorded.signed_in,
            luck=streams.of("click log", block),
        )
        self._deliver_clicks(clicked, click_facts.clicked, streams.of("late clicks", block))
        self._identify(people, visits, ids, orders, recorded.visitor)
        shown, at = drops.gallery_exposures(
            streams.of("gallery", block), self.catalogue, self.programme, recorded.visitor,
            visits.start,
        )  # fmt: skip
        self.gallery_feed.append(shown, at + HOUR)
        listed, at = drops.audience_lists(
            streams.of("audience lists", block),
            scenario,
            self.programme,
            people,
            follows,
            begin=self.origin,
            before=int(clock.begin_of(np.array([int(scenario.wave_starts[0] * clock.days)]))[0]),
        )
        self.gallery_feed.append(listed, at + HOUR)
        claimed = partners.claims(
            scenario=scenario,
            luck=streams.of("claims", block),
            people=people,
            posts=self.posts,
            exposures=exposures,
            visits=visits,
            orders=orders,
        )
        self.claims.append(replace(claimed, order=claimed.order + self._order_count))
        self.orders.append(orders)
        self.lines.append(replace(lines, order=lines.order + self._order_count))
        self._order_count += len(orders)
        chances = influence.order_chances(people, self.programme, exposures.row, exposures.creator)
        self.truths["people"].append(
            truth.people(people, events.account_starts(people, orders, clock.start))
        )
        self.truths["devices"].append(truth.devices(recorded.visitor, people.person[visits.row]))
        self.truths["exposures"].append(
            truth.exposures(
                exposures, people, self.posts, np.where(exposures.is_first, chances, 0.0)
            )
        )
        self.truths["visits"].append(
            truth.visits(visits, ids, people, exposures, recorded.visitor, recorded.counts)
        )
        self.counts.exposures += len(exposures)
        self.counts.visits += len(visits)
        self.counts.clicks += len(click_facts)

    def _deliver_events(self, table: pa.Table, occurred: Ints, block: int) -> None:
        luck = self.crowd.of("late events", block)
        received = feeds.late(luck, occurred, self.scenario.late_share)
        # Some senders' clocks run an hour ahead; the collector's is right.
        skewed = luck.chance(0.0005 if self.scenario.has_faults else 0.0, len(occurred))
        self._append_events(table, occurred, received, skewed)
        repeated = luck.chance(
            self.scenario.repeat_share if self.scenario.has_faults else 0.0, len(occurred)
        )
        rows = np.flatnonzero(repeated & ~skewed)
        again = self._received(table.take(pa.array(rows)), received[rows])
        self.event_feed.repeat(again, received[rows])

    def _append_events(
        self, table: pa.Table, occurred: Ints, received: Ints, skewed: np.ndarray[Any, Any]
    ) -> None:
        if skewed.any():
            shown = np.where(skewed, occurred + HOUR, occurred)
            position = table.schema.get_field_index("occurred_at")
            table = table.set_column(position, "occurred_at", arrays.instants(shown))
        self.event_feed.append(self._received(table, received), received)
        self.counts.events += len(table)

    def _received(self, table: pa.Table, received: Ints) -> pa.Table:
        return table.add_column(3, "received_at", arrays.instants(received))

    def _deliver_clicks(self, table: pa.Table, clicked: Ints, luck: Any) -> None:
        self.click_feed.append(table, feeds.late(luck, clicked, self.scenario.late_share))

    def _identify(
        self,
        people: shoppers.People,
        visits: visiting.Visits,
        ids: Ints,
        orders: Orders,
        visitor: pa.Array,
    ) -> None:
        since = events.account_starts(people, orders, self.clock.start)
        rows = np.flatnonzero(since < FOREVER)
        rows = rows[np.argsort(since[rows], kind="stable")]
        person, at = people.person[rows], np.maximum(since[rows], self.clock.start)
        self.identity_feed.append(
            drops.account_links(events.user_ids(person), shopping.emails(person), at), at + HOUR
        )
        bought = np.flatnonzero(orders.visit != NONE)
        bought = bought[np.argsort(orders.created[bought], kind="stable")]
        position = np.searchsorted(ids, orders.visit[bought])
        links = drops.checkout_links(
            visitor.take(pa.array(position)),
            shopping.emails(orders.person[bought]),
            orders.created[bought],
        )
        told = links["first_seen_at"].cast(pa.int64()).to_numpy().astype(np.int64)
        self.identity_feed.append(links, told + HOUR)

    # -- machines -------------------------------------------------------------------------------

    def _machines(self) -> None:
        seen = TruthFile(self.folder / "truth", "machines")
        for number, (table, occurred, hides) in enumerate(
            bots.make(self.scenario, self.crowd, self.clock, self.counts.events)
        ):
            luck = self.crowd.of("late bots", number)
            received = feeds.late(luck, occurred, self.scenario.late_share)
            self._append_events(table, occurred, received, np.zeros(len(table), dtype=bool))
            facts = pa.table({"anonymous_id": table["anonymous_id"], "hides": arrays.flags(hides)})
            grouped = facts.group_by(["anonymous_id", "hides"], use_threads=False)
            seen.append(
                grouped.aggregate([([], "count_all")]).rename_columns(
                    ["anonymous_id", "hides", "event_count"]
                )
            )
        seen.close()
        table, facts = clicks.machines(self.crowd, self.posts, self.counts.clicks, self.clock.end)
        self._deliver_clicks(table, facts.clicked, self.crowd.of("late machine clicks"))
        self.counts.clicks += len(facts)

    # -- orders ---------------------------------------------------------------------------------

    def _sorted_orders(self) -> tuple[Orders, Lines, Claims]:
        """All orders by their number, with lines and claims that point to them."""
        ids = np.concatenate([part.ids(self.origin) for part in self.orders])
        by_id = np.argsort(ids, kind="stable").astype(np.int64)
        place = np.empty(len(by_id), dtype=np.int64)
        place[by_id] = np.arange(len(by_id))
        orders = gather(self.orders, by_id)
        self.orders = []
        of = place[np.concatenate([part.order for part in self.lines])]
        position = np.concatenate([part.position for part in self.lines])
        by_order = np.lexsort((position, of)).astype(np.int64)
        lines = replace(gather(self.lines, by_order), order=of[by_order])
        claims = Claims.concat(self.claims)
        claims = replace(claims, order=place[claims.order])
        self.lines, self.claims = [], []
        return orders, lines, claims

    def _orders(self) -> None:
        scenario, streams, clock, programme = (
            self.scenario, self.crowd, self.clock, self.programme,
        )  # fmt: skip
        orders, lines, claims = self._sorted_orders()
        ids = orders.ids(self.origin)
        refunds, refund_lines, due = returning.make(
            scenario=scenario,
            streams=streams,
            clock=clock,
            programme=programme,
            orders=orders,
            lines=lines,
        )
        shop = shopping.make(
            clock=clock,
            programme=programme,
            posts=self.posts,
            catalogue=self.catalogue,
            orders=orders,
            lines=lines,
            refunds=refunds,
            refund_lines=refund_lines,
        )
        if self.shop == "shopify":
            self._shop_tables(shop)
        else:
            self._shop_drops(shop)
        del shop, lines, refund_lines
        self.customers = np.unique(orders.person[(orders.person != NONE) & ~orders.is_guest])
        self.orders_count = len(orders)
        self._partners(orders, ids, refunds, claims)
        chances = returning.chances(orders, programme, scenario)
        folder = self.folder / "truth"
        files.write_parquet(
            folder / "orders.parquet", truth.orders(orders, ids, programme, due, chances)
        )
        files.write_parquet(
            folder / "claims.parquet",
            truth.claims(claims, ids[claims.order], orders.cause[claims.order]),
        )

    def _shop_tables(self, shop: shopping.Shop) -> None:
        folder = self.folder / "shop"
        grown = {
            name: files.TableFile(folder / f"{name}.parquet", "parquet", self.drops.connection)
            for name in shopping.OF_ORDERS
        }
        for part in shop.parts():
            for name, file in grown.items():
                file.write(part[name])
        for file in grown.values():
            file.close()
        for name in shopping.OF_ALL:
            files.write_parquet(folder / f"{name}.parquet", shop[name])

    def _shop_drops(self, shop: shopping.Shop) -> None:
        orders, lines = shop.orders, shop.lines
        refunds, refund_lines = shop.refunds, shop.refund_lines
        size = len(orders)
        refunded, returned = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        np.add.at(refunded, refunds.order, refunds.amount)
        np.add.at(returned, refunds.order, refunds.returned)
        units = np.zeros(len(lines), dtype=np.int64)
        np.add.at(units, refund_lines.line, refund_lines.quantity)
        order_feed = self._feed("orders", "ndjson.gz")
        line_feed = self._feed("order_lines", "ndjson.gz")
        code_feed = self._slow("order_discount_codes", "csv")
        touch_feed = self._slow("order_touches", "parquet")
        for part in shop.parts():
            begin, end = part.first_order, part.first_order + len(part.orders)
            versions = drops.order_versions(part, refunded[begin:end], returned[begin:end])
            told = versions[0][1]
            for table, updated in versions:
                order_feed.append(table, updated)
            given_back = units[part.first_line : part.first_line + len(part.lines)]
            line_feed.append(drops.order_lines(part, given_back), told[part.lines.order - begin])
            code_feed.append(
                drops.order_discount_codes(part), part.orders.created[part.orders.code != NONE]
            )
            touch_feed.append(*drops.order_touches(part, self.clock.end))
        order_feed.close()
        line_feed.close()
        # Lines of a refund are seen with it.
        seen = refunds.visible
        of_refunds = (
            ("refunds", drops.refunds(shop, refunds.returned), seen),
            (
                "refund_lines",
                drops.refund_lines(shop, shop.ids[refunds.order[refund_lines.refund]]),
                seen[refund_lines.refund],
            ),
        )
        for entity, table, at in of_refunds:
            feed = self._slow(entity, "ndjson")
            feed.append(table, at)
            feed.close()
        code_feed.close()
        touch_feed.close()
        customers = drops.customers(shop)
        at = customers["created_at"].cast(pa.int64()).to_numpy().astype(np.int64)
        feed = self._slow("customers", "ndjson")
        feed.append(customers, at)
        feed.close()
        day = self.clock.date_of(0).isoformat()
        self.drops.whole("products", day, "csv", drops.products(shop))

    def _partners(self, orders: Orders, ids: Ints, refunds: Refunds, claims: Claims) -> None:
        scenario, streams, clock, programme = (
            self.scenario, self.crowd, self.clock, self.programme,
        )  # fmt: skip
        last = clock.date_of(clock.days - 1).isoformat()
        self.in_roster = drops.in_roster(programme, clock)
        table, at, true_creator = partners.surveys(scenario, streams, programme, orders, ids)
        feed = self._slow("survey_responses", "ndjson")
        feed.append(table, at + SECOND)
        feed.close()
        files.write_parquet(
            self.folder / "truth" / "surveys.parquet",
            pa.table(
                {
                    "response_id": table["response_id"],
                    "true_creator_id": drops.creator_ids(true_creator),
                }
            ),
        )
        self.drops.whole(
            "referrals", last, "csv", partners.referrals(scenario, streams, programme, orders)
        )
        first_refund = np.full(len(orders), NONE, dtype=np.int64)
        first_refund[refunds.order[::-1]] = refunds.created[::-1]
        table, at = partners.affiliate_conversions(
            streams, clock, programme, orders, ids, first_refund
        )
        feed = self._slow("affiliate_conversions", "ndjson")
        feed.append(table, at)
        feed.close()
        self.drops.whole(
            "creator_costs", last, "csv",
            partners.costs(streams, clock, programme, orders, self.in_roster),
        )  # fmt: skip
        self.drops.whole("platform_claims", last, "csv", partners.claims_feed(claims, clock))

    # -- creators -------------------------------------------------------------------------------

    def _creators(self) -> None:
        scenario, streams, clock, programme = (
            self.scenario, self.streams, self.clock, self.programme,
        )  # fmt: skip
        day = clock.date_of(0).isoformat()
        for name, table in drops.creators(programme, clock, self.customers):
            self.drops.whole("creators", name, "ndjson", table)
        self.drops.whole("creator_accounts", day, "ndjson", drops.accounts(programme, clock))
        feed = self._slow("creator_follower_snapshots", "parquet")
        for table, at in drops.followers(programme, streams, clock):
            feed.append(table, at + HOUR)
        feed.close()
        feed = self._slow("posts", "ndjson.gz")
        rows = np.argsort(self.posts.posted, kind="stable")
        table = drops.posts(self.posts, programme, self.catalogue).take(pa.array(rows))
        # The next daily read finds a post; the last day's are found by an extra one at the end.
        found = np.minimum(self.posts.posted[rows] + 6 * HOUR, clock.end - 1)
        feed.append(table, found)
        feed.close()
        snapshots = posting.snapshots(self.posts, programme, clock)
        feed = self._slow("post_metric_snapshots", "parquet")
        for begin in range(0, len(snapshots), _ROWS_AT_ONCE):
            part = snapshots.take(np.arange(begin, min(begin + _ROWS_AT_ONCE, len(snapshots))))
            feed.append(drops.metric_snapshots(part, self.posts), part.observed)
        feed.close()
        feed = self._slow("post_metrics_daily", "csv")
        feed.append(*drops.metric_days(posting.daily_metrics(self.posts, clock), self.posts, clock))
        feed.close()
        feed = self._slow("comments", "ndjson.gz")
        table, at = comments.make(streams, self.posts, programme, clock.end)
        told = np.minimum(at + HOUR, clock.end - 1)
        feed.append(table, told)
        feed.close(orphans=_orphans(table) if scenario.has_faults else ())
        links = drops.tracked_links(programme, self.posts, self.catalogue, clock)
        self.drops.whole("tracked_links", day, "csv", links)
        feed = self._slow("promo_codes", "csv")
        feed.append(*drops.promo_codes(programme, clock, self.in_roster))
        feed.close()
        self.drops.whole("campaigns", day, "ndjson", drops.campaigns(self.catalogue))
        self.drops.whole("fx_rates_daily", day, "csv", drops.fx_rates(scenario, streams, clock))
        self.drops.whole(
            "experiments", day, "ndjson", drops.experiments(scenario, programme, clock)
        )
        self._roster(day)

    def _roster(self, day: str) -> None:
        rows = drops.roster(
            self.programme, self.clock, self.streams, self.in_roster,
            has_fault=self.scenario.has_faults,
        )  # fmt: skip
        if not rows:
            return
        name = f"{day}.xlsx"
        files.write_xlsx(self.drops.folder / "roster" / name, drops.ROSTER_HEADER, rows)
        self.drops.ledger.count("roster", name, len(rows))
        if rows[-1][3] == "cr-bad":
            self.drops.ledger.notes.append(
                feeds.Noted(
                    "roster", name, len(rows) + 1, "broken row", "unknown platform", "Q08", 1
                )
            )

    # -- the end --------------------------------------------------------------------------------

    def _finish(self) -> Summary:
        folder = self.folder / "truth"
        files.write_parquet(folder / "creators.parquet", truth.creators(self.programme, self.clock))
        files.write_parquet(folder / "codes.parquet", truth.codes(self.programme))
        files.write_parquet(folder / "feed_faults.parquet", truth.faults(self.drops.ledger))
        found = targets.make(
            folder, self.scenario, end=self.clock.end, connection=self.drops.connection
        )
        files.write_parquet(folder / "targets.parquet", found)
        shutil.rmtree(self.folder / ".spill", ignore_errors=True)
        as_of = instant(self.clock.end).isoformat().replace("+00:00", "Z")
        sizes = {
            "people": self.scenario.people,
            "creators": self.scenario.creators,
            "posts": len(self.posts),
            "exposures": self.counts.exposures,
            "visits": self.counts.visits,
            "events": self.counts.events,
            "clicks": self.counts.clicks,
            "orders": self.orders_count,
        }
        _write_json(
            folder / "truth.json",
            {
                "scenario": self.scenario.as_json(),
                "expected": truth.expected(self.drops.ledger),
                "canaries": {
                    "email_domain": shopping.MAIL_DOMAIN,
                    "phone_start": shopping.PHONE_START,
                    "street": shopping.STREET,
                },
            },
        )
        written = sorted(path for path in self.folder.rglob("*") if path.is_file())
        digests = {path.relative_to(self.folder).as_posix(): files.sha256(path) for path in written}
        _write_json(
            self.folder / "world.json",
            {
                "scenario": self.scenario.as_json(),
                "shop": self.shop,
                "account": "demo",
                "business_timezone": self.scenario.business_timezone,
                "currency": CURRENCY,
                "as_of": as_of,
                "sizes": sizes,
                "files": digests,
            },
        )
        return Summary(folder=self.folder, files=len(digests), as_of=as_of, **sizes)


def _orphans(table: pa.Table) -> list[bytes]:
    """Two comments under a post nobody delivers."""
    if not table.num_rows:
        return []
    rows = []
    for number in (1, 2):
        row = {name: table[name][0].as_py() for name in ("platform", "commenter", "text")}
        row |= {"comment_id": f"orphan-{number}", "post_id": "never-delivered"}
        row["commented_at"] = table["commented_at"][0].as_py().isoformat().replace("+00:00", "Z")
        rows.append(json.dumps(row, ensure_ascii=False).encode())
    return rows


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=False)
    path.write_text(text + "\n", encoding="utf-8")
