//! The support code itself: what tests rely on without looking.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use longshore_tests::{
    ClickHouseServer, PASSWORD, PATIENCE, PostgresCluster, Result, SandboxOptions, SandboxProcess, USER, eventually,
    processes,
    shop::{ClickHouseShop, Shop},
};
use tokio_postgres::NoTls;

/// Set for the process that a test starts to kill it.
const OWNER_VARIABLE: &str = "LONGSHORE_TEST_OWNS_A_CLUSTER";

#[tokio::test]
async fn a_cluster_asks_for_its_password_over_tcp() -> Result<()> {
    let cluster = PostgresCluster::shared().await?;
    let database = cluster.create_database().await?;
    let connect = async |password: &str| {
        let text = format!(
            "host=127.0.0.1 port={} user={USER} password={password} dbname={}",
            database.port(),
            database.name()
        );
        tokio_postgres::connect(&text, NoTls).await.map(drop)
    };
    assert!(connect(PASSWORD).await.is_ok());
    let refused = connect("wrong").await.unwrap_err();
    assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD));
    Ok(())
}

#[tokio::test]
async fn a_dropped_cluster_leaves_neither_process_nor_file() -> Result<()> {
    let cluster = PostgresCluster::start().await?;
    let folder = cluster.socket_folder().to_owned();
    assert!(!processes::at_work_in(&folder).is_empty());
    drop(cluster);
    eventually("its processes are gone", PATIENCE, async || {
        processes::at_work_in(&folder).is_empty().then_some(())
    })
    .await?;
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test]
async fn a_cluster_goes_with_an_owner_that_is_killed() -> Result<()> {
    if std::env::var_os(OWNER_VARIABLE).is_some() {
        let cluster = PostgresCluster::start().await?;
        println!("\nfolder {}", cluster.socket_folder().display());
        return std::future::pending().await;
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([
            "support::a_cluster_goes_with_an_owner_that_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env(OWNER_VARIABLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let folder = tokio::task::spawn_blocking(|| {
        lines
            .map_while(std::io::Result::ok)
            .find_map(|line| Some(std::path::PathBuf::from(line.strip_prefix("folder ")?)))
    });
    let folder = folder.await.unwrap().expect("the owner says where its cluster is");
    assert!(!processes::at_work_in(&folder).is_empty());
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("its processes and its files are gone", PATIENCE, async || {
        (processes::at_work_in(&folder).is_empty() && !folder.exists()).then_some(())
    })
    .await
}

#[tokio::test]
async fn two_shops_of_one_size_hold_the_same_rows() -> Result<()> {
    const CONTENT: &str = "SELECT hashtextextended(string_agg(row::text, '' ORDER BY row::text), 0) FROM (
        SELECT custom_id, batch__email_address, plan, country, lifetime_value, is_vip, interests, url__avatar, date__birthday FROM profiles
        UNION ALL
        SELECT custom_id, event_name, item, product_details, quantity, price > 20, price::text, url__item_url, NULL FROM events
    ) AS row";
    let cluster = PostgresCluster::shared().await?;
    let mut contents = Vec::new();
    for _ in 0..2 {
        let shop = Shop::open(cluster.create_database().await?, 200, 1_000).await?;
        contents.push(shop.database().count(CONTENT).await?);
    }
    assert_eq!(contents[0], contents[1]);
    Ok(())
}

#[tokio::test]
async fn two_shops_of_one_size_in_clickhouse_hold_the_same_rows() -> Result<()> {
    const CONTENT: &str = "SELECT groupBitXor(cityHash64(*)) FROM (
        SELECT * EXCEPT (date__last_purchase, last_updated_at) FROM profiles) SETTINGS final = 1";
    const EVENTS: &str =
        "SELECT groupBitXor(cityHash64(* EXCEPT (event_time, date__purchased_at, last_updated_at))) FROM events";
    let server = ClickHouseServer::shared().await?;
    let mut contents = Vec::new();
    for _ in 0..2 {
        let shop = ClickHouseShop::open(server.create_database().await?, 200, 1_000).await?;
        let database = shop.database();
        contents.push((database.value(CONTENT).await?, database.value(EVENTS).await?));
    }
    assert_eq!(contents[0], contents[1]);
    Ok(())
}

#[tokio::test]
async fn a_busy_shop_in_clickhouse_changes_what_it_says_it_changes() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let shop = ClickHouseShop::open(server.create_database().await?, 200, 1_000).await?;
    let changed = shop.change_profiles(25).await?;
    assert_eq!(shop.add_profiles(10).await?[0], "customer-201");
    assert_eq!(shop.add_events(100).await?[0], "1001");
    let database = shop.database();
    let gold = database
        .rows("SELECT id FROM customers FINAL WHERE plan = 'gold' AND updated_at > now64(6) - INTERVAL 1 MINUTE")
        .await?;
    let mut gold: Vec<&str> = gold.iter().filter_map(|row| row["id"].as_str()).collect();
    let mut changed: Vec<&str> = changed.iter().map(String::as_str).collect();
    gold.sort_unstable();
    changed.sort_unstable();
    assert_eq!((gold.len(), gold), (25, changed));
    assert_eq!(database.count("SELECT count() FROM customers FINAL").await?, 210);
    assert_eq!(
        database
            .count("SELECT count() FROM customers FINAL WHERE plan = 'superseded'")
            .await?,
        0
    );
    assert_eq!(database.count("SELECT count() FROM events").await?, 1_100);
    let outside = "SELECT count() FROM events WHERE event_time > now64(6) OR event_time < now64(6) - INTERVAL 12 HOUR";
    assert_eq!(database.count(outside).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_busy_shop_changes_what_it_says_it_changes() -> Result<()> {
    let cluster = PostgresCluster::shared().await?;
    let shop = Shop::open(cluster.create_database().await?, 200, 1_000).await?;
    assert_eq!(shop.change_profiles(25).await?.len(), 25);
    assert_eq!(shop.add_profiles(10).await?[0], "customer-201");
    assert_eq!(shop.add_events(100).await?[0], "1001");
    let database = shop.database();
    assert_eq!(
        database
            .count(
                "SELECT count(*) FROM profiles WHERE last_updated_at > now() - interval '1 minute' AND plan = 'gold'"
            )
            .await?,
        25
    );
    assert_eq!(database.count("SELECT count(*) FROM profiles").await?, 210);
    assert_eq!(database.count("SELECT count(*) FROM events").await?, 1_100);
    let outside = "SELECT count(*) FROM events WHERE event_time > now() OR event_time < now() - interval '12 hours'";
    assert_eq!(database.count(outside).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_sandbox_is_empty_at_first_and_refuses_unknown_faults() -> Result<()> {
    let sandbox = SandboxProcess::start(SandboxOptions::default()).await?;
    assert_eq!(sandbox.counts().await?.requests, 0);
    assert!(sandbox.events().await?.is_empty());
    assert!(
        sandbox
            .set_faults(serde_json::json!([{"kind": "explode"}]))
            .await
            .is_err()
    );
    sandbox
        .set_faults(serde_json::json!([{"kind": "cut_after", "next": 1}]))
        .await?;
    assert!(
        sandbox.clear_faults().await.is_err(),
        "a fault that never fired is a failure"
    );
    Ok(())
}
