//! The table, a sandbox, Longshore between them, and what is asked of each.

use std::collections::{BTreeMap, BTreeSet};

use longshore_tests::{
    Context, Database, Longshore, PATIENCE, PostgresCluster, Result, SandboxOptions, SandboxProcess,
    shop::{Configuration, Target},
};
use serde_json::{Map, Value};

use super::{
    case::{Case, Expected, Kind, SECRET, Table, custom_id},
    events, profiles,
};
use crate::{dry_run::dry_run, report::Report};

/// Entries of the ledger that one page holds.
const PAGE: usize = 5_000;

pub(super) struct Stage {
    pub(super) table: Table,
    pub(super) sandbox: SandboxProcess,
    target: Target,
    database: Database,
    longshore: Longshore,
}

/// A reject as `rejects list` shows it.
#[derive(serde::Deserialize)]
struct Recorded {
    id: i64,
    key: String,
    rule: String,
    column: String,
    reason: String,
    whole_row: bool,
}

impl Stage {
    pub(super) async fn open(target: Target) -> Result<Self> {
        let (table, mapping) = match target {
            Target::Profiles => (profiles::table(), profiles::MAPPING),
            Target::Events => (events::table(), events::MAPPING),
        };
        let database = PostgresCluster::shared().await?.create_database().await?;
        database.execute(&table.schema).await?;
        for statement in table.spoiled() {
            database.execute(&statement).await?;
        }
        let sandbox = SandboxProcess::start(SandboxOptions {
            rate_limited: false,
            strict: true,
        })
        .await?;
        let mut longshore = Longshore::new()?;
        longshore.set_patience(10 * PATIENCE);
        for (name, value) in Configuration::variables() {
            longshore.set_variable(name, value);
        }
        let configuration = Configuration::new(target, &database, &sandbox)
            .with_destination_option(mapping)
            .with_destination_option("rate_limit: { unlimited: true }");
        longshore.write("longshore.yml", &configuration.text())?;
        Ok(Self {
            table,
            sandbox,
            target,
            database,
            longshore,
        })
    }

    pub(super) async fn dry_run(&self) -> Result<Value> {
        dry_run(&self.longshore, "longshore.yml").await
    }

    pub(super) async fn sync(&self) -> Result<Report> {
        Report::of(&self.longshore.run(["sync", "--json"]).await?.succeeded()?)
    }

