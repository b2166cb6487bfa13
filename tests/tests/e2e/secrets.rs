//! Secrets are told to the plugins that need them, and to nothing and nobody else.

use std::{fs, path::Path};

use longshore_tests::{
    Finished, Longshore, PASSWORD, PATIENCE, PROJECT_KEY, REST_API_KEY, Result, USER, eventually,
    processes::{self, Process},
    shop::{Configuration, Target},
};
use serde_json::json;

use crate::scene::Scene;

/// What must never be seen. `WRONG` is a secret too: a mistyped password is nearly the right one.
const CANARIES: [&str; 4] = [PASSWORD, REST_API_KEY, PROJECT_KEY, WRONG];
const WRONG: &str = "canary-of-a-mistyped-password";

/// Every command, in an order in which each has something to show.
const COMMANDS: [&str; 22] = [
    "validate events.yml",
    "test-connection events.yml",
    "tables events.yml --columns",
    "preview events.yml",
    "sync events.yml",
    "sync events.yml",
    "state list",
    "state show events",
    "state set events events 2026-01-01T00:00:00Z",
    "state reset events --yes",
    "runs list",
    "runs show last",
    "runs show last --logs",
    "rejects list",
    "rejects show 1",
    "plugin list",
    "plugin info source postgresql",
    "plugin info destination batch",
    "schema",
    "completions bash",
    "init other.yml",
    "sync missing.yml",
];

#[tokio::test]
async fn no_command_shows_a_secret_that_comes_from_the_environment() -> Result<()> {
    let scene = Scene::open(20, 100).await?;
    every_command_keeps_secrets(&scene.longshore).await
}

#[tokio::test]
async fn no_command_shows_a_secret_that_stands_in_the_configuration() -> Result<()> {
    let scene = Scene::open(20, 100).await?;
    scene.configure(Target::Events, &with_literal_secrets(&scene))?;
    every_command_keeps_secrets(&scene.longshore).await
}

#[tokio::test]
async fn no_mistake_in_the_configuration_shows_a_secret_beside_it() -> Result<()> {
    let scene = Scene::open(20, 100).await?;
    let literal = with_literal_secrets(&scene);
    let connection_string = format!(
        "connection_string: postgresql://{USER}:{WRONG}@127.0.0.1:{}/{}?sslmode=nonsense",
        scene.shop.database().port(),
        scene.shop.database().name()
    );
    let broken = [
        literal.clone().with_source_option(&format!("password: {WRONG}")),
        literal.clone().with_source_option(&format!("pasword: {WRONG}")),
        literal.clone().with_source_option(&connection_string),
        literal
            .clone()
            .with_destination_option(&format!("rest_api_key: {WRONG}")),
        literal
            .clone()
            .with_destination_option(&format!("rest_api_key: [{WRONG}]")),
        literal
            .clone()
            .with_destination_option(&format!("rest_api_key: \"{WRONG}")),
        literal.with_destination_option(&format!("base_url: http://{WRONG}@127.0.0.1:1")),
    ];
    for configuration in broken {
        scene.configure(Target::Events, &configuration)?;
        for command in ["validate events.yml", "test-connection events.yml", "sync events.yml"] {
            let finished = run_loudly(&scene.longshore, command).await?;
            assert_keeps_secrets(command, &finished);
        }
    }
    assert_no_file_has(scene.longshore.folder(), &CANARIES);
    Ok(())
}

#[tokio::test]
async fn no_process_has_a_secret_in_its_arguments_or_its_environment() -> Result<()> {
    let scene = Scene::open(2_000, 10_000).await?;
    scene.sandbox.set_faults(json!([{ "kind": "slow", "ms": 500 }])).await?;
    let running = scene.start_sync(Target::Events)?;
    let plugins = eventually("both plugins work", PATIENCE, async || {
        let plugins = running.plugins();
        (plugins.len() == 2 && scene.sandbox.counts().await.is_ok_and(|counts| counts.events > 0)).then_some(plugins)
    })
    .await?;
    assert!(
        plugins.iter().all(|plugin| plugin.environment().contains("PATH=")),
        "environments can be read"
    );
    for process in plugins.iter().flat_map(family) {
        for canary in CANARIES {
            assert!(
                !process.command_line.contains(canary),
                "{}: in its arguments",
                process.program()
            );
            assert!(
                !process.environment().contains(canary),
                "{}: in its environment",
                process.program()
            );
        }
    }
    let own = processes::all()
        .into_iter()
        .find(|process| process.pid == running.pid());
    let own = own.expect("longshore runs");
    assert!(CANARIES.iter().all(|canary| !own.command_line.contains(canary)));
    scene.sandbox.clear_faults().await?;
    running.finish().await?.succeeded()?;
    Ok(())
}

/// A process and what it started.
fn family(process: &Process) -> Vec<Process> {
    let mut found = vec![process.clone()];
    found.extend(processes::children(process.pid).iter().flat_map(family));
    found
}

fn with_literal_secrets(scene: &Scene) -> Configuration {
    scene
        .configuration(Target::Events)
        .with_source_option(&format!("password: {PASSWORD}"))
        .with_destination_option(&format!("rest_api_key: {REST_API_KEY}"))
}

async fn every_command_keeps_secrets(longshore: &Longshore) -> Result<()> {
    for command in COMMANDS {
        for extra in ["", " --json"] {
            let finished = run_loudly(longshore, &format!("{command}{extra}")).await?;
            assert_keeps_secrets(command, &finished);
            // A command that is refused for its arguments would show nothing at all.
            for word in ["panicked", "Usage:"] {
                let said = finished.stderr.lines().find(|line| line.contains(word));
                assert_eq!(said, None, "longshore {command}{extra}");
            }
        }
    }
    assert_no_file_has(longshore.folder(), &CANARIES);
    Ok(())
}

/// With everything logged that can be.
async fn run_loudly(longshore: &Longshore, command: &str) -> Result<Finished> {
    longshore.run(command.split(' ').chain(["--log-level", "trace"])).await
}

#[track_caller]
fn assert_keeps_secrets(command: &str, finished: &Finished) {
    // Only the lines that matter: a trace has thousands.
    let lines = finished.stdout.lines().chain(finished.stderr.lines());
    let telling = lines.filter(|line| CANARIES.iter().any(|canary| line.contains(canary)));
    let telling: Vec<&str> = telling.take(10).collect();
    assert!(
        telling.is_empty(),
        "`longshore {command}` tells a secret:\n{}",
        telling.join("\n")
    );
}

/// State, logs, whatever was written; the configuration itself excepted.
#[track_caller]
pub(crate) fn assert_no_file_has(folder: &Path, canaries: &[&str]) {
    let mut seen = 0;
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() && path.extension().is_none_or(|extension| extension != "yml") {
            seen += 1;
            let bytes = fs::read(&path).unwrap();
            for canary in canaries {
                let holds = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!holds, "{} holds {canary}", path.display());
            }
        }
    }
    assert!(seen > 0, "the state was looked at");
}
