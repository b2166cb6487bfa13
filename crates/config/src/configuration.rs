//! A whole configuration: loading, and what must hold across documents.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::destination::{DestinationDocument, DestinationSpec};
use crate::diagnostic::{ConfigurationError, Diagnostic, Severity};
use crate::document::{Document, problem_in, telling_values};
use crate::files;
use crate::plugin_reference::{Registry, TlsFiles};
use crate::references;
use crate::schedule::SyncSchedule;
use crate::schema::{CompiledSchema, destination_schema, settings_schema, source_schema};
use crate::secrets::Secrets;
use crate::settings::{Settings, SettingsDocument};
use crate::source::{SourceDocument, SourceSpec};
use crate::substitution::{Lookup, Substitution};
use crate::suggestion::{did_you_mean, nearest};
use crate::text::TextFile;
use crate::yaml::{self, Origin};

/// A document with its options.
#[derive(Clone, Debug)]
pub struct Configured<S> {
    /// The options, defaults filled in.
    pub spec: S,
    /// The document they stand in.
    pub document: Document,
}

/// A source of the configuration.
pub type Source = Configured<SourceSpec>;

/// A destination of the configuration.
pub type Destination = Configured<DestinationSpec>;

/// A configuration in which everything holds that can be checked without asking a plugin.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// At least one, in the order of the documents; their names differ.
    pub sources: Vec<Source>,
    /// In the order of the documents; their names differ, and every source's destinations are among them.
    pub destinations: Vec<Destination>,
    /// The settings document, or the defaults.
    pub settings: Settings,
    /// What a person should look at.
    pub warnings: Vec<Diagnostic>,
    /// Every secret found so far; [`Document::validate_plugin_spec`] adds to it.
    pub secrets: Secrets,
}

impl Configuration {
    /// The source of a name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.spec.name == name)
    }

    /// The destination of a name.
    pub fn destination(&self, name: &str) -> Option<&Destination> {
        self.destinations
            .iter()
            .find(|destination| destination.spec.name == name)
    }

    /// The destinations that a source names, in its order.
    pub fn destinations_of(&self, source: &SourceSpec) -> Vec<&Destination> {
        source
            .destinations
            .iter()
            .filter_map(|name| self.destination(name))
            .collect()
    }
}

/// Reads configurations.
pub struct Loader {
    lookup: Box<Lookup>,
    secrets: Secrets,
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loader").finish_non_exhaustive()
    }
}

impl Loader {
    /// Substitutes from the environment of this process.
    pub fn new() -> Self {
        Self {
            lookup: Box::new(|name| std::env::var_os(name)),
            secrets: Secrets::new(),
        }
    }

    /// Substitutes from somewhere else than the environment of this process.
    #[must_use]
    pub fn with_environment(mut self, lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        self.lookup = Box::new(lookup);
        self
    }

    /// Adds what is secret to an existing set, which is then the configuration's: so a log writer redacts even while
    /// a configuration is refused.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// Loads files and directories. A directory stands for every `*.yml` and `*.yaml` directly in it, in the order of
    /// their names; hidden files are left out. A file that is named twice is read once.
    ///
    /// # Errors
    /// Everything that is wrong with any of the documents, in the order of files and lines. Also when there is no source.
    pub fn load<P: AsRef<Path>>(&self, paths: &[P]) -> Result<Configuration, ConfigurationError> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().into()).collect();
        let mut loading = Loading::new(self);
        loading.take_files(&paths);
        loading.finish(&paths)
    }

    /// Loads the settings document of files and directories, and nothing else: what a source or a destination takes from variables and files is not looked
    /// up, so that whoever only wants to know where the state is needs no password for it.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, or keeps a file from being read.
    pub fn load_settings<P: AsRef<Path>>(&self, paths: &[P]) -> Result<Settings, ConfigurationError> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().into()).collect();
        let mut loading = Loading::new(self);
        loading.settings_alone = true;
        loading.take_files(&paths);
        // Sources and destinations were not looked at: nothing can be said of what refers to what.
        loading.complete = false;
        loading.settings()
    }
}

struct Loading<'l> {
    loader: &'l Loader,
    schemas: EnvelopeSchemas,
    /// Every document of a known kind, valid or not.
    drafts: Vec<Draft>,
    sources: Vec<Source>,
    destinations: Vec<Destination>,
    settings: Option<Settings>,
    files: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    /// Whether every document was seen: if not, what seems to be missing may only be unread.
    complete: bool,
    /// Documents that say that they are sources or destinations are left out.
    settings_alone: bool,
}

/// A document whose kind is known.
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) document: Document,
}

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Source,
    Destination,
    Settings,
}

impl Kind {
    const NAMES: [&'static str; 3] = ["source", "destination", "settings"];

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "source" => Some(Self::Source),
            "destination" => Some(Self::Destination),
            "settings" => Some(Self::Settings),
            _ => None,
        }
    }
}

struct EnvelopeSchemas {
    source: CompiledSchema,
    destination: CompiledSchema,
    settings: CompiledSchema,
}

