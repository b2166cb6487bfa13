//! From paths to texts.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Severity};
use crate::substitution::plain_reason;
use crate::text::{Span, TextFile};

/// The largest configuration file. The largest real ones are a hundred times smaller; what is larger is not one.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The files behind the paths that a person named, in order, each once. A directory stands for every `*.yml` and
/// `*.yaml` directly in it, by name; hidden files (editors leave them) are not configuration.
pub(crate) fn discover(paths: &[PathBuf], diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut known: Vec<PathBuf> = Vec::new();
    for path in paths {
        let found = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => list_directory(path),
            Ok(_) => Ok(vec![path.clone()]),
            Err(error) => Err(unreadable(path, &plain_reason(&error))),
        };
        match found {
            Ok(found) => {
                for file in found {
                    // What has no canonical path can not be read either, which is said when it is.
                    let identity = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
                    if !known.contains(&identity) {
                        known.push(identity);
                        files.push(file);
                    }
                }
            }
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    files
}

fn list_directory(directory: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let failed = |error: std::io::Error| unreadable(directory, &plain_reason(&error));
    let entries = fs::read_dir(directory).map_err(failed)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml");
        if is_yaml && !hidden && !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Diagnostic::about_file(
            directory.display().to_string(),
            "the directory holds no configuration file",
        )
        .with_help("files directly in it that end in `.yml` or `.yaml` are read; directories below it are not"));
    }
    files.sort();
    Ok(files)
}

/// Reads one file.
pub(crate) fn read(path: &Path) -> Result<TextFile, Diagnostic> {
    let file = open(path).map_err(|reason| unreadable(path, &reason))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &plain_reason(&error)))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Diagnostic::about_file(
            path.display().to_string(),
            format!("the file is larger than {} MiB", LARGEST_FILE >> 20),
        )
        .with_help("a configuration is far smaller: is this the right file?"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
            Ok(TextFile::new(path, text))
        }
        Err(error) => Err(not_utf8(path, &error)),
    }
}

/// Opens a file for reading, or says in words why it can not be. What is no file is refused before it is opened: to open a pipe is to wait for whoever writes
/// into it, and a daemon that reads its configuration again would find it empty.
pub(crate) fn open(path: &Path) -> Result<File, String> {
    let kind = fs::metadata(path).map_err(|error| plain_reason(&error))?.file_type();
    let is_no_file = if kind.is_dir() {
        "it is a directory"
    } else if kind.is_fifo() {
        "it is a pipe and no file"
    } else if kind.is_socket() {
        "it is a socket and no file"
    } else if !kind.is_file() {
        "it is a device and no file"
    } else {
        return File::open(path).map_err(|error| plain_reason(&error));
    };
    Err(is_no_file.to_owned())
}

/// Points at the first byte that is not UTF-8.
fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Diagnostic {
    let valid = error.utf8_error().valid_up_to();
    let offset = String::from_utf8_lossy(&error.as_bytes()[..valid]).chars().count();
    let file = TextFile::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
    let span = Span {
        start: offset,
        end: offset + 1,
    };
    Diagnostic {
        severity: Severity::Error,
        message: "the file is not valid UTF-8".to_owned(),
        file: file.name().to_owned(),
        place: Some(file.place(span, &[])),
        help: Some("save it as UTF-8".to_owned()),
        related: Vec::new(),
    }
}

fn unreadable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::about_file(path.display().to_string(), format!("this can not be read: {reason}"))
        .with_help("name a configuration file, or a directory that holds some")
}
