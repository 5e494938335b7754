"""The assets that DAGs write and follow, each declared once.

An asset is a table: `duckdb://warehouse/<schema>/<table>`. A source is named by the table that
every delivery of it fills; built marts report themselves through the alias, one event each.
Everything downstream of a source has one partition, `ledger`: it reads the ledger, not the
partition that woke it, so a backfilled year wakes it a few times and not 365.
"""

from airflow.sdk import Asset, AssetAlias, FixedKeyMapper, PartitionedAssetTimetable

LEDGER = "ledger"

RAW_DROPS = Asset("raw_drops", uri="duckdb://warehouse/raw_drops/orders", group="raw")
RAW_COMPLETE_JOURNEY = Asset(
    "raw_complete_journey",
    uri="duckdb://warehouse/raw_complete_journey/transactions",
    group="raw",
)
BUILDS = Asset("builds", uri="duckdb://warehouse/ops/builds", group="ops")
MODELS = AssetAlias("warehouse_models", group="marts")
PUBLICATION = Asset("publication", uri="duckdb://warehouse/marts/publication", group="marts")

AFTER_ANY_SOURCE = PartitionedAssetTimetable(
    assets=RAW_DROPS | RAW_COMPLETE_JOURNEY,
    default_partition_mapper=FixedKeyMapper(LEDGER),
)
AFTER_A_BUILD = PartitionedAssetTimetable(assets=BUILDS)


def model_asset(name: str) -> Asset:
    """The asset of one built mart."""
    return Asset(name, uri=f"duckdb://warehouse/marts/{name}", group="marts")
