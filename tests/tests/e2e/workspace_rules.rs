//! The rules of this workspace that a tool can check: who may depend on whom, and what a file may look like.

mod dependencies;
mod files;

use std::path::{Path, PathBuf};

/// The directory of the workspace's manifest.
fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this crate is inside the workspace").to_owned()
}

fn text_of(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file} can not be read: {error}"))
}
