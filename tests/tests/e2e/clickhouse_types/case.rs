//! One type with some of its values, in a table of its own.

use std::collections::BTreeSet;

use longshore_tests::{Result, shop::Target};
use serde_json::Value;

use super::outcome::Outcome;
use crate::clickhouse_scene::{ClickHouseScene, ClickHouseSync, text_of};

/// Attributes of every row; the second is one of profiles only.
const ALWAYS: [&str; 2] = ["kept", "event_name"];

/// What becomes of the engine's text of a value.
type Mapping = fn(&str, Target) -> Outcome;

/// A type, values of it, and what becomes of them.
#[derive(Clone, Debug)]
pub(super) struct Case {
    of: String,
    /// The same type with NULL, where it has one that is another type.
    nullable: Option<String>,
    /// Expressions.
    values: Vec<String>,
    /// How the engine is asked for its own text of the value `@`.
    shown: String,
    mapping: Mapping,
    /// The values are times: a column named for it gives `date(…)`.
    is_time: bool,
}

impl Case {
    /// A type, with values that the engine shows with `toString`.
    pub(super) fn new(of: &str, mapping: Mapping, values: &[&str]) -> Self {
        Self {
            of: of.to_owned(),
            nullable: Some(format!("Nullable({of})")),
            values: values.iter().map(ToString::to_string).collect(),
            shown: "toString(@)".to_owned(),
            mapping,
            is_time: false,
        }
    }

    /// The same for a type that can not be inside of `Nullable`.
    pub(super) fn never_null(mut self) -> Self {
        self.nullable = None;
        self
    }

    /// The same for a type whose form with NULL is another one than `Nullable(T)`.
    pub(super) fn with_nullable(mut self, of: &str) -> Self {
        self.nullable = Some(of.to_owned());
        self
    }

    /// The same with another question for the engine's text.
    pub(super) fn shown(mut self, expression: &str) -> Self {
        self.shown = expression.to_owned();
        self
    }

    /// The same for times, which the engine is asked for in UTC.
    pub(super) fn time(mut self) -> Self {
        self.is_time = true;
        self
    }

    /// Columns: name, type, and key at Batch.
    fn columns(&self) -> Vec<(&'static str, &str, &'static str)> {
        let nullable = self.nullable.as_deref();
        let mut columns = vec![("value", self.of.as_str(), "value")];
        columns.extend(nullable.map(|of| ("maybe", of, "maybe")));
        if self.is_time {
            columns.push(("date__at", nullable.unwrap_or(&self.of), "date(at)"));
        }
        columns
    }

    /// Rows: the value of `value`, and that of every other column.
    fn rows(&self) -> Vec<(&str, &str)> {
        let mut rows: Vec<_> = self
            .values
            .iter()
            .map(|value| (value.as_str(), value.as_str()))
            .collect();
        if self.nullable.is_some() {
            rows.push((&self.values[0], "NULL"));
        }
        rows
    }

    async fn create(&self, scene: &ClickHouseScene, table: &str) -> Result<()> {
        let columns = self.columns();
        let definitions: String = columns.iter().map(|(name, of, _)| format!(", {name} {of}")).collect();
        let create = format!(
            "CREATE TABLE {table} (custom_id String, event_name String, kept UInt8{definitions}) ENGINE = MergeTree ORDER BY custom_id"
        );
        scene.database.execute(&create).await?;
        for (number, (value, others)) in self.rows().into_iter().enumerate() {
            let values = vec![others; columns.len() - 1];
            let values: String = [&[value], values.as_slice()]
                .concat()
                .iter()
                .map(|value| format!(", {value}"))
                .collect();
            let insert = format!("INSERT INTO {table} SELECT '{table}-{number}', 'seen', 1{values}");
            scene.database.execute(&insert).await?;
        }
        Ok(())
    }

    /// What should become of each column of each row: custom id, column, key at Batch, the engine's text, outcome.
    async fn expected(&self, scene: &ClickHouseScene, table: &str, target: Target) -> Result<Vec<Expected>> {
        let columns = self.columns();
        let shown: String = columns
            .iter()
            .map(|(name, ..)| format!(", {} AS shown_{name}", self.shown.replace('@', name)))
            .collect();
        let query = format!(
            "SELECT custom_id{shown} FROM {table} ORDER BY custom_id
             SETTINGS output_format_json_quote_64bit_integers = 0, output_format_json_quote_denormals = 1"
        );
        let mut expected = Vec::new();
        for row in scene.database.rows(&query).await? {
            for (column, of, key) in &columns {
                let shown = &row[&format!("shown_{column}")];
                expected.push(Expected {
                    what: format!("{of} {shown}"),
                    custom_id: text_of(&row, "custom_id")?.to_owned(),
                    column: (*column).to_owned(),
                    key: (*key).to_owned(),
                    outcome: match shown {
                        Value::Null => Outcome::LeftOut,
                        shown => (self.mapping)(shown.as_str().unwrap(), target),
                    },
                });
            }
        }
        assert_eq!(expected.len(), self.rows().len() * columns.len(), "{}", self.of);
        Ok(expected)
    }
}

