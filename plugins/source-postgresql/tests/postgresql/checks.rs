//! The connection test, TLS, and what goes wrong before a row is read.

use longshore_sdk::{harness::SourceHarness, prelude::*, protocol::v1};
use longshore_source_postgresql::PostgreSql;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::{Cluster, PASSWORD, USER, certificates, database};

async fn checked(spec: Value, tables: &[&str]) -> Vec<(String, v1::check::Outcome, String, String)> {
    let source = SourceHarness::configure::<PostgreSql>(spec).await.unwrap();
    let checks = source.test_connection(tables).await.unwrap();
    checks
        .into_iter()
        .map(|check| (check.name.clone(), check.outcome(), check.message, check.remedy))
        .collect()
}

async fn refusal(spec: Value) -> Error {
    let source = SourceHarness::configure::<PostgreSql>(spec).await.unwrap();
    source.list_tables(&[]).await.unwrap_err()
}

#[tokio::test]
async fn a_connection_test_says_what_was_tried_and_what_to_do() {
    use v1::check::Outcome::{Failed, Passed};
    let database = database(
        "CREATE TABLE good (id int PRIMARY KEY, at timestamptz NOT NULL); CREATE INDEX ON good (at); \
         CREATE TABLE nulls (id int, at timestamptz); INSERT INTO nulls VALUES (1, NULL); CREATE TABLE other (id int)",
    )
    .await;
    let checks = checked(
        database.spec(json!({"cursor": "at", "table_options": {"goood": {"cursor": null}}})),
        &["good", "nulls", "other", "missing"],
    )
    .await;
    let found = |name: &str| {
        checks
            .iter()
            .find(|check| check.0 == name)
            .unwrap_or_else(|| panic!("{name} in {checks:?}"))
    };
    for name in [
        "find the host",
        "connect",
        "encrypt",
        "log in",
        "server version",
        "role of the server",
        "see open transactions",
        "read table good",
        "cursor of table good",
    ] {
        assert_eq!(found(name).1, Passed, "{:?}", found(name));
    }
    assert_eq!(found("cursor of table nulls").1, Failed);
    assert!(
        found("cursor of table nulls").2.contains("has 1 row without a value")
            && found("cursor of table nulls").3.contains("null_cursor")
    );
    assert_eq!(found("cursor of table other").1, Failed);
    assert_eq!(found("read table missing").1, Failed);
    assert!(
        found("options of table goood").3.contains("`good`"),
        "a misspelt name in the options is found"
    );
}

#[tokio::test]
async fn a_user_who_sees_little_is_warned() {
    use v1::check::Outcome::{Failed, Warning};
    let database = database("CREATE TABLE closed (id int)").await;
    let role = format!("limited_{}", database.name);
    database
        .execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"))
        .await;
    let checks = checked(
        database.spec(json!({"username": role, "password": "x", "sslmode": "prefer"})),
        &["closed"],
    )
    .await;
    let outcome = |name: &str| checks.iter().find(|check| check.0 == name).unwrap().1;
    assert_eq!(
        (outcome("see open transactions"), outcome("read table closed")),
        (Warning, Failed)
    );
    database.execute(&format!("DROP ROLE {role}")).await;
}

