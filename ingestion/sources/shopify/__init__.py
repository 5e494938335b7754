"""Shopify: orders, customers, codes and products of one shop, pulled from its Admin API (GraphQL).

    products, discount codes, customers, orders  →  landing/shopify/<entity>/
    orders  →  orders, order_lines, order_discount_codes, order_touches, refunds, refund_lines

Each stream follows a cursor over `updated_at`, kept in landing beside the data and never ahead of
it. A fetch reads from the cursor (less `lag_seconds`) to the end of its window; a window that ends
before the cursor is a backfill: it is read exactly, and the cursors stay. Pages come in batches of
`page_size`; the shop's own numbers say when to wait, and a wait beyond `wait_budget_seconds` puts
the task off. Without the scope `read_all_orders` a shop shows 60 days of orders and says nothing.

Customers and addresses become pseudonyms before dlt sees them. Run it alone: `setae fetch shopify`;
docs/sources/shopify.md, docs/runbooks/ingest_late.md.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial

from ingestion import contract, extraction, intake, landing
from ingestion.api import Clock, SystemClock
from ingestion.conversion import Terms
from ingestion.extraction import Lander
from ingestion.landing import Manifest
from ingestion.pseudonyms import Pseudonyms
from ingestion.sources.shopify import queries
from ingestion.sources.shopify.client import Client
from ingestion.sources.shopify.records import KIND, People
from ingestion.sources.shopify.streams import STREAMS, Reader, Window
from setae.errors import ConfigError
from setae.progress import Progress
from setae.settings import Settings, SourceSettings
from setae.warehouse import Home

LOG = logging.getLogger(__name__)

SETTLING_SECONDS = 60
"""An open window ends so long before now: what was written just now may not be found yet."""

VISIBLE_DAYS = 60
"""What an app sees of the orders without the scope `read_all_orders`."""

ALL_ORDERS = "read_all_orders"


@dataclass(frozen=True)
class Shopify:
    """The source object.

    Attributes:
        clock: Tells the end of an open window, and sleeps.
        chance: Spreads pauses.
    """

    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] = random.random

    def entities(self) -> tuple[str, ...]:
        """Entities it may land."""
        return contract.entities(KIND)

    def fetch(
        self,
        settings: Settings,
        *,
        name: str,
        start: datetime | None,
        end: datetime | None,
        progress: Progress,
    ) -> list[Manifest]:
        """Land what changed in the shop.

        Raises:
            ConfigError: No address, no token, or a token without the scopes that are needed.
            SourceBusy: The shop wants to be asked later; what was landed until then stays.
            SourceError: The shop cannot be read; `retryable` says whether later may do.
        """
        config = settings.source(name)
        client = Client(config, name=name, clock=self.clock, chance=self.chance)
        pseudonyms = Pseudonyms(settings.pii_master(), settings.pii_key_id)
        until = self._end(settings, end)
        landing_directory = Home(settings.home).landing
        with (
            landing.fetching(landing_directory, name),
            intake.connect(settings, pseudonyms) as connection,
        ):
            lander = Lander(
                landing_directory=landing_directory,
                kind=KIND,
                source=name,
                terms=_terms(config, received_at=until),
                pseudonyms=pseudonyms,
                connection=connection,
                start=None,
                end=until,
            )
            people = People(pseudonyms, config.account)
            with extraction.pipeline(settings, lander) as pipeline:
                for done, stream in enumerate(STREAMS):
                    cursor = extraction.cursor(pipeline, f"{stream.name}_read")
                    window = _window(config, start=start, end=until, cursor=cursor)
                    if stream is STREAMS[0]:
                        _check_scopes(client, window, now=self.clock.now())
                    reader = Reader(
                        stream=stream,
                        client=client,
                        people=people,
                        config=config,
                        window=window,
                        clock=self.clock,
                        cursor=cursor,
                        tell=partial(_tell, progress, done),
                    )
                    while not reader.is_done:
                        extraction.run(pipeline, reader.source())
                progress.advance(len(STREAMS), len(STREAMS))
        return lander.manifests

    def _end(self, settings: Settings, end: datetime | None) -> datetime:
        """End of the window: as asked, else the pinned 'now', else the clock's."""
        until = end or settings.as_of
        if until is None:
            until = self.clock.now() - timedelta(seconds=SETTLING_SECONDS)
        return until.astimezone(UTC).replace(microsecond=0)


def _tell(progress: Progress, done: int, what: str, count: int) -> None:
    progress.advance(done, len(STREAMS), f"{count:,} {what}")


def _terms(config: SourceSettings, *, received_at: datetime) -> Terms:
    begin = config.history_start_date
    return Terms(
        source_kind=KIND,
        account=config.account,
        currency=config.currency,
        received_at=received_at,
        history_start_at=datetime.combine(begin, time(), UTC) if begin else None,
    )


def _window(
    config: SourceSettings, *, start: datetime | None, end: datetime, cursor: datetime | None
) -> Window:
    """A window that ends before the cursor heals; every other one goes on from the cursor."""
    begin = config.history_start_date
    first = datetime.combine(begin, time(), UTC) if begin else None
    if cursor is not None and end <= cursor:
        return Window(start or first, end, is_bounded=True)
    return Window(first, end, is_bounded=False)


def _check_scopes(client: Client, window: Window, *, now: datetime) -> None:
    """What the token may read; a shop shows less without a word.

    Raises:
        ConfigError: It may not read what is asked of it.
    """
    installation = client.ask(queries.ACCESS)["currentAppInstallation"]
    granted = {scope["handle"] for scope in installation["accessScopes"]}
    missing = [stream.scope for stream in STREAMS if stream.scope not in granted]
    if missing:
        raise ConfigError(
            f"{client.name}: the token lacks {', '.join(sorted(missing))}; add the scopes to the "
            "app, install it again, and set the token it gets"
        )
    if ALL_ORDERS not in granted:
        LOG.info("%s: without %s the last %s days of orders", client.name, ALL_ORDERS, VISIBLE_DAYS)
    visible = now - timedelta(days=VISIBLE_DAYS)
    if window.start is not None and window.start < visible and ALL_ORDERS not in granted:
        raise ConfigError(
            f"{client.name}: without {ALL_ORDERS} the shop shows {VISIBLE_DAYS} days of orders "
            f"and {window.start.date().isoformat()} is before that; have Shopify grant the scope, "
            "or set a later history_start_date"
        )


SOURCE = Shopify()
