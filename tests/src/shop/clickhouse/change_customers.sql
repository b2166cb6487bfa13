-- The first `how_many` customers in the order of a hash buy something: new versions of their rows.
INSERT INTO customers
SELECT id, email, 'gold', country, spent + 19.5, is_vip, interests, avatar, born, now('UTC'), now64(6, 'UTC')
FROM customers FINAL
ORDER BY cityHash64(id, 7), id
LIMIT {how_many:UInt64}
