//! A destination that is slower than the source: the source reads no further than the budgets allow, however large the table.

use longshore_tests::{
    ClickHouseDatabase, ClickHouseServer, Database, FrontOptions, Longshore, PASSWORD, PATIENCE, PostgresCluster,
    Result, USER, eventually,
};
use rustix::process::Signal;
use serde_json::json;

/// Text of a row, in bytes; what else a row has is next to nothing.
const ROW_BYTES: u64 = 1_024;

/// A hundred times what may be on its way.
const ROWS: u64 = 200_000;

/// `max_unacked_bytes` of the sync.
const UNACKED_BYTES: u64 = 1024 * 1024;

/// What may have been read and not delivered: the budget; the window of the source's stream (2 MiB); a batch in the making at either end, on either side of a queue, and one by which the
/// budget is exceeded (512 KiB each); what the sockets hold; and what was acked after the last commit.
const ON_THE_WAY_BYTES: u64 = UNACKED_BYTES + 2 * 1024 * 1024 + 10 * 512 * 1024;

/// So many batches of 512 KiB must have been delivered, one a second, before the test believes what it sees.
const DELIVERED_BYTES: u64 = 3 * 512 * 1024;

#[tokio::test]
async fn a_destination_that_takes_a_batch_a_second_stops_the_reading_of_the_source_within_the_budget() -> Result<()> {
    let cluster = PostgresCluster::shared().await?;
    let database = cluster.create_database().await?;
    fill(&database).await?;
    let mut longshore = Longshore::new()?;
    longshore.set_variable("PGPASSWORD", PASSWORD);
    longshore.write("longshore.yml", &configuration(&database))?;
    let running = longshore.start(["sync", "--json"])?;

    let mut most_on_the_way = 0;
    let slow_but_moving = eventually("some batches are delivered", PATIENCE, async || {
        // In this order: what is delivered between the two looks makes the difference smaller, never larger than it was.
        let read = rows_read(&database).await.unwrap();
        let delivered = rows_delivered(&longshore).await;
        let on_the_way = read.unwrap_or_default().saturating_sub(delivered) * ROW_BYTES;
        most_on_the_way = on_the_way.max(most_on_the_way);
        // The first look that shows too much is enough.
        let too_much = on_the_way > ON_THE_WAY_BYTES;
        (too_much || delivered * ROW_BYTES >= DELIVERED_BYTES).then_some(())
    });
    slow_but_moving.await?;
    running.signal(Signal::INT)?;
    let finished = running.finish().await?;

    assert!(
        most_on_the_way <= ON_THE_WAY_BYTES,
        "{most_on_the_way} bytes were read ahead of a slow destination"
    );
    // The source was ahead at all: otherwise nothing held it back, and nothing was tested.
    assert!(
        most_on_the_way >= UNACKED_BYTES,
        "{most_on_the_way} bytes were on their way"
    );
    assert_eq!(finished.code(), Some(130), "{finished}");
    longshore.leaves_nothing_running().await
}

/// What the source may have of ClickHouse's own batches, which are of 8,192 rows: one that is read, and one that is sent on.
const BLOCK_BYTES: u64 = 2 * 8_192 * (ROW_BYTES + 16);

