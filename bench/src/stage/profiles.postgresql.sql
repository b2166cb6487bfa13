CREATE TABLE {table} (
    custom_id            text PRIMARY KEY,
    batch__email_address text,
    plan                 text NOT NULL,
    country              text,
    lifetime_value       double precision,
    visits               integer NOT NULL,
    is_vip               boolean NOT NULL,
    interests            text,
    url__avatar          text,
    date__birthday       date,
    last_updated_at      timestamptz NOT NULL
);
INSERT INTO {table}
SELECT 'customer-' || n,
       CASE WHEN n % 20 <> 0 THEN 'customer-' || n || '@mail.example' END,
       (ARRAY['free', 'plus', 'family'])[n * 7919 % 3 + 1],
       CASE WHEN n % 30 <> 0 THEN (ARRAY['BR', 'DE', 'FR', 'IN', 'JP', 'KE', 'US', 'VN'])[n * 31 % 8 + 1] END,
       CASE WHEN n % 20 <> 1 THEN (n * 7919 % 100000) / 100.0 END,
       n % 500,
       n % 50 = 0,
       CASE WHEN n % 10 <> 0 THEN (ARRAY['["sailing"]', '["sailing","maps"]', '["tea","knots","birds"]'])[n * 17 % 3 + 1] END,
       CASE WHEN n % 3 <> 0 THEN 'https://img.example/' || md5(n::text) || '.png' END,
       CASE WHEN n % 5 <> 0 THEN date '1970-01-01' + (n * 104729 % 13000)::integer END,
       now() - interval '7 hours' + n * (interval '6 hours' / {rows})
FROM generate_series(1::bigint, {rows}) AS n;
CREATE INDEX ON {table} (last_updated_at, custom_id);
