//! One test, built in the copy and run.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use longshore_tests::{Context, Failure, Result};
use serde_json::Value;

use super::{list::Mutation, scratch::Scratch};

/// A test that takes longer hangs. Far beyond what any of them takes.
const LONGEST: Duration = Duration::from_secs(300);

/// What a test made of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The test failed.
    Caught,
    /// The test did not end.
    CaughtByTime,
    /// The test passed.
    Survived,
    /// The mutation is no program.
    DoesNotCompile,
    /// There is no such test.
    NoSuchTest,
}

impl Verdict {
    pub(crate) fn is_caught(self) -> bool {
        matches!(self, Self::Caught | Self::CaughtByTime)
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::CaughtByTime => "hangs",
            Self::Survived => "SURVIVED",
            Self::DoesNotCompile => "NO PROGRAM",
            Self::NoSuchTest => "NO TEST",
        }
    }
}

/// A built test program and the test in it.
pub(crate) struct Trial<'a> {
    program: PathBuf,
    folder: PathBuf,
    test: &'a str,
    programs: PathBuf,
}

impl<'a> Trial<'a> {
    /// Builds without running: what does not compile says nothing about a test.
    pub(crate) fn build(mutation: &'a Mutation, scratch: &Scratch) -> Result<Self> {
        let mut words = vec!["test", "--no-run", "--message-format", "json", "-p", &mutation.package];
        match mutation.program.as_str() {
            "lib" => words.push("--lib"),
            program => words.extend(["--test", program]),
        }
        if mutation.package == "longshore-tests" {
            // Its tests run the programs of the workspace.
            cargo(scratch, &["build", "--workspace", "--bins", "--exclude", "xtask"])?;
        }
        let output = cargo(scratch, &words)?;
        let wanted_kind = if mutation.program == "lib" { "lib" } else { "test" };
        let program = output.lines().find_map(|line| executable(line, wanted_kind));
        let (program, manifest) = program.context(format!("cargo built no test program of {}", mutation.package))?;
        Ok(Self {
            program,
            folder: manifest.parent().map(PathBuf::from).unwrap_or_default(),
            test: &mutation.test,
            programs: scratch.target.join("debug"),
        })
    }

    pub(crate) fn run(&self) -> Result<Verdict> {
        let mut child = Command::new(&self.program)
            .args(["--exact", self.test])
            .current_dir(&self.folder)
            .env(longshore_tests::binaries::DIRECTORY_VARIABLE, &self.programs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the test program can not be started")?;
        let output = child.stdout.take().context("the output was asked for")?;
        let (told, ended) = mpsc::channel();
        // Ends with the program's output, which ends with the program.
        std::thread::spawn(move || told.send(std::io::read_to_string(output).unwrap_or_default()));
        let text = ended.recv_timeout(LONGEST).ok();
        if text.is_none() {
            child.kill().context("the test program can not be ended")?;
        }
        child.wait().context("the test program can not be waited for")?;
        let Some(text) = text else {
            return Ok(Verdict::CaughtByTime);
        };
        Ok(if text.contains("test result: ok. 1 passed") {
            Verdict::Survived
        } else if text.contains("running 0 tests") {
            Verdict::NoSuchTest
        } else {
            Verdict::Caught
        })
    }
}

/// The program that a line of cargo's tells of, when it is a test program of this kind.
fn executable(line: &str, kind: &str) -> Option<(PathBuf, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_test = message["profile"]["test"] == Value::Bool(true);
    let kinds = message["target"]["kind"].as_array()?;
    if !is_test || !kinds.iter().any(|found| found == kind) {
        return None;
    }
    Some((
        message["executable"].as_str()?.into(),
        message["manifest_path"].as_str()?.into(),
    ))
}

fn cargo(scratch: &Scratch, arguments: &[&str]) -> Result<String> {
    let output = Command::new(crate::cargo::program())
        .args(arguments)
        .current_dir(&scratch.root)
        .env("CARGO_TARGET_DIR", &scratch.target)
        .stderr(Stdio::piped())
        .output()
        .context("cargo can not be started")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("the copy can not be built: {errors}")));
    }
    String::from_utf8(output.stdout).context("cargo's output is no UTF-8")
}
