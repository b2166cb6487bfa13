//! The program itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{PATIENCE, answer, http, operations};

struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).expect("one JSON line says where it listens");
        let address = ready["address"].as_str().unwrap().to_owned();
        Self { child, address }
    }

    /// Whether it ends well within the bound.
    fn ends_well(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::yield_now();
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore-batch-sandbox"));
    command.args(arguments).stdin(Stdio::piped()).stderr(Stdio::null());
    command
}

#[tokio::test]
async fn it_says_where_it_listens_serves_its_projects_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let ready_file = folder.path().join("ready.json");
    let ready_argument = ready_file.to_str().unwrap();
    let projects = ["--project-key", "p1", "--rest-api-key", "r1", "--project", "p2=r2"];
    let rest = [
        "--no-rate-limit",
        "--strict",
        "--ready-file",
        ready_argument,
        "--api-version",
        "2.99",
    ];
    let mut process = Process::start(&[projects.as_slice(), &rest].concat());
    let written: Value = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
    assert_eq!(written, json!({"address": process.address}));

    let client = http();
    for (project, key) in [("p1", "r1"), ("p2", "r2")] {
        for _ in 0..6 {
            let request = client.post(format!("http://{}/2.99/profiles/update", process.address));
            let request = request
                .header("Authorization", format!("Bearer {key}"))
                .header("X-Batch-Project", project);
            let request = request
                .header("Content-Type", "application/json")
                .body(operations(0, 200).to_string());
            assert_eq!(answer(request).await.0, 202, "1,200 at once: no rate limit");
        }
    }
    let signalled = Command::new("kill")
        .args(["-TERM", &process.child.id().to_string()])
        .status()
        .unwrap();
    assert!(signalled.success());
    assert!(process.ends_well(), "although the client still holds a connection");
}

#[test]
fn it_ends_with_its_standard_input_when_asked_to() {
    let mut process = Process::start(&["--project", "p=r", "--exit-with-stdin"]);
    assert_eq!(process.child.try_wait().unwrap(), None);
    drop(process.child.stdin.take());
    assert!(process.ends_well());
}

#[tokio::test]
async fn it_goes_on_without_standard_input_when_not_asked_to_end() {
    let mut process = Process::start(&["--project", "p=r"]);
    drop(process.child.stdin.take());
    for _ in 0..20 {
        let health = http().get(format!("http://{}/_sandbox/health", process.address));
        assert_eq!(answer(health).await.0, 200);
    }
    assert_eq!(process.child.try_wait().unwrap(), None);
}

#[test]
fn it_refuses_what_it_can_not_or_should_not_do() {
    for arguments in [
        ["--project", "p=r", "--address", "0.0.0.0:0"].as_slice(),
        &["--project", "p"],
        &["--project-key", "p"],
        &[],
        &["--project", "p=r", "--address", "nowhere"],
    ] {
        let status = command(arguments).stdout(Stdio::null()).status().unwrap();
        assert!(!status.success(), "{arguments:?}");
    }
    let mut process = Process::start(&[
        "--project",
        "p=r",
        "--address",
        "0.0.0.0:0",
        "--allow-remote",
        "--exit-with-stdin",
    ]);
    drop(process.child.stdin.take());
    assert!(process.ends_well());
}
