CREATE TABLE {table} (
    id              bigint PRIMARY KEY,
    custom_id       text NOT NULL,
    event_name      text NOT NULL,
    event_time      timestamptz NOT NULL,
    item            text,
    quantity        integer,
    price           double precision,
    is_gift         boolean NOT NULL,
    url__item_url   text,
    product_details text,
    last_updated_at timestamptz NOT NULL
);
INSERT INTO {table}
SELECT n,
       'customer-' || (n::bigint * 2654435761 % 200000 + 1),
       (ARRAY['page_view', 'add_to_cart', 'purchase', 'wishlist'])[n * 7919 % 4 + 1],
       at,
       CASE WHEN n % 10 <> 0 THEN (ARRAY['Anchor', 'Compass', 'Hammock', 'Lantern', 'Oilskin', 'Rope', 'Sextant', 'Teapot'])[n * 31 % 8 + 1] END,
       CASE WHEN n % 10 <> 1 THEN n % 9 + 1 END,
       CASE WHEN n % 20 <> 2 THEN (n * 7919 % 100000) / 100.0 END,
       n % 50 = 0,
       CASE WHEN n % 20 <> 3 THEN 'https://shop.example/items/' || n * 104729 % 5000 END,
       CASE WHEN n % 10 <> 4 THEN '{"weight_g":' || n % 900 + 1 || ',"gift":' || (n % 50 = 0) || '}' END,
       at
FROM (SELECT n, now() - interval '7 hours' + n * (interval '6 hours' / {rows}) AS at FROM generate_series(1::bigint, {rows}) AS n) AS numbers;
CREATE INDEX ON {table} (last_updated_at, id);
