"""The published file, asked through the metrics declared for MetricFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from setae import transformation

Query = Callable[[Sequence[str], Sequence[str]], dict[tuple[Any, ...], tuple[Any, ...]]]


@contextmanager
def semantic_layer(published: Path, folder: Path) -> Iterator[Query]:
    """Ask for metrics by groups: group values → metric values, in the order asked for.

    Args:
        published: The file readers have, opened read-only by the target `published`.
        folder: Empty; MetricFlow looks for what dbt parsed inside of the project's own folder.
    """
    from dbt.cli.main import dbtRunner
    from dbt_metricflow.cli.cli_configuration import CLIConfiguration
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

    for part in transformation.project_directory().iterdir():
        if part.name not in {"target", "logs"}:
            (folder / part.name).symlink_to(part)
    with patch.dict(os.environ, DBT_TARGET="published", SETAE_MARTS_PATH=str(published)):
        try:
            place = ("--project-dir", str(folder), "--profiles-dir", str(folder))
            assert dbtRunner().invoke(["parse", "--quiet", *place]).success
            configuration = CLIConfiguration()
            configuration.setup(folder, folder, configure_file_logging=False)

            def query(
                metrics: Sequence[str], groups: Sequence[str]
            ) -> dict[tuple[Any, ...], tuple[Any, ...]]:
                table = configuration.mf.query(
                    MetricFlowQueryRequest.create(metric_names=metrics, group_by_names=groups)
                ).result_df
                assert table is not None
                names = [column.column_name for column in table.column_descriptions]
                rows = [dict(zip(names, row, strict=True)) for row in table.rows]
                return {
                    tuple(row[name] for name in groups): tuple(row[name] for name in metrics)
                    for row in rows
                }

            yield query
        finally:
            transformation._close_dbt()
