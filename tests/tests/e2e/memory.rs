//! What the processes of a run take of memory, whatever the size of the table.

use std::{
    collections::BTreeMap,
    io::Write as _,
    time::{Duration, Instant},
};

use longshore_tests::{
    ClickHouseDatabase, ClickHouseServer, Longshore, Result,
    processes::{self, Process},
};

use crate::report::Report;

const ROWS: u64 = 10_000_000;

/// Rows of 1 MiB: several times the bound.
const LONG_ROWS: u64 = 500;

/// What design and README promise for every process.
const BOUND: u64 = 150 * 1024 * 1024;

/// Between two looks at the processes. The figure is a maximum that the kernel keeps, so a look only has to come before the process goes.
const PAUSE: Duration = Duration::from_millis(20);

/// A sync that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// Eight columns, about a hundred bytes a row.
const TABLE: &str = "CREATE TABLE visits (
        id UInt64, custom_id String, page String, plan LowCardinality(String), referrer Nullable(String),
        spent Decimal(18, 2), born Date, at DateTime64(3, 'UTC')
    ) ENGINE = MergeTree ORDER BY (at, id)";

#[tokio::test]
async fn ten_million_rows_pass_through_processes_of_less_than_150_mib_each() -> Result<()> {
    let server = ClickHouseServer::start().await?;
    let database = server.create_database().await?;
    fill(&database).await?;
    let visits = Passing {
        server: &server,
        database: &database,
        table: "visits",
        rows: ROWS,
    };
    let incremental = visits.pass("cursor: at").await?;
    assert!(incremental.tables[0].cursor.is_some(), "{incremental:?}");
    let whole = visits.pass("parallel_reads: 4").await?;
    assert!(whole.tables[0].cursor.is_none(), "{whole:?}");
    // A real server would keep it.
    database.execute("DROP TABLE visits").await
}

/// Nobody knows the size of a view's rows in advance, and ClickHouse would put all of these into one block.
#[tokio::test]
async fn rows_of_a_mebibyte_pass_through_them_too_from_a_table_and_from_a_view() -> Result<()> {
    let server = ClickHouseServer::start().await?;
    let database = server.create_database().await?;
    let view = format!(
        "CREATE VIEW seen AS SELECT number AS id, repeat(lower(hex(MD5(toString(number)))), 32768) AS body FROM numbers({LONG_ROWS})"
    );
    database.execute(&view).await?;
    database
        .execute("CREATE TABLE stored (id UInt64, body String) ENGINE = MergeTree ORDER BY id")
        .await?;
    database.execute("INSERT INTO stored SELECT * FROM seen").await?;
    for (table, option) in [
        ("seen", "cursor: null"),
        ("seen", "cursor: id"),
        ("stored", "cursor: null"),
        ("stored", "cursor: id"),
    ] {
        let passing = Passing {
            server: &server,
            database: &database,
            table,
            rows: LONG_ROWS,
        };
        passing.pass(option).await?;
    }
    database.execute("DROP TABLE stored").await
}

async fn fill(database: &ClickHouseDatabase) -> Result<()> {
    database.execute(TABLE).await?;
    let insert = format!(
        "INSERT INTO visits SELECT number, concat('customer-', toString(number % 3000000)), concat('/catalog/item-', toString(cityHash64(number) % 100000)),
         ['free', 'plus', 'gold'][number % 3 + 1], if(number % 5 = 0, NULL, concat('https://example.com/', toString(number % 1000))),
         (number % 1000000) / 100, toDate(number % 20000), toDateTime64('2020-01-01 00:00:00', 3, 'UTC') + number / 50
         FROM numbers({ROWS})"
    );
    database.execute(&insert).await
}

/// A table that is synced as a whole.
struct Passing<'a> {
    server: &'a ClickHouseServer,
    database: &'a ClickHouseDatabase,
    table: &'a str,
    rows: u64,
}

impl Passing<'_> {
    /// Syncs it to `discard`, and fails when a process took more than it may.
    async fn pass(&self, source_option: &str) -> Result<Report> {
        let Self {
            server,
            database,
            table,
            rows,
        } = self;
        let mut longshore = Longshore::new()?;
        longshore.set_variable("CLICKHOUSE_PASSWORD", server.password());
        longshore.set_patience(PATIENCE);
        longshore.write(
        "longshore.yml",
        &format!(
            "kind: source\nspec:\n  name: visits\n  path: clickhouse\n  tables: [{table}]\n  destinations: [nowhere]\n  spec:\n    host: {}\n    port: {}\n    \
             database: {}\n    username: {}\n    password: ${{CLICKHOUSE_PASSWORD}}\n    {source_option}\n\
             ---\nkind: destination\nspec:\n  name: nowhere\n  path: discard\n",
            server.host(),
            server.port(),
            database.name(),
            server.user()
        ),
    )?;
        let started = Instant::now();
        let running = longshore.start(["sync", "--json"])?;
        let pid = running.pid();
        let finishing = running.finish();
        tokio::pin!(finishing);
        let mut peaks = BTreeMap::new();
        let finished = loop {
            look(pid, &mut peaks);
            if let Ok(finished) = tokio::time::timeout(PAUSE, &mut finishing).await {
                break finished?;
            }
        };
        let report = Report::of(&finished.succeeded()?)?;
        assert_eq!(report.only_table().delivered, *rows, "{report:?}");
        say(
            &format!("{rows} rows of {table}, {source_option},"),
            started.elapsed(),
            &peaks,
        );
        let programs: Vec<&str> = peaks.keys().map(String::as_str).collect();
        assert_eq!(
            programs,
            [
                "longshore",
                "longshore-destination-discard",
                "longshore-source-clickhouse"
            ]
        );
        for (program, peak) in peaks {
            assert!(
                peak < BOUND,
                "{program} took {} MiB of memory for {table}, {source_option}",
                mebibytes(peak)
            );
        }
        Ok(report)
    }
}

fn look(pid: i32, peaks: &mut BTreeMap<String, u64>) {
    for process in Process::look_up(pid).into_iter().chain(processes::children(pid)) {
        let Some(peak) = process.peak_memory() else { continue };
        // A child that is just becoming a program has no command line for a moment, and before that its parent's.
        if process.program().is_empty() {
            continue;
        }
        let most = peaks.entry(process.program().to_owned()).or_default();
        *most = peak.max(*most);
    }
}

/// Past the test harness, which keeps to itself what a test that passes prints.
fn say(what: &str, took: Duration, peaks: &BTreeMap<String, u64>) {
    let mut line = format!(
        "{what} from ClickHouse to discard in {:.1} s; peak memory:",
        took.as_secs_f64()
    );
    for (program, peak) in peaks {
        line.push_str(&format!(" {program} {} MiB", mebibytes(*peak)));
    }
    writeln!(std::io::stderr(), "{line}").expect("standard error can be written to");
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}
