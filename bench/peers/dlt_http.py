"""dlt over HTTP, as many rows a call as Batch takes."""

import dlt_table
from measured import arguments, report
from operations import OPERATIONS_PER_CALL, client, send

given = arguments()


def move() -> int:
    counts: list[int] = []
    with client(given.endpoint) as http:
        take = lambda batch: counts.append(send(http, batch.to_pylist()))
        dlt_table.run(given.connection, given.table, take, OPERATIONS_PER_CALL)
    return sum(counts)


report(move)
