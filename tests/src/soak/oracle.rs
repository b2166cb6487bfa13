//! What must be true in the end: every committed row that the guarantee covers has arrived with its last version, nothing that was never committed has, and
//! events came more than once only as often as was announced.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use serde_json::Value;

use super::{
    scene::Scene,
    source::{BusySource, Contents},
};
use crate::{Context, Result, shop::Target};

/// How many rows of a kind are described.
const SHOWN: usize = 10;

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Rows in the table.
    pub rows: usize,
    /// Rows that did not arrive, or not with their last version.
    pub missing: Vec<String>,
    /// What arrived and was never committed.
    pub unexpected: Vec<String>,
    /// Arrivals beyond the first one, where a repeat leaves a trace.
    pub repeated: u64,
    /// Rows that the runs have announced as uncertain.
    pub uncertain: u64,
    /// Rows that were delivered by runs that said that they can not remember all that they have delivered.
    pub forgotten: u64,
    /// The first missing rows, as the database knows them.
    pub details: Vec<String>,
}

impl Findings {
    /// Whether nothing is missing or unexpected, and repeats are within what was announced.
    #[must_use]
    pub fn are_good(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.repeated <= self.uncertain + self.forgotten
    }

    async fn describe(mut self, source: &impl BusySource, target: Target) -> Result<Self> {
        for row in self.missing.iter().take(SHOWN) {
            self.details.push(source.describe(target, row).await?);
        }
        Ok(self)
    }
}

/// Compares profiles: the version that arrived is the last one.
pub(super) async fn profiles<S: BusySource>(scene: &Scene, source: &S) -> Result<Findings> {
    let Contents { profiles, deleted, .. } = source.contents().await?;
    let deleted: HashSet<String> = deleted.into_iter().collect();
    let mut findings = Findings {
        rows: profiles.len(),
        ..Findings::default()
    };
    let mut arrived = HashMap::new();
    for profile in scene.sandbox(Target::Profiles).profiles().await? {
        let version = whole(&profile.attributes, "version")?;
        if !profiles.contains_key(&profile.custom_id) && !deleted.contains(&profile.custom_id) {
            findings.unexpected.push(profile.custom_id.clone());
        }
        arrived.insert(profile.custom_id, version);
    }
    for (custom_id, version) in profiles {
        match arrived.get(&custom_id) {
            Some(arrived) if *arrived == version => {}
            Some(arrived) if *arrived > version => findings.unexpected.push(format!("{custom_id} version {arrived}")),
            _ => findings.missing.push(custom_id),
        }
    }
    findings.describe(source, Target::Profiles).await
}

/// Compares events: each arrived at least once.
pub(super) async fn events<S: BusySource>(scene: &Scene, source: &S) -> Result<Findings> {
    let events = source.contents().await?.events;
    let (uncertain, forgotten) = announced(scene).await?;
    let mut findings = Findings {
        rows: events.len(),
        uncertain,
        forgotten,
        ..Findings::default()
    };
    let mut arrived: HashMap<i64, u64> = HashMap::new();
    for event in scene.sandbox(Target::Events).events().await? {
        *arrived.entry(whole(&event.attributes, "event_id")?).or_default() += 1;
    }
    for event in events {
        match arrived.remove(&event) {
            Some(times) => findings.repeated += times - 1,
            None => findings.missing.push(event.to_string()),
        }
    }
    findings.unexpected = arrived.into_keys().map(|event| event.to_string()).collect();
    findings.describe(source, Target::Events).await
}

/// What the runs themselves say of events that may be there twice: uncertain, and beyond what could be remembered.
async fn announced(scene: &Scene) -> Result<(u64, u64)> {
    let arguments = ["runs", "list", "--sync", Target::Events.table(), "--limit", "1000000"];
    let runs = scene.longshore.json(arguments).await?;
    let runs = runs.as_array().context("`runs list` prints a list")?;
    let uncertain: u64 = runs.iter().filter_map(|run| run["uncertain"].as_u64()).sum();
    let ids = runs.iter().filter_map(|run| run["run_id"].as_str());
    Ok((uncertain, scene.tally.repeated_by(ids)))
}

fn whole(attributes: &serde_json::Map<String, Value>, name: &str) -> Result<i64> {
    let value = attributes.get(name).and_then(Value::as_i64);
    value.context(format!("an arrival has no whole {name}: {attributes:?}"))
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (missing, unexpected) = (self.missing.len(), self.unexpected.len());
        write!(
            formatter,
            "{} rows, {missing} missing, {unexpected} unexpected",
            self.rows
        )?;
        let (repeated, uncertain, forgotten) = (self.repeated, self.uncertain, self.forgotten);
        if repeated + uncertain + forgotten > 0 {
            write!(formatter, ", {repeated} repeated of {uncertain} announced as uncertain")?;
        }
        if forgotten > 0 {
            write!(formatter, " and {forgotten} as beyond what can be remembered")?;
        }
        for row in &self.details {
            write!(formatter, "\n  missing: {row}")?;
        }
        for row in self.unexpected.iter().take(SHOWN) {
            write!(formatter, "\n  unexpected: {row}")?;
        }
        Ok(())
    }
}
