//! A directory of files, loaded with an environment of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use longshore_config::{Configuration, ConfigurationError, Diagnostic, Loader};
use tempfile::TempDir;

/// The name of the file that [`Site::with`] writes.
pub(crate) const FILE: &str = "longshore.yml";

pub(crate) struct Site {
    directory: TempDir,
    environment: Vec<(String, OsString)>,
}

impl Site {
    pub(crate) fn empty() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            environment: Vec::new(),
        }
    }

    pub(crate) fn with(text: &str) -> Self {
        Self::empty().file(FILE, text)
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a file");
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn loader(&self) -> Loader {
        let environment = self.environment.clone();
        Loader::new().with_environment(move |name| {
            environment
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        })
    }

    pub(crate) fn load(&self) -> Result<Configuration, ConfigurationError> {
        self.loader().load(&[self.path(FILE)])
    }

    pub(crate) fn loaded(&self) -> Configuration {
        match self.load() {
            Ok(configuration) => configuration,
            Err(error) => panic!("the configuration is refused:\n{error}"),
        }
    }

    pub(crate) fn refused(&self) -> ConfigurationError {
        self.load().expect_err("the configuration is accepted")
    }

    /// Text with the directory's name taken out.
    pub(crate) fn stable(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.root().display()), "")
            .replace(&self.root().display().to_string(), "DIRECTORY")
    }

    pub(crate) fn rendered(&self, diagnostics: &[Diagnostic]) -> String {
        let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        self.stable(&texts.join("\n\n"))
    }
}

/// A source with the plugin options given, indented by four, and a destination.
pub(crate) fn with_options(options: &str) -> String {
    let indented: String = options.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "kind: source\nspec:\n  name: shop\n  path: postgresql\n  tables: [orders]\n  destinations: [batch]\n  spec:\n{indented}---\nkind: destination\nspec: {{name: batch, path: batch}}\n"
    )
}

/// Line, column and message of each diagnostic.
pub(crate) fn places(diagnostics: &[Diagnostic]) -> Vec<(usize, usize, String)> {
    diagnostics
        .iter()
        .map(|diagnostic| {
            (
                diagnostic.line().unwrap_or(0),
                diagnostic.column().unwrap_or(0),
                diagnostic.message.clone(),
            )
        })
        .collect()
}
