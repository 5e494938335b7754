"""The oracle: recovers what was planted from what was delivered, with the truth at hand.

It proves the world, not the pipeline: who is who, who saw what and how often people come anyway
is read from the truth; visits, orders, refunds, clicks, claims and counters are read from the drops
(or the shop). Each line states a planted number, the recovered one and its standard error; it fails
beyond `tolerance` standard errors; counts that must agree have none and fail by one.

The two effects are recovered by weighted least squares on a panel of people and days. What happens
anyway has a known mean, exposures add to it, and observed minus mean is regressed on the exposures
at work, by tier. "Planted" is the same regression of the true added mean, so that both sides are
the same average of unequal creators. Errors are those of counts whose mean is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy import special

from ingestion.synthetic import clock as timing, visits as visiting
from ingestion.synthetic.clock import DAY, Clock
from ingestion.synthetic.columns import Bools, Floats, Ints
from ingestion.synthetic.influence import ORDER_DAYS, SAME_DAY_SHARE
from ingestion.synthetic.people import BLOCK
from ingestion.synthetic.scenario import TIERS, Scenario, preset
from setae.errors import DataError

MAXIMUM_PEOPLE = 20_000
"""The panel is made of the first so many people; their number bounds its memory."""

TOLERANCE = 3.5
REFUND_DAYS, EARLY_REFUND_DAYS = 45, 14


@dataclass(frozen=True)
class Finding:
    """One number, planted and recovered.

    Attributes:
        error: Standard error; 0 where both must be equal.
        tolerance: So many standard errors may they differ.
    """

    name: str
    group: str
    planted: float
    recovered: float
    error: float
    tolerance: float = TOLERANCE

    @property
    def distance(self) -> float:
        """How far apart, in standard errors; 0 or infinite where there is none."""
        apart = self.recovered - self.planted
        if self.error > 0:
            return apart / self.error
        return 0.0 if abs(apart) < 1e-9 else float("inf")

    @property
    def is_good(self) -> bool:
        """Whether the world keeps its word."""
        return abs(self.distance) <= self.tolerance


def check(folder: Path) -> list[Finding]:
    """All findings of a generated world.

    Raises:
        DataError: The folder holds no world, or one without its truth.
    """
    if not (folder / "world.json").is_file() or not (folder / "truth" / "truth.json").is_file():
        raise DataError(
            f"{folder}: no simulated world with its truth; make one with `setae simulate world "
            f"--out {folder}`"
        )
    with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return list(_Oracle(folder, connection).findings())


class _Oracle:
    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        told = json.loads((folder / "world.json").read_text())
        values = dict(told["scenario"])
        values["start_date"] = date.fromisoformat(values["start_date"])
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        self.scenario: Scenario = preset(values["name"], **values)
        self.clock: Clock = timing.make(
            first=self.scenario.start_date,
            days=self.scenario.days,
            timezone=self.scenario.business_timezone,
        )
        self.folder = folder
        self.expected: dict[str, Any] = json.loads((folder / "truth" / "truth.json").read_text())[
            "expected"
        ]
        self.connection = connection
        self.size = min(self.scenario.people, MAXIMUM_PEOPLE)
        self._views(told["shop"])

    def _views(self, shop: str) -> None:
        truth, drops = self.folder / "truth", self.folder / "drops"
        for path in sorted(truth.glob("*.parquet")):
            self._view(f"true_{path.stem}", f"select * from read_parquet('{path}')")
        self._view(
            "events",
            "select event_id, any_value(anonymous_id) as anonymous_id "
            f"from read_parquet('{drops}/activity_events/*.parquet') "
            "where not starts_with(event_id, 'bad') group by event_id",
        )
        if shop == "shopify":
            orders, refunds = self.folder / "shop" / "orders", self.folder / "shop" / "refunds"
            codes = self.folder / "shop" / "order_codes"
            self._view(
                "orders",
                "select order_id, created_at, cancelled_at, paid_at is not null as is_paid, "
                f"is_test, total from read_parquet('{orders}.parquet')",
            )
            self._view(
                "refunds",
                "select order_id, created_at as refunded_at "
                f"from read_parquet('{refunds}.parquet')",
            )
            self._view(
                "order_codes",
                f"select order_id, upper(trim(code)) as code from read_parquet('{codes}.parquet')",
            )
            return
        self._view(
            "orders",
            "select order_id::bigint as order_id, max(created_at::timestamptz) as created_at, "
            "max(cancelled_at::timestamptz) as cancelled_at, "
            "bool_or(financial_status <> 'pending') as is_paid, bool_or(is_test) as is_test, "
            "max(total_amount::decimal(18, 2)) as total from read_json("
            f"'{drops}/orders/*.ndjson.gz', ignore_errors = true, columns = {{order_id: 'VARCHAR', "
            "created_at: 'VARCHAR', cancelled_at: 'VARCHAR', financial_status: 'VARCHAR', "
            "is_test: 'BOOLEAN', total_amount: 'VARCHAR'}) where not starts_with(order_id, 'bad') "
            "group by order_id",
        )
        self._view(
            "refunds",
            "select order_id::bigint as order_id, refunded_at::timestamptz as refunded_at from "
            f"read_json('{drops}/refunds/*.ndjson', columns = {{order_id: 'VARCHAR', "
            "refunded_at: 'VARCHAR'})",
        )
        self._view(
            "order_codes",
            "select order_id::bigint as order_id, upper(trim(code)) as code from "
            f"read_csv('{drops}/order_discount_codes/*.csv', all_varchar = true)",
        )

    def _view(self, name: str, sql: str) -> None:
        self.connection.execute(f"create temp table {name} as {sql}")

    def _columns(self, sql: str) -> dict[str, Any]:
        return dict(self.connection.execute(sql).fetchnumpy())

    def _number(self, sql: str) -> float:
        row = self.connection.execute(sql).fetchone()
        assert row is not None
        return float(row[0] or 0)

    def findings(self) -> Iterator[Finding]:
        """Everything, in the order of the printed table."""
        panel = self._panel()
        yield from self._order_effects(panel)
        yield from self._return_effects(panel)
        yield from self._baseline(panel)
        yield from self._declared()
        yield from self._leaks()
        yield from self._refunds()
        yield from self._claims()
        yield from self._machines()
        yield from self._engagement()
        yield from self._activation()
        yield from self._deliveries()

    # -- effects --------------------------------------------------------------------------------

    def _panel(self) -> _Panel:
        people = self._columns(
            "select person_id, visits_per_day as hazard, purchase_probability as purchase, "
            f"interest, is_tracked from true_people where person_id < {self.size} "
            "order by person_id"
        )
        creators = self._columns(
            "select creator_id, tier, return_effect, order_effect from true_creators "
            "order by substr(creator_id, 4)::bigint"
        )
        exposures = self._columns(
            "select person_id, substr(creator_id, 4)::bigint - 1 as creator, "
            "epoch_us(seen_at) as seen, is_first, epoch_us(clicked_at) as clicked, order_chance "
            f"from true_exposures where person_id < {self.size}"
        )
        return _Panel(self.scenario, self.clock, people, creators, exposures)

    def _order_effects(self, panel: _Panel) -> Iterator[Finding]:
        bought = self._columns(
            "select true_orders.person_id, epoch_us(orders.created_at) as at from orders "
            "inner join true_orders using (order_id) where not is_test and orders.total > 0 "
            f"and true_orders.person_id < {self.size} "
            f"and epoch_us(orders.created_at) >= {self.clock.start}"
        )
        observed = panel.count(bought["person_id"], bought["at"])
        usual = panel.usual_orders()
        planted, recovered, error = panel.regress(
            observed - usual,
            panel.first_exposures(),
            true_mean=panel.caused_orders(),
            variance=usual + panel.caused_orders(),
        )
        for tier, name in enumerate(TIERS):
            if error[tier] > 0:
                yield Finding("order effect", name, planted[tier], recovered[tier], error[tier])

    def _return_effects(self, panel: _Panel) -> Iterator[Finding]:
        seen = self._columns(
            "select person_id, epoch_us(started_at) as at from true_visits inner join "
            "(select distinct substr(event_id, 2)::bigint // 64 as visit_id from events "
            "where starts_with(event_id, 'e')) as delivered using (visit_id) "
            f"where person_id < {self.size}"
        )
        observed = panel.count(seen["person_id"], seen["at"])
        usual = panel.usual_visits()
        rows = panel.people["is_tracked"]
        at_work = panel.exposures_at_work()
        columns = [*at_work, panel.exposures_seen(), panel.caused_orders()]
        mean = panel.added_visits() + panel.seen_visits() + panel.caused_orders()
        planted, recovered, error = panel.regress(
            observed - usual, columns, true_mean=mean, variance=usual + mean, rows=rows
        )
        for tier, name in enumerate(TIERS):
            if error[tier] > 0:
                yield Finding(
                    "return-visit effect", name, planted[tier], recovered[tier], error[tier]
                )
        yield Finding(
            "visit by a link just seen", "all", planted[4], recovered[4], max(error[4], 1e-12)
        )

    def _baseline(self, panel: _Panel) -> Iterator[Finding]:
        expected = float(panel.usual_visits().sum())
        count = self._number(
            f"select count(*) from true_visits where cause = 'baseline' and person_id < {self.size}"
        )
        yield Finding("baseline visits per person", "all", expected / self.size, count / self.size,
                      np.sqrt(expected) / self.size)  # fmt: skip

    # -- orders ---------------------------------------------------------------------------------

    def _declared(self) -> Iterator[Finding]:
        """Caused orders of creators who had a code to give, by what shows of them."""
        found = self._columns(
            """
            with clicks as (
                select substr(click_id, 2)::bigint as visit_id
                from read_json($clicks, ignore_errors = true, columns = {click_id: 'VARCHAR'})
                where regexp_full_match(click_id, 'c[0-9]+') group by all
            ),
            surveys as (
                select order_id::bigint as order_id, bool_or(creator_id is not null) as is_named
                from read_json($surveys, columns = {order_id: 'VARCHAR', creator_id: 'VARCHAR',
                response_id: 'VARCHAR'}) where not starts_with(response_id, 'bad') group by all
            )
            select
                caused.declared_by as planted,
                typed.code is not distinct from creators.code and typed.code is not null
                    as has_code,
                clicks.visit_id is not null as has_click,
                surveys.order_id is not null as has_answer
            from true_orders as caused
            inner join true_creators as creators using (creator_id)
            inner join true_codes as codes
                on codes.code = creators.code and codes.creator_id = creators.creator_id
                and caused.created_at >= codes.valid_from
                and (codes.valid_to is null or caused.created_at < codes.valid_to)
            left join order_codes as typed on typed.order_id = caused.order_id
            left join clicks on clicks.visit_id = caused.visit_id
            left join surveys on surveys.order_id = caused.order_id
            where caused.cause = 'creator' and creators.code is not null
            """.replace("$clicks", f"'{self.folder}/drops/link_clicks/*.ndjson.gz'").replace(
                "$surveys", f"'{self.folder}/drops/survey_responses/*.ndjson'"
            )
        )
        code, click = found["has_code"].astype(bool), found["has_click"].astype(bool)
        size = len(code)
        shares = np.array(self.scenario.declared_shares)
        shares = shares / shares.sum()
        seen = {
            "code and click": (code & click, shares[visiting.BOTH]),
            "code only": (code & ~click, shares[visiting.BY_CODE]),
            "click only": (~code & click, shares[visiting.BY_CLICK]),
            "neither": (~code & ~click, shares[visiting.BY_NOTHING] + shares[visiting.BY_SURVEY]),
        }
        for name, (is_so, share) in seen.items():
            if size:
                error = float(np.sqrt(share * (1 - share) / size))
                yield Finding(
                    "caused orders told by", name, float(share), float(is_so.mean()), error
                )

    def _leaks(self) -> Iterator[Finding]:
        """Orders with a leaked code by people who never saw its owner, against the planted rate."""
        first = self._number("select epoch_us(min(leaked_at)) from true_codes")
        if not first:
            return
        hunted = self._columns(
            f"""
            with buying as (
                select visit_id, person_id, epoch_us(started_at) as at
                from true_visits
                where buys and cause = 'baseline' and link_creator_id is null
                and epoch_us(started_at) >= {int(first)}
            )
            select
                buying.at, people.is_old_customer as is_old, exists (
                    select 1 from true_codes as leaked
                    where leaked.code = typed.code and leaked.leaked_at <= orders.created_at
                    and not exists (
                        select 1 from true_exposures as seen
                        where seen.person_id = buying.person_id
                        and seen.creator_id = leaked.creator_id
                        and seen.seen_at < orders.created_at
                    )
                ) as is_leak
            from buying
            inner join true_people as people using (person_id)
            inner join true_orders as orders using (visit_id)
            left join order_codes as typed on typed.order_id = orders.order_id
            """
        )
        if not len(hunted["at"]):
            return
        chance = visiting.leak_chances(
            self.scenario, hunted["at"].astype(np.int64), hunted["is_old"].astype(bool)
        )
        hidden = self._number(
            "select count(*) from true_orders as o where code_reason = 'leak' and exists ("
            "select 1 from true_codes as leaked "
            "inner join true_exposures as seen using (creator_id) "
            "where leaked.code = o.code and seen.person_id = o.person_id "
            "and seen.seen_at < o.created_at)"
        )
        size = len(chance)
        yield Finding(
            "orders with a leaked code",
            "never exposed",
            float(chance.mean()) - hidden / size,
            float(hunted["is_leak"].astype(bool).mean()),
            float(np.sqrt((chance * (1 - chance)).sum())) / size,
        )

    def _refunds(self) -> Iterator[Finding]:
        end = self.clock.end
        found = self._columns(
            f"""
            select
                true_orders.cause, true_orders.refund_chance as chance,
                epoch_us(first_refund.at) - epoch_us(orders.created_at) as lag
            from orders
            inner join true_orders using (order_id)
            left join (select order_id, min(refunded_at) as at from refunds group by all)
                as first_refund using (order_id)
            where not is_test and orders.cancelled_at is null and is_paid and orders.total > 0
            and epoch_us(orders.created_at) < {end - REFUND_DAYS * DAY}
            """
        )
        lag = np.ma.filled(np.ma.masked_invalid(found["lag"]).astype(float), np.inf) / DAY
        complete = self._lag_share(REFUND_DAYS)
        is_in_time = lag <= REFUND_DAYS
        for group, chosen in (
            ("not by creators", found["cause"] != "creator"),
            ("by creators", found["cause"] == "creator"),
        ):
            chance = found["chance"][chosen].astype(float) * complete
            if len(chance):
                yield Finding(
                    f"orders refunded within {REFUND_DAYS} days",
                    group,
                    float(chance.mean()),
                    float(is_in_time[chosen].mean()),
                    float(np.sqrt((chance * (1 - chance)).sum())) / len(chance),
                )
        early = self._lag_share(EARLY_REFUND_DAYS) / complete
        size = int(is_in_time.sum())
        if size:
            yield Finding(
                f"of these refunded within {EARLY_REFUND_DAYS} days",
                "all",
                early,
                float((lag[is_in_time] <= EARLY_REFUND_DAYS).mean()),
                float(np.sqrt(early * (1 - early) / size)),
            )

    def _lag_share(self, days: float) -> float:
        shape = self.scenario.refund_lag_shape
        return float(special.gammainc(shape, days * shape / self.scenario.refund_lag_days))

    def _claims(self) -> Iterator[Finding]:
        path = self.folder / "drops" / "platform_claims" / "*.csv"
        claimed = self._number(
            f"select sum(conversions::bigint) from read_csv('{path}', all_varchar = true)"
        )
        true_claims = self._number("select count(*) from true_claims")
        caused = self._number("select count(*) from true_orders where cause = 'creator'")
        per = max(caused, 1.0)
        yield Finding(
            "platform claims per caused order", "all", true_claims / per, claimed / per, 0
        )

    # -- machines, counters, feeds --------------------------------------------------------------

    def _machines(self) -> Iterator[Finding]:
        machine = self._number("select count(*) from events where starts_with(event_id, 'b')")
        human = self._number("select count(*) from events where starts_with(event_id, 'e')")
        share = self.scenario.bot_event_share
        if human and share:
            # Bursts are whole, and what comes too late is not there.
            error = (25 + 2 * np.sqrt(self.scenario.late_share * machine + 1)) / human
            yield Finding("machine events per event", "all", share, machine / human, float(error))

    def _engagement(self) -> Iterator[Finding]:
        """Likes per view against followers, by Poisson regression over posts of 28 days."""
        drops = self.folder / "drops"
        found = self._columns(
            f"""
            with counted as (
                select post_id, metric, value, observed_at
                from read_parquet('{drops}/post_metric_snapshots/*.parquet')
                where metric in ('views', 'likes') and not starts_with(post_id, 'bad')
            ),
            steady as (
                select post_id from (
                    select post_id, value < lag(value) over (
                        partition by post_id, metric order by observed_at) as falls
                    from counted
                ) group by post_id having not bool_or(coalesce(falls, false))
            ),
            last as (
                select
                    counted.post_id, min(observed_at)::date as observed_date,
                    max(value) filter (where metric = 'views') as views,
                    max(value) filter (where metric = 'likes') as likes
                from counted inner join steady using (post_id)
                group by counted.post_id having count(*) = 10
            ),
            posts as (
                select post_id, platform_user_id, posted_at::timestamptz as posted_at,
                    creator_id, len(mentions) > 0 as is_sponsored
                from read_json('{drops}/posts/*.ndjson.gz', columns = {{post_id: 'VARCHAR',
                platform_user_id: 'VARCHAR', posted_at: 'VARCHAR', creator_id: 'VARCHAR',
                mentions: 'VARCHAR[]'}}) where not starts_with(post_id, 'bad')
            ),
            followers as (
                select platform_user_id, observed_at, follower_count
                from read_parquet('{drops}/creator_follower_snapshots/*.parquet')
                where follower_precision = 'exact'
            )
            select views, likes, is_sponsored, follower_count as followers
            from last inner join posts using (post_id)
            inner join true_creators using (creator_id)
            asof inner join followers on posts.platform_user_id = followers.platform_user_id
                and posts.posted_at >= followers.observed_at
            where views > 0 and not is_fraud
            """
        )
        if len(found["views"]) < 30:
            return
        design = np.stack(
            [
                np.ones(len(found["views"])),
                np.log(found["followers"].astype(float) / 1000.0),
                found["is_sponsored"].astype(float),
            ],
            axis=1,
        )
        views, likes = found["views"].astype(float), found["likes"].astype(float)
        guess = np.array([np.log(likes.sum() / views.sum()), 0.0, 0.0])
        for _ in range(25):
            mean = views * np.exp(design @ guess)
            information = design.T @ (design * mean[:, None])
            guess = guess + np.linalg.solve(information, design.T @ (likes - mean))
        errors = np.sqrt(np.diag(np.linalg.inv(information)))
        yield Finding(
            "engagement elasticity", "followers", self.scenario.engagement_elasticity,
            float(guess[1]),
            # The day's count is of the morning, so followers are off by a day's growth.
            float(errors[1]) + 0.0005,
        )  # fmt: skip

    def _activation(self) -> Iterator[Finding]:
        before = self._number(
            "select count(*) from true_orders inner join true_creators using (creator_id) "
            "where cause = 'creator' and created_at < active_from"
        )
        yield Finding("orders caused before activation", "waves", 0, before, 0)

    def _deliveries(self) -> Iterator[Finding]:
        told = self.expected["activity_events"]
        drops = self.folder / "drops" / "activity_events"
        rows = self._number(f"select count(*) from read_parquet('{drops}/*.parquet')")
        yield Finding("event rows delivered", "all", told["received"], rows, 0)
        distinct = self._number("select count(*) from events")
        yield Finding(
            "events, repeats apart",
            "all",
            told["received"] - told["rejected"] - told["repeated"],
            distinct,
            0,
        )


class _Panel:
    """People (rows) by days (columns), and what the truth says about each cell."""

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        people: dict[str, Any],
        creators: dict[str, Any],
        exposures: dict[str, Any],
    ) -> None:
        self.scenario = scenario
        self.clock = clock
        self.people = people
        self.size = len(people["person_id"])
        self.hazard = people["hazard"].astype(float)[:, None] * clock.weights[None, : clock.days]
        self.tier = np.array([TIERS.index(name) for name in creators["tier"]])
        self.return_effect = creators["return_effect"].astype(float)
        self.person = exposures["person_id"].astype(np.int64)
        self.creator = exposures["creator"].astype(np.int64)
        self.seen_day = clock.day_of(exposures["seen"].astype(np.int64))
        clicked = np.ma.masked_array(exposures["clicked"])
        self.is_clicked: Bools = ~np.ma.getmaskarray(clicked)
        self.click_day = clock.day_of(np.ma.filled(clicked, 0).astype(np.int64))
        self.is_first = exposures["is_first"].astype(bool)
        self.chance = exposures["order_chance"].astype(float)
        self.kernel = _order_days()
        purchase = people["purchase"].astype(float)
        block = people["person_id"].astype(np.int64) // BLOCK
        means = np.array([purchase[block == one].mean() for one in range(int(block.max()) + 1)])
        self.eagerness = np.minimum(purchase / means[block], 3.0)
        self.purchase = purchase

    def count(self, person: Ints, instants: Ints) -> Floats:
        """How much happened in each cell."""
        day = self.clock.day_of(instants.astype(np.int64))
        made = np.zeros((self.size, self.clock.days))
        np.add.at(made, (person.astype(np.int64), day), 1.0)
        return made

    def usual_visits(self) -> Floats:
        """Mean baseline visits."""
        made: Floats = self.hazard
        return made

    def usual_orders(self) -> Floats:
        """Mean baseline orders: of visits, and those in the shop of bricks."""
        made: Floats = self.hazard * self.purchase[:, None] * 1.05
        return made

    def first_exposures(self) -> list[Floats]:
        """By tier: chances to be moved that fall on each cell, eager buyers counting more."""
        rows = np.flatnonzero(self.is_first)
        return [
            self._at_order_days(chosen, self.eagerness[self.person[chosen]])
            for chosen in (rows[self.tier[self.creator[rows]] == tier] for tier in range(4))
        ]

    def caused_orders(self) -> Floats:
        """Mean caused orders."""
        rows = np.flatnonzero(self.is_first)
        return self._at_order_days(rows, self.chance[rows])

    def _at_order_days(self, rows: Ints, weights: Floats) -> Floats:
        made = np.zeros((self.size, self.clock.days + len(self.kernel)))
        for later, share in enumerate(self.kernel):
            np.add.at(made, (self.person[rows], self.seen_day[rows] + later), weights * share)
        return made[:, : self.clock.days]

    def exposures_at_work(self) -> list[Floats]:
        """By tier: hazard times the weights of exposures at work."""
        return [
            self._at_work(np.flatnonzero(self.tier[self.creator] == tier), None)
            for tier in range(4)
        ]

    def added_visits(self) -> Floats:
        """Mean visits that exposures add on later days."""
        rows = np.arange(len(self.person))
        return self._at_work(rows, self.return_effect[self.creator])

    def _at_work(self, rows: Ints, effects: Floats | None) -> Floats:
        weight = np.ones(len(rows)) if effects is None else effects[rows]
        length, share = self.scenario.effect_days, self.scenario.unclicked_effect
        steps = np.zeros((self.size, self.clock.days + length + 2))
        clicked = self.is_clicked[rows]
        for chosen, since, part in (
            (rows, self.seen_day[rows], weight * share),
            (rows[clicked], self.click_day[rows[clicked]], weight[clicked] * (1.0 - share)),
        ):
            np.add.at(steps, (self.person[chosen], since + 1), part)
            np.add.at(steps, (self.person[chosen], since + 1 + length), -part)
        made: Floats = np.cumsum(steps, axis=1)[:, : self.clock.days] * self.hazard
        return made

    def exposures_seen(self) -> Floats:
        """Posts seen on each day, times the person's interest in clicking."""
        made = np.zeros((self.size, self.clock.days))
        interest = self.people["interest"].astype(float)[self.person]
        np.add.at(made, (self.person, self.seen_day), interest)
        return made

    def seen_visits(self) -> Floats:
        """Mean visits by a link just seen."""
        return self.exposures_seen() * self.scenario.click_probability

    def regress(
        self,
        excess: Floats,
        columns: list[Floats],
        *,
        true_mean: Floats,
        variance: Floats,
        rows: Bools | None = None,
    ) -> tuple[Floats, Floats, Floats]:
        """Weighted least squares of the excess, and of its true mean, on the same columns.

        Returns:
            Planted and recovered coefficients and standard errors; the errors of columns without
            anything in them are 0.
        """
        keep = np.ones(self.size, dtype=bool) if rows is None else rows.astype(bool)
        weight = 1.0 / (variance[keep] + 1e-3)
        design = np.stack([column[keep] for column in columns], axis=2)
        used = np.flatnonzero(np.abs(design).sum(axis=(0, 1)) > 0)
        planted = np.zeros(len(columns))
        recovered, error = planted.copy(), planted.copy()
        if not len(used):
            return planted, recovered, error
        design = design[:, :, used]
        weighted = design * weight[:, :, None]
        bread = np.linalg.inv(np.einsum("pdi,pdj->ij", weighted, design))
        found = bread @ np.einsum("pdi,pd->i", weighted, excess[keep])
        truly = bread @ np.einsum("pdi,pd->i", weighted, true_mean[keep])
        # Counts of independent happenings vary by their mean, which is known here.
        noise = np.einsum("pdi,pdj,pd->ij", weighted, weighted, variance[keep])
        spread = bread @ noise @ bread
        planted[used], recovered[used] = truly, found
        error[used] = np.sqrt(np.diag(spread))
        return planted, recovered, error


def _order_days() -> Floats:
    """Shares of caused orders by days after the exposure, as `influence` draws them."""
    later = np.arange(ORDER_DAYS - 1)
    mean = 5.0
    folds = (ORDER_DAYS - 1) * np.arange(20)[:, None]
    share = (np.exp(-(later + folds) / mean) - np.exp(-(later + 1 + folds) / mean)).sum(axis=0)
    return np.concatenate([[SAME_DAY_SHARE], (1 - SAME_DAY_SHARE) * share / share.sum()])
