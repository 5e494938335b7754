"""Comments under posts: questions, praise, pods that praise each other, and creators' answers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ingestion.synthetic import arrays, words
from ingestion.synthetic.clock import MINUTE, SECOND
from ingestion.synthetic.columns import NONE, Bools, Ints, spread
from ingestion.synthetic.creators import Programme
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.randomness import Streams

_POD_COMMENTS = 2
COMMENT_BASE = 18_000_000_000_000_000


def make(streams: Streams, posts: Posts, programme: Programme, end: int) -> tuple[pa.Table, Ints]:
    """Rows of the feed `comments`, by time, and when each was written, µs."""
    luck = streams.of("comments")
    creators = programme.creators
    post, _ = spread(posts.comments)
    size = len(post)
    written = posts.posted[post] + (luck.exponential(9.0, size) * 3600).astype(np.int64) * SECOND
    written += (30 + luck.below(600, size)) * SECOND
    text = luck.below(len(words.COMMENTS), size)
    fan = luck.below(40 * max(len(creators), 1), size)
    likes = luck.poisson(0.6, size)

    pod = creators.pod[posts.creator]
    pod_posts = np.flatnonzero(pod != NONE)
    pod_post = np.repeat(pod_posts, _POD_COMMENTS)
    shift = luck.below(97, len(pod_post))
    pod_writer, is_other = _pod_members(programme, posts.creator[pod_post], pod[pod_post], shift)
    pod_post, pod_writer = pod_post[is_other], pod_writer[is_other]
    pod_written = posts.posted[pod_post] + (60 + luck.below(3_300, len(pod_post))) * SECOND
    pod_text = pod_post % len(words.POD_COMMENTS)

    asked = np.flatnonzero(luck.chance(creators.reply_rate[posts.creator[post]], size))
    minutes = creators.reply_minutes[posts.creator[post[asked]]]
    delay = luck.exponential(minutes, len(asked)) * MINUTE
    replied = written[asked] + np.maximum(delay.astype(np.int64) // SECOND, 20) * SECOND
    reply_text = luck.below(len(words.REPLIES), len(asked))

    numbers = COMMENT_BASE + np.arange(size + len(pod_post) + len(asked), dtype=np.int64)
    handles = pa.array([programme.handle(number) for number in range(len(creators))], pa.string())
    parent = np.concatenate(
        [np.full(size + len(pod_post), NONE, dtype=np.int64), numbers[:size][asked]]
    )
    every_post = np.concatenate([post, pod_post, post[asked]])
    instants = np.concatenate([written, pod_written, replied])
    texts = pa.concat_arrays(
        [
            arrays.names(words.COMMENTS, text),
            arrays.names(words.POD_COMMENTS, pod_text),
            arrays.names(words.REPLIES, reply_text),
        ]
    )
    writers = pa.concat_arrays(
        [
            arrays.join("@fan_", arrays.texts(fan)),
            arrays.join("@", handles.take(pa.array(pod_writer))),
            arrays.join("@", handles.take(pa.array(posts.creator[post[asked]]))),
        ]
    )
    is_reply = np.arange(len(numbers)) >= size + len(pod_post)
    table = pa.table(
        {
            "platform": arrays.names(words.PLATFORMS, posts.platform[every_post]),
            "comment_id": arrays.texts(numbers),
            "post_id": arrays.texts(posts.ids()[every_post]),
            "parent_comment_id": arrays.only(parent != NONE, arrays.texts(parent)),
            "commented_at": arrays.instants(instants),
            "commenter": writers,
            "is_creator": arrays.flags(is_reply),
            "like_count": arrays.ints(
                np.concatenate([likes, np.zeros(len(numbers) - size, dtype=np.int64)])
            ),
            "text": texts,
        }
    )
    rows = np.argsort(instants, kind="stable")
    rows = rows[_whole_threads(instants, parent, numbers, end)[rows]]
    return table.take(pa.array(rows)), instants[rows]


def _whole_threads(instants: Ints, parent: Ints, numbers: Ints, end: int) -> Bools:
    """Comments before the end; an answer to one that is not there is not there either."""
    is_there = instants < end
    at = np.where(parent == NONE, 0, parent - numbers[0]) if len(numbers) else parent
    made: Bools = is_there & ((parent == NONE) | is_there[at])
    return made


def _pod_members(programme: Programme, creator: Ints, pod: Ints, shift: Ints) -> tuple[Ints, Bools]:
    """For each comment some member of the pod, and whether it is another than the creator."""
    order = np.argsort(programme.creators.pod, kind="stable").astype(np.int64)
    sorted_pod = programme.creators.pod[order]
    begin = np.searchsorted(sorted_pod, pod, side="left")
    count = np.maximum(np.searchsorted(sorted_pod, pod, side="right") - begin, 1)
    member = order[np.minimum(begin + shift % count, max(len(order) - 1, 0))]
    return member, member != creator
