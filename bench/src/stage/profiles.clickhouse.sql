CREATE TABLE {table} (
    custom_id            String,
    batch__email_address Nullable(String),
    plan                 LowCardinality(String),
    country              Nullable(String),
    lifetime_value       Nullable(Float64),
    visits               Int32,
    is_vip               Bool,
    interests            Nullable(String),
    url__avatar          Nullable(String),
    date__birthday       Nullable(Date32),
    last_updated_at      DateTime64(6, 'UTC')
) ENGINE = MergeTree ORDER BY (last_updated_at, custom_id)
