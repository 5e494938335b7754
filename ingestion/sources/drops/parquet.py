"""Parquet: columns named as the contract's fields, typed or text."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import typed_table
from ingestion.intake import Intake
from ingestion.sources.drops.unusable import Unusable, check_unpacked

BATCH_ROWS = 262_144


def fill(one: Intake, path: Path) -> None:
    """Feed a file to an intake.

    Raises:
        Unusable: The file is empty, truncated, damaged, or no Parquet file.
    """
    if path.stat().st_size == 0:
        raise Unusable("is empty; deliver it again, or nothing where there is nothing")
    try:
        with pq.ParquetFile(path) as file:
            _check(file, path)
            first = 1
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                table = pa.Table.from_batches([batch])
                one.take(typed_table.batch(one.contract, table, first_line=first))
                first += len(table)
    except (pa.ArrowException, OSError) as error:
        raise Unusable(
            f"is truncated, damaged or no Parquet file ({type(error).__name__}); deliver it again"
        ) from None


def _check(file: pq.ParquetFile, path: Path) -> None:
    names = file.schema_arrow.names
    if len(names) != len(set(names)):
        raise Unusable("has two columns of one name; rename one")
    metadata = file.metadata
    unpacked = sum(
        metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)
    )
    check_unpacked(unpacked, path.stat().st_size)
