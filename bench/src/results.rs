//! The document with what was measured: one part for each group, replaced when the group is measured again.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use longshore_tests::{Context, Failure, Result};
use serde::{Deserialize, Serialize};

use crate::{
    machine::Machine,
    scenario::{Group, Kind},
    statistics::Spread,
    work::Sample,
};

/// The version of the document.
const VERSION: u32 = 1;

/// Everything that was measured last, each group at its own time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Results {
    version: u32,
    pub(crate) parts: BTreeMap<Group, Part>,
}

/// What was measured of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// The command that measured it.
    pub(crate) command: String,
    /// When, in RFC 3339.
    pub(crate) started_at: String,
    /// How long it took, loading included.
    pub(crate) took_seconds: f64,
    /// The last commit of the tree, with `+` when files had changed since; nothing outside of a repository.
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    /// Versions of databases and peers.
    pub(crate) software: Vec<String>,
    /// Whether programs were optimised. Where not, no figure means anything.
    pub(crate) optimised: bool,
    /// Whether scenarios of tens of millions of rows were run.
    pub(crate) large: bool,
    pub(crate) repeats: u32,
    pub(crate) scenarios: Vec<Measurement>,
}

/// What was measured of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measurement {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) ceiling: Option<String>,
    pub(crate) summary: Summary,
    /// One for each round, in their order.
    pub(crate) samples: Vec<Sample>,
}

/// What the rounds have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    pub(crate) seconds: Spread,
    /// Nothing where no rows were to be moved.
    pub(crate) rows_per_second: Option<Spread>,
    pub(crate) bytes_per_second: Option<Spread>,
    /// CPU of everything that took part.
    pub(crate) cpu_seconds: Spread,
    /// Rows in a second as a share of the ceiling's, in each round: 1 is the ceiling itself.
    pub(crate) of_ceiling: Option<Spread>,
    /// The programs in the order of the samples.
    pub(crate) programs: Vec<ProgramSummary>,
}

/// What the rounds have in common of one program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramSummary {
    pub(crate) program: String,
    pub(crate) is_server: bool,
    pub(crate) cpu_seconds: Spread,
    /// Nothing where no rows were moved.
    pub(crate) cpu_seconds_per_million_rows: Option<f64>,
    /// The greatest of all rounds.
    pub(crate) peak_memory_bytes: Option<u64>,
}

impl Part {
    /// Whether processes were measured: not where they only wait.
    pub(crate) fn has_processes(&self) -> bool {
        let has_programs = |measurement: &Measurement| !measurement.summary.programs.is_empty();
        self.scenarios.iter().any(has_programs)
    }
}

impl Summary {
    /// Of the rounds of one scenario and of its ceiling.
    ///
    /// # Errors
    /// There are no rounds, or the ceiling has another number of them.
    pub(crate) fn of(samples: &[Sample], ceiling: Option<&[Sample]>) -> Result<Self> {
        let all = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
        let moved_rows = samples.iter().all(|sample| sample.rows > 0);
        let bytes: Option<Vec<f64>> = samples
            .iter()
            .map(|sample| Some(sample.bytes? as f64 / sample.seconds))
            .collect();
        if ceiling.is_some_and(|ceiling| ceiling.len() != samples.len()) {
            return Err(Failure::new(
                "a scenario and its ceiling have different numbers of rounds",
            ));
        }
        let ratios = ceiling.map(|ceiling| {
            let rounds = samples.iter().zip(ceiling);
            rounds.map(|(sample, ceiling)| sample.rows_per_second() / ceiling.rows_per_second())
        });
        Ok(Self {
            seconds: all(|sample| sample.seconds).context("no round was measured")?,
            rows_per_second: all(Sample::rows_per_second).filter(|_| moved_rows),
            bytes_per_second: bytes.and_then(Spread::of),
            cpu_seconds: all(Sample::cpu_seconds).context("no round was measured")?,
            of_ceiling: ratios.and_then(Spread::of),
            programs: programs(samples),
        })
    }
}

