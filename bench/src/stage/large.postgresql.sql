CREATE TABLE {table} (
    id              bigint PRIMARY KEY,
    custom_id       text NOT NULL,
    amount          double precision NOT NULL,
    last_updated_at timestamptz NOT NULL
);
INSERT INTO {table}
SELECT n, 'customer-' || n % 200000 + 1, n % 100000 / 100.0, now() - interval '7 days' + n * (interval '6 days' / {rows})
FROM generate_series(1::bigint, {rows}) AS n;
CREATE INDEX ON {table} (last_updated_at, id);
