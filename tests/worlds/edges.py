"""Creators at every edge: what the small world's dice never or rarely throw, written out.

Follower counts on both sides of every tier's bound, counts on the day they grow stale, several
accounts of a creator, an account that changes hands, creators nobody's roster knows, posts in two
versions, counters that are restated, withheld or read twice a day, visitors who buy just in time or
just too late, and months of history by which proxies may be judged. Every instant is chosen; made
for the oracles that count it in loops, and added to the small world.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.worlds.small import Delivery

Row = dict[str, Any]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BOUNDS = (999, 1_000, 9_999, 10_000, 100_000, 100_001, 49_999, 50_000, 499_999, 500_000, 1_000_000,
          1_000_001)  # fmt: skip
JUDGED = 6
"""Creators `p0`, `p1` … with a history that begins in December."""


def deliveries() -> list[Delivery]:
    """All files, each entity in two of them: versions do not come in the order of their making."""
    made: dict[str, list[Row]] = {}
    for rows in (_roster(), _followers(), _posts(), _counters(), _comments(), _judged(), _buyers()):
        for entity, more in rows.items():
            made.setdefault(entity, []).extend(more)
    return [
        Delivery(entity, f"{entity}-edges{half}.ndjson", tuple(rows[half::2]))
        for entity, rows in made.items()
        for half in range(2)
        if rows[half::2]
    ]


def at(moment: datetime) -> str:
    return moment.isoformat()


def _roster() -> dict[str, list[Row]]:
    def creator(name: str, **more: Any) -> Row:
        return {"creator_id": name, "status": "active", "consent_basis": "contract", **more}

    def account(platform: str, name: str, owner: str | None, **more: Any) -> Row:
        return {"platform": platform, "platform_user_id": name, "creator_id": owner, **more}

    return {
        "creators": [
            creator("steps", niche="sport", display_handle="@Steps", handle="@Steps",
                    platform="instagram", agreed_commission_rate=0.125),
            # Of two versions the later one holds, whichever comes first; without consent no handle.
            creator("two", niche="food", consent_basis="legit_interest", display_handle="@two",
                    handle="two", platform="tiktok", customer_id="cust-u0", status="paused",
                    program_joined_at="2026-03-22T10:00:00+01:00",
                    updated_at="2026-03-05T00:00:00Z"),
            creator("two", niche="travel", updated_at="2026-03-04T00:00:00Z"),
            # Of two changes at one instant the higher revision holds.
            creator("tie", niche="music", updated_at="2026-03-04T00:00:00Z", revision=2,
                    customer_id="nobody-we-know"),
            creator("tie", niche="art", updated_at="2026-03-04T00:00:00Z", revision=1),
            # Joined on a Sunday: tenures are whole weeks. Left on a Sunday, too.
            creator("joined", status="ended", consent_basis="consent", display_handle="@joined",
                    program_joined_at="2026-01-04T00:00:00+01:00",
                    program_left_at="2026-03-29T12:00:00+02:00"),
            # The last instant of a Sunday in Berlin is a Monday's nowhere.
            creator("joins-late", program_joined_at="2026-03-15T23:59:59.999999+01:00"),
            creator("moved", program_joined_at="2026-04-25T23:59:59+02:00"),
            creator("asleep", status="prospect"),
        ],
        "creator_accounts": [
            account("instagram", "ig-steps", "steps", handle="@Steps"),
            account("instagram", "ig-two", "two", handle="two"),
            account("instagram", "ig-two-b", "two", handle="two.b"),
            account("tiktok", "tt-two", "two", handle="two"),
            account("instagram", "ig-tie", "tie"),
            account("tiktok", "tt-tie", "tie", handle="tie"),
            account("other", "ot-tie", "tie"),
            # Matched to one creator by mistake, to the right one later.
            account("youtube", "yt-moved", "moved", updated_at="2026-04-01T00:00:00Z"),
            account("youtube", "yt-moved", "two", updated_at="2026-03-01T00:00:00Z"),
            account("tiktok", "tt-nobody", None),
            account("tiktok", "tt-only", "only-account"),
        ],
        "creator_costs": [
            {"cost_id": "gift", "creator_id": "only-cost", "cost_type": "fee", "amount": "10",
             "currency": "EUR", "incurred_at": "2026-03-09T12:00:00Z"},
        ],
        "promo_codes": [
            {"code": "STEP1", "creator_id": "steps", "valid_from": "2026-02-01T00:00:00Z"},
        ],
        "campaigns": [{"campaign_id": "spring", "name": "Spring"}],
        "tracked_links": [
            {"link_id": "l-two", "creator_id": "two", "valid_from": "2026-01-01T00:00:00Z",
             "platform": "tiktok"},
            # A link that says no platform, and one whose time ends.
            {"link_id": "l-steps", "creator_id": "steps", "valid_from": "2026-01-01T00:00:00Z",
             "valid_to": "2026-03-20T00:00:00Z"},
            # A post nobody paid for, but for the link of its own.
            {"link_id": "l-own", "creator_id": "two", "post_id": "small", "platform": "instagram",
             "valid_from": "2026-01-01T00:00:00Z"},
        ],
    }  # fmt: skip


def _count(platform: str, account: str, moment: datetime, count: int | None, **more: Any) -> Row:
    return {
        "platform": platform,
        "platform_user_id": account,
        "observed_at": at(moment),
        "follower_count": count,
        "follower_precision": "exact",
        "method": "profile",
        **more,
    }


def _followers() -> dict[str, list[Row]]:
    day = timedelta(days=1)
    week = 7 * day

    def steps(moment: datetime, count: int | None, **more: Any) -> Row:
        return _count("instagram", "ig-steps", moment, count, **more)

    made = [steps(NOON + number * day, count) for number, count in enumerate(BOUNDS)]
    # A version of before, which comes later.
    made[2]["updated_at"] = "2026-03-06T00:00:00Z"
    made.insert(0, {**made[2], "follower_count": 77, "updated_at": "2026-03-05T00:00:00Z"})
    last = NOON + 25 * day
    made += [
        # Silent for more than a week, then: rounded, nothing, two ranges of which one is open.
        steps(NOON + 23 * day, 2_000, follower_precision="rounded_3sf"),
        steps(NOON + 24 * day, None, follower_precision="unknown"),
        steps(last, None, follower_precision="range", follower_count_low=999,
              follower_count_high=1_002),
        steps(last + day, None, follower_precision="range", follower_count_low=500),
        # Fresh until a week is over, and the next count comes at, just after, and past that.
        steps(last + day + week, 0),
        steps(last + day + 2 * week + MICROSECOND, 1_000, follower_precision="unknown"),
        steps(last + day + 3 * week + 3 * MICROSECOND, 9_999),
        _count("instagram", "ig-two", NOON, 500),
        _count("tiktok", "tt-two", NOON + 8 * day, 5_000),
        _count("instagram", "ig-two-b", NOON + 18 * day, 12_000),
        _count("instagram", "ig-two", NOON + 30 * day, 800),
        _count("tiktok", "tt-two", NOON + 30 * day, 999, follower_precision="rounded_3sf"),
        # Two accounts of one size, known unequally well: the first by key speaks.
        _count("instagram", "ig-tie", NOON, 2_000),
        _count("tiktok", "tt-tie", NOON, 2_000, follower_precision="rounded_3sf"),
        _count("tiktok", "tt-tie", NOON + 2 * day, 2_001, follower_precision="rounded_3sf"),
        # Then a larger one of the same tier.
        _count("other", "ot-tie", NOON + 4 * day, 2_500, follower_precision="rounded_3sf"),
        _count("tiktok", "tt-nobody", NOON, 4_000),
        _count("youtube", "yt-moved", NOON, 300),
        # An account that no feed lists.
        _count("tiktok", "tt-unlisted", NOON, 300),
    ]  # fmt: skip
    return {"creator_follower_snapshots": made}


def _post(post: str, moment: datetime | str, platform: str = "instagram", **more: Any) -> Row:
    return {
        "platform": platform,
        "post_id": post,
        "posted_at": moment if isinstance(moment, str) else at(moment),
        "format": "reel",
        **more,
    }


def _posts() -> dict[str, list[Row]]:
    day = timedelta(days=1)
    made = [
        _post(f"step-{number}", NOON + number * day, platform_user_id="ig-steps")
        for number in range(len(BOUNDS))
    ]
    early = NOON - MICROSECOND
    stale = NOON + 18 * day  # a week after the last of the bounds
    steps = {"platform_user_id": "ig-steps"}
    two = {"creator_id": "two"}
    made += [
        _post("before-1", early, **steps),
        _post("before-2", early + day, **steps, has_paid_label=True),
        _post("fresh", stale, **steps, hashtags=["#adorable", "sp"]),
        _post("stale", stale + MICROSECOND, **steps, hashtags=["WERBUNG"], has_paid_label=False),
        _post("rounded", NOON + 23 * day, **steps, caption="Grüße aus Köln", duration_s=31),
        _post("ranged", NOON + 25 * day, **steps, caption=""),
        _post("none", NOON + 33 * day, **steps),
        # Which of the accounts nobody says; on the other platform there is one only.
        _post("which", NOON + 20 * day, **two),
        _post("sole", NOON + 20 * day, "tiktok", **two),
        # No account there: the creator as a whole speaks.
        _post("elsewhere", NOON + 20 * day, "youtube", **two),
        _post("small", NOON + 20 * day, platform_user_id="ig-two"),
        # One id on two platforms is two posts, each of an account.
        _post("same", NOON + 9 * day, platform_user_id="ig-two"),
        _post("same", NOON + 9 * day, "tiktok", platform_user_id="tt-two", campaign_id="spring"),
        _post("moved", NOON + 9 * day, "youtube", platform_user_id="yt-moved"),
        _post("nobodys", NOON + 9 * day, "tiktok", platform_user_id="tt-nobody"),
        _post("ghosts", NOON + 9 * day, "other", creator_id="only-post"),
        _post("tied", NOON + day, platform_user_id="ig-tie"),
        # The account is one creator's, the feed names another.
        _post("lent", NOON + 3 * day, platform_user_id="ig-tie", creator_id="two"),
        # Berlin's day begins before that of UTC; taken down later, and told twice.
        _post("night", "2026-03-10T23:00:00Z", "tiktok", platform_user_id="tt-tie",
              updated_at="2026-03-12T00:00:00Z", is_available=False,
              unavailable_reason="deleted", format="video"),
        _post("night", "2026-03-10T22:00:00Z", "tiktok", platform_user_id="tt-tie",
              updated_at="2026-03-11T00:00:00Z", campaign_id="spring"),
        _post("evening", "2026-03-10T22:59:59.999999Z", "tiktok", platform_user_id="tt-tie",
              format="video"),
        # Old enough on the last day, and one day too young.
        _post("aged", "2026-04-18T21:59:59Z", platform_user_id="ig-two"),
        _post("young", "2026-04-18T22:00:00Z", platform_user_id="ig-two"),
        # Weeks: a Sunday's last instant, the Monday after it, then nothing, then again.
        _post("sunday", "2026-03-15T22:59:59Z", "youtube", platform_user_id="yt-moved"),
        _post("monday", "2026-03-15T23:00:00Z", "youtube", platform_user_id="yt-moved"),
        # In Berlin it is the day after the last that is complete.
        _post("tomorrow", "2026-04-25T22:00:00Z", "youtube", platform_user_id="yt-moved"),
        _post("again", "2026-04-06T10:00:00Z", "youtube", platform_user_id="yt-moved",
              campaign_id="spring"),
    ]  # fmt: skip
    return {"posts": made}


def _counters() -> dict[str, list[Row]]:
    def read(post: str, moment: str, platform: str = "instagram", **values: int) -> list[Row]:
        scope = "total" if values.pop("is_total", 0) else "organic"
        return [
            {"platform": platform, "post_id": post, "metric": metric, "value": value,
             "observed_at": moment, "scope": scope}
            for metric, value in values.items()
        ]  # fmt: skip

    def told(post: str, day: str, zone: str = "UTC", platform: str = "tiktok", *,
             version: int = 1, **values: int) -> list[Row]:  # fmt: skip
        return [
            {"platform": platform, "post_id": post, "metric_date": day, "metric_tz": zone,
             "metric": metric, "value": value, "observed_at": f"{day}T23:00:00Z",
             "updated_at": f"2026-04-0{version}T00:00:00Z"}
            for metric, value in values.items()
        ]  # fmt: skip

    angeles = "America/Los_Angeles"
    snapshots: list[Row] = []
    for number in range(len(BOUNDS)):
        day = NOON + timedelta(days=number + 1)
        snapshots += read(f"step-{number}", at(day), views=900 + number, reach=500 + 7 * number,
                          likes=40 + number, saves=number, shares=3)  # fmt: skip
    snapshots += [
        # Twice a day, at the turn of the day in Berlin, with a like withdrawn at the end.
        *read("fresh", "2026-03-20T20:00:00Z", likes=5, views=50),
        *read("fresh", "2026-03-20T22:59:59Z", likes=9, views=70),
        *read("fresh", "2026-03-20T23:00:00Z", likes=11, views=90, reach=60),
        *read("fresh", "2026-03-27T22:59:59Z", likes=8, views=95, reach=61, follows=2),
        *read("fresh", "2026-03-27T23:00:00Z", likes=100, views=200, reach=100),
        # With paid reach and without: what is organic counts.
        *read("stale", "2026-03-21T08:00:00Z", likes=3, views=40, reach=30, is_total=0),
        *read("stale", "2026-03-21T09:00:00Z", likes=30, views=400, reach=300, is_total=1),
        *read("stale", "2026-03-22T09:00:00Z", likes=31, views=410, reach=310, is_total=1),
        # A total where the parts stay unsaid, and beside the parts.
        *read("rounded", "2026-03-26T09:00:00Z", total_interactions=12, views=80),
        *read("ranged", "2026-03-28T09:00:00Z", total_interactions=99, comments=4, saves=2),
        # Nothing but what is no engagement, and an average, which is no counter.
        *read("small", "2026-03-23T09:00:00Z", profile_visits=4, avg_watch_s=6),
        *read("sole", "2026-03-23T09:00:00Z", "tiktok", avg_watch_s=6),
        *read("which", "2026-03-24T09:00:00Z", likes=6, reach=20),
        *read("none", "2026-04-05T09:00:00Z", likes=2, reach=9, views=10),
        # At the age of a week, and a day later.
        *read("same", "2026-03-12T09:00:00Z", likes=10, reach=400, saves=4, views=600),
        *read("same", "2026-03-18T22:59:59Z", likes=20, reach=450, saves=6, views=700),
        *read("same", "2026-03-18T23:00:00Z", likes=90, reach=900, saves=90, views=990),
        *read("aged", "2026-04-20T09:00:00Z", likes=7, reach=70, views=80),
        *read("young", "2026-04-20T09:00:00Z", likes=7, reach=70, views=80),
        *read("tied", "2026-03-05T09:00:00Z", likes=0, reach=0, views=0),
        *read("before-1", "2026-03-04T09:00:00Z", likes=2, reach=10, saves=1, shares=1, views=20),
        *read("before-2", "2026-03-04T09:00:00Z", likes=9, reach=90, saves=3, shares=2, views=99),
        *read("moved", "2026-03-12T09:00:00Z", "youtube", views=300, likes=12, comments=0),
        *read("nobodys", "2026-03-12T09:00:00Z", "tiktok", views=300, likes=12),
        *read("lent", "2026-03-12T09:00:00Z", views=300, likes=12),
    ]
    days = [
        # A day as the platform cuts it, told again; what is read beside it counts for nothing.
        *told("same", "2026-03-12", angeles, version=2, views=55, likes=5, reach=40),
        *told("same", "2026-03-12", angeles, version=1, views=50, likes=4, reach=44),
        *told("same", "2026-03-13", angeles, views=-3, likes=-1),
        *told("same", "2026-03-19", angeles, views=70, likes=7),
        *told("night", "2026-03-12", "UTC", likes=8, comments=1, shares=2, reach=90),
        *told("evening", "2026-03-12", angeles, likes=1, saves=2, follows=1),
        *told("evening", "2026-03-13", angeles, likes=2),
        *told("night", "2026-03-13", angeles, likes=2, views=0),
    ]
    snapshots += read("same", "2026-03-12T10:00:00Z", "tiktok", views=999, saves=3)
    return {"post_metric_snapshots": snapshots, "post_metrics_daily": days}


def _comments() -> dict[str, list[Row]]:
    def said(number: str, post: str, moment: str, who: str, text: str = "It is all very fine",
             platform: str = "tiktok", **more: Any) -> Row:  # fmt: skip
        return {"platform": platform, "comment_id": number, "post_id": post, "text": text,
                "commented_at": moment, "commenter": who, **more}  # fmt: skip

    made = [
        # Own by the handle of this account, by word of the feed, and not by another account's.
        said("a", "same", "2026-03-12T08:00:00Z", "fan0", "May I?"),
        said("a-r", "same", "2026-03-14T08:00:00Z", "two", parent_comment_id="a"),
        said("b", "same", "2026-03-12T08:00:00Z", "fan1", "May I?", is_hidden=True),
        said("spam", "same", "2026-03-12T08:00:00Z", "fan3", "see www.example.com"),
        said("c", "same", "2026-03-12T08:00:01Z", "fan1"),
        said("c-r", "same", "2026-03-14T08:00:01.000001Z", "@Two", parent_comment_id="c"),
        said("d", "same", "2026-03-12T08:00:02Z", "two.b"),
        said("d-r", "same", "2026-03-12T09:00:00Z", "team", is_creator=True,
             parent_comment_id="d"),
        said("e", "same", "2026-03-12T22:59:59Z", "fan2"),
        said("f", "same", "2026-03-12T23:00:00Z", "two"),
        # An answer of before its question answers nothing; another version of a comment.
        said("g", "night", "2026-03-13T08:00:00Z", "fan3", "Why?"),
        said("g-r", "night", "2026-03-13T07:59:59Z", "tie", parent_comment_id="g"),
        said("h", "night", "2026-03-13T08:00:00Z", "fan4", "Why not?",
             updated_at="2026-03-14T00:00:00Z"),
        said("h", "night", "2026-03-13T08:00:00Z", "fan4", "Oh no",
             updated_at="2026-03-13T00:00:00Z"),
        said("h-r", "night", "2026-03-13T08:00:00Z", "tie", parent_comment_id="h"),
        # Without a handle of the account nobody is known by it; nobody's post is nobody's.
        said("i", "tied", "2026-03-04T08:00:00Z", "tie", platform="instagram"),
        said("j", "nobodys", "2026-03-13T08:00:00Z", "fan0"),
        # Known on the last day, and too young to be.
        said("k", "step-0", "2026-04-23T21:59:59Z", "fan0", platform="instagram"),
        said("l", "step-0", "2026-04-23T22:00:00Z", "fan1", platform="instagram"),
    ]  # fmt: skip
    return {"comments": made}


def _judged() -> dict[str, list[Row]]:
    """Posts and comments since December: what the first creators answer is known in January."""
    made: dict[str, list[Row]] = {
        "creators": [], "creator_accounts": [], "creator_follower_snapshots": [], "posts": [],
        "comments": [], "post_metric_snapshots": [], "tracked_links": [],
    }  # fmt: skip
    first = datetime(2025, 12, 16, 9, tzinfo=UTC)
    for number in range(JUDGED):
        name = f"p{number}"
        made["creators"].append({"creator_id": name, "status": "active",
                                 "consent_basis": "contract", "niche": "food"})  # fmt: skip
        made["creator_accounts"].append(
            {"platform": "instagram", "platform_user_id": f"ig-{name}", "creator_id": name,
             "handle": name}
        )  # fmt: skip
        made["tracked_links"].append(
            {"link_id": f"l-{name}", "creator_id": name, "platform": "instagram",
             "valid_from": at(first)}
        )  # fmt: skip
        for week in range(19):
            made["creator_follower_snapshots"].append(
                _count("instagram", f"ig-{name}", first + timedelta(days=7 * week),
                       300 + 90 * number + 40 * week)
            )  # fmt: skip
        # The last of them falls silent at Christmas: four weeks later, on 18 January, the answers
        # of then are told for the last time, two weeks before February begins.
        is_silent = number == JUDGED - 1
        for index in range(4 if is_silent else 12):
            day = 4 + 2 * index if is_silent else 9 * index + number % 3
            moment = first + timedelta(days=day, hours=number)
            post = f"{name}-{index}"
            sold = (index + number) % 3 == 0
            made["posts"].append(
                _post(post, moment, platform_user_id=f"ig-{name}",
                      campaign_id="spring" if sold else None,
                      hashtags=["ad"] if sold and index % 2 else [])
            )  # fmt: skip
            for age in (1, 6, 9):
                made["post_metric_snapshots"] += [
                    {"platform": "instagram", "post_id": post, "metric": metric,
                     "value": value * (age + 2), "observed_at": at(moment + timedelta(days=age))}
                    for metric, value in (
                        ("reach", 30 + 7 * number + index), ("views", 40 + 5 * index),
                        ("likes", 3 + (number * index) % 5), ("saves", 1 + (number + index) % 4),
                        ("shares", (2 * number + index) % 3),
                    )
                ]  # fmt: skip
            for fan in range(3):
                comment = f"{post}-{fan}"
                when = moment + timedelta(hours=2 + fan)
                made["comments"].append(
                    {"platform": "instagram", "comment_id": comment, "post_id": post,
                     "commented_at": at(when), "commenter": f"fan{(fan + index) % 5}",
                     "text": "How much is it?" if fan else "I like this one a lot"}
                )  # fmt: skip
                if (fan * 2 + index + number) % (number + 2) == 0:
                    made["comments"].append(
                        {"platform": "instagram", "comment_id": f"{comment}-r", "post_id": post,
                         "parent_comment_id": comment, "commenter": name, "text": "As it says",
                         "commented_at": at(when + timedelta(hours=5))}
                    )  # fmt: skip
    return made


def _buyers() -> dict[str, list[Row]]:
    """Clicks of people, some of whom buy within a week, one at its end and one with the click."""
    clicks: list[Row] = []
    orders: list[Row] = []
    lines: list[Row] = []
    answers: list[Row] = []

    def order(name: str, device: str, moment: datetime, currency: str = "EUR", **more: Any) -> None:
        orders.append(
            {"order_id": name, "ordered_at": at(moment), "updated_at": at(moment),
             "customer_id": f"cust-{device}", "anonymous_id": device, "currency": currency,
             "gross_amount": "20.00", "discount_amount": "0.00", "total_amount": "20.00",
             "financial_status": "paid", "discount_codes": [], **more}
        )  # fmt: skip
        lines.append(
            {"order_id": name, "line_id": "1", "product_id": "p0", "quantity": 1,
             "net_amount": "20.00", "discount_amount": "0.00", "currency": currency}
        )  # fmt: skip

    def click(link: str, device: str, moment: datetime, **more: Any) -> None:
        clicks.append({"click_id": f"edge{len(clicks)}", "link_id": link, "clicked_at": at(moment),
                       "anonymous_id": device, **more})  # fmt: skip

    week = timedelta(days=7)
    for month, start in enumerate((datetime(2026, 1, 5, 12, tzinfo=UTC),
                                   datetime(2026, 2, 3, 12, tzinfo=UTC),
                                   datetime(2026, 3, 4, 12, tzinfo=UTC))):  # fmt: skip
        for number in range(JUDGED):
            for person in range(3 + (number + month) % 3):
                device = f"dev-{month}-{number}-{person}"
                clicked = start + timedelta(days=2 * person, hours=number)
                click(f"l-p{number}", device, clicked)
                # The longer it took, the fewer: at once, in time, at the very end (too late), not.
                wait = (timedelta(0), week - MICROSECOND, week, None)[
                    (person + number * (month + 1)) % 4
                ]
                if wait is not None:
                    name = f"x{month}{number}{person}"
                    order(name, device, clicked + wait)
                    answers.append(
                        {"response_id": f"edge-{name}", "order_id": name,
                         "asked_at": at(clicked + wait + timedelta(minutes=5)),
                         "creator_id": (f"p{number}", "p0", None)[(person + number) % 3]}
                    )  # fmt: skip
    # Some come back, at full price or at a discount.
    for number in range(JUDGED):
        for month in range(2):
            moment = datetime(2026, 3 + month, 18, 12, tzinfo=UTC) + timedelta(days=number % 4)
            if number % 3 != month:
                order(f"back{month}{number}", f"dev-{month}-{number}-1", moment)
            else:
                order(f"back{month}{number}", f"dev-{month}-{number}-1", moment,
                      discount_amount="2.50", total_amount="17.50")  # fmt: skip
    # Whoever clicked in an earlier month is no clicker of a later one.
    click("l-p0", "dev-0-0-0", datetime(2026, 3, 9, 12, tzinfo=UTC))
    # Weeks before her first post somebody buys with her code, and somebody after the last one.
    order("early", "coder-1", datetime(2026, 2, 20, 12, tzinfo=UTC), discount_codes=["step1"])
    order("tested", "coder-0", datetime(2026, 2, 10, 12, tzinfo=UTC), discount_codes=["STEP1"],
          is_test=True)  # fmt: skip
    order("late", "coder-2", datetime(2026, 4, 24, 12, tzinfo=UTC), discount_codes=["STEP1"])
    # Two currencies in one week have no sum; one of them alone has.
    for number, currency in enumerate(("EUR", "USD", "USD")):
        moment = datetime(2026, 4, 8, 12, tzinfo=UTC) + timedelta(days=3 * number)
        click("l-two", f"mixed-{number}", moment)
        order(f"mixed-{number}", f"mixed-{number}", moment + timedelta(hours=1), currency)
    # On a day that is not over.
    unfinished = datetime(2026, 4, 25, 22, tzinfo=UTC)
    click("l-two", "mixed-0", unfinished)
    order("unfinished", "mixed-0", unfinished + timedelta(hours=1))
    # Twice within half a minute, then again; a machine; a link after its end and before it.
    clicked = datetime(2026, 3, 18, 22, 59, 40, tzinfo=UTC)
    for seconds in (0, 30, 61):
        click("l-steps", "double", clicked + timedelta(seconds=seconds))
    click("l-steps", "robot", clicked, is_bot=True)
    for late in (timedelta(0), MICROSECOND):
        click("l-steps", "after", datetime(2026, 3, 20, tzinfo=UTC) - late)
    return {
        "link_clicks": clicks,
        "orders": orders,
        "order_lines": lines,
        "survey_responses": answers,
    }