fn programs(samples: &[Sample]) -> Vec<ProgramSummary> {
    let mut names: Vec<&str> = Vec::new();
    for process in samples.iter().flat_map(|sample| &sample.processes) {
        if !names.contains(&process.program.as_str()) {
            names.push(&process.program);
        }
    }
    let summary = |name: &str| {
        let of_program = |sample: &Sample| {
            let process = sample.processes.iter().find(|process| process.program == name);
            process.cloned().map(|process| (sample.rows, process))
        };
        let found: Vec<_> = samples.iter().filter_map(of_program).collect();
        let per_million =
            |(rows, process): &(u64, crate::meter::ProcessUse)| process.cpu_seconds / (*rows as f64 / 1e6);
        let moved_rows = found.iter().all(|(rows, _)| *rows > 0);
        Some(ProgramSummary {
            program: name.to_owned(),
            is_server: found.iter().any(|(_, process)| process.is_server),
            cpu_seconds: Spread::of(found.iter().map(|(_, process)| process.cpu_seconds))?,
            cpu_seconds_per_million_rows: Spread::of(found.iter().map(per_million))
                .filter(|_| moved_rows)
                .map(|spread| spread.median),
            peak_memory_bytes: found.iter().filter_map(|(_, process)| process.peak_memory_bytes).max(),
        })
    };
    names.into_iter().filter_map(summary).collect()
}

impl Results {
    /// Nothing yet.
    pub(crate) fn none() -> Self {
        Self {
            version: VERSION,
            parts: BTreeMap::new(),
        }
    }

    /// What a file has, or nothing yet when there is none.
    ///
    /// # Errors
    /// It can not be read, or is of another version.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::none()),
            Err(error) => return Err(error).context(format!("{} can not be read", path.display())),
        };
        let results: Self = serde_json::from_str(&text).context(format!(
            "{} is not of this version of the bench: remove it",
            path.display()
        ))?;
        if results.version != VERSION {
            let message = format!("{} is of version {}: remove it", path.display(), results.version);
            return Err(Failure::new(message));
        }
        Ok(results)
    }

    /// Writes the file anew, whole or not at all.
    ///
    /// # Errors
    /// It can not be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let folder = path.parent().context("the file is in a directory")?;
        fs::create_dir_all(folder).context(format!("{} can not be made", folder.display()))?;
        let text = serde_json::to_string_pretty(self).context("results are JSON")?;
        let beside = path.with_extension("json.new");
        fs::write(&beside, text + "\n").context(format!("{} can not be written", beside.display()))?;
        fs::rename(&beside, path).context(format!("{} can not be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::ProcessUse;

    fn sample(seconds: f64, rows: u64) -> Sample {
        Sample {
            seconds,
            rows,
            bytes: None,
            processes: vec![ProcessUse {
                program: "longshore".to_owned(),
                is_server: false,
                cpu_seconds: seconds / 2.0,
                peak_memory_bytes: Some(seconds as u64),
            }],
        }
    }

    #[test]
    fn the_share_of_the_ceiling_is_taken_in_each_round() {
        // The machine is twice as slow in the second round, for both.
        let ceiling = [sample(1.0, 1_000_000), sample(2.0, 1_000_000)];
        let samples = [sample(2.0, 1_000_000), sample(4.0, 1_000_000)];
        let summary = Summary::of(&samples, Some(&ceiling)).unwrap();
        let expected = Spread {
            median: 0.5,
            least: 0.5,
            greatest: 0.5,
        };
        assert_eq!(summary.of_ceiling, Some(expected));
        let [program] = summary.programs.as_slice() else {
            panic!("{summary:?}");
        };
        assert_eq!(program.cpu_seconds_per_million_rows, Some(1.5));
        assert_eq!(program.peak_memory_bytes, Some(4));
        assert!(Summary::of(&samples, Some(&ceiling[..1])).is_err());
    }

    #[test]
    fn a_run_without_rows_has_no_rate() {
        let summary = Summary::of(&[sample(0.2, 0)], None).unwrap();
        assert_eq!((summary.rows_per_second, summary.of_ceiling), (None, None));
        assert_eq!(summary.programs[0].cpu_seconds_per_million_rows, None);
    }
}
