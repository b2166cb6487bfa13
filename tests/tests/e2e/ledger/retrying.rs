//! The next run tries again what was refused.

use longshore_tests::Result;
use serde_json::{Value, json};

use super::scene::{Ledger, number, retried, text};

#[tokio::test]
async fn a_refused_row_is_delivered_by_the_next_run_with_the_values_that_it_had() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, name", "'ada', 'Ada'").await?;
    ledger.refuse_once().await?;
    let first = ledger.sync().await?;
    assert_eq!(
        (number(&first["tables"][0], "rejected"), number(&first, "rejects")),
        (1, 1),
        "{first}"
    );
    assert_eq!(first["retries"], json!([]));
    ledger.sandbox.clear_faults().await?;
    let second = ledger.sync().await?;
    assert_eq!(
        (retried(&second), number(&second["tables"][0], "read")),
        ((1, 1, 0), 0),
        "{second}"
    );
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("Ada"));
    let reject = &ledger.rejects().await?[0];
    assert_eq!(
        (text(reject, "status"), text(reject, "resolved_run")),
        ("redelivered".to_owned(), text(&second, "run_id"))
    );
    let third = ledger.sync().await?;
    assert_eq!(third["retries"], json!([]), "what is delivered is not sent again");
    let shown = ledger
        .run(&["runs", "show", &text(&second, "run_id")])
        .await?
        .succeeded()?;
    assert!(shown.stdout.contains("sent again to batch: 1, delivered 1"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_row_stays_until_the_mapping_is_mended_and_is_then_delivered() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, alias, name", "NULL, 'a-1', 'Ada'").await?;
    ledger.sync().await?;
    for _ in 1..=2 {
        let report = ledger.sync().await?;
        assert_eq!(report["retries"], json!([]), "it has no id, however often it is sent");
        assert!(
            report["warnings"].to_string().contains("no usable id from column ref"),
            "{report}"
        );
        let reject = &ledger.rejects().await?[0];
        assert_eq!(text(reject, "status"), "pending");
        assert_eq!(
            (text(reject, "rule"), text(reject, "column")),
            ("custom_id_missing".to_owned(), "ref".to_owned())
        );
    }
    ledger.configure(
        &[],
        &[
            "custom_id: alias",
            "mapping: { id: { ignore: true }, ref: { ignore: true } }",
        ],
    )?;
    assert_eq!(retried(&ledger.sync().await?), (1, 1, 0));
    assert_eq!(ledger.name_of("a-1").await?.as_deref(), Some("Ada"));
    Ok(())
}

#[tokio::test]
async fn a_row_is_sent_as_it_was_also_when_the_table_has_other_columns_now() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, name", "'ada', 'Ada'").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    ledger
        .database
        .execute("ALTER TABLE people DROP COLUMN url__home; ALTER TABLE people ADD COLUMN age int")
        .await?;
    ledger.insert(2, "ref, name, age", "'bob', 'Bob', 7").await?;
    let report = ledger.sync().await?;
    assert_eq!(
        (retried(&report), number(&report["tables"][0], "delivered")),
        ((1, 1, 0), 1),
        "{report}"
    );
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("Ada"));
    Ok(())
}

#[tokio::test]
async fn columns_that_a_destination_refuses_now_keep_no_good_row_waiting() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, name", "'ada', 'Ada'").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    ledger
        .database
        .execute("ALTER TABLE people RENAME COLUMN ref TO handle")
        .await?;
    ledger.configure(&[], &["custom_id: handle"])?;
    ledger.insert(2, "handle, name", "'bob', 'Bob'").await?;
    ledger.refuse_once().await?;
    let warnings = ledger.sync().await?["warnings"].to_string();
    assert!(
        warnings.contains("stay in the ledger") && warnings.contains("handle"),
        "{warnings}"
    );
    ledger.sandbox.clear_faults().await?;
    ledger.insert(3, "handle, name", "'eve', 'Eve'").await?;
    let report = ledger.sync().await?;
    assert_eq!(
        (number(&report["tables"][0], "delivered"), &report["status"]),
        (1, &json!("completed")),
        "{report}"
    );
    assert_eq!(
        retried(&report),
        (1, 1, 0),
        "a row with the columns of today does not wait for one with those of yesterday"
    );
    assert_eq!(ledger.statuses().await?, ["pending", "redelivered"]);
    Ok(())
}

#[tokio::test]
async fn rejects_that_are_all_refused_again_keep_no_row_of_the_source_waiting() -> Result<()> {
    /// More rows than may be refused alone one after another before the table is given up.
    const MANY: i64 = 120;
    let ledger = Ledger::of_profiles().await?;
    let many = MANY.unsigned_abs();
    for id in 1..=MANY {
        let values = format!("'person-{id}', 'Ada'");
        ledger.insert(id, "ref, name", &values).await?;
    }
    let all = json!([{ "kind": "partial_errors", "operations": MANY }]);
    ledger.sandbox.set_faults(all).await?;
    assert_eq!(number(&ledger.sync().await?, "rejects"), many);
    let alone = json!([{ "kind": "status", "status": 400 }]);
    ledger.sandbox.set_faults(alone).await?;
    ledger.insert(MANY + 1, "ref, name", "'bob', 'Bob'").await?;
    let report = ledger.sync().await?;
    let table = &report["tables"][0];
    assert_eq!(
        (retried(&report), number(table, "read"), number(table, "rejected")),
        ((many, 0, many), 1, 1),
        "{report}"
    );
    assert_eq!(report["status"], "completed_with_rejects", "{report}");
    Ok(())
}

