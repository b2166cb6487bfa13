"""ADBC: a whole table into Arrow, by COPY in binary form. Batches are counted and let go, so that nothing but reading is measured."""

import adbc_driver_postgresql.dbapi

from measured import arguments, report

given = arguments()


def read() -> int:
    with adbc_driver_postgresql.dbapi.connect(given.connection) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {given.table}")
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


report(read)
