"""What came out of a run, read from the published file as any reader would."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from serving import publish as publication, read
from setae.settings import Settings
from setae.warehouse import Home

NEEDS: dict[str, tuple[str, ...]] = {
    "dim_creators": ("creators", "campaigns", "campaign_descriptions"),
    "dim_creator_tiers": ("creator_follower_snapshots",),
    "dim_posts": ("posts",),
    "dim_campaigns": ("campaigns", "campaign_descriptions"),
    "dim_promo_codes": ("promo_codes", "coupons"),
    "dim_products": ("products",),
    "dim_customers": ("customers", "orders", "transactions"),
    "fct_orders": ("orders", "transactions"),
    "fct_order_lines": ("order_lines", "transactions"),
    "fct_sessions": ("activity_events", "orders", "transactions"),
    "fct_stickiness_distribution": ("activity_events", "orders", "transactions"),
    "fct_return_visits_creator_weekly": ("link_clicks", "activity_events"),
    "fct_return_visit_lift": ("link_clicks", "activity_events"),
    "fct_customer_value_cohorts": ("orders", "transactions"),
    "fct_stickiness_daily": ("activity_events", "orders", "transactions"),
    "fct_retention_cohorts": ("activity_events", "orders", "transactions"),
    "fct_creator_engagement_daily": ("posts", "post_metrics_daily", "post_metric_snapshots"),
    "fct_creator_trust_weekly": ("posts", "comments", "orders", "transactions"),
    "fct_trust_proxy_predictions": ("posts", "comments", "orders", "transactions"),
    "fct_tier_engagement": ("posts", "post_metrics_daily", "post_metric_snapshots"),
    "fct_tier_trust": ("posts", "comments", "orders", "transactions"),
    "fct_incrementality": ("experiments",),
    "fct_creator_activity_weekly": ("creators", "campaign_descriptions"),
    "fct_code_integrity_weekly": ("order_discount_codes", "orders", "coupon_redemptions"),
    "fct_attribution_credits": ("orders", "transactions"),
    "fct_creator_conversion": (
        "link_clicks",
        "code_redemptions",
        "coupon_redemptions",
        "creator_costs",
    ),
    "fct_tier_conversion": (
        "link_clicks",
        "code_redemptions",
        "coupon_redemptions",
        "creator_costs",
    ),
    "fct_creator_funnel": ("link_clicks", "activity_events"),
    "fct_credit_overlap": ("orders", "transactions"),
    "fct_model_disagreement": ("orders", "transactions"),
    "fct_markov_transitions": ("link_clicks", "activity_events", "order_touches"),
    "fct_channel_removal_effects": ("link_clicks", "activity_events", "order_touches"),
    "fct_platform_reconciliation_daily": ("platform_claims", "link_clicks"),
    "fct_refund_maturity": ("orders", "transactions"),
    "fct_creator_costs": ("creator_costs",),
    "fct_creator_payouts": ("affiliate_conversions",),
    "fct_ambassador_conversion": ("referrals",),
}
"""Feeds of which a mart needs at least one; without any it is empty by nature."""


@dataclass(frozen=True)
class MartRows:
    """How full a mart is."""

    name: str
    row_count: int
    reason: str


def published(settings: Settings) -> dict[str, Any] | None:
    """The publication that readers get, None if there is none."""
    return publication.current(settings)


def mart_rows(settings: Settings) -> tuple[MartRows, ...]:
    """Rows of each published mart, and why where there are none."""
    now = published(settings)
    counts: dict[str, int] = now["row_counts"] if now else {}
    feeds = _landed_feeds(Home(settings.home).landing)
    return tuple(
        MartRows(name, count, "" if count else _why_empty(name, feeds))
        for name, count in sorted(counts.items())
    )


def headline(settings: Settings) -> tuple[tuple[str, str], ...]:
    """A few numbers that say what the publication is about."""
    connection = read.connect(settings.home)
    try:
        return tuple(
            (label, str(value))
            for label, query in _HEADLINE.items()
            for (value,) in connection.execute(query).fetchall()
        )
    finally:
        connection.close()


_HEADLINE = {
    "orders": "select format('{:,}', count(*)) from marts.fct_orders",
    "customers": "select format('{:,}', count(distinct customer_key)) from marts.fct_orders",
    "net sales": (
        "select format('{:,.2f} {}', cast(sum(net_sales_amount) as double), currency_code) "
        "from marts.fct_orders group by currency_code order by currency_code"
    ),
    "credited to creators": (
        "select format('{:,} orders, {:,.2f}', count(distinct order_key), "
        "cast(coalesce(sum(credit_amount), 0) as double)) "
        "from marts.fct_attribution_credits where is_default and party_type = 'creator'"
    ),
    "DAU/MAU of 28 days, last day": (
        "select format('{:.1f} %', 100 * dau_mau_28d_ratio) from marts.fct_stickiness_daily "
        "where segment_type = 'all' and dau_mau_28d_ratio is not null "
        "order by activity_date desc limit 1"
    ),
}


TIERS = """\
select
    current_tier as tier,
    count(*) as creators,
    sum(person_conversion_denominator_count) as clickers,
    sum(person_conversion_numerator_count) as buyers,
    sum(order_count) as orders,
    sum(new_customer_count) as new_customers,
    sum(net_sales_amount) as net_sales
