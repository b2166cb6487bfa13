"""dlt: a table of PostgreSQL, by its fastest backend, into a destination that is a function."""

import os
from collections.abc import Callable
from typing import Any

# Nothing is to be sent anywhere, and nothing is to be said but the result.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt
from dlt.sources.sql_database import sql_table

# Rows that connectorx and the files between dlt's steps hold at once.
ROWS_AT_ONCE = 100_000


def run(connection: str, table: str, take: Callable[[Any], None], batch_size: int) -> None:
    """Extracts, normalises and loads. `take` gets Arrow batches of at most `batch_size` rows."""

    @dlt.destination(loader_file_format="parquet", batch_size=batch_size, name="taker")
    def taker(items: Any, _: Any) -> None:
        take(items)

    pipeline = dlt.pipeline(pipeline_name="bench", destination=taker, pipelines_dir="pipelines")
    resource = sql_table(
        credentials=connection,
        table=table,
        backend="connectorx",
        chunk_size=ROWS_AT_ONCE,
        backend_kwargs={"return_type": "arrow"},
    )
    pipeline.run(resource, loader_file_format="parquet")
