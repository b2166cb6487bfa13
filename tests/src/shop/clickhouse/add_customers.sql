-- `how_many` customers after the first `before`. The last one is written now, the first one `spread` seconds ago, fifty at a time.
INSERT INTO customers
SELECT concat('customer-', toString(seed)),
       concat('customer.', toString(seed), '@shop.example'),
       ['free', 'basic', 'plus', 'pro'][1 + cityHash64(seed, 1) % 4],
       ['FR', 'DE', 'ES', 'IT', 'JP', NULL][1 + cityHash64(seed, 2) % 6],
       toDecimal64(cityHash64(seed, 3) % 500000, 2) / 100,
       cityHash64(seed, 4) % 10 = 0,
       [['cycling', 'music'], ['cooking'], ['café', '旅行', 'a "quoted" \\ one'], []][1 + cityHash64(seed, 5) % 4],
       if(cityHash64(seed, 6) % 5 > 0, concat('https://img.shop.example/avatars/', toString(seed), '.png?size=64'), NULL),
       if(cityHash64(seed, 7) % 7 > 0, addDays(toDate32('1950-01-01'), cityHash64(seed, 8) % 20000), NULL),
       if(cityHash64(seed, 9) % 3 > 0, now('UTC') - toIntervalSecond(cityHash64(seed, 10) % 5000000), NULL),
       now64(6, 'UTC') - toIntervalMicrosecond(intDiv({spread:UInt64} * 1000000 * (intDiv(how_many - (seed - before), 50) * 50), how_many))
FROM (SELECT {before:UInt64} AS before, {how_many:UInt64} AS how_many, before + 1 + number AS seed FROM numbers({how_many:UInt64}))
