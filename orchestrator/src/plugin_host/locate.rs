//! Where a plugin is.

use std::path::{Path, PathBuf};

use longshore_config::Registry;
use longshore_core::{Error, Result};

use super::{PluginReference, Role};

/// Where a plugin is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// A program to start.
    Program(PathBuf),
    /// The Unix socket of a running plugin.
    Socket(PathBuf),
    /// HOST:PORT of a running plugin.
    Address(String),
}

/// A plugin that is installed together with Longshore.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundledPlugin {
    /// `source` or `destination`.
    pub role: &'static str,
    /// What to write in `path`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
}

pub(super) fn locate(reference: &PluginReference) -> Result<Location> {
    match reference.registry {
        Registry::Bundled => bundled(reference),
        Registry::Local => local(reference),
        Registry::Grpc => Ok(match reference.path.strip_prefix("unix:") {
            Some(path) => Location::Socket(PathBuf::from(path)),
            None => Location::Address(reference.path.clone()),
        }),
    }
}

/// The plugins that lie beside the running program.
#[must_use]
pub fn bundled_plugins() -> Vec<BundledPlugin> {
    let mut plugins: Vec<BundledPlugin> = directory_of_this_program()
        .and_then(|directory| std::fs::read_dir(directory).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| as_bundled(&entry.ok()?.path()))
        .collect();
    plugins.sort();
    plugins
}

fn as_bundled(program: &Path) -> Option<BundledPlugin> {
    // Files with an extension are a compiler's by-products.
    let file = program.file_name()?.to_str().filter(|file| !file.contains('.'))?;
    let (role, name) = [Role::Source, Role::Destination].into_iter().find_map(|role| {
        let name = file.strip_prefix(&program_prefix(role))?;
        Some((role.name(), name.to_owned()))
    })?;
    program.is_file().then(|| BundledPlugin {
        role,
        name,
        program: program.to_owned(),
    })
}

fn bundled(reference: &PluginReference) -> Result<Location> {
    let program = directory_of_this_program()
        .map(|directory| directory.join(format!("{}{}", program_prefix(reference.role), reference.path)));
    if let Some(program) = program.filter(|program| !reference.path.contains('/') && program.is_file()) {
        return Ok(Location::Program(program));
    }
    let role = reference.role.name();
    let installed: Vec<String> = bundled_plugins()
        .into_iter()
        .filter(|plugin| plugin.role == role)
        .map(|plugin| plugin.name)
        .collect();
    Err(Error::config(
        "plugin_not_found",
        format!(
            "There is no bundled {role} plugin `{}`, which {role} {} names",
            reference.path, reference.name
        ),
    )
    .with_remedy(format!(
        "Bundled are: {}. For a program of your own, add `registry: local` and give its path.",
        if installed.is_empty() {
            "none".to_owned()
        } else {
            installed.join(", ")
        }
    ))
    .with_field("/spec/path"))
}

fn local(reference: &PluginReference) -> Result<Location> {
    let program = PathBuf::from(&reference.path);
    if program.is_file() {
        return Ok(Location::Program(program));
    }
    let message = format!(
        "There is no program {}, which {} {} names",
        program.display(),
        reference.role.name(),
        reference.name
    );
    Err(Error::config("plugin_not_found", message)
        .with_remedy("`path` is looked up from the directory of the configuration file.")
        .with_field("/spec/path"))
}

fn program_prefix(role: Role) -> String {
    format!("longshore-{}-", role.name())
}

fn directory_of_this_program() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}
