//! The figures that counts are compared with.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::HotPath;

/// A count may differ by this share of its figure: optimised and unoptimised builds allocate almost the same.
const TOLERANCE: f64 = 0.05;

/// And by so many allocations in a thousand rows, for paths that hardly allocate.
const SLACK: f64 = 2.0;

/// The file of a crate's figures, by path.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Figures(BTreeMap<String, Figure>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figure {
    allocations_per_1000_rows: f64,
    /// Compared by `cargo xtask instructions`.
    #[serde(rename = "instructions_per_row")]
    _instructions_per_row: f64,
}

impl Figures {
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn read(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    pub(crate) fn allocations(&self, path: &str) -> Option<f64> {
        self.0.get(path).map(|figure| figure.allocations_per_1000_rows)
    }

    /// A complaint for each figure whose path is gone.
    pub(crate) fn of_no_path(&self, paths: &[HotPath]) -> Vec<String> {
        let is_gone = |name: &&String| !paths.iter().any(|path| path.name == name.as_str());
        let gone = self.0.keys().filter(is_gone);
        gone.map(|name| format!("{name}: there is a figure, and no such path"))
            .collect()
    }
}

/// What is wrong with a count, if anything.
pub(crate) fn difference(path: &str, counted: f64, figure: Option<f64>) -> Option<String> {
    let Some(figure) = figure else {
        return Some(format!("{path}: there is no figure; {counted:.1} were counted"));
    };
    let allowed = figure * TOLERANCE + SLACK;
    if counted > figure + allowed {
        return Some(format!(
            "{path}: {counted:.1} allocations in 1,000 rows where {figure:.1} are expected: find out which are new"
        ));
    }
    if counted < figure - allowed {
        return Some(format!(
            "{path}: {counted:.1} allocations in 1,000 rows where {figure:.1} are expected: write the better figure down"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_near_its_figure_is_good_and_any_other_is_told() {
        for (counted, figure, told) in [
            (1_000.0, Some(1_000.0), None),
            (1_051.0, Some(1_000.0), None),
            (1.9, Some(0.0), None),
            (1_053.0, Some(1_000.0), Some("which are new")),
            (2.1, Some(0.0), Some("which are new")),
            (940.0, Some(1_000.0), Some("better figure")),
            (1.0, None, Some("no figure")),
        ] {
            let difference = difference("p", counted, figure);
            assert_eq!(difference.is_some(), told.is_some(), "{counted}: {difference:?}");
            assert!(
                told.is_none_or(|told| difference.is_some_and(|text| text.contains(told))),
                "{counted}"
            );
        }
    }

    #[test]
    fn a_figure_without_its_path_is_told() {
        let figures = Figures::read("[gone]\nallocations_per_1000_rows = 1\ninstructions_per_row = 2\n")
            .expect("it is a file of figures");
        assert_eq!(figures.of_no_path(&[]).len(), 1);
        let there = HotPath {
            name: "gone",
            prepare: || Box::new(|_| ()),
        };
        assert!(figures.of_no_path(&[there]).is_empty());
        assert!(Figures::read("[p]\nallocations = 1\n").is_err());
        assert!(Figures::read("[p]\nallocations_per_1000_rows = 1\n").is_err());
    }
}
