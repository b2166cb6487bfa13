CREATE TABLE {table} (
    id              Int64,
    custom_id       String,
    amount          Float64,
    last_updated_at DateTime64(6, 'UTC')
) ENGINE = MergeTree ORDER BY (last_updated_at, id)