#[tokio::test]
async fn a_slow_destination_stops_the_reading_from_clickhouse_too() -> Result<()> {
    let server = ClickHouseServer::start_front(FrontOptions::default()).await?;
    let database = server.create_database().await?;
    database
        .execute(&format!(
            "CREATE TABLE notes (id UInt64, body String) ENGINE = MergeTree ORDER BY id;
             INSERT INTO notes SELECT number, repeat(lower(hex(MD5(toString(number)))), {}) FROM numbers({ROWS})",
            ROW_BYTES / 32
        ))
        .await?;
    let mut longshore = Longshore::new()?;
    longshore.set_variable("CLICKHOUSE_PASSWORD", server.password());
    longshore.write(
        "slow.yml",
        &clickhouse_configuration(&database, "batches_per_second: 1"),
    )?;
    longshore.write(
        "fast.yml",
        &clickhouse_configuration(&database, "batches_per_second: 1000000"),
    )?;

    let bound = ON_THE_WAY_BYTES + BLOCK_BYTES + tcp_buffer_bytes() + DELIVERED_BYTES;
    assert!(
        bound < ROWS * ROW_BYTES / 2,
        "the table is too small for the buffers of this machine"
    );
    // Whoever reads so much of the table more than was delivered is cut off, and the front counts that.
    let cut_off = || {
        server.add_fault(json!({
            "kind": "cut", "match": "notes", "database": database.name(), "times": 1_000,
            "after_bytes": bound
        }))
    };
    let too_far = cut_off().await?;
    let running = longshore.start(["sync", "slow.yml", "--json"])?;
    eventually("some batches are delivered", PATIENCE, async || {
        (rows_delivered(&longshore).await * ROW_BYTES >= DELIVERED_BYTES).then_some(())
    })
    .await?;
    running.signal(Signal::INT)?;
    let finished = running.finish().await?;
    assert_eq!(finished.code(), Some(130), "{finished}");
    assert_eq!(
        too_far.fired().await?,
        0,
        "ClickHouse was read ahead of a slow destination"
    );

    // A destination that is not slow lets the source read on: the bound is one that can be passed.
    let reached = cut_off().await?;
    longshore.run(["sync", "fast.yml", "--json"]).await?;
    assert!(reached.fired().await? > 0, "nobody ever read so far");
    longshore.leaves_nothing_running().await
}

/// What the kernel may hold of a connection on both of its sides: the front counts it as sent.
fn tcp_buffer_bytes() -> u64 {
    let most = |file: &str| {
        let sizes = std::fs::read_to_string(file).unwrap();
        sizes.split_whitespace().last().unwrap().parse::<u64>().unwrap()
    };
    most("/proc/sys/net/ipv4/tcp_wmem") + most("/proc/sys/net/ipv4/tcp_rmem")
}

fn clickhouse_configuration(database: &ClickHouseDatabase, pace: &str) -> String {
    format!(
        "kind: source\nspec:\n  name: notes\n  path: clickhouse\n  tables: [notes]\n  destinations: [slow]\n  concurrency: 1\n  max_unacked_bytes: {UNACKED_BYTES}\n  \
         spec:\n    host: {}\n    port: {}\n    database: {}\n    username: {}\n    password: ${{CLICKHOUSE_PASSWORD}}\n    cursor: id\n\
         ---\nkind: destination\nspec:\n  name: slow\n  path: discard\n  spec:\n    {pace}\n",
        database.host(),
        database.port(),
        database.name(),
        database.user()
    )
}

async fn fill(database: &Database) -> Result<()> {
    database
        .execute(&format!(
            "CREATE TABLE notes (id bigint PRIMARY KEY, body text NOT NULL);
             INSERT INTO notes SELECT n, repeat(md5(n::text), {}) FROM generate_series(1, {ROWS}) AS n;
             ANALYZE notes",
            ROW_BYTES / 32
        ))
        .await
}

/// Over the Unix socket, which holds less than TCP: what is in its buffers counts as read.
fn configuration(database: &Database) -> String {
    format!(
        "kind: source\nspec:\n  name: notes\n  path: postgresql\n  tables: [notes]\n  destinations: [slow]\n  concurrency: 1\n  max_unacked_bytes: {UNACKED_BYTES}\n  \
         spec:\n    host: {}\n    port: {}\n    database: {}\n    username: {USER}\n    password: ${{PGPASSWORD}}\n    cursor: id\n\
         ---\nkind: destination\nspec:\n  name: slow\n  path: discard\n  spec:\n    batches_per_second: 1\n",
        database.socket_folder().display(),
        database.port(),
        database.name()
    )
}

/// Rows that the server has handed to the COPY of the sync, by its own count; nothing while none runs.
async fn rows_read(database: &Database) -> Result<Option<u64>> {
    let connection = database.connect().await?;
    let query =
        "SELECT tuples_processed FROM pg_stat_progress_copy WHERE datname = current_database() AND command = 'COPY TO'";
    let row = connection.query_opt(query, &[]).await.unwrap();
    Ok(row.map(|row| u64::try_from(row.get::<_, i64>(0)).unwrap()))
}

/// Rows of the committed checkpoints.
async fn rows_delivered(longshore: &Longshore) -> u64 {
    // Before the run is in the store, there is none to show.
    let Ok(shown) = longshore.json(["runs", "show", "last"]).await else {
        return 0;
    };
    shown["tables"][0]["delivered"].as_u64().unwrap_or_default()
}
