"""dlt into a function that counts the rows of Arrow batches: the least that a destination can do."""

import dlt_table
from measured import arguments, report

given = arguments()


def move() -> int:
    counts: list[int] = []
    dlt_table.run(given.connection, given.table, lambda batch: counts.append(batch.num_rows), dlt_table.ROWS_AT_ONCE)
    return sum(counts)


report(move)
