//! docs/first-syncs.md leads from a table to Batch: its statements, configurations and commands are run as they stand there.

use longshore_tests::{
    ClickHouseDatabase, ClickHouseServer, Database, Longshore, Origin, PATIENCE, PROJECT_KEY, PostgresCluster,
    REST_API_KEY, Result, SandboxOptions, SandboxProcess, eventually, oracle::Oracle,
};

use crate::pages::{Block, blocks};

const PAGE: &str = "docs/first-syncs.md";

/// The user that the page makes in PostgreSQL.
const READER: (&str, &str) = ("longshore_reader", "change-me");

/// A database that the page's statements are run in.
enum Shop<'a> {
    PostgreSql(&'a Database),
    ClickHouse(&'a ClickHouseDatabase),
}

/// What the page's tables should become, with the names that Batch gets by convention.
struct Expected {
    profiles: &'static str,
    events: &'static str,
}

const IN_POSTGRESQL: Expected = Expected {
    profiles: "SELECT id AS row_id, id AS custom_id, email AS batch__email_address, plan, birthday AS date__birthday, interests, spent AS lifetime_value FROM customers",
    events: "SELECT id AS row_id, customer AS custom_id, what AS event_name, happened_at AS event_time, amount, page AS url__page, details FROM events
             WHERE happened_at > now() - interval '1 day'",
};

const IN_CLICKHOUSE: Expected = Expected {
    profiles: "SELECT custom_id AS row_id, * FROM batch_profiles",
    events: "SELECT id AS row_id, * EXCEPT (id) FROM events WHERE event_time > now64(6) - INTERVAL 1 DAY",
};

impl Shop<'_> {
    /// The word by which the page's blocks tell whose they are.
    fn name(&self) -> &'static str {
        match self {
            Self::PostgreSql(_) => "PostgreSQL",
            Self::ClickHouse(_) => "ClickHouse",
        }
    }

    fn other(&self) -> &'static str {
        match self {
            Self::PostgreSql(_) => "ClickHouse",
            Self::ClickHouse(_) => "PostgreSQL",
        }
    }

    fn origin(&self) -> Origin<'_> {
        match self {
            Self::PostgreSql(database) => (*database).into(),
            Self::ClickHouse(database) => (*database).into(),
        }
    }

    fn expected(&self) -> Expected {
        match self {
            Self::PostgreSql(_) => IN_POSTGRESQL,
            Self::ClickHouse(_) => IN_CLICKHOUSE,
        }
    }

    /// Who logs in: the engine without a server has no users to make.
    fn user(&self) -> (&str, &str) {
        match self {
            Self::PostgreSql(_) => READER,
            Self::ClickHouse(database) => (database.user(), database.password()),
        }
    }

    async fn execute(&self, block: &Block) -> Result<()> {
        match self {
            Self::PostgreSql(database) => database.execute(&block.text()).await,
            Self::ClickHouse(database) if block.heading.starts_with("A user") => {
                // Read by the real parser, at least.
                for statement in block.text().split(";\n") {
                    let statement = statement.trim_end_matches(';');
                    database.execute(&format!("EXPLAIN AST {statement}")).await?;
                }
                Ok(())
            }
            Self::ClickHouse(database) => database.execute(&block.text()).await,
        }
    }

    /// Waits until a run reads everything that was written.
    async fn settled(&self) -> Result<()> {
        let Self::ClickHouse(database) = self else {
            return Ok(());
        };
        let newest = "SELECT dateDiff('millisecond', greatest((SELECT max(updated_at) FROM customers), (SELECT max(last_updated_at) FROM events)), now64(6))";
        eventually("the newest row is older than `settle`", PATIENCE, async || {
            let age = database.count(newest).await.ok()?;
            (age > 5_000).then_some(())
        })
        .await
    }
}

