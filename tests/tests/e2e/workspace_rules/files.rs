//! What files may look like.

use std::path::{Path, PathBuf};

use super::{root, text_of};

/// No file is longer: a reader should not have to search within one.
const MOST_LINES: usize = 800;

/// The Rust files of the workspace, relative to its root.
fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![root()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if entry.file_type().unwrap().is_dir() {
                let is_ours = name != "target" && !name.to_string_lossy().starts_with('.');
                open.extend(is_ours.then(|| entry.path()));
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                files.push(entry.path().strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    assert!(files.len() > 50, "the workspace was walked: {files:?}");
    files
}

/// Whether a whole file is a test.
fn is_test(file: &Path) -> bool {
    let in_tests_folder = file
        .components()
        .skip(1)
        .any(|component| component.as_os_str() == "tests");
    in_tests_folder || file.file_name().is_some_and(|name| name == "tests.rs") || is_end_to_end(file)
}

/// The end-to-end tests are the folder `tests` of the crate `tests`.
fn is_end_to_end(file: &Path) -> bool {
    file.starts_with("tests/tests")
}

/// A file without its test modules.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or_default()
}

#[test]
fn no_file_is_over_800_lines() {
    for file in rust_files() {
        let lines = text_of(&file.to_string_lossy()).lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", file.display());
    }
}

#[test]
fn nothing_but_tests_unwraps() {
    let mut found = Vec::new();
    for file in rust_files().into_iter().filter(|file| !is_test(file)) {
        let text = text_of(&file.to_string_lossy());
        let lines = code(&text).lines().enumerate();
        let unwraps = lines.filter(|(_, line)| line.contains(".unwrap()") && !line.trim_start().starts_with("//"));
        found.extend(unwraps.map(|(number, _)| format!("{}:{}", file.display(), number + 1)));
    }
    assert!(
        found.is_empty(),
        "use `expect` with the invariant, or an error: {found:?}"
    );
}

#[test]
fn the_scan_for_unwraps_finds_them() {
    let text = "fn f() {\n    g().unwrap();\n}\n\n#[cfg(test)]\nmod tests {\n    fn t() { g().unwrap(); }\n}\n";
    assert_eq!(code(text).matches(".unwrap()").count(), 1);
    assert!(is_test(Path::new("crates/core/tests/core.rs")) && is_test(Path::new("tests/tests/e2e/main.rs")));
    assert!(is_test(Path::new("crates/core/src/cursor/tests.rs")) && !is_test(Path::new("tests/src/lib.rs")));
}

#[test]
fn both_licences_are_there() {
    assert!(text_of("LICENSE-MIT").contains("Permission is hereby granted"));
    assert!(text_of("LICENSE-APACHE").contains("Apache License"));
}
