"""The assets that DAGs write and follow, each declared once.

An asset is a table, `duckdb://warehouse/<schema>/<table>`, and a source the schema its deliveries
fill, `duckdb://warehouse/raw_<source>`: one for each `ingest_<source>.py` beside this file. Built
marts report themselves through the alias, one event each.
Everything downstream of a source has one partition, `ledger`: it reads the ledger, not the
partition that woke it, so a backfilled year wakes it a few times and not 365.
"""

from pathlib import Path

from airflow.sdk import Asset, AssetAlias, AssetAny, FixedKeyMapper, PartitionedAssetTimetable

LEDGER = "ledger"

RAW = {
    source: Asset(f"raw_{source}", uri=f"duckdb://warehouse/raw_{source}", group="raw")
    for source in sorted(
        path.stem.removeprefix("ingest_") for path in Path(__file__).parent.glob("ingest_*.py")
    )
}
"""The asset of each source."""

BUILDS = Asset("builds", uri="duckdb://warehouse/ops/builds", group="ops")
MODELS = AssetAlias("warehouse_models", group="marts")
PUBLICATION = Asset("publication", uri="duckdb://warehouse/marts/publication", group="marts")

AFTER_ANY_SOURCE = PartitionedAssetTimetable(
    assets=AssetAny(*RAW.values()),
    default_partition_mapper=FixedKeyMapper(LEDGER),
)
AFTER_A_BUILD = PartitionedAssetTimetable(assets=BUILDS)


def model_asset(name: str) -> Asset:
    """The asset of one built mart."""
    return Asset(name, uri=f"duckdb://warehouse/marts/{name}", group="marts")
