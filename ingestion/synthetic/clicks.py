"""The click log of the redirect server: clicks of people, double clicks, and machines.

The server sees everybody, also people whose visits the site may not record; but it knows the
site's visitor id only where the browser already had one and shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ingestion.synthetic import arrays, arrivals, events, words
from ingestion.synthetic.clock import SECOND
from ingestion.synthetic.columns import NONE, Bools, Columns, Ints
from ingestion.synthetic.creators import Programme
from ingestion.synthetic.people import People
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.visits import CREATOR, Visits

NO_VISITOR_SHARE = 0.06
DOUBLE_SHARE = 0.05


@dataclass(frozen=True)
class Clicks(Columns):
    """Instants and truth beside the table of the feed, row by row."""

    clicked: Ints
    is_machine: Bools
    is_double: Bools


def make(
    *,
    people: People,
    programme: Programme,
    posts: Posts,
    visits: Visits,
    visit_ids: Ints,
    visitor: pa.Array,
    signed_in: Bools,
    luck: Luck,
) -> tuple[pa.Table, Clicks]:
    """Clicks behind the visits of a block that came by a creator's link."""
    at = np.flatnonzero((visits.channel == CREATOR) & (visits.creator != NONE))
    doubles = at[luck.chance(DOUBLE_SHARE, len(at))]
    first_before = (1 + luck.below(3, len(at))) * SECOND
    second_before = luck.below(SECOND // 2, len(doubles)) + SECOND // 4
    rows = np.concatenate([at, doubles])
    clicked = np.concatenate(
        [visits.start[at] - first_before, visits.start[doubles] - second_before]
    )
    is_double = np.arange(len(rows)) >= len(at)
    suffix = arrays.names(("", "d"), is_double.astype(np.int64))
    # Both clicks of a double show the same visitor id, or none.
    shows_id = (visit_ids[rows] * 2_654_435_761) % 100 >= NO_VISITOR_SHARE * 100
    row = visits.row[rows]
    platform = events.link_platforms(visits.creator[rows], visits.link_post[rows], programme, posts)
    agents = events.user_agents(visits, people, programme).take(pa.array(rows))
    table = pa.table(
        {
            "click_id": arrays.join("c", arrays.texts(visit_ids[rows]), suffix),
            "link_id": arrivals.link_ids(visits.creator[rows], visits.link_post[rows]),
            "clicked_at": arrays.instants(clicked),
            "anonymous_id": arrays.only(shows_id, visitor.take(pa.array(rows))),
            "user_id": arrays.only(
                signed_in[rows] & (luck.uniform(len(rows)) < 0.1),
                events.user_ids(people.person[row]),
            ),
            "ip": _addresses(people.person[row]),
            "user_agent": agents,
            "country": arrays.names(words.COUNTRIES, people.country[row]),
            "referrer": arrays.names(arrivals.PLATFORM_REFERRERS, platform),
        }
    )
    made = Clicks(clicked, np.zeros(len(rows), dtype=bool), is_double)
    return table, made


def machines(
    streams: Streams,
    posts: Posts,
    people_clicks: int,
    end: int,
) -> tuple[pa.Table, Clicks]:
    """Previews fetched within minutes of a post, and scrapers that follow every link."""
    luck = streams.of("machine clicks")
    sponsored = np.flatnonzero(posts.is_sponsored)
    size = int(people_clicks * 0.25) if len(sponsored) else 0
    post = sponsored[luck.below(max(len(sponsored), 1), size)] if size else np.zeros(0, np.int64)
    is_preview = luck.chance(0.6, size)
    after = np.where(is_preview, luck.below(600, size), luck.below(20 * 86_400, size))
    clicked = posts.posted[post] + after * SECOND + 1 + luck.below(SECOND - 2, size)
    keep = clicked < end
    post, is_preview, clicked = post[keep], is_preview[keep], clicked[keep]
    size = len(post)
    creator = posts.creator[post]
    own = np.where(posts.has_link[post], post, NONE)
    agent = arrays.either(
        is_preview,
        arrays.names(words.PREVIEWS, luck.below(len(words.PREVIEWS), size)),
        arrays.names(words.BOTS, luck.below(len(words.BOTS), size)),
    )
    table = pa.table(
        {
            "click_id": arrays.join("cb", arrays.texts(np.arange(size))),
            "link_id": arrivals.link_ids(creator, own),
            "clicked_at": arrays.instants(clicked),
            "anonymous_id": pa.nulls(size, pa.string()),
            "user_id": pa.nulls(size, pa.string()),
            "ip": arrays.join("198.51.100.", arrays.texts(luck.below(250, size) + 1)),
            "user_agent": agent,
            "country": pa.nulls(size, pa.string()),
            "referrer": pa.nulls(size, pa.string()),
        }
    )
    return table, Clicks(clicked, np.ones(size, dtype=bool), np.zeros(size, dtype=bool))


def _addresses(person: Ints) -> pa.Array:
    """Addresses of the networks kept for documentation."""
    return arrays.join(
        "203.0.", arrays.texts(person // 250 % 250), ".", arrays.texts(person % 250 + 1)
    )
