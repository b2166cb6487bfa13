//! What tasks need besides Rust, installed where it is missing and may be.

use std::process::{Command, Stdio};

use longshore_tests::{Context, Failure, Result, postgres_programs};

use crate::Console;

/// Makes sure that there is a PostgreSQL server to run.
///
/// # Errors
/// There is none and it can not be installed; the message says how to.
pub(crate) fn postgresql(console: &Console) -> Result<()> {
    if postgres_programs().is_ok() {
        return Ok(());
    }
    apt_install("postgresql", console)?;
    postgres_programs().map(drop)
}

/// Makes sure that there is curl.
///
/// # Errors
/// As for [`postgresql`].
pub(crate) fn curl(console: &Console) -> Result<()> {
    if runs("curl") {
        return Ok(());
    }
    apt_install("curl", console)
}

/// Makes sure that there is a Chromium, and the driver that tests tell it by what to do.
///
/// # Errors
/// As for [`postgresql`].
pub(crate) fn chromium(console: &Console) -> Result<()> {
    for (program, package) in [("chromium", "chromium"), ("chromedriver", "chromium-driver")] {
        if !runs(program) {
            apt_install(package, console)?;
        }
    }
    Ok(())
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Installs a package of Debian or Ubuntu, as root or with sudo where that asks for no password.
///
/// # Errors
/// It can not be installed; the message says how to.
pub(crate) fn apt_install(package: &str, console: &Console) -> Result<()> {
    let by_hand = format!(
        "{package} is needed and can not be installed from here; run `sudo apt-get install {package}`, or your system's way to it"
    );
    let prefix = privileges().context(by_hand.clone())?;
    for arguments in [
        vec!["update"],
        vec!["install", "--yes", "--no-install-recommends", package],
    ] {
        let mut words: Vec<&str> = prefix.to_vec();
        words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        words.extend(arguments);
        console.command(words.join(" "));
        let status = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(Failure::new(by_hand));
        }
    }
    Ok(())
}

/// The words in front of a command that only root may run; nothing when this process may not become root.
fn privileges() -> Option<&'static [&'static str]> {
    let succeeds = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        command.output().ok().filter(|output| output.status.success())
    };
    succeeds("apt-get", &["--version"])?;
    let user = succeeds("id", &["-u"])?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    succeeds("sudo", &["--non-interactive", "true"]).map(|_| ["sudo", "--non-interactive"].as_slice())
}
