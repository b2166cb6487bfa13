INSERT INTO {table}
SELECT number + 1 AS n,
       concat('customer-', toString(n % 200000 + 1)),
       n % 100000 / 100,
       fromUnixTimestamp64Micro(toInt64({begin} - 604800000000 + intDiv(n * 518400000000, {rows})), 'UTC')
FROM numbers({from}, {count})
