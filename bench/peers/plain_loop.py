"""What one would write by hand: psycopg, a loop, httpx."""

from collections.abc import Iterable, Iterator
from itertools import islice

import psycopg
from psycopg.rows import dict_row

from measured import arguments, report
from operations import OPERATIONS_PER_CALL, client, send

given = arguments()


def batched(rows: Iterable[dict], size: int) -> Iterator[list[dict]]:
    """`itertools.batched`, which Python has since 3.12."""
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


def move() -> int:
    with client(given.endpoint) as http, psycopg.connect(given.connection) as connection:
        # A cursor on the server's side: the table need not fit into memory.
        with connection.cursor(name="events", row_factory=dict_row) as cursor:
            cursor.itersize = 10_000
            cursor.execute(f"SELECT * FROM {given.table} ORDER BY last_updated_at, id")
            return sum(send(http, rows) for rows in batched(cursor, OPERATIONS_PER_CALL))


report(move)
