-- The shop in ClickHouse: customers as the shop itself keeps them, with a view that gives them to Batch; events in the columns that Batch takes.

CREATE TABLE customers (
    id            String,
    email         String,
    plan          LowCardinality(String),
    country       LowCardinality(Nullable(String)),
    spent         Decimal(12, 2),
    is_vip        Bool,
    interests     Array(String),
    avatar        Nullable(String),
    born          Nullable(Date32),
    last_purchase Nullable(DateTime('UTC')),
    updated_at    DateTime64(6, 'UTC') DEFAULT now64(6),
    -- FINAL makes the server read what lies between the lowest and the highest key of the window; this tells it which keys those are.
    INDEX updated_at_range updated_at TYPE minmax GRANULARITY 1
)
-- The sorting key is what makes two rows versions of one customer; with the time in it, every version would be a customer of its own, and FINAL would
-- have nothing to replace. The order of the cursor is made while reading, from the new rows alone.
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id;

CREATE VIEW profiles AS
SELECT id                                                    AS custom_id,
       email                                                 AS batch__email_address,
       plan,
       country,
       spent                                                 AS lifetime_value,
       is_vip,
       if(empty(interests), NULL, toJSONString(interests))   AS interests,
       avatar                                                AS url__avatar,
       born                                                  AS date__birthday,
       last_purchase                                         AS date__last_purchase,
       updated_at                                            AS last_updated_at
FROM customers;

CREATE TABLE events (
    event_id           UInt64,
    custom_id          String,
    event_name         LowCardinality(String),
    event_time         DateTime64(6, 'UTC'),
    item               LowCardinality(String),
    quantity           UInt8,
    price              Decimal(10, 2),
    url__item_url      Nullable(String),
    date__purchased_at Nullable(DateTime('UTC')),
    product_details    Nullable(String), -- a JSON object
    last_updated_at    DateTime64(6, 'UTC') DEFAULT now64(6)
)
-- Nothing replaces an event, so the key is free to be the order in which a run reads.
ENGINE = MergeTree
ORDER BY (last_updated_at, event_id);
