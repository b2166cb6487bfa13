"""connectorx: a whole table into Arrow, over the binary protocol."""

import connectorx

from measured import arguments, report

given = arguments()
report(lambda: connectorx.read_sql(given.connection, f"SELECT * FROM {given.table}", return_type="arrow").num_rows)
