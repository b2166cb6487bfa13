CREATE TABLE {table} (
    id              Int64,
    custom_id       String,
    event_name      LowCardinality(String),
    event_time      DateTime64(6, 'UTC'),
    item            Nullable(String),
    quantity        Nullable(Int32),
    price           Nullable(Float64),
    is_gift         Bool,
    url__item_url   Nullable(String),
    product_details Nullable(String),
    last_updated_at DateTime64(6, 'UTC')
) ENGINE = MergeTree ORDER BY (last_updated_at, id)