/// Plays the page for one database, from its first block to its last.
async fn play(shop: &Shop<'_>) -> Result<()> {
    let sandbox = SandboxProcess::start(SandboxOptions {
        rate_limited: true,
        strict: true,
    })
    .await?;
    let mut longshore = Longshore::new()?;
    let origin = shop.origin();
    let (user, password) = shop.user();
    for (name, value) in [
        ("SHOP_HOST", origin.host()),
        ("SHOP_PORT", &origin.port().to_string()),
        ("SHOP_DATABASE", origin.name()),
        ("SHOP_USER", user),
        ("SHOP_PASSWORD", password),
        ("BATCH_PROJECT_KEY", PROJECT_KEY),
        ("BATCH_REST_API_KEY", REST_API_KEY),
    ] {
        longshore.set_variable(name, value);
    }
    let mut syncs = Vec::new();
    for block in blocks(PAGE) {
        match block.language.as_str() {
            _ if block.is_about(shop.other()) => {}
            "sql" => shop.execute(&block).await?,
            "yaml" => longshore.write("longshore.yml", &to_sandbox(&block, &sandbox))?,
            "sh" => {
                for line in &block.lines {
                    let arguments = line.strip_prefix("longshore ").expect("commands are Longshore's");
                    if arguments == "sync longshore.yml" {
                        shop.settled().await?;
                    }
                    let finished = longshore.run(arguments.split(' ')).await?.succeeded()?;
                    if arguments == "sync longshore.yml" {
                        assert_equal(shop, &sandbox).await?;
                        syncs.push(finished.stdout);
                    }
                }
            }
            language => assert!(
                ["bash", "text"].contains(&language),
                "nothing runs {language} of {PAGE}"
            ),
        }
    }
    assert_eq!(syncs.len(), 2, "the page syncs everything, and then what has changed");
    // Delivered, rejected, filtered.
    let profiles = if shop.name() == "ClickHouse" {
        "batch_profiles"
    } else {
        "customers"
    };
    assert_eq!(counts(&syncs[0], profiles), ["2", "0", "0"], "{}", syncs[0]);
    assert_eq!(counts(&syncs[0], "events"), ["2", "0", "1"], "{}", syncs[0]);
    assert_eq!(counts(&syncs[1], profiles), ["1", "0", "0"], "{}", syncs[1]);
    assert_eq!(counts(&syncs[1], "events"), ["1", "0", "0"], "{}", syncs[1]);
    Ok(())
}

/// The configuration, with the sandbox in place of Batch.
fn to_sandbox(block: &Block, sandbox: &SandboxProcess) -> String {
    const KEY: &str = "rest_api_key: ${BATCH_REST_API_KEY}";
    let text = block.text();
    assert_eq!(text.matches(KEY).count(), 2, "{text}");
    text.replace(KEY, &format!("{KEY}\n    base_url: {}", sandbox.base_url()))
}

async fn assert_equal(shop: &Shop<'_>, sandbox: &SandboxProcess) -> Result<()> {
    let oracle = Oracle::new(shop.origin(), sandbox);
    let Expected { profiles, events } = shop.expected();
    let comparison = oracle.compare_profiles(profiles).await?;
    assert!(comparison.is_exact() && comparison.expected > 0, "{comparison}");
    let comparison = oracle.compare_events(events, &[]).await?;
    assert!(comparison.is_exact() && comparison.expected > 0, "{comparison}");
    let violations = sandbox.violations().await?;
    assert_eq!(violations["count"], 0, "{violations}");
    Ok(())
}

/// What a sync printed for a table: delivered, rejected, filtered.
fn counts<'a>(printed: &'a str, table: &str) -> Vec<&'a str> {
    let mut rows = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.first() == Some(&table));
    row.expect("the table is listed")[2..5].to_vec()
}

#[tokio::test]
async fn the_page_about_first_syncs_works_on_postgresql_as_it_stands_there() -> Result<()> {
    // Roles belong to the whole cluster.
    let cluster = PostgresCluster::start().await?;
    let database = cluster.create_database_named("shop").await?;
    play(&Shop::PostgreSql(&database)).await
}

#[tokio::test]
async fn the_page_about_first_syncs_works_on_clickhouse_as_it_stands_there() -> Result<()> {
    let database = ClickHouseServer::shared().await?.create_database().await?;
    play(&Shop::ClickHouse(&database)).await
}

#[test]
fn the_page_about_first_syncs_has_the_same_parts_for_both_databases() {
    let of = |engine: &str, language: &str| {
        let blocks = blocks(PAGE).into_iter();
        blocks
            .filter(|block| block.language == language && block.is_about(engine))
            .count()
    };
    for engine in ["ClickHouse", "PostgreSQL"] {
        assert_eq!(of(engine, "yaml"), 1, "{engine}");
        assert!(of(engine, "sql") >= 6, "{engine}");
    }
}
