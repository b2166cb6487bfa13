-- `how_many` events after the first `before`. The last one is written now, the first one `spread` seconds ago, fifty at a time.
INSERT INTO events
SELECT seed,
       concat('customer-', toString(1 + cityHash64(seed, 1) % {customers:UInt64})),
       ['viewed_item', 'viewed_item', 'added_to_cart', 'purchased'][1 + cityHash64(seed, 2) % 4],
       written - toIntervalMicrosecond(cityHash64(seed, 3) % 90000000),
       ['Rain jacket', 'Crème brûlée set', '自転車ベル', 'Notebook "A5"', 'Lamp \\ Desk'][item],
       1 + cityHash64(seed, 4) % 5,
       [89.00, 34.50, 12.90, 7.20, 59.99]::Array(Decimal(10, 2))[item] - toDecimal64(cityHash64(seed, 5) % 100, 2) / 100,
       if(cityHash64(seed, 6) % 8 > 0,
          concat('https://shop.example/items/', ['rain-jacket', 'creme-brulee', 'bicycle-bell', 'notebook-a5', 'desk-lamp'][item], '?ref=', toString(seed)),
          NULL),
       if(cityHash64(seed, 2) % 4 = 3, toDateTime(written, 'UTC') - toIntervalSecond(cityHash64(seed, 7) % 60), NULL),
       if(cityHash64(seed, 8) % 6 > 0,
          ['{"brand":"Nordlys","sizes":["S","M","L"],"waterproof":true}',
           '{"brand":"Patisse","pieces":6,"material":{"name":"steel"}}',
           '{"brand":"鈴木","weight_kg":0.11}',
           '{"pages":192,"paper":"90 g/m²","refill":false}',
           '{"brand":"Ljus","watts":7.5,"colours":["white","black"]}'][item],
          NULL),
       written
FROM (
    SELECT {before:UInt64} AS before,
           {how_many:UInt64} AS how_many,
           before + 1 + number AS seed,
           1 + cityHash64(seed, 9) % 5 AS item,
           now64(6, 'UTC') - toIntervalMicrosecond(intDiv({spread:UInt64} * 1000000 * (intDiv(how_many - (seed - before), 50) * 50), how_many)) AS written
    FROM numbers({how_many:UInt64})
)
