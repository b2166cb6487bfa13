//! README.md shows commands and a configuration: they are run as they stand there.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use longshore_tests::{
    Context, Longshore, PASSWORD, PATIENCE, PROJECT_KEY, PostgresCluster, REST_API_KEY, Result, SandboxOptions,
    SandboxProcess, USER, binaries, eventually, shop::Shop,
};
use tokio::net::TcpStream;

use crate::pages::blocks_in;

/// Where README.md starts the emulator.
const EMULATOR: &str = "127.0.0.1:8099";

/// Commands that stand for what the tests have already: built programs, and a path to them.
const BUILDS: [&str; 2] = [
    "cargo build --release --bins",
    "export PATH=\"$PWD/target/release:$PATH\"",
];

/// The commands that README.md shows for a shell, one after another.
fn commands() -> Vec<String> {
    let blocks = blocks_in("README.md", "sh").into_iter();
    blocks.flat_map(|block| block.lines).collect()
}

#[test]
fn every_task_that_the_readme_shows_is_run_by_ci() {
    let ci = include_str!("../../../.ci/run");
    let commands = commands();
    let tasks: Vec<&String> = commands.iter().filter(|line| line.starts_with("cargo xtask")).collect();
    assert!(tasks.len() >= 2, "{commands:?}");
    for task in tasks {
        assert!(
            ci.lines().any(|line| line == format!("step {task}")),
            ".ci/run does not run `{task}`"
        );
    }
}

#[tokio::test]
async fn the_first_sync_of_the_readme_works_as_it_stands_there() -> Result<()> {
    let database = PostgresCluster::shared().await?.create_database().await?;
    let shop = Shop::open(database, 50, 0).await?;
    let emulator = free_address()?;
    let mut longshore = Longshore::new()?;
    let variables = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &shop.database().port().to_string()),
        ("PGDATABASE", shop.database().name()),
        ("PGUSER", USER),
        ("PGPASSWORD", PASSWORD),
        ("BATCH_PROJECT_KEY", "project_of_the_readme"),
        ("BATCH_REST_API_KEY", "rest_of_the_readme"),
    ];
    for (name, value) in variables {
        longshore.set_variable(name, value);
    }
    let configurations = blocks_in("README.md", "yaml");
    let [configuration] = configurations.as_slice() else {
        panic!("README.md shows one configuration: {configurations:?}");
    };
    longshore.write("longshore.yml", &configuration.text().replace(EMULATOR, &emulator))?;

    let mut running = Vec::new();
    let mut syncs = Vec::new();
    for command in commands() {
        if let Some(arguments) = command.strip_prefix("longshore ") {
            let finished = longshore.run(arguments.split(' ')).await?.succeeded()?;
            syncs.extend((arguments == "sync").then_some(finished.stdout));
        } else if command.starts_with("longshore-batch-sandbox ") {
            running.push(start(&command.replace(EMULATOR, &emulator), &variables)?);
            eventually("the emulator listens", PATIENCE, async || {
                TcpStream::connect(&emulator).await.ok()
            })
            .await?;
        } else {
            let is_known = command.starts_with("cargo xtask ") || BUILDS.contains(&command.as_str());
            assert!(is_known, "README.md shows a command that nothing runs: `{command}`");
        }
    }
    assert_eq!(
        (running.len(), syncs.len()),
        (1, 2),
        "README.md starts the emulator, and syncs twice"
    );
    let counts = |sync: &str| -> Vec<String> {
        let row = sync
            .lines()
            .find(|line| line.starts_with("profiles"))
            .expect("the table is listed");
        row.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(counts(&syncs[0])[1..3], ["50", "50"], "{}", syncs[0]);
    assert_eq!(counts(&syncs[1])[1..3], ["0", "0"], "{}", syncs[1]);
    Ok(())
}

#[tokio::test]
async fn the_tables_of_the_readme_can_be_made_and_its_events_sent() -> Result<()> {
    let database = PostgresCluster::shared().await?.create_database().await?;
    for block in blocks_in("README.md", "sql") {
        database.execute(&block.text()).await?;
    }
    let sandbox = SandboxProcess::start(SandboxOptions {
        rate_limited: false,
        strict: true,
    })
    .await?;
    let mut longshore = Longshore::new()?;
    for (name, value) in [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &database.port().to_string()),
        ("PGDATABASE", database.name()),
        ("PGUSER", USER),
        ("PGPASSWORD", PASSWORD),
        ("BATCH_PROJECT_KEY", PROJECT_KEY),
        ("BATCH_REST_API_KEY", REST_API_KEY),
    ] {
        longshore.set_variable(name, value);
    }
    let init = ["init", "--target", "profile_events", "events.yml"];
    longshore.run(init).await?.succeeded()?;
    let written = std::fs::read_to_string(longshore.folder().join("events.yml")).context("it was written")?;
    // As the page says: the `#` alone is taken off.
    let here = written
        .replace("    #base_url:", "    base_url:")
        .replace("http://127.0.0.1:8099", &sandbox.base_url());
    assert!(here.contains("\n    base_url: http"), "{here}");
    longshore.write("events.yml", &here)?;
    longshore.run(["sync", "events.yml"]).await?.succeeded()?;
    let mut names: Vec<String> = sandbox.events().await?.into_iter().map(|event| event.name).collect();
    names.sort();
    assert_eq!(names, ["bought", "viewed"]);
    Ok(())
}

/// A program that ends with this value.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a line as a shell would, with the programs of this workspace.
fn start(line: &str, variables: &[(&str, &str)]) -> Result<Background> {
    let program = binaries::program("longshore-batch-sandbox")?;
    let folder = program.parent().context("a program is in a directory")?;
    let child = Command::new("/bin/sh")
        .args(["-c", &format!("exec {line} --exit-with-stdin")])
        .env("PATH", folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child
        .map(Background)
        .context(format!("this can not be started: {line}"))
}

fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("a port can be had")?;
    Ok(listener.local_addr().context("the port is known")?.to_string())
}
