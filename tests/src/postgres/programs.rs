//! Where PostgreSQL's own programs are.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Context, Result};

/// The directory that holds `initdb` and `postgres`: that of the `PATH`, that which `pg_config` names, or the newest of Debian's.
///
/// # Errors
/// There is none; the message says what to install.
pub fn postgres_programs() -> Result<PathBuf> {
    on_the_path()
        .or_else(named_by_pg_config)
        .or_else(newest_of_debian)
        .context("no PostgreSQL server found; install one, on Debian and Ubuntu with `apt-get install postgresql`")
}

fn holds_a_server(directory: &Path) -> bool {
    directory.join("initdb").is_file() && directory.join("postgres").is_file()
}

fn on_the_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|directory| {
        // A lone link to `postgres` may stand in the path while `initdb` is only where the link leads.
        let server = directory.join("postgres").canonicalize().ok()?;
        let home = server.parent()?;
        holds_a_server(home).then(|| home.to_owned())
    })
}

fn named_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    holds_a_server(&directory).then_some(directory)
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let directory = entry.path().join("bin");
            holds_a_server(&directory).then_some((version, directory))
        })
        .max()
        .map(|(_, directory)| directory)
}