#[tokio::test]
async fn refused_events_are_tried_again_in_their_order() -> Result<()> {
    let ledger = Ledger::of_events().await?;
    for id in 1..=20 {
        ledger
            .insert(id, "ref, alias, name", &format!("NULL, 'ada', 'number {id}'"))
            .await?;
    }
    ledger.sync().await?;
    ledger.configure(
        &[],
        &[
            "custom_id: alias",
            "mapping: { id: { ignore: true }, ref: { ignore: true } }",
        ],
    )?;
    let report = ledger.sync().await?;
    assert_eq!(
        (retried(&report), number(&report, "uncertain")),
        ((20, 20, 0), 0),
        "{report}"
    );
    let names: Vec<Value> = ledger
        .sandbox
        .events()
        .await?
        .into_iter()
        .map(|event| event.attributes["name"].clone())
        .collect();
    let expected: Vec<Value> = (1..=20).map(|id| json!(format!("number {id}"))).collect();
    assert_eq!(names, expected);
    Ok(())
}

#[tokio::test]
async fn nothing_is_tried_again_by_itself_where_the_user_does_not_want_it() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.configure(&["rejects: { retry: never }"], &[])?;
    ledger.insert(1, "ref, name", "'ada', 'Ada'").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    assert_eq!(ledger.sync().await?["retries"], json!([]));
    assert_eq!(ledger.statuses().await?, ["pending"]);
    let replayed = ledger
        .longshore
        .json(["rejects", "replay", "--config", "longshore.yml"])
        .await?;
    assert_eq!(retried(&replayed), (1, 1, 0));
    Ok(())
}

#[tokio::test]
async fn values_that_are_to_be_omitted_are_nowhere_in_the_state() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, name", "'ada', 'a-very-private-name'").await?;
    let in_state = || {
        let folder = ledger.longshore.state_file();
        let files = std::fs::read_dir(folder.parent().unwrap()).unwrap();
        let contents = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let needle = b"a-very-private-name";
        contents
            .into_iter()
            .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    ledger.configure(&["rejects: { values: omit }"], &[])?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    assert!(!in_state());
    let reject = &ledger.rejects().await?[0];
    assert_eq!(
        (&reject["row_kept"], text(reject, "primary_key")),
        (&json!(false), "id = 1".to_owned())
    );
    assert_eq!(ledger.sync().await?["retries"], json!([]), "there is nothing to send");
    let refused = ledger.run(&["rejects", "replay"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("without its row"), "{refused}");

    // The same row is found where values are kept: the search above can fail.
    ledger.configure(&[], &[])?;
    ledger.update("name = name", "id = 1").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    assert!(in_state());
    Ok(())
}

#[tokio::test]
async fn of_a_hundred_thousand_rows_with_all_kinds_of_bad_values_each_is_accounted_for_and_delivered_when_mended()
-> Result<()> {
    const ROWS: u64 = 100_000;
    let ledger = Ledger::of_profiles().await?;
    // Each fifth row has no custom id, one that is blank, or one that is too long; each tenth has a column that can not be sent.
    ledger
        .database
        .execute(
            "INSERT INTO people (id, ref, alias, name, url__home)
             SELECT n, CASE n % 15 WHEN 0 THEN NULL WHEN 5 THEN ' ' WHEN 10 THEN repeat('x', 2000) ELSE 'p-' || n END, 'a-' || n,
                 CASE n % 10 WHEN 1 THEN '' WHEN 2 THEN repeat('y', 301) ELSE 'name ' || n END, CASE n % 10 WHEN 3 THEN 'no url' ELSE 'https://example.com/' || n END
             FROM generate_series(1, 100000) AS n",
        )
        .await?;
    let report = ledger.sync().await?;
    let table = &report["tables"][0];
    assert_eq!(
        (number(table, "read"), number(table, "rejected")),
        (ROWS, ROWS / 5),
        "{report}"
    );
    assert_eq!(number(table, "delivered") + number(table, "rejected"), ROWS);
    let rejects = ledger.rejects().await?;
    assert_eq!(rejects.len() as u64, number(&report, "rejects"));
    for reject in &rejects {
        assert!(
            !text(reject, "rule").is_empty() && !text(reject, "column").is_empty(),
            "{reject}"
        );
        assert_eq!(reject["row_kept"], true);
    }
    ledger.configure(&[], &["custom_id: alias", "mapping: { id: { ignore: true }, ref: { ignore: true }, name: { ignore: true }, url__home: { ignore: true } }"])?;
    let replayed = ledger.longshore.json(["rejects", "replay"]).await?;
    let (sent, redelivered, rejected) = retried(&replayed);
    assert_eq!((sent, rejected), (redelivered, 0), "{replayed}");
    assert!(ledger.statuses().await?.iter().all(|status| status == "redelivered"));
    let profiles = ledger.sandbox.counts().await?.profiles as u64;
    // Rows that had lost a column were delivered under their old ids before, and go under the new ones now.
    assert_eq!(profiles, ROWS - ROWS / 5 + redelivered);
    Ok(())
}
