//! Every test, on a machine with nothing but Rust, Python and apt.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Instant,
};

use longshore_tests::{Context, Failure, Result};

use crate::{Cargo, Console, Workspace, console, prerequisites, python};

pub(crate) fn run(arguments: &[String], workspace: &Workspace, cargo: &Cargo<'_>, console: &Console) -> Result<()> {
    let started = Instant::now();
    console.heading("What the tests need");
    prerequisites::postgresql(console)?;
    prerequisites::curl(console)?;
    prerequisites::chromium(console)?;
    let python = python::environment(workspace, console)?;
    cargo.build_programs()?;

    console.heading("Tests");
    let mut words = vec!["test"];
    let names_a_package = |argument: &String| argument == "-p" || argument.starts_with("--package");
    if !arguments.iter().any(names_a_package) {
        words.push("--workspace");
    }
    let chosen = words.len();
    words.extend(arguments.iter().map(String::as_str));
    if arguments.is_empty() {
        // One failure is not to hide another.
        words.insert(chosen, "--no-fail-fast");
    }
    if console.is_terminal() {
        words.insert(1, "--color=always");
    }
    console.command(format_args!("cargo {}", words.join(" ")));
    let mut child = cargo
        .command(&words)
        .env(longshore_tests::python::INTERPRETER_VARIABLE, &python)
        .env(longshore_tests::binaries::DIRECTORY_VARIABLE, workspace.programs())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo can not be started")?;
    let mut totals = Totals::default();
    let output = child.stdout.take().context("the output was asked for")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("the output of the tests can not be read")?;
        totals.count(&line);
        console.line(line);
    }
    let status = child.wait().context("cargo can not be waited for")?;
    let took = console::duration(started.elapsed());
    if status.success() && totals.failed == 0 && totals.passed > 0 {
        let Totals { passed, ignored, .. } = totals;
        let left_out = if ignored > 0 {
            format!(", {ignored} ignored")
        } else {
            String::new()
        };
        console.heading(format_args!("{passed} tests passed{left_out}, in {took}."));
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} tests failed, {} passed, in {took} (cargo: {status})",
        totals.failed, totals.passed
    )))
}

/// What the lines `test result: …` add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    fn count(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else {
            return;
        };
        let counted = |what: &str| -> u64 {
            let before = counts.split(what).next().unwrap_or_default();
            before
                .trim_end()
                .rsplit(' ')
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or_default()
        };
        self.passed += counted("passed;");
        self.failed += counted("failed;");
        self.ignored += counted("ignored;");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_programs_add_up() {
        let mut totals = Totals::default();
        for line in [
            "test result: \u{1b}[32mok\u{1b}[m. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test some::result ... ok",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            totals.count(line);
        }
        let expected = Totals {
            passed: 15,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(totals, expected);
    }
}
