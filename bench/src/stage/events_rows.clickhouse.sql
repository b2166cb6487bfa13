INSERT INTO {table}
SELECT number + 1 AS n,
       concat('customer-', toString(n * 2654435761 % 200000 + 1)),
       ['page_view', 'add_to_cart', 'purchase', 'wishlist'][n * 7919 % 4 + 1],
       fromUnixTimestamp64Micro(toInt64({begin} + intDiv(n * 21600000000, {rows})), 'UTC') AS at,
       if(n % 10 != 0, ['Anchor', 'Compass', 'Hammock', 'Lantern', 'Oilskin', 'Rope', 'Sextant', 'Teapot'][n * 31 % 8 + 1], NULL),
       if(n % 10 != 1, n % 9 + 1, NULL),
       if(n % 20 != 2, n * 7919 % 100000 / 100, NULL),
       n % 50 = 0,
       if(n % 20 != 3, concat('https://shop.example/items/', toString(n * 104729 % 5000)), NULL),
       if(n % 10 != 4, concat('{"weight_g":', toString(n % 900 + 1), ',"gift":', if(n % 50 = 0, 'true', 'false'), '}'), NULL),
       at
FROM numbers({from}, {count})