/// One cell.
#[derive(Debug)]
struct Expected {
    /// The type and the engine's text.
    what: String,
    custom_id: String,
    column: String,
    key: String,
    outcome: Outcome,
}

/// Syncs a table of each case to each target, and compares every cell.
pub(super) async fn arrive(cases: &[Case], targets: &[Target]) -> Result<()> {
    arrive_with(cases, targets, |sync| sync).await
}

/// The same with a changed configuration.
pub(super) async fn arrive_with(
    cases: &[Case],
    targets: &[Target],
    configured: impl Fn(ClickHouseSync) -> ClickHouseSync,
) -> Result<()> {
    let scene = ClickHouseScene::open("").await?;
    let named: Vec<(String, &Case)> = (1..).map(|number: usize| format!("t{number}")).zip(cases).collect();
    for (table, case) in &named {
        case.create(&scene, table).await?;
    }
    let tables: Vec<&str> = named.iter().map(|(table, _)| table.as_str()).collect();
    let tables = format!("[{}]", tables.join(", "));
    for target in targets {
        let report = scene
            .sync_well(&configured(ClickHouseSync::of(&tables, *target)))
            .await?;
        let rows: usize = cases.iter().map(|case| case.rows().len()).sum();
        let delivered: u64 = report.tables.iter().map(|table| table.delivered).sum();
        assert_eq!(delivered, rows as u64, "{report:?}");
        let mut expected = Vec::new();
        for (table, case) in &named {
            expected.extend(case.expected(&scene, table, *target).await?);
        }
        compare(&scene, *target, &expected).await?;
        scene.assert_no_violations().await?;
    }
    Ok(())
}

async fn compare(scene: &ClickHouseScene, target: Target, expected: &[Expected]) -> Result<()> {
    let received = scene.received(target).await?;
    let mut wrong = Vec::new();
    let mut refused = BTreeSet::new();
    for cell in expected {
        let row = received.get(&cell.custom_id);
        let found = row.and_then(|row| row.get(&cell.key));
        if row.is_none_or(|row| row.get("kept") != Some(&Value::from(1))) || !cell.outcome.is(found) {
            let (what, key, custom_id) = (&cell.what, &cell.key, &cell.custom_id);
            wrong.push(format!(
                "{what}: {:?} expected, {found:?} found under {key} of {custom_id}",
                cell.outcome
            ));
        }
        if let Outcome::Refused(rule) = cell.outcome {
            refused.insert((cell.custom_id.clone(), cell.column.clone(), rule.to_owned()));
        }
    }
    let known: BTreeSet<(&str, &str)> = expected
        .iter()
        .map(|cell| (cell.custom_id.as_str(), cell.key.as_str()))
        .collect();
    for (custom_id, attributes) in &received {
        for key in attributes.keys().filter(|key| !ALWAYS.contains(&key.as_str())) {
            if !known.contains(&(custom_id.as_str(), key.as_str())) {
                wrong.push(format!("{custom_id} has an attribute {key}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{target:?}:\n{}", wrong.join("\n"));
    assert_eq!(ledger(scene, target).await?, refused, "{target:?}");
    Ok(())
}

/// The rejects of a target's sync: custom id, column, rule. All are of columns, not of rows.
async fn ledger(scene: &ClickHouseScene, target: Target) -> Result<BTreeSet<(String, String, String)>> {
    let arguments = ["rejects", "list", "--limit", "1000", "--sync", target.table()];
    let rejects = scene.longshore.json(arguments).await?;
    let text = |reject: &Value, field: &str| reject[field].as_str().unwrap().to_owned();
    let mut found = BTreeSet::new();
    for reject in rejects.as_array().unwrap() {
        assert_eq!(reject["whole_row"], false, "{reject}");
        found.insert((text(reject, "key"), text(reject, "column"), text(reject, "rule")));
    }
    Ok(found)
}
