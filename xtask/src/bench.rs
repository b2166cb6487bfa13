//! The bench: what it needs is built and installed here, the rest is the program `longshore-bench`.

use longshore_tests::{Context, Failure, Result, binaries, python as tests_python};

use crate::{Cargo, Console, Workspace, prerequisites, python};

/// Names the peers' interpreter to the bench.
const PEERS_PYTHON_VARIABLE: &str = "LONGSHORE_BENCH_PYTHON";

/// Options that only show something.
const SHOWING: [&str; 3] = ["--help", "-h", "--list"];

pub(crate) fn run(arguments: &[String], workspace: &Workspace, cargo: &Cargo<'_>, console: &Console) -> Result<()> {
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if SHOWING.into_iter().any(has) {
        let mut words = vec!["run", "--quiet", "--package", "longshore-bench", "--"];
        words.extend(arguments.iter().map(String::as_str));
        return run_bench(&mut cargo.command(&words));
    }
    prerequisites::postgresql(console)?;
    prerequisites::curl(console)?;
    let tests_interpreter = python::environment(workspace, console)?;
    let peers_interpreter = python::peers(workspace, console)?;
    // A quick run only shows that all of it works: the programs that the tests have built will do.
    let programs = if has("--quick") {
        cargo.build_programs()?;
        workspace.programs()
    } else {
        cargo.build_optimised_programs()?;
        workspace.optimised_programs()
    };
    let mut bench = std::process::Command::new(programs.join("longshore-bench"));
    bench
        .args(arguments)
        .env(tests_python::INTERPRETER_VARIABLE, tests_interpreter)
        .env(PEERS_PYTHON_VARIABLE, peers_interpreter)
        .env(binaries::DIRECTORY_VARIABLE, programs);
    run_bench(&mut bench)
}

fn run_bench(command: &mut std::process::Command) -> Result<()> {
    let status = command.status().context("the bench can not be started")?;
    if status.success() {
        return Ok(());
    }
    // It has said why.
    Err(Failure::new(format!("the bench ends with {status}")))
}
