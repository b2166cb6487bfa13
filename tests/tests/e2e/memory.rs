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
    let incremental = passes(&server, &database, "cursor: at").await?;
    assert!(incremental.tables[0].cursor.is_some(), "{incremental:?}");
    let whole = passes(&server, &database, "parallel_reads: 4").await?;
    assert!(whole.tables[0].cursor.is_none(), "{whole:?}");
    // A real server would keep it.
    database.execute("DROP TABLE visits").await
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

/// Syncs the whole table to `discard`, and fails when a process took more than it may.
async fn passes(server: &ClickHouseServer, database: &ClickHouseDatabase, source_option: &str) -> Result<Report> {
    let mut longshore = Longshore::new()?;
    longshore.set_variable("CLICKHOUSE_PASSWORD", server.password());
    longshore.set_patience(PATIENCE);
    longshore.write(
        "longshore.yml",
        &format!(
            "kind: source\nspec:\n  name: visits\n  path: clickhouse\n  tables: [visits]\n  destinations: [nowhere]\n  spec:\n    host: {}\n    port: {}\n    \
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
    assert_eq!(report.only_table().delivered, ROWS, "{report:?}");
    say(source_option, started.elapsed(), &peaks);
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
        assert!(peak < BOUND, "{program} took {} MiB of memory", mebibytes(peak));
    }
    Ok(report)
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
fn say(source_option: &str, took: Duration, peaks: &BTreeMap<String, u64>) {
    let mut line = format!(
        "{ROWS} rows of ClickHouse to discard ({source_option}) in {:.1} s; peak memory:",
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