#[tokio::test]
async fn wrong_credentials_and_addresses_have_their_own_errors() {
    let database = database("").await;
    let unused = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let cases = [
        (json!({"password": "canary"}), "authentication_failed", false),
        (json!({"username": "nobody"}), "authentication_failed", false),
        (json!({"database": "no_such_database"}), "database_missing", false),
        (json!({"host": "no-such-host.invalid"}), "host_unknown", false),
        (json!({"port": unused}), "connection_refused", true),
    ];
    for (change, code, retryable) in cases {
        let error = refusal(database.spec(change.clone())).await;
        assert_eq!(
            (error.code.as_str(), error.retryable),
            (code, retryable),
            "{change}: {error:?}"
        );
        assert!(
            !error.remedy.is_empty() && !format!("{error:?}").contains("canary"),
            "{error:?}"
        );
    }
    use v1::check::Outcome::{Failed, Passed, Skipped};
    for (mode, encrypt) in [("disable", Passed), ("prefer", Skipped)] {
        let spec = database.spec(json!({"password": "wrong", "sslmode": mode}));
        let checks = checked(spec, &["t"]).await;
        let outcomes: Vec<_> = checks.iter().map(|check| check.1).collect();
        assert_eq!(outcomes, [Passed, Passed, encrypt, Failed, Skipped], "{checks:?}");
        assert!(!checks[2].2.contains("as it should"), "nobody said so: {checks:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spec = json!({"host": "127.0.0.1", "port": silent.local_addr().unwrap().port(), "database": "d", "username": "u", "connect_timeout": "200ms"});
    let error = refusal(spec).await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("connection_timed_out", true),
        "{error:?}"
    );
}

#[tokio::test]
async fn each_sslmode_checks_what_it_says() {
    let database = database("").await;
    let authority = certificates().authority();
    let stranger = certificates().stranger();
    // The certificate names localhost, not 127.0.0.1.
    let cases = [
        ("disable", "127.0.0.1", None, true, Ok(())),
        ("prefer", "127.0.0.1", None, true, Ok(())),
        ("require", "127.0.0.1", None, true, Ok(())),
        ("require", "127.0.0.1", Some(&stranger), false, Err("tls_failed")),
        ("verify-ca", "127.0.0.1", Some(&authority), true, Ok(())),
        ("verify-ca", "127.0.0.1", Some(&stranger), false, Err("tls_failed")),
        ("verify-ca", "127.0.0.1", None, false, Err("tls_failed")),
        ("verify-full", "localhost", Some(&authority), true, Ok(())),
        ("verify-full", "127.0.0.1", Some(&authority), false, Err("tls_failed")),
        ("verify-full", "localhost", Some(&stranger), false, Err("tls_failed")),
    ];
    for (mode, host, root, connects, expected) in cases {
        let mut spec = database.spec(json!({"sslmode": mode, "host": host}));
        if let Some(root) = root {
            spec["ssl_root_certificate"] = json!(root);
        }
        let source = SourceHarness::configure::<PostgreSql>(spec.clone()).await.unwrap();
        let result = source.list_tables(&[]).await.map(drop);
        assert_eq!(
            result.as_ref().map_err(|error| error.code.as_str()).copied(),
            expected,
            "{mode} {host} {root:?}: {result:?}"
        );
        if connects {
            let encrypted = checked(spec, &[])
                .await
                .into_iter()
                .find(|check| check.0 == "encrypt")
                .unwrap();
            assert_eq!(
                encrypted.2.starts_with("TLS"),
                mode != "disable",
                "{mode}: {encrypted:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The eight bytes of an SSLRequest, and the server's "no".
        stream.read_exact(&mut [0; 8]).await.unwrap();
        stream.write_all(b"N").await.unwrap();
    });
    let error =
        refusal(json!({"host": "127.0.0.1", "port": port, "database": "d", "username": "u", "sslmode": "require"}))
            .await;
    serving.await.unwrap();
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("tls_failed", false),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_connection_string_a_socket_and_certificates_are_accepted_or_named() {
    let database = database("CREATE TABLE t (id int)").await;
    let cluster = Cluster::shared();
    let strings = [
        format!(
            "postgresql://{USER}:{PASSWORD}@127.0.0.1:{}/{}?sslmode=disable",
            cluster.port, database.name
        ),
        format!(
            "host={} port={} user={USER} password={PASSWORD} dbname={}",
            cluster.socket_directory, cluster.port, database.name
        ),
    ];
    for text in strings {
        let source = SourceHarness::configure::<PostgreSql>(json!({"connection_string": text}))
            .await
            .unwrap();
        assert_eq!(source.list_tables(&[]).await.unwrap().len(), 1, "{text}");
    }
    let refused = async |spec: Value| {
        SourceHarness::configure::<PostgreSql>(spec)
            .await
            .err()
            .expect("the specification is refused")
    };
    let error = refused(json!({"connection_string": "postgresql://user:canary@[broken"})).await;
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("spec_invalid", "/connection_string")
    );
    assert!(!format!("{error:?}").contains("canary"));
    let error =
        refused(database.spec(json!({"sslmode": "verify-full", "ssl_root_certificate": "/does/not/exist"}))).await;
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("certificate_unreadable", "/ssl_root_certificate")
    );
}