impl EnvelopeSchemas {
    fn compile() -> Self {
        let compile = |schema: Value| {
            CompiledSchema::compile(&schema).expect("the envelope's schemas are derived from our own types and compile")
        };
        Self {
            source: compile(source_schema()),
            destination: compile(destination_schema()),
            settings: compile(settings_schema()),
        }
    }
}

impl<'l> Loading<'l> {
    fn new(loader: &'l Loader) -> Self {
        Self {
            loader,
            schemas: EnvelopeSchemas::compile(),
            drafts: Vec::new(),
            sources: Vec::new(),
            destinations: Vec::new(),
            settings: None,
            files: Vec::new(),
            diagnostics: Vec::new(),
            complete: true,
            settings_alone: false,
        }
    }

    fn take_files(&mut self, paths: &[PathBuf]) {
        self.loader.secrets.begin_configuration();
        let found = files::discover(paths, &mut self.diagnostics);
        self.complete = self.diagnostics.is_empty();
        for path in &found {
            match files::read(path) {
                Ok(file) => self.take_file(file),
                Err(diagnostic) => {
                    self.complete = false;
                    self.diagnostics.push(diagnostic);
                }
            }
        }
    }

    fn take_file(&mut self, file: TextFile) {
        let file = Arc::new(file);
        self.files.push(file.name().to_owned());
        let parsed = yaml::parse(file.text());
        let masks: Vec<_> = parsed.documents.iter().flat_map(telling_values).collect();
        self.diagnostics
            .extend(parsed.problems.iter().map(|problem| problem_in(&file, problem, &masks)));
        self.complete &= parsed.complete;
        if parsed.documents.is_empty() && parsed.problems.is_empty() {
            self.complete = false;
            self.diagnostics.push(
                Diagnostic::about_file(file.name(), "the file holds no configuration document")
                    .with_help("`longshore init` writes one to start from"),
            );
        }
        for mut root in parsed.documents {
            if self.settings_alone && says_to_be_none(&root) {
                continue;
            }
            let number = self.loader.secrets.next_document();
            let substitution = Substitution {
                file: &file,
                lookup: &self.loader.lookup,
                secrets: &self.loader.secrets,
                document: number,
            };
            let mut problems = Vec::new();
            substitution.apply(&mut root, "", &mut problems);
            let document = Document::new(number, Arc::clone(&file), root, self.loader.secrets.clone());
            document.keep_telling();
            self.diagnostics
                .extend(problems.iter().map(|problem| document.problem(problem)));
            self.take_document(document);
        }
    }

    fn take_document(&mut self, document: Document) {
        let kind = match kind_of(&document) {
            Ok(kind) => kind,
            Err(diagnostic) => {
                self.complete = false;
                self.diagnostics.extend(diagnostic);
                return;
            }
        };
        match kind {
            Kind::Source => {
                if let Some(typed) = self.read_document::<SourceDocument>(&document, |schemas| &schemas.source) {
                    let spec = typed.spec;
                    self.check_tls(&document, spec.registry, spec.tls.as_ref());
                    self.check_schedule(&document, &spec);
                    if let Some(alerts) = &spec.alerts {
                        let secrets = alerts.url.secrets();
                        secrets.for_each(|secret| self.loader.secrets.insert(secret));
                    }
                    let document = document.clone();
                    self.sources.push(Configured { spec, document });
                }
            }
            Kind::Destination => {
                if let Some(typed) =
                    self.read_document::<DestinationDocument>(&document, |schemas| &schemas.destination)
                {
                    let spec = typed.spec;
                    self.check_tls(&document, spec.registry, spec.tls.as_ref());
                    let document = document.clone();
                    self.destinations.push(Configured { spec, document });
                }
            }
            Kind::Settings => {
                let typed = self.read_document::<SettingsDocument>(&document, |schemas| &schemas.settings);
                self.settings = typed.map(|typed| typed.spec).or(self.settings.take());
            }
        }
        self.drafts.push(Draft { kind, document });
    }

    /// The document as its type, or nothing and the reasons.
    fn read_document<T: DeserializeOwned>(
        &mut self,
        document: &Document,
        schema: fn(&EnvelopeSchemas) -> &CompiledSchema,
    ) -> Option<T> {
        let (value, diagnostics) = document.check_envelope(schema(&self.schemas), reserved);
        let mut failed_substitution = false;
        document.root().visit_scalars("", &mut |_, _, scalar| {
            failed_substitution |= matches!(scalar.origin, Origin::Failed);
        });
        if !diagnostics.is_empty() || failed_substitution {
            self.diagnostics.extend(diagnostics);
            return None;
        }
        // The schema has accepted it; what is left are the few values that JSON Schema and Rust see differently, such as
        // `8.0` for an integer.
        match serde_path_to_error::deserialize(value) {
            Ok(typed) => Some(typed),
            Err(error) => {
                let pointer = pointer_of(error.path());
                self.diagnostics
                    .push(document.error_at(&pointer, "this value is not of the form that is wanted here"));
                None
            }
        }
    }

