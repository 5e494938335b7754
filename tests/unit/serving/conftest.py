"""Small marts in a real file, judged by hand, ready to be published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from quality import results
from serving.publish import PublishResult, publish
from setae import ledger
from setae.lease import Lease, lease
from setae.settings import Settings
from setae.warehouse import STORAGE_VERSION, Home, connect
from tests.conftest import make_home

CONFIG = 'threads = 1\nmemory_limit = "512MiB"\nkeep_publications = 3\n'


@dataclass
class MartsWorld:
    """A home whose marts a test writes version by version."""

    settings: Settings

    @property
    def home(self) -> Home:
        return Home(self.settings.home)

    @property
    def serving(self) -> Path:
        return self.home.serving

    def build(self, version: int, *, outcome: str = "passed", severity: str = "error") -> None:
        """Marts whose every number is `version`, the record of their build, and a judgement."""
        digest = f"build-{version}"
        with duckdb.connect() as connection:
            connection.execute(
                f"attach '{self.home.marts}' as m (storage_version '{STORAGE_VERSION}')"
            )
            connection.execute(
                f"""
                create schema if not exists m.marts;
                create or replace table m.marts.fct_orders as
                    select 'order:' || range as order_key, {version} as version,
                        cast({version} as decimal(18, 4)) as net_sales_amount,
                        cast(range / 7 as double) as rate,
                        timestamp '2026-03-31' + interval (range) minute as ordered_at
                    from range(100);
                create or replace table m.marts.dim_creators as
                    select 'creator' as creator_key, {version} as version;
                create schema if not exists m.build_state;
                create or replace table m.build_state.build as select '{digest}' as build_digest,
                    timestamp '2026-04-01 12:30:00' as as_of, date '2026-03-31' as
                    data_through_date;
                """
            )
        self.judge(digest, outcome=outcome, severity=severity)

    def judge(self, digest: str, *, outcome: str = "passed", severity: str = "error") -> None:
        """One line of the marts gate about a build."""
        with connect(self.settings) as connection:
            ledger.create(connection)
            results.create(connection)
            run_id = results.next_run_id(connection, "marts")
            connection.execute(
                "insert into ops.gate_results values (?, 'marts', 's', 'a_check', 'marts.t', ?, "
                "?, '', '', 0, '', '', [], [], ?, null, timestamp '2026-04-01')",
                [run_id, severity, outcome, digest],
            )

    def publish(self, version: int | None = None) -> PublishResult:
        """Build a version, if one is given, and publish what is there."""
        if version is not None:
            self.build(version)
        with lease(self.settings, stage="publish") as held:
            return publish(self.settings, lease=held)

    def read(self, path: Path | None = None) -> int:
        """The version readers get; fails if they get a mixture."""
        target = (path or self.serving / "current.duckdb").resolve()
        with duckdb.connect(str(target), read_only=True) as connection:
            rows = connection.execute(
                "select version from marts.fct_orders union select version from marts.dim_creators"
            ).fetchall()
        assert len(rows) == 1, f"mixed: {rows}"
        return int(rows[0][0])

    def names(self) -> set[str]:
        """What lies in `serving/`."""
        return {path.name for path in self.serving.iterdir()}


@pytest.fixture
def marts(tmp_path: Path) -> MartsWorld:
    """A home without marts."""
    return MartsWorld(make_home(tmp_path / "home", CONFIG))


@pytest.fixture
def held(marts: MartsWorld) -> Iterator[Lease]:
    """The lease of that home."""
    with lease(marts.settings, stage="test") as taken:
        yield taken
