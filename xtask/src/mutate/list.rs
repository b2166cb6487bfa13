//! The mutations, as they are listed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use longshore_tests::{Context, Failure, Result};
use serde::Deserialize;

/// Where the lists are, below the workspace's root.
const LISTS: &str = "tests/mutations";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutation: Vec<Mutation>,
}

/// A protection switched off, and the test that must fail then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutation {
    /// What can go wrong, in a few words; with the number of the case where it has one.
    pub(crate) case: String,
    /// The protection, in words.
    pub(crate) switches_off: String,
    /// File, below the workspace's root.
    pub(crate) file: PathBuf,
    /// Occurs exactly once in the file.
    pub(crate) text: String,
    /// What it becomes.
    pub(crate) replacement: String,
    /// The package with the test.
    pub(crate) package: String,
    /// The test program: `lib`, or the name of a program of integration tests.
    pub(crate) program: String,
    /// The test's full name.
    pub(crate) test: String,
}

impl Mutation {
    /// Whether somebody who names this word means it.
    pub(crate) fn is_about(&self, word: &str) -> bool {
        self.case.contains(word) || self.test.contains(word)
    }

    /// Why it can not be tried on a tree, if so.
    pub(crate) fn problem(&self, root: &Path) -> Option<String> {
        let Self { case, file, test, .. } = self;
        let Ok(source) = fs::read_to_string(root.join(file)) else {
            return Some(format!("{case}: there is no file {}", file.display()));
        };
        let places = source.matches(&self.text).count();
        if places != 1 {
            return Some(format!(
                "{case}: the text to replace occurs {places} times in {}, not once",
                file.display()
            ));
        }
        if self.text == self.replacement {
            return Some(format!("{case}: nothing is changed"));
        }
        let name = test.rsplit("::").next().unwrap_or(test);
        let declared = format!("fn {name}(");
        match package_folder(root, &self.package) {
            None => Some(format!("{case}: there is no package {}", self.package)),
            Some(folder) if !contains(&folder, &declared) => {
                Some(format!("{case}: package {} has no test {name}", self.package))
            }
            Some(_) => None,
        }
    }
}

/// Every mutation of every list.
pub(crate) fn load(root: &Path) -> Result<Vec<Mutation>> {
    let folder = root.join(LISTS);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .context(format!("{} can not be read", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).context(format!("{} can not be read", file.display()))?;
        let list: List = toml::from_str(&text).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        all.extend(list.mutation);
    }
    Ok(all)
}

/// The folder whose manifest has this package's name.
fn package_folder(root: &Path, package: &str) -> Option<PathBuf> {
    let named = format!("name = \"{package}\"");
    let own = |folder: &PathBuf| {
        fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains(&named))
    };
    let nested = ["crates", "plugins"]
        .iter()
        .filter_map(|group| fs::read_dir(root.join(group)).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    ["orchestrator", "tests", "xtask"]
        .iter()
        .map(|name| root.join(name))
        .chain(nested)
        .find(own)
}

/// Whether a Rust file somewhere in a folder contains a text.
fn contains(folder: &Path, text: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).any(|path| {
        if path.is_dir() {
            return contains(&path, text);
        }
        let rust = path.extension().is_some_and(|extension| extension == "rs");
        rust && fs::read_to_string(&path).is_ok_and(|source| source.contains(text))
    })
}