    fn check_tls(&mut self, document: &Document, registry: Registry, tls: Option<&TlsFiles>) {
        if tls.is_some() && registry != Registry::Grpc {
            self.diagnostics.push(
                document
                    .error_at_key("/spec/tls", "`tls` has a meaning with `registry: grpc` only")
                    .with_help("longshore talks to a plugin that it starts itself over a private socket: remove `tls`, or set `registry: grpc`"),
            );
        }
    }

    fn check_schedule(&mut self, document: &Document, spec: &SourceSpec) {
        if let Some(problem) = spec.schedule.as_ref().and_then(SyncSchedule::problem) {
            let pointer = format!("/spec/schedule{}", problem.pointer);
            self.diagnostics
                .push(document.error_at(&pointer, problem.message).with_help(problem.help));
        }
    }

    fn finish(mut self, paths: &[PathBuf]) -> Result<Configuration, ConfigurationError> {
        let has_source = self.drafts.iter().any(|draft| draft.kind == Kind::Source);
        if self.complete && !has_source {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            self.diagnostics.push(
                Diagnostic::about_file(names.join(", "), "the configuration has no source")
                    .with_help("add a document with `kind: source`; `longshore init` writes one to start from"),
            );
        }
        let warnings = self.judge()?;
        Ok(Configuration {
            sources: self.sources,
            destinations: self.destinations,
            settings: self.settings.unwrap_or_default(),
            warnings,
            secrets: self.loader.secrets.clone(),
        })
    }

    fn settings(mut self) -> Result<Settings, ConfigurationError> {
        self.judge()?;
        Ok(self.settings.unwrap_or_default())
    }

    /// What is not so wrong that everything is refused, by files and lines.
    fn judge(&mut self) -> Result<Vec<Diagnostic>, ConfigurationError> {
        references::check(&self.drafts, self.complete, &mut self.diagnostics);
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        diagnostics.sort_by_key(|diagnostic| {
            let file = self.files.iter().position(|file| *file == diagnostic.file);
            (file, diagnostic.line(), diagnostic.column())
        });
        // One text may be met twice, through an alias.
        diagnostics.dedup();
        let refused = diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error);
        match refused {
            true => Err(ConfigurationError { diagnostics }),
            false => Ok(diagnostics),
        }
    }
}

/// Whether a document says that it holds no settings.
fn says_to_be_none(root: &yaml::Node) -> bool {
    let written = root.entry("kind").and_then(|entry| entry.node.as_text());
    let kind = written.and_then(Kind::from_name);
    kind.is_some_and(|kind| kind != Kind::Settings)
}

/// The kind of a document, or why it has none: nothing to add where its substitution failed and was reported.
fn kind_of(document: &Document) -> Result<Kind, Option<Diagnostic>> {
    let root = document.root();
    if !matches!(root.content, yaml::Content::Mapping(_)) {
        return Err(Some(
            document
                .error_at(
                    "",
                    "a configuration document is a mapping with the keys `kind` and `spec`",
                )
                .with_help("start it with `kind: source` or `kind: destination`"),
        ));
    }
    let Some(entry) = root.entry("kind") else {
        let keys: Vec<&str> = match &root.content {
            yaml::Content::Mapping(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
            yaml::Content::Scalar(_) | yaml::Content::Sequence(_) => Vec::new(),
        };
        let missing = "the key `kind` is missing";
        return Err(Some(match nearest("kind", keys) {
            Some(misspelt) => document
                .error_at_key(&format!("/{}", yaml::escape_pointer(misspelt)), missing)
                .with_help(format!("did you mean `kind` where it says `{misspelt}`?")),
            None => document
                .error_at_key("/kind", missing)
                .with_help("start the document with `kind: source` or `kind: destination`"),
        }));
    };
    let yaml::Content::Scalar(scalar) = &entry.node.content else {
        return Err(Some(unknown_kind(document, None)));
    };
    match &scalar.origin {
        Origin::Failed => Err(None),
        Origin::Substituted { .. } => entry
            .node
            .as_text()
            .and_then(Kind::from_name)
            .ok_or_else(|| Some(unknown_kind(document, None))),
        Origin::Literal => entry
            .node
            .as_text()
            .and_then(Kind::from_name)
            .ok_or_else(|| Some(unknown_kind(document, entry.node.as_text()))),
    }
}

fn unknown_kind(document: &Document, written: Option<&str>) -> Diagnostic {
    let message = match written {
        Some(written) => format!("`{written}` is not a kind of document"),
        None => "this is not a kind of document".to_owned(),
    };
    let help = did_you_mean(written.unwrap_or_default(), &Kind::NAMES, "the kinds are").unwrap_or_default();
    document.error_at("/kind", message).with_help(help)
}

/// Values with a meaning that this version does not have.
fn reserved(pointer: &str, text: &str) -> Option<(String, String)> {
    let (message, help) = match (pointer, text) {
        ("/spec/pk_mode", "cq-id-only") => (
            "`pk_mode: cq-id-only` does not exist here: rows carry no `_cq_id` column that could be the key",
            "leave `pk_mode` out: the table's own primary key is used",
        ),
        _ => return None,
    };
    Some((message.to_owned(), help.to_owned()))
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", yaml::escape_pointer(key)),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}
