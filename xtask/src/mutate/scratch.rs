//! A copy of the tree to change and to build.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use longshore_tests::{Context, Failure, Result};

use super::list::Mutation;
use crate::Workspace;

/// The copy, with a target directory of its own. It is kept, so that the next time builds little.
pub(crate) struct Scratch {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

/// A mutation that is in the copy. Undone when told to; at the latest the next copy of the tree overwrites it.
pub(crate) struct Applied {
    file: PathBuf,
    source: String,
}

impl Scratch {
    /// Copies what has changed since the last time.
    pub(crate) fn make(workspace: &Workspace, target: Option<PathBuf>) -> Result<Self> {
        let own = workspace.target().join("mutations");
        let scratch = Self {
            root: own.join("tree"),
            target: target.unwrap_or_else(|| own.join("target")),
        };
        let files = files_of(workspace.root())?;
        for file in &files {
            copy(&workspace.root().join(file), &scratch.root.join(file))?;
        }
        let wanted: HashSet<&PathBuf> = files.iter().collect();
        let mut stale = Vec::new();
        collect(&scratch.root, &mut stale)?;
        for path in stale {
            let relative = path.strip_prefix(&scratch.root).unwrap_or(&path).to_owned();
            if !wanted.contains(&relative) {
                fs::remove_file(&path).context(format!("{} can not be removed", path.display()))?;
            }
        }
        Ok(scratch)
    }

    /// Changes the copy.
    pub(crate) fn apply(&self, mutation: &Mutation) -> Result<Applied> {
        let file = self.root.join(&mutation.file);
        let source = fs::read_to_string(&file).context(format!("{} can not be read", file.display()))?;
        let mutated = source.replacen(&mutation.text, &mutation.replacement, 1);
        fs::write(&file, mutated).context(format!("{} can not be written", file.display()))?;
        Ok(Applied { file, source })
    }
}

impl Applied {
    pub(crate) fn undo(self) -> Result<()> {
        fs::write(&self.file, self.source).context(format!("{} can not be written", self.file.display()))
    }
}

/// What git knows or would take, relative to the root.
fn files_of(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git can not be started")?;
    if !output.status.success() {
        return Err(Failure::new("git does not list the files of the tree"));
    }
    let text = String::from_utf8(output.stdout).context("a file's name is no UTF-8")?;
    let listed = text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    Ok(listed.filter(|file| root.join(file).is_file()).collect())
}

/// Writes only what differs, so that cargo sees only what changed.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).context(format!("{} can not be read", from.display()))?;
    if fs::read(to).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).context(format!("{} can not be made", folder.display()))?;
    }
    fs::copy(from, to)
        .map(drop)
        .context(format!("{} can not be written", to.display()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).context(format!("{} can not be read", folder.display()))? {
        let path = entry.context("a folder can not be read")?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