from marts.fct_creator_conversion
inner join marts.dim_creators using (creator_key)
where period_type = 'all' and is_default and not is_member
group by current_tier
order by creators desc
"""
"""Creators by tier; README.md shows it with its answer. `clickers` have been observed for the whole
window after their first click on a creator, and `buyers` are those of them who bought within it;
somebody who clicked on two creators is counted with each."""


def tiers(settings: Settings) -> tuple[tuple[str, ...], ...]:
    """What `TIERS` answers, its header first."""
    connection = read.connect(settings.home)
    try:
        answer = connection.execute(TIERS)
        header = tuple(column[0] for column in answer.description or ())
        return (header, *(tuple(_cell(value) for value in row) for row in answer.fetchall()))
    finally:
        connection.close()


def _cell(value: object) -> str:
    """A value as a table shows it; money to the cent."""
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, Decimal) else f"{value}"


def _landed_feeds(landing: Path) -> set[str]:
    """Entities with at least one landed file."""
    return {
        folder.name
        for folder in landing.glob("*/*")
        if folder.is_dir() and any(folder.glob("*.manifest.json"))
    }


def _why_empty(mart: str, feeds: set[str]) -> str:
    needs = NEEDS.get(mart, ())
    if needs and not feeds & set(needs):
        return f"no source delivers {' or '.join(needs)}"
    return "no row qualifies; see the description of the table"


def show(
    settings: Settings, out: Console, *, before: dict[str, Any] | None, seconds: float
) -> None:
    """Print the results, the rows of each mart, where things are and what to try next.

    Args:
        settings: Of the home.
        out: Where to.
        before: The publication before this run.
        seconds: How long the run took.
    """
    now = published(settings)
    if now is None:
        return
    home = Home(settings.home)
    results = Table(title="Results", title_justify="left", show_header=False)
    for label, value in headline(settings):
        results.add_row(label, value)
    results.add_row("as of", f"{now['as_of']} (data through {now['data_through_date']})")
    out.print(results)
    header, *lines = tiers(settings)
    if lines:
        by_tier = Table(*header, title="Creators by tier", title_justify="left")
        for column in by_tier.columns[1:]:
            column.justify = "right"
        for line in lines:
            by_tier.add_row(*line)
        out.print(by_tier)
    rows = Table("mart", "rows", "why it is empty", title="Marts", title_justify="left")
    rows.columns[1].justify = "right"
    for mart in mart_rows(settings):
        rows.add_row(mart.name, f"{mart.row_count:,}", mart.reason)
    out.print(rows)
    if before is not None and before["content_hash"] == now["content_hash"]:
        out.print(f"Nothing changed: content hash {now['content_hash']} as before.")
    else:
        out.print(f"Published {now['run_id']}, content hash {now['content_hash']}.")
    current = home.serving / read.CURRENT
    paths = Table.grid(padding=(0, 2))
    paths.add_row("published file", _short(current))
    paths.add_row("gate reports", _short(home.reports))
    paths.add_row("everything", _short(home.path))
    out.print(paths)
    out.print(f"Took {seconds:.0f} s. Next:")
    setae = _short(Path(sys.executable).with_name("setae"))
    query = "from marts.fct_stickiness_daily limit 5"
    code = f"import duckdb; print(duckdb.connect('{_short(current)}').sql('{query}'))"
    for command in (
        f"{setae} status --home {_short(home.path)}",
        f"{setae} up --home {_short(home.path)}",
        f'{_short(Path(sys.executable))} -c "{code}"',
    ):
        out.print(f"  {command}", markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    """Relative to where the person is, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
