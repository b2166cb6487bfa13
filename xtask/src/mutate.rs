//! Switches protections off, one at a time, and sees that a test fails for each: a protection that nothing checks is a promise that nobody keeps.
//!
//! A mutation is a small change of the source's text, listed in `tests/mutations/`. It is applied to a copy of the tree, never to the tree itself.

mod list;
mod scratch;
mod trial;

use std::{path::PathBuf, time::Instant};

use clap::Args;
use longshore_tests::{Failure, Result};

use crate::{Console, Workspace, console};
use list::Mutation;
use scratch::Scratch;
use trial::{Trial, Verdict};

/// What `cargo xtask mutate` takes.
#[derive(Args)]
pub(crate) struct MutateArguments {
    /// Only mutations whose case or test contains one of these words; all of them when none is given.
    cases: Vec<String>,
    /// Where the copy is built; a directory of its own below the target directory when not given.
    #[arg(long)]
    target_directory: Option<PathBuf>,
    /// Lists the mutations without trying them.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &MutateArguments, workspace: &Workspace, console: &Console) -> Result<()> {
    let all = list::load(workspace.root())?;
    let wanted =
        |mutation: &&Mutation| arguments.cases.is_empty() || arguments.cases.iter().any(|word| mutation.is_about(word));
    let chosen: Vec<&Mutation> = all.iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err(Failure::new("no mutation has such a case"));
    }
    if arguments.list {
        for mutation in chosen {
            console.note(format_args!("{:<28} {}", mutation.case, mutation.switches_off));
        }
        return Ok(());
    }
    let problems: Vec<String> = chosen
        .iter()
        .filter_map(|mutation| mutation.problem(workspace.root()))
        .collect();
    if !problems.is_empty() {
        return Err(Failure::new(problems.join("\n")));
    }
    let started = Instant::now();
    console.heading(format_args!("{} mutations, in a copy of the tree", chosen.len()));
    let scratch = Scratch::make(workspace, arguments.target_directory.clone())?;
    let results = try_all(&chosen, &scratch, console)?;
    report(&results, console);
    let survived = results.iter().filter(|(_, verdict)| !verdict.is_caught()).count();
    let took = console::duration(started.elapsed());
    if survived > 0 {
        return Err(Failure::new(format!(
            "{survived} of {} mutations were not caught, in {took}",
            results.len()
        )));
    }
    console.heading(format_args!(
        "Each of {} protections is checked by a test, in {took}.",
        results.len()
    ));
    Ok(())
}

fn try_all<'a>(chosen: &[&'a Mutation], scratch: &Scratch, console: &Console) -> Result<Vec<(&'a Mutation, Verdict)>> {
    // Tests that fail without a mutation say nothing about it.
    for mutation in chosen {
        let trial = Trial::build(mutation, scratch)?;
        match trial.run()? {
            Verdict::Survived => {}
            verdict => {
                return Err(Failure::new(format!(
                    "without any mutation, {}: {}",
                    mutation.test,
                    verdict.words()
                )));
            }
        }
    }
    console.proof("every test passes without a mutation");
    let mut results = Vec::with_capacity(chosen.len());
    for mutation in chosen {
        let applied = scratch.apply(mutation)?;
        let verdict = match Trial::build(mutation, scratch) {
            Ok(trial) => trial.run()?,
            Err(_) => Verdict::DoesNotCompile,
        };
        applied.undo()?;
        console.note(format_args!("{:<28} {}", mutation.case, verdict.words()));
        results.push((*mutation, verdict));
    }
    Ok(results)
}

fn report(results: &[(&Mutation, Verdict)], console: &Console) {
    console.heading("Result");
    for (mutation, verdict) in results {
        console.note(format_args!(
            "{:<10} {:<28} {} ({})",
            verdict.words(),
            mutation.case,
            mutation.switches_off,
            mutation.test
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_mutation_applies_to_the_tree_and_names_a_test_that_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("inside the workspace");
        let all = list::load(root).expect("the lists can be read");
        assert!(all.len() > 20, "{} mutations", all.len());
        let problems: Vec<String> = all.iter().filter_map(|mutation| mutation.problem(root)).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}
