//! What an engine does with rows.

/// The engine of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Engine {
    /// As the server names it, such as `ReplicatedReplacingMergeTree`; empty for a query.
    name: String,
    /// The column that marks rows of a collapsing engine.
    sign: Option<String>,
}

impl Engine {
    /// `full` is the engine with its parameters, as `system.tables.engine_full` has it.
    pub(crate) fn new(name: &str, full: &str) -> Self {
        let mut engine = Self {
            name: name.to_owned(),
            sign: None,
        };
        if engine.family() == "CollapsingMergeTree" || engine.family() == "VersionedCollapsingMergeTree" {
            engine.sign = sign(full);
        }
        engine
    }

    /// A query of the options.
    pub(crate) fn query() -> Self {
        Self {
            name: String::new(),
            sign: None,
        }
    }

    /// What it is, for users.
    pub(crate) fn kind(&self) -> &str {
        match self.name.as_str() {
            "" => "query",
            "View" | "LiveView" | "WindowView" => "view",
            "MaterializedView" => "materialized view",
            _ => "table",
        }
    }

    /// The engine's name; empty for a query.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Without what says where its data is.
    fn family(&self) -> &str {
        let name = self.name.strip_prefix("Replicated").unwrap_or(&self.name);
        name.strip_prefix("Shared").unwrap_or(name)
    }

    /// Whether its rows lie in parts, sorted by a key.
    pub(crate) fn is_merge_tree(&self) -> bool {
        self.name.ends_with("MergeTree")
    }

    /// Whether it makes one row of those that share its sorting key, sooner or later.
    pub(crate) fn merges(&self) -> bool {
        self.is_merge_tree() && self.family() != "MergeTree"
    }

    /// Whether its merged rows are sums of others: a row that was delivered can change without its cursor.
    pub(crate) fn adds_up(&self) -> bool {
        matches!(
            self.family(),
            "SummingMergeTree" | "AggregatingMergeTree" | "GraphiteMergeTree" | "CoalescingMergeTree"
        )
    }

    /// Whether other servers hold the same rows, sooner or later.
    pub(crate) fn is_replicated(&self) -> bool {
        self.name.starts_with("Replicated") || self.name.starts_with("Shared")
    }

    /// The column that marks rows of a collapsing engine.
    pub(crate) fn sign(&self) -> Option<&str> {
        self.sign.as_deref()
    }
}

/// The first parameter that is a name: those before it are the paths of a replica, in quotes.
fn sign(full: &str) -> Option<String> {
    let (_, parameters) = full.split_once('(')?;
    let end = parameters.find(')')?;
    parameters[..end]
        .split(',')
        .map(str::trim)
        .find(|parameter| !parameter.starts_with('\'') && !parameter.is_empty())
        .map(|name| name.trim_matches('`').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_known_by_what_they_do() {
        let engine = |name: &str| Engine::new(name, "");
        assert!(!engine("MergeTree").merges() && !engine("ReplicatedMergeTree").merges());
        assert!(engine("SharedReplacingMergeTree").merges() && engine("SharedReplacingMergeTree").is_replicated());
        assert!(engine("SummingMergeTree").adds_up() && !engine("ReplacingMergeTree").adds_up());
        assert_eq!(
            (engine("MaterializedView").kind(), engine("Memory").kind()),
            ("materialized view", "table")
        );
        assert!(!engine("Memory").is_merge_tree());
    }

    #[test]
    fn the_sign_of_a_collapsing_engine_is_its_first_name() {
        let sign = |name: &str, full: &str| Engine::new(name, full).sign.clone();
        assert_eq!(
            sign("CollapsingMergeTree", "CollapsingMergeTree(sign) ORDER BY id").as_deref(),
            Some("sign")
        );
        assert_eq!(
            sign(
                "ReplicatedVersionedCollapsingMergeTree",
                "ReplicatedVersionedCollapsingMergeTree('/a', '{replica}', `my sign`, version) ORDER BY id"
            )
            .as_deref(),
            Some("my sign")
        );
        assert_eq!(sign("ReplacingMergeTree", "ReplacingMergeTree(version)"), None);
    }
}
