-- A shop in the columns of Batch's own Cloud Sync examples, and functions that keep it busy.

CREATE TABLE profiles (
    custom_id            text PRIMARY KEY,
    batch__email_address text NOT NULL,
    plan                 text NOT NULL,
    country              text,
    lifetime_value       double precision NOT NULL,
    is_vip               boolean NOT NULL,
    interests            text, -- a JSON array
    url__avatar          text,
    date__birthday       date,
    date__last_purchase  timestamptz,
    last_updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX profiles_cursor ON profiles (last_updated_at, custom_id);

CREATE TABLE events (
    event_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    custom_id          text NOT NULL,
    event_name         text NOT NULL,
    event_time         timestamptz NOT NULL,
    item               text NOT NULL,
    quantity           integer NOT NULL,
    price              numeric(10, 2) NOT NULL,
    url__item_url      text,
    date__purchased_at timestamptz,
    product_details    text, -- a JSON object
    last_updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_cursor ON events (last_updated_at, event_id);

CREATE SCHEMA demo;

-- The same number from 0 to choices - 1 for the same seed, always; different salts give independent numbers.
CREATE FUNCTION demo.pick(seed bigint, salt bigint, choices integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT ((hashint8extended(seed, salt) & 9223372036854775807) % choices)::integer
$$;

-- When the n-th of some rows is written: the last one now, the first one `spread` ago, fifty in one transaction.
CREATE FUNCTION demo.moment(n bigint, of_rows bigint, spread interval) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT now() - spread * (((of_rows - n) / 50 * 50)::double precision / of_rows)
$$;

-- New customers; gives their ids.
CREATE FUNCTION demo.add_profiles(how_many bigint, spread interval DEFAULT '0') RETURNS SETOF text
LANGUAGE sql AS $$
    INSERT INTO profiles
    SELECT 'customer-' || seed,
           'customer.' || seed || '@shop.example',
           (ARRAY['free', 'basic', 'plus', 'pro'])[1 + demo.pick(seed, 1, 4)],
           (ARRAY['FR', 'DE', 'ES', 'IT', 'JP', NULL])[1 + demo.pick(seed, 2, 6)],
           demo.pick(seed, 3, 500000) / 100.0,
           demo.pick(seed, 4, 10) = 0,
           (ARRAY['["cycling","music"]', '["cooking"]', '["café","旅行","jardín"]', NULL])[1 + demo.pick(seed, 5, 4)],
           CASE WHEN demo.pick(seed, 6, 5) > 0 THEN 'https://img.shop.example/avatars/' || seed || '.png?size=64' END,
           CASE WHEN demo.pick(seed, 7, 7) > 0 THEN date '1950-01-01' + demo.pick(seed, 8, 20000) END,
           CASE WHEN demo.pick(seed, 9, 3) > 0 THEN now() - interval '1 second' * demo.pick(seed, 10, 5000000) END,
           demo.moment(seed - (SELECT count(*) FROM profiles), how_many, spread)
    FROM (SELECT count(*) AS before FROM profiles) AS known, generate_series(before + 1, before + how_many) AS seed
    RETURNING custom_id
$$;

-- New events of known customers; gives their ids.
CREATE FUNCTION demo.add_events(how_many bigint, spread interval DEFAULT '0') RETURNS SETOF bigint
LANGUAGE sql AS $$
    INSERT INTO events (custom_id, event_name, event_time, item, quantity, price, url__item_url, date__purchased_at,
                        product_details, last_updated_at)
    SELECT 'customer-' || 1 + demo.pick(seed, 1, customers::integer),
           (ARRAY['viewed_item', 'viewed_item', 'added_to_cart', 'purchased'])[1 + demo.pick(seed, 2, 4)],
           written - interval '1 microsecond' * demo.pick(seed, 3, 90000000),
           item.name,
           1 + demo.pick(seed, 4, 5),
           item.price - demo.pick(seed, 5, 100) / 100.0,
           CASE WHEN demo.pick(seed, 6, 8) > 0 THEN 'https://shop.example/items/' || item.slug || '?ref=' || seed END,
           CASE WHEN demo.pick(seed, 2, 4) = 3 THEN written - interval '1 second' * demo.pick(seed, 7, 60) END,
           CASE WHEN demo.pick(seed, 8, 6) > 0 THEN item.details END,
           written
    FROM (SELECT coalesce(max(event_id), 0) AS before FROM events) AS known,
         (SELECT count(*) AS customers FROM profiles) AS customer,
         generate_series(before + 1, before + how_many) AS seed,
         LATERAL (SELECT demo.moment(seed - before, how_many, spread) AS written) AS moment,
         LATERAL (
             SELECT * FROM (VALUES
                 (0, 'Rain jacket', 'rain-jacket', 89.00, '{"brand":"Nordlys","sizes":["S","M","L"],"waterproof":true}'),
                 (1, 'Crème brûlée set', 'creme-brulee', 34.50, '{"brand":"Patisse","pieces":6,"material":{"name":"steel"}}'),
                 (2, '自転車ベル', 'bicycle-bell', 12.90, '{"brand":"鈴木","weight_kg":0.11}'),
                 (3, 'Notebook "A5"', 'notebook-a5', 7.20, '{"pages":192,"paper":"90 g/m²","refill":false}'),
                 (4, 'Lamp \ Desk', 'desk-lamp', 59.99, '{"brand":"Ljus","watts":7.5,"colours":["white","black"]}')
             ) AS items (number, name, slug, price, details)
             WHERE number = demo.pick(seed, 9, 5)
         ) AS item
    ORDER BY seed
    RETURNING event_id
$$;

-- Some customers buy something; gives their ids.
CREATE FUNCTION demo.change_profiles(how_many bigint) RETURNS SETOF text
LANGUAGE sql AS $$
    UPDATE profiles
    SET plan = 'gold', lifetime_value = lifetime_value + 19.5, date__last_purchase = now(), last_updated_at = now()
    WHERE custom_id IN (SELECT custom_id FROM profiles ORDER BY hashtextextended(custom_id, 7), custom_id LIMIT how_many)
    RETURNING custom_id
$$;
