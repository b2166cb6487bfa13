INSERT INTO {table}
SELECT concat('customer-', toString(number + 1 AS n)),
       if(n % 20 != 0, concat('customer-', toString(n), '@mail.example'), NULL),
       ['free', 'plus', 'family'][n * 7919 % 3 + 1],
       if(n % 30 != 0, ['BR', 'DE', 'FR', 'IN', 'JP', 'KE', 'US', 'VN'][n * 31 % 8 + 1], NULL),
       if(n % 20 != 1, n * 7919 % 100000 / 100, NULL),
       n % 500,
       n % 50 = 0,
       if(n % 10 != 0, ['["sailing"]', '["sailing","maps"]', '["tea","knots","birds"]'][n * 17 % 3 + 1], NULL),
       if(n % 3 != 0, concat('https://img.example/', lower(hex(MD5(toString(n)))), '.png'), NULL),
       if(n % 5 != 0, toDate32('1970-01-01') + toInt32(n * 104729 % 13000), NULL),
       fromUnixTimestamp64Micro(toInt64({begin} + intDiv(n * 21600000000, {rows})), 'UTC')
FROM numbers({from}, {count})
