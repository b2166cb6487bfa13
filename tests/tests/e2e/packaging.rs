//! What Longshore is installed with: man pages, completions, a unit for systemd, a container file. The last two can not be run here; they are compared with
//! what they refer to.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use longshore_tests::{Context, Longshore, Result};

use crate::pages::text_of;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The lines of a file with those that end in a backslash put together, without comments.
fn joined_lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Options that a command line names are options of the command.
async fn assert_understood(words: &[String]) -> Result<()> {
    let (command, rest) = words.split_first().context("a command is named")?;
    let help = Longshore::new()?
        .run([command.as_str(), "--help"])
        .await?
        .succeeded()?
        .stdout;
    let options: Vec<&String> = rest.iter().filter(|word| word.starts_with("--")).collect();
    assert!(!options.is_empty(), "{words:?}");
    for option in options {
        assert!(help.contains(option.as_str()), "`longshore {command}` has no {option}");
    }
    Ok(())
}

#[tokio::test]
async fn there_is_a_man_page_for_every_command() -> Result<()> {
    let longshore = Longshore::new()?;
    longshore.run(["man", "man1"]).await?.succeeded()?;
    let folder = longshore.folder().join("man1");
    let pages: BTreeSet<String> = fs::read_dir(&folder)
        .context("they were written")?
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let help = longshore.run(["help"]).await?.succeeded()?.stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    // Descriptions that go on stand further to the right.
    let commands: Vec<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.contains(&"serve") && commands.len() > 10, "{commands:?}");
    for command in commands {
        assert!(
            pages.contains(&format!("longshore-{command}.1")),
            "{command}: {pages:?}"
        );
    }
    let serve = fs::read_to_string(folder.join("longshore-serve.1")).context("it is there")?;
    assert!(serve.starts_with(".ie") && serve.contains("drain\\-timeout"), "{serve}");
    longshore.write("longshore.yml", "")?;
    let refused = longshore.run(["man", "longshore.yml/man1"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr.contains("longshore.yml/man1") && refused.stderr.contains("help:"),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn completions_know_the_commands() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let script = Longshore::new()?.run(["completions", shell]).await?.succeeded()?.stdout;
        for command in ["serve", "rejects", "syncs"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_unit_for_systemd_starts_what_exists_and_leaves_it_time_to_end() -> Result<()> {
    let unit = joined_lines(&text_of("deploy/systemd/longshore.service"));
    let value = |name: &str| {
        let line = unit.iter().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("the unit has no {name}")).to_owned()
    };
    let start = value("ExecStart");
    let words: Vec<String> = start.split(' ').skip(1).map(str::to_owned).collect();
    assert!(start.starts_with("/usr/local/bin/longshore serve "), "{start}");
    assert_understood(&words).await?;
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().expect("a number of seconds");
    let drain = words
        .iter()
        .position(|word| word == "--drain-timeout")
        .context("it drains")?;
    assert!(seconds(&value("TimeoutStopSec")) >= seconds(&words[drain + 1]) + 20);
    assert_eq!(value("DynamicUser"), "yes", "it does not run as root");
    assert!(value("ExecReload").contains("-HUP"));
    assert!(value("Documentation").contains("longshore-serve"));
    Ok(())
}

#[tokio::test]
async fn the_container_file_copies_what_exists_and_runs_without_root() -> Result<()> {
    let lines = joined_lines(&text_of("deploy/container/Containerfile"));
    let copied: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split(' ').rev().skip(1))
        .collect();
    for path in &copied {
        assert!(root().join(path).exists(), "{path}");
    }
    let manifest = text_of("Cargo.toml");
    let members = manifest
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    for member in members.context("the workspace has members")?.split(',') {
        let member = member.trim().trim_matches('"').trim_end_matches("/*");
        assert!(
            member.is_empty() || copied.contains(member),
            "{member} is not copied: {copied:?}"
        );
    }
    let build = lines
        .iter()
        .find(|line| line.starts_with("RUN cargo build"))
        .context("it builds")?;
    let built: Vec<&str> = build.split(" --bin ").skip(1).collect();
    let taken = lines
        .iter()
        .find(|line| line.starts_with("COPY --from=build"))
        .context("it takes what it built")?;
    for program in &built {
        assert!(
            taken.contains(&format!("/release/{program} ")),
            "{program} is built and not taken"
        );
        assert!(
            root().join(format!("target/debug/{program}")).exists() || *program == "longshore",
            "{program} is no program of the workspace"
        );
    }
    assert_eq!(taken.matches("/release/").count(), built.len());
    let user = lines
        .iter()
        .position(|line| line == "USER 10001")
        .context("it is nobody in particular")?;
    let entry = lines
        .iter()
        .position(|line| line.starts_with("ENTRYPOINT"))
        .context("it has a program")?;
    assert!(user < entry);
    let command = lines
        .iter()
        .find_map(|line| line.strip_prefix("CMD "))
        .context("it has arguments")?;
    let words: Vec<String> = serde_json::from_str(command).context("they are a JSON array")?;
    assert_understood(&words).await
}
