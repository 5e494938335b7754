"""Machines on the site: crawlers that say so, and some that pass for browsers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ingestion.synthetic import arrays, arrivals, words
from ingestion.synthetic.clock import SECOND, Clock
from ingestion.synthetic.columns import Bools, Ints, spread
from ingestion.synthetic.randomness import Streams
from ingestion.synthetic.scenario import Scenario

BURST = 25
"""Pages a machine reads in one go."""

_CHUNK_BURSTS = 8_000


def make(
    scenario: Scenario, streams: Streams, clock: Clock, people_events: int
) -> Iterator[tuple[pa.Table, Ints, Bools]]:
    """Chunks of rows of `activity_events` by machines: rows, instants, whether they hide."""
    bursts = int(people_events * scenario.bot_event_share) // BURST
    for number in range(-(-bursts // _CHUNK_BURSTS)):
        size = min(_CHUNK_BURSTS, bursts - number * _CHUNK_BURSTS)
        luck = streams.of("bots", number)
        machine = luck.below(max(bursts // 10, 3), size)
        start = clock.begin_of(clock.random_days(luck, size)) + luck.below(86_000, size) * SECOND
        burst, place = spread(np.full(size, BURST, dtype=np.int64))
        many = len(burst)
        occurred = start[burst] + place * 700_000 + 1 + luck.below(500_000, many)
        hides = (machine * 2_654_435_761) % 1_000 < scenario.hidden_bot_share * 1_000
        agent = np.where(hides, 0, machine % (len(words.BOTS) - 1) + 1)
        agents = arrays.names((words.BROWSERS[3], *words.BOTS), agent)
        first = number * _CHUNK_BURSTS * BURST
        table = pa.table(
            {
                "event_id": arrays.join("b", arrays.texts(first + np.arange(many))),
                "event_type": arrays.names(("page_view", "product_view"), place % 2),
                "occurred_at": arrays.instants(occurred),
                "anonymous_id": arrays.join("bot", arrays.texts(machine[burst])),
                "user_id": pa.nulls(many, pa.string()),
                "platform": arrays.constant("web", many),
                "url": arrays.join(
                    arrivals.SHOP, "/products/item-", arrays.texts((burst + place) % 43)
                ),
                "product_id": pa.nulls(many, pa.string()),
                "order_id": pa.nulls(many, pa.string()),
                "value": pa.nulls(many, arrays.MONEY),
                "currency": pa.nulls(many, pa.string()),
                "referrer": pa.nulls(many, pa.string()),
                "country": pa.nulls(many, pa.string()),
                "device_class": arrays.constant("desktop", many),
                "user_agent": agents.take(pa.array(burst)),
                "consent_analytics": pa.nulls(many, pa.bool_()),
            }
        )
        yield table, occurred, hides[burst]
