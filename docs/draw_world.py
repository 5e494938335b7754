"""Draw the plots of docs/simulation/world.md: `python -m docs.draw_world`.

Generates the scenario `demo` into a temporary folder, reads its truth, consults the oracle, and
writes small SVG files into docs/img/. The same world gives the same files.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import numpy as np
import vl_convert
from scipy import special

from ingestion.synthetic.oracle import check
from ingestion.synthetic.scenario import TIERS, Scenario, preset
from ingestion.synthetic.world import generate

IMAGES = Path(__file__).resolve().parent / "img"

COLOURS = ["#3d6b8f", "#d98032", "#7a9a4d", "#8a6aa8"]
SIZE = {"width": 300, "height": 150}
VEGA_LITE = "6.4"


def main() -> None:
    """All plots."""
    with tempfile.TemporaryDirectory() as place:
        scenario = preset("demo")
        world = generate(scenario, Path(place) / "world").folder
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            for name, chart in charts(world, scenario, connection).items():
                write(name, chart)


def charts(
    world: Path, scenario: Scenario, connection: duckdb.DuckDBPyConnection
) -> dict[str, alt.Chart | alt.LayerChart | alt.HConcatChart]:
    """Name of the file and chart."""
    truth = world / "truth"

    def rows(sql: str) -> list[dict[str, Any]]:
        found = connection.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    audiences = rows(
        "select tier, floor(log10(followers) * 5) / 5 as bin, count(*) as creators "
        f"from '{truth}/creators.parquet' group by all order by all"
    )
    hours = rows(
        f"select hour(timezone('{scenario.business_timezone}', started_at)) as hour, "
        f"count(*) as visits from '{truth}/visits.parquet' group by all order by all"
    )
    people = rows(
        "select least(visits, 40) as visits, count(*) as people from (select person_id, "
        f"count(*) as visits from '{truth}/visits.parquet' where cause = 'baseline' group by all) "
        "group by all order by all"
    )
    causes = rows(
        f"select timezone('{scenario.business_timezone}', started_at)::date::varchar as day, "
        f"cause, count(*) as visits from '{truth}/visits.parquet' group by all order by all"
    )
    declared = rows(
        "select replace(declared_by, '_and_', ' + ') as shown, count(*) as orders "
        f"from '{truth}/orders.parquet' where cause = 'creator' group by all order by all"
    )
    claims = rows(
        "select 'claimed' as what, platform, count(*) as orders "
        f"from '{truth}/claims.parquet' group by all union all "
        "select 'caused', creators.platform, count(*) "
        f"from '{truth}/orders.parquet' inner join '{truth}/creators.parquet' as creators "
        "using (creator_id) where cause = 'creator' group by all order by all"
    )
    lags = rows(
        "select least(floor((epoch_us(refund_due_at) - epoch_us(created_at)) / 86400e6), 70) "
        f"as days from '{truth}/orders.parquet' where refund_due_at is not null order by days"
    )
    effects = [
        {
            "what": one.name,
            "tier": one.group,
            "planted": one.planted,
            "recovered": one.recovered,
            "low": one.recovered - 2 * one.error,
            "high": one.recovered + 2 * one.error,
        }
        for one in check(world)
        if one.group in TIERS
    ]
    return {
        "world_creators": bars(
            audiences, "bin:O", "creators:Q", "followers, log10", color="tier:N", sort=list(TIERS)
        ),
        "world_people": alt.hconcat(
            bars(hours, "hour:O", "visits:Q", "hour of the day", width=220),
            bars(people, "visits:O", "people:Q", "baseline visits in 120 days", width=300),
        ),
        "world_causes": area(causes),
        "world_effects": alt.hconcat(
            *(
                forest([one for one in effects if one["what"] == name], name)
                for name in ("order effect", "return-visit effect")
            )
        ),
        "world_orders": alt.hconcat(
            bars(declared, "shown:N", "orders:Q", "a caused order shows by", width=300),
            bars(claims, "platform:N", "orders:Q", "orders caused, and orders claimed",
                 color="what:N", width=240, stack=False),
            refunds(lags, scenario),
        ),
    }  # fmt: skip


def bars(
    data: list[dict[str, Any]],
    x: str,
    y: str,
    title: str,
    *,
    color: str | None = None,
    sort: list[str] | None = None,
    width: int = 420,
    stack: bool = True,
) -> alt.Chart:
    """A bar chart; side by side where not stacked."""
    chart = alt.Chart(alt.Data(values=data)).mark_bar()
    encoding: dict[str, Any] = {
        "x": alt.X(x, title=title, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        "y": alt.Y(y, title=y.split(":", maxsplit=1)[0]),
    }
    if color:
        encoding["color"] = alt.Color(color, title=None, sort=sort)
        if not stack:
            encoding["xOffset"] = alt.XOffset(color)
    return chart.encode(**encoding).properties(width=width, height=SIZE["height"])


def area(data: list[dict[str, Any]]) -> alt.Chart:
    """Visits a day by cause."""
    return (
        alt.Chart(alt.Data(values=data))
        .mark_area()
        .encode(
            x=alt.X("day:T", title=None),
            y=alt.Y("visits:Q", title="visits a day"),
            color=alt.Color("cause:N", title=None, sort=["baseline", "return", "click", "order"]),
        )
        .properties(width=560, height=SIZE["height"])
    )


def forest(data: list[dict[str, Any]], title: str) -> alt.LayerChart:
    """Planted and recovered by tier, with two standard errors."""
    base = alt.Chart(alt.Data(values=data))
    y = alt.Y("tier:N", sort=list(TIERS), title=None)
    ranges = base.mark_rule().encode(
        y=y, x=alt.X("low:Q", title=f"{title}: planted (stroke), recovered (dot)"), x2="high:Q"
    )
    dots = base.mark_circle(size=60, opacity=1).encode(y=y, x="recovered:Q")
    planted = base.mark_tick(thickness=3, size=22, color=COLOURS[1]).encode(y=y, x="planted:Q")
    return alt.layer(ranges, planted, dots).properties(width=280, height=120)


def refunds(lags: list[dict[str, Any]], scenario: Scenario) -> alt.LayerChart:
    """Share of refunds by age of the order, and the planted gamma."""
    days = np.array([one["days"] for one in lags], dtype=float)
    shape, mean = scenario.refund_lag_shape, scenario.refund_lag_days
    points = [
        {
            "days": day,
            "share": round(float((days < day).mean()), 4),
            "planted": round(float(special.gammainc(shape, day * shape / mean)), 4),
        }
        for day in range(0, 71, 5)
    ]
    base = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X("days:Q", title="days to refund: planted (line), drawn (dots)")
    )
    line = base.mark_line(color=COLOURS[1]).encode(y=alt.Y("planted:Q", title="share"))
    dots = base.mark_circle(opacity=1).encode(y="share:Q")
    return alt.layer(line, dots).properties(width=220, height=SIZE["height"])


def write(name: str, chart: alt.Chart | alt.LayerChart | alt.HConcatChart) -> None:
    """One SVG."""
    configured = chart.configure(font="sans-serif").configure_range(category=COLOURS)
    svg = vl_convert.vegalite_to_svg(configured.to_json(), vl_version=VEGA_LITE)
    svg = re.sub(r"(\d+\.\d{2})\d+", r"\1", svg)
    (IMAGES / f"{name}.svg").write_text(svg + "\n")


if __name__ == "__main__":
    main()
