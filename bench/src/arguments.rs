//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum as _};

use crate::{
    scenario::{Group, Scenario, list},
    table::Sizes,
};

/// Measures ceilings, Longshore and its peers side by side, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub(crate) struct Arguments {
    /// Events in each database.
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    rows: u64,
    /// Events, and as many profiles, that are sent over HTTP, by Longshore and by peers; a tenth of the events when not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..))]
    send_rows: Option<u64>,
    /// Rounds: how often each scenario is measured, after one that is not counted.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Only these groups, or scenarios whose name contains such a word, with their ceilings. Groups: discard, batch, incremental, peers, memory, limits.
    #[arg(long, num_args = 1.., value_name = "GROUP|WORD")]
    only: Vec<String>,
    /// With 50 million rows, too: needs 15 GB of disk and some minutes more.
    #[arg(long)]
    large: bool,
    /// Few rows, one round, no warm-up and programs that are not optimised: shows in a minute that everything works, and says nothing about speed.
    #[arg(long, conflicts_with_all = ["rows", "send_rows", "repeats", "large", "record"])]
    quick: bool,
    /// Keep the results in `bench/results.json` and write `bench/RESULTS.md` from them.
    #[arg(long)]
    record: bool,
    /// The file for the results; groups that are not measured keep their part. In the target directory when not given.
    #[arg(long, conflicts_with = "record")]
    json: Option<PathBuf>,
    /// Show which scenarios there are and what each is compared with, and measure nothing.
    #[arg(long)]
    pub(crate) list: bool,
}

/// Events of a quick run: a few messages of the usual size.
const QUICK_ROWS: u64 = 20_000;

impl Arguments {
    pub(crate) fn sizes(&self) -> Sizes {
        if self.quick {
            return Sizes {
                events: QUICK_ROWS,
                to_send: QUICK_ROWS / 10,
                large: QUICK_ROWS,
                new: 100,
                million: QUICK_ROWS,
                wide: 500,
                mebibytes: 5,
                limited: Duration::from_secs(5),
            };
        }
        Sizes {
            events: self.rows,
            to_send: self.send_rows.unwrap_or((self.rows / 10).max(1_000)),
            large: if self.large { 50_000_000 } else { self.rows },
            new: 1_000,
            million: 1_000_000,
            wide: 100_000,
            mebibytes: 1_000,
            limited: Duration::from_secs(60),
        }
    }

    pub(crate) fn repeats(&self) -> u32 {
        if self.quick { 1 } else { self.repeats }
    }

    /// Whether a group has a round that is not counted: not where it is memory or waiting that is measured.
    pub(crate) fn warms_up(&self, group: Group) -> bool {
        !self.quick && !matches!(group, Group::Memory | Group::Limits)
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    pub(crate) fn is_large(&self) -> bool {
        self.large
    }

    /// Where results are kept.
    pub(crate) fn results_file(&self) -> PathBuf {
        let bench = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        match &self.json {
            Some(path) => path.clone(),
            None if self.record => bench.join("results.json"),
            None => target_directory().join(if self.quick {
                "bench/quick.json"
            } else {
                "bench/results.json"
            }),
        }
    }

    /// The page to write, when one is wanted.
    pub(crate) fn page(&self) -> Option<PathBuf> {
        let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
        self.record.then_some(page)
    }

    /// Whether a page is asked for that would lose what is not measured now of the groups that are.
    pub(crate) fn records_parts_of_groups(&self) -> bool {
        let is_a_group = |word: &String| Group::from_str(word, true).is_ok();
        self.record && !self.only.iter().all(is_a_group)
    }

    /// The scenarios to run, with those that they are compared with.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let mut scenarios = list::all(self.large);
        if self.only.is_empty() {
            return scenarios;
        }
        let is_wanted = |scenario: &Scenario| {
            self.only.iter().any(|word| {
                Group::from_str(word, true).map_or_else(
                    |_| scenario.name.contains(word.as_str()),
                    |group| group == scenario.group,
                )
            })
        };
        let wanted: Vec<Scenario> = scenarios
            .iter()
            .filter(|scenario| is_wanted(scenario))
            .cloned()
            .collect();
        let is_a_ceiling = |scenario: &Scenario| {
            let of_the_group = wanted.iter().filter(|wanted| wanted.group == scenario.group);
            of_the_group
                .filter_map(|wanted| wanted.ceiling)
                .any(|ceiling| ceiling == scenario.name)
        };
        scenarios.retain(|scenario| is_wanted(scenario) || is_a_ceiling(scenario));
        scenarios
    }
}

/// That which this program was built into.
fn target_directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).map(PathBuf::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Kind;

    fn chosen(words: &[&str]) -> Vec<String> {
        let words = ["bench"].iter().chain(words);
        let scenarios = Arguments::parse_from(words).scenarios();
        scenarios.into_iter().map(|scenario| scenario.name).collect()
    }

    #[test]
    fn a_scenario_brings_its_ceiling() {
        assert_eq!(
            chosen(&["--only", "generate_to_discard_2"]),
            ["two_hops", "generate_to_discard_2"]
        );
    }

    #[test]
    fn groups_and_words_add_up() {
        let names = chosen(&["--only", "incremental", "adbc"]);
        assert!(names.contains(&"postgresql_nothing_new".to_owned()), "{names:?}");
        assert!(names.contains(&"adbc_arrow".to_owned()) && names.contains(&"copy_whole".to_owned()));
        assert!(!names.iter().any(|name| name.contains("to_discard")), "{names:?}");
    }

    #[test]
    fn whole_groups_are_recorded() {
        let records = |words: &[&str]| {
            let words = ["bench", "--record", "--only"].iter().chain(words);
            !Arguments::parse_from(words).records_parts_of_groups()
        };
        assert!(records(&["discard", "peers"]));
        assert!(!records(&["discard", "adbc"]));
    }

    #[test]
    fn without_choice_everything_is_run() {
        let arguments = Arguments::parse_from(["bench"]);
        let scenarios = arguments.scenarios();
        for kind in [Kind::Ceiling, Kind::Longshore, Kind::Peer] {
            assert!(scenarios.iter().any(|scenario| scenario.kind() == kind));
        }
        assert_eq!(scenarios.len(), list::all(false).len());
    }
}