    /// Every entry of the ledger. No reason has a value in it, and none is empty.
    pub(super) async fn ledger(&self) -> Result<Vec<Expected>> {
        let mut entries = Vec::new();
        let mut before = None::<i64>;
        loop {
            let mut arguments: Vec<String> = ["rejects", "list", "--limit", &PAGE.to_string()]
                .map(str::to_owned)
                .into();
            arguments.extend(before.iter().flat_map(|id| ["--before".to_owned(), id.to_string()]));
            let page: Vec<Recorded> =
                serde_json::from_value(self.longshore.json(arguments).await?).context("rejects have their form")?;
            for reject in &page {
                assert!(
                    !reject.reason.is_empty() && !reject.reason.contains(SECRET),
                    "{}",
                    reject.reason
                );
                entries.push(Expected {
                    key: reject.key.clone(),
                    rule: reject.rule.clone(),
                    column: reject.column.clone(),
                    whole_row: reject.whole_row,
                });
            }
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id),
                _ => break,
            }
        }
        Ok(entries)
    }

    /// The sandbox holds what is left of each row, and nothing else.
    pub(super) async fn assert_arrived(&self) -> Result<()> {
        let expected = (0..self.table.rows).filter_map(|n| Some((custom_id(n), self.table.arrives(n)?)));
        self.assert_holds(expected.collect()).await
    }

    async fn assert_holds(&self, expected: BTreeMap<String, Map<String, Value>>) -> Result<()> {
        let received = self.received().await?;
        assert_eq!(received.len(), expected.len());
        for (id, attributes) in &expected {
            assert_eq!(received.get(id), Some(attributes), "{id}");
        }
        let violations = self.sandbox.violations().await?;
        assert_eq!(violations["count"], 0, "{violations}");
        Ok(())
    }

    /// Attributes by custom id, of which each has one profile or one event.
    async fn received(&self) -> Result<BTreeMap<String, Map<String, Value>>> {
        let mut received = BTreeMap::new();
        match self.target {
            Target::Profiles => {
                for profile in self.sandbox.profiles().await? {
                    received.insert(profile.custom_id, profile.attributes);
                }
            }
            Target::Events => {
                for event in self.sandbox.events().await? {
                    let before = received.insert(event.custom_id.clone(), event.attributes);
                    assert!(before.is_none(), "two events of {}", event.custom_id);
                }
            }
        }
        Ok(received)
    }

    /// Every bad row is mended and read again: then the sandbox holds all rows whole.
    pub(super) async fn mend_and_deliver_again(&self) -> Result<()> {
        let (name, every, cases) = (self.table.name, self.table.every, self.table.cases.len());
        // Events that arrived in part are there: once more would be a second event. A profile that holds as many arrays as there may be has no room for
        // its topics.
        let can_be_mended = |case: &Case| match self.target {
            Target::Profiles => case.rule != "too_many_arrays",
            Target::Events => case.attribute.is_none(),
        };
        let refused: Vec<String> = (self.table.cases.iter().zip(1..))
            .filter(|(case, _)| can_be_mended(case))
            .map(|(_, place): (_, u64)| place.to_string())
            .collect();
        let columns = self.table.columns_to_mend();
        let good: Vec<String> = columns
            .iter()
            .map(|column| format!("{column} = good.{column}"))
            .collect();
        self.database
            .execute(&format!(
                "UPDATE {name} AS bad SET {}, custom_id = 'C-' || bad.n, last_updated_at = now() \
                 FROM {name} AS good WHERE good.n = 0 AND bad.n % {every} IN ({})",
                good.join(", "),
                refused.join(", ")
            ))
            .await?;
        let mended = self.table.rows / every * refused.len() as u64;
        let report = self.sync().await?;
        let table = report.only_table();
        assert_eq!(
            (table.read, table.delivered, table.rejected),
            (mended, mended, 0),
            "{cases} cases: {report:?}"
        );
        let whole = |n: u64| {
            let is_mended = refused.contains(&(n % every).to_string());
            let attributes = if is_mended {
                let mut attributes = self.table.good.clone();
                // NULL is not sent, so what came with a bad row and was fine stays at Batch.
                let also = self.table.case_of(n).filter(|_| self.target == Target::Profiles);
                let kept = also
                    .into_iter()
                    .flat_map(|case| &case.also)
                    .filter(|(_, value)| !value.is_null());
                attributes.extend(kept.cloned());
                attributes
            } else {
                self.table.arrives(n)?
            };
            Some((custom_id(n), attributes))
        };
        self.assert_holds((0..self.table.rows).filter_map(whole).collect())
            .await
    }
}

impl Table {
    /// Columns that a case spoils, apart from the custom id.
    fn columns_to_mend(&self) -> BTreeSet<String> {
        let assignments = self.cases.iter().flat_map(|case| case.assignment.split(", "));
        let columns = assignments.filter_map(|assignment| Some(assignment.split_once(" = ")?.0.to_owned()));
        let is_name = |name: &String| {
            name.chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        columns.filter(is_name).filter(|column| column != "custom_id").collect()
    }
}

/// How many rejects a dry run has of each rule, column and extent.
pub(super) fn kinds(report: &Value) -> BTreeMap<Kind, u64> {
    let kinds = report["rejects"].as_array().expect("a report has rejects");
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    kinds
        .iter()
        .map(|kind| {
            let extent = kind["whole_row"].as_bool().expect("it is one or the other");
            let count = kind["rejects"].as_u64().expect("they are counted");
            ((text(&kind["rule"]), text(&kind["column"]), extent), count)
        })
        .collect()
}
