//! Where the workspace and its build output are.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use longshore_tests::{Context, Failure, Result};
use serde_json::Value;

/// The directories that tasks work in.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo, which knows every way to name a target directory.
    pub(crate) fn find() -> Result<Self> {
        let output = Command::new(crate::cargo::program())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cargo can not be started")?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("cargo metadata fails: {message}")));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")?;
        let directory = |key: &str| {
            let text = metadata[key].as_str().context(format!("cargo metadata has no {key}"));
            text.map(PathBuf::from)
        };
        Ok(Self {
            root: directory("workspace_root")?,
            target: directory("target_directory")?,
        })
    }

    /// The directory of the workspace's manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The target directory.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where built programs are.
    pub(crate) fn programs(&self) -> PathBuf {
        self.target.join("debug")
    }

    /// Where programs are that were built with optimisation.
    pub(crate) fn optimised_programs(&self) -> PathBuf {
        self.target.join("release")
    }
}
