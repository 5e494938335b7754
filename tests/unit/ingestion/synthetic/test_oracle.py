"""The oracle recovers what was planted, and says so when the truth is another."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ingestion.synthetic.oracle import Finding, check
from ingestion.synthetic.scenario import preset
from ingestion.synthetic.world import generate
from setae import cli
from setae.cli import app, main
from setae.errors import DataError

EXACT = {
    "platform claims per caused order",
    "orders caused before activation",
    "event rows delivered",
    "events, repeats apart",
}
SIZE = {"people": 2_000, "creators": 80, "days": 90}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough that every planted number shows above its noise."""
    return generate(preset("demo", **SIZE), tmp_path_factory.mktemp("oracle") / "world").folder


@pytest.fixture(scope="module")
def findings(world: Path) -> dict[tuple[str, str], Finding]:
    return {(one.name, one.group): one for one in check(world)}


def test_what_was_planted_is_recovered(findings: dict[tuple[str, str], Finding]) -> None:
    assert {name for (name, _), one in findings.items() if one.error == 0} == EXACT
    assert [key for key, one in findings.items() if not one.is_good] == []
    assert len(findings) > 20


@pytest.mark.parametrize(
    ("name", "tier"), [("order effect", "nano"), ("return-visit effect", "nano")]
)
def test_the_effects_stand_out_of_the_noise(
    findings: dict[tuple[str, str], Finding], name: str, tier: str
) -> None:
    found = findings[name, tier]
    assert found.planted > 4 * found.error
    assert found.recovered > 4 * found.error


def test_nothing_is_found_where_nothing_was_planted(tmp_path: Path) -> None:
    world = generate(preset("null", **SIZE), tmp_path / "world").folder
    effects = [one for one in check(world) if one.name in ("order effect", "return-visit effect")]
    assert len(effects) == 8
    for one in effects:
        assert one.planted == 0
        assert abs(one.recovered) <= 3.5 * one.error


def _with_truth(world: Path, place: Path, table: str, column: str, factor: float) -> Path:
    copy = Path(shutil.copytree(world, place))
    path = copy / "truth" / f"{table}.parquet"
    rows = pq.read_table(path)
    position = rows.schema.get_field_index(column)
    changed = pc.multiply(rows[column], pa.scalar(factor))
    pq.write_table(rows.set_column(position, column, changed), path)
    return copy


@pytest.mark.parametrize(
    ("table", "column", "name"),
    [
        ("creators", "return_effect", "return-visit effect"),
        ("exposures", "order_chance", "order effect"),
        ("people", "visits_per_day", "baseline visits per person"),
        ("orders", "refund_chance", "orders refunded within 45 days"),
    ],
)
def test_a_truth_that_is_another_is_found_out(
    world: Path, tmp_path: Path, table: str, column: str, name: str
) -> None:
    wrong = _with_truth(world, tmp_path / "copy", table, column, 2.0)
    assert name in {one.name for one in check(wrong) if not one.is_good}


def test_a_lost_file_is_found_out(world: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(world, tmp_path / "copy"))
    next(iter(sorted((copy / "drops" / "activity_events").iterdir()))).unlink()
    wrong = {one.name for one in check(copy) if not one.is_good}
    assert {"event rows delivered", "events, repeats apart"} <= wrong


def test_the_command_prints_both_numbers_and_ends_well(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.out, "width", 200)
    result = CliRunner().invoke(app, ["simulate", "check", str(world)])
    assert result.exit_code == 0, result.output
    assert "return-visit effect" in result.output
    assert "numbers recovered" in result.output


def test_the_command_fails_with_one_line(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = _with_truth(world, tmp_path / "copy", "creators", "return_effect", 3.0)
    monkeypatch.setattr("sys.argv", ["setae", "simulate", "check", str(wrong)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 65
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="setae simulate world"):
        check(tmp_path)


def test_targets_tell_the_world_without_creators(world: Path) -> None:
    truth = world / "truth"

    def target(name: str, group: str = "all") -> float:
        found = duckdb.sql(
            f"select value from '{truth}/targets.parquet' "
            f"where name = '{name}' and group_key = '{group}'"
        ).fetchone()
        assert found is not None
        return float(found[0])

    caused = duckdb.sql(
        f"select count(*), sum(subtotal) from '{truth}/orders.parquet' where cause = 'creator'"
    ).fetchone()
    assert (target("incremental_orders"), target("incremental_net_sales_amount")) == pytest.approx(
        (float(caused[0]), float(caused[1]))
    )
    assert target("incremental_orders") == sum(
        target("incremental_orders", tier) for tier in ("nano", "micro", "mid", "macro")
    )
    assert 0 < target("return_lift_7d") < target("return_rate_7d")
    # A gamma of shape 1.6 and mean 15 days: by its own tables 0.572 within 14 days.
    assert target("refund_completion_14d") == pytest.approx(0.572, abs=0.001)


def test_another_crowd_meets_the_same_creators(world: Path, tmp_path: Path) -> None:
    other = generate(
        preset("demo", **{**SIZE, "people": 300}, people_seed=7), tmp_path / "w"
    ).folder
    same = duckdb.sql(
        f"select count(*) from (select * from '{world}/truth/creators.parquet' "
        f"except select * from '{other}/truth/creators.parquet')"
    ).fetchone()
    people = duckdb.sql(
        f"select count(*) from '{world}/truth/people.parquet' as a "
        f"join '{other}/truth/people.parquet' as b using (person_id, visits_per_day)"
    ).fetchone()
    # Which person a creator is depends on how many people there are.
    assert same[0] <= SIZE["creators"] * 0.2
    assert people == (0,)
