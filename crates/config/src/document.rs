//! One document of a configuration, with the position of everything in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Related, Severity};
use crate::plugin_spec::PluginSpec;
use crate::schema::{CompiledSchema, Conformity, Finding, Reserved, Target, check};
use crate::secrets::{Secrets, Use, credentials, weakness};
use crate::text::{Span, TextFile, ends_with_a_secret, names_a_secret};
use crate::yaml::{Node, Origin, Problem, Scalar, escape_pointer, split_pointer};

/// Where a document keeps the plugin's own options.
const PLUGIN_SPEC: &str = "/spec/spec";

/// Where the envelope has names, in itself or in a list: of a sync or a destination, of a plugin, of tables, of the state's file.
const NAMES: [&str; 6] = [
    "/spec/name",
    "/spec/path",
    "/spec/tables",
    "/spec/skip_tables",
    "/spec/destinations",
    "/spec/state",
];

/// One YAML document after substitution. A cheap handle: clones share the document.
///
/// Whoever finds something wrong with a value later (a plugin that refuses its options, a table that does not exist) asks
/// the document for a [`Diagnostic`] at the value's place.
#[derive(Clone)]
pub struct Document {
    shared: Arc<Shared>,
}

struct Shared {
    /// Number of the document among all that were loaded.
    number: usize,
    file: Arc<TextFile>,
    root: Node,
    secrets: Secrets,
    /// What excerpts hide: literal values under keys with telling names, and those that a schema has called secret.
    masks: RwLock<Vec<Span>>,
}

impl Document {
    pub(crate) fn new(number: usize, file: Arc<TextFile>, root: Node, secrets: Secrets) -> Self {
        let masks = telling_values(&root);
        Self {
            shared: Arc::new(Shared {
                number,
                file,
                root,
                secrets,
                masks: RwLock::new(masks),
            }),
        }
    }

    /// Keeps what says by itself that it is secret: at the beginning, when no schema has been asked yet.
    pub(crate) fn keep_telling(&self) {
        self.shared.root.visit_scalars("", &mut |pointer, _, scalar| {
            let (Value::String(text), false) = (&scalar.value, matches!(scalar.origin, Origin::Failed)) else {
                return;
            };
            if split_pointer(pointer).any(|key| names_a_secret(&key)) {
                let place = (self.shared.number, pointer.to_owned());
                self.shared.secrets.convict(&place);
                self.shared.secrets.mark(text, place);
            }
            if text.contains("://") {
                credentials(text)
                    .iter()
                    .for_each(|part| self.shared.secrets.insert(part));
            }
        });
    }

    /// The file, as it was named when it was loaded.
    pub fn file(&self) -> &str {
        self.shared.file.name()
    }

    /// The path that a text in this document means: relative ones are looked up from the directory of its file.
    pub fn resolve_path(&self, path: &str) -> PathBuf {
        self.shared.file.directory().join(Path::new(path))
    }

    /// Checks the plugin's options against the JSON Schema that the plugin itself describes, and hands them out with
    /// every substituted value in the type that the schema wants (see [`PluginSpec`]).
    ///
    /// Values that the schema marks `"writeOnly": true` or `"format": "password"` join the configuration's [`Secrets`],
    /// whether the options are valid or not.
    ///
    /// # Errors
    /// All violations at once, each at its own place in the file. A schema that is none, or refers to other documents, is
    /// one error at the plugin's `path`.
    pub fn validate_plugin_spec(&self, schema: &Value) -> Result<PluginSpec, Vec<Diagnostic>> {
        let compiled = CompiledSchema::compile(schema).map_err(|reason| {
            let message = format!("the plugin describes its options with an invalid JSON Schema: {reason}");
            vec![
                self.error_at("/spec/path", message)
                    .with_help("this is a fault of the plugin: use another version of it, or report it"),
            ]
        })?;
        let absent = Node {
            span: Span { start: 0, end: 0 },
            content: crate::yaml::Content::Mapping(Vec::new()),
        };
        let node = self
            .shared
            .root
            .at(PLUGIN_SPEC)
            .filter(|node| !node.to_json().is_null())
            .unwrap_or(&absent);
        let conformity = check(&compiled, node, |_, _| None);
        self.settle(PLUGIN_SPEC, node, &conformity, |_| false);
        let masks = misplaced_values(node, &conformity);
        let mut diagnostics: Vec<Diagnostic> = conformity
            .findings
            .iter()
            .map(|finding| self.diagnostic_for(PLUGIN_SPEC, finding, &masks))
            .collect();
        sort_within_file(&mut diagnostics);
        // One text may be met twice, through an alias.
        diagnostics.dedup();
        let warnings = self.weak_secrets(node, &conformity);
        match conformity.value {
            Value::Object(options) if diagnostics.is_empty() => Ok(PluginSpec::new(
                options,
                conformity.secret.into_iter().collect(),
                warnings,
            )),
            _ if diagnostics.is_empty() => {
                Err(vec![self.error_at(
                    PLUGIN_SPEC,
                    "the plugin's options must be a mapping of keys to values",
                )])
            }
            _ => Err(diagnostics),
        }
    }

    /// An error about the value at a JSON pointer, such as `/spec/tables/0` or `/spec/spec/host`; about the nearest thing
    /// on the way to it where it is not there. `message` must not contain a secret.
    pub fn error_at(&self, pointer: &str, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(self.span_of(pointer), message.into(), &[])
    }

    /// Validates the whole document, states its names, and settles what of it is secret; apart from the plugin's own options.
    pub(crate) fn check_envelope(&self, schema: &CompiledSchema, reserved: Reserved) -> (Value, Vec<Diagnostic>) {
        let conformity = check(schema, &self.shared.root, reserved);
        self.settle("", &self.shared.root, &conformity, |pointer| {
            is_at(PLUGIN_SPEC, pointer)
        });
        self.shared.root.visit_scalars("", &mut |pointer, _, scalar| {
            let is_name = NAMES.iter().any(|names| is_at(names, pointer));
            if let (true, Some(name), false) = (is_name, scalar.value.as_str(), matches!(scalar.origin, Origin::Failed))
            {
                self.shared.secrets.state(name);
            }
        });
        let masks = misplaced_values(&self.shared.root, &conformity);
        let diagnostics = conformity
            .findings
            .iter()
            .map(|finding| self.diagnostic_for("", finding, &masks))
            .collect();
        (conformity.value, diagnostics)
    }

    pub(crate) fn root(&self) -> &Node {
        &self.shared.root
    }

    /// A problem of the text, as a diagnostic of this document's file.
    pub(crate) fn problem(&self, problem: &Problem) -> Diagnostic {
        problem_in(&self.shared.file, problem, &self.masks())
    }

    /// An error at the key at a JSON pointer rather than at its value.
    pub(crate) fn error_at_key(&self, pointer: &str, message: impl Into<String>) -> Diagnostic {
        let (key, node, _) = self.shared.root.nearest(pointer);
        self.diagnostic(key.unwrap_or_else(|| first_character(node)), message.into(), &[])
    }

    /// The place of a value as a second place of another diagnostic.
    pub(crate) fn related(&self, pointer: &str, message: &str) -> Related {
        Related {
            message: message.to_owned(),
            file: self.file().to_owned(),
            place: self.shared.file.place(self.span_of(pointer), &self.masks()),
        }
    }

    fn span_of(&self, pointer: &str) -> Span {
        match self.shared.root.nearest(pointer) {
            (_, node, true) => node.span,
            (Some(key), _, false) => key,
            (None, node, false) => first_character(node),
        }
    }

    fn diagnostic_for(&self, base: &str, finding: &Finding, masks: &[Span]) -> Diagnostic {
        let pointer = format!("{base}{}", finding.pointer);
        let span = match &finding.target {
            Target::Value => self.span_of(&pointer),
            Target::Key(key) => self
                .shared
                .root
                .at(&pointer)
                .and_then(|node| node.entry(key))
                .map_or_else(|| self.span_of(&pointer), |entry| entry.key_span),
            Target::Missing(_) => match self.shared.root.nearest(&pointer) {
                // The key that holds the mapping; an item of a list has none of its own.
                (Some(key), _, _) if !ends_in_index(&pointer) => key,
                (_, node, _) => first_character(node),
            },
        };
        let mut diagnostic = self.diagnostic(span, finding.message.clone(), masks);
        diagnostic.help.clone_from(&finding.help);
        diagnostic
    }

    fn diagnostic(&self, span: Span, message: String, masks: &[Span]) -> Diagnostic {
        let masks = [self.masks().as_slice(), masks].concat();
        Diagnostic {
            severity: Severity::Error,
            message,
            file: self.file().to_owned(),
            place: Some(self.shared.file.place(span, &masks)),
            help: None,
            related: Vec::new(),
        }
    }

    fn masks(&self) -> Vec<Span> {
        self.shared.masks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a schema's word for what is secret and what is not, where it knows the key; `is_left` to another schema is what that one speaks of.
    ///
    /// What stands under a key that ends with a telling name, and comes from outside, stays secret in spite of a schema: its author forgot to say so.
    fn settle(&self, base: &str, node: &Node, conformity: &Conformity, is_left: impl Fn(&str) -> bool) {
        let secrets = &self.shared.secrets;
        let unknown = misplaced_pointers(conformity);
        let retyped = |pointer: &str| conformity.retyped.iter().any(|retyped| retyped == pointer);
        node.visit_scalars("", &mut |pointer, node, scalar| {
            if is_left(pointer) || unknown.iter().any(|unknown| is_at(unknown, pointer)) {
                return;
            }
            let place = (self.shared.number, format!("{base}{pointer}"));
            if conformity.is_secret(pointer) {
                self.keep_secret(node, scalar, &place);
                return;
            }
            let told = split_pointer(pointer).any(|key| ends_with_a_secret(&key));
            match told && matches!(scalar.origin, Origin::Substituted { .. }) && !retyped(pointer) {
                true => secrets.convict(&place),
                false => secrets.release(&place),
            }
        });
    }

    /// A schema calls this value secret.
    fn keep_secret(&self, node: &Node, scalar: &Scalar, place: &Use) {
        if scalar.value.is_null() || scalar.value.is_boolean() {
            return;
        }
        let secrets = &self.shared.secrets;
        let text = text_of(scalar);
        let parts = credentials(&text);
        for secret in parts.iter().chain([&text]) {
            secrets.mark(secret, place.clone());
        }
        match parts.is_empty() {
            true => secrets.convict(place),
            // Of a connection string the password is secret, and not the name of the database.
            false => secrets.acquit(place),
        }
        let mut masks = self.shared.masks.write().unwrap_or_else(PoisonError::into_inner);
        // A reference such as `${PASSWORD}` stays readable.
        if matches!(scalar.origin, Origin::Literal) && !masks.contains(&node.span) {
            masks.push(node.span);
        }
    }

    /// Secrets that can not be kept out of text.
    fn weak_secrets(&self, node: &Node, conformity: &Conformity) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        node.visit_scalars("", &mut |pointer, _, scalar| {
            if !conformity.secret.contains(pointer) || scalar.value.is_boolean() || scalar.value.is_null() {
                return;
            }
            if let Some(weakness) = weakness(&text_of(scalar), &self.shared.secrets) {
                let key = split_pointer(pointer).last().unwrap_or_default();
                let warning = self.error_at_key(
                    &format!("{PLUGIN_SPEC}{pointer}"),
                    format!("the secret value of `{key}` {weakness}"),
                );
                found.push(warning.as_warning().with_help("choose a longer one that is no word"));
            }
        });
        found
    }
}

fn text_of(scalar: &Scalar) -> String {
    match &scalar.value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a pointer is this one or below it.
fn is_at(parent: &str, pointer: &str) -> bool {
    pointer
        .strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Debug for Document {
    /// The file only: values may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Document")
            .field("file", &self.file())
            .finish_non_exhaustive()
    }
}

/// A problem of a file's text as a diagnostic.
pub(crate) fn problem_in(file: &TextFile, problem: &Problem, masks: &[Span]) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        message: problem.message.clone(),
        file: file.name().to_owned(),
        place: Some(file.place(problem.span, masks)),
        help: problem.help.clone(),
        related: problem
            .related
            .iter()
            .map(|(span, message)| Related {
                message: (*message).to_owned(),
                file: file.name().to_owned(),
                place: file.place(*span, masks),
            })
            .collect(),
    }
}

/// By line and column; what has no position comes first.
pub(crate) fn sort_within_file(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by_key(|diagnostic| (diagnostic.line(), diagnostic.column()));
}

/// Spans of literal values under keys whose name tells of a secret.
pub(crate) fn telling_values(root: &Node) -> Vec<Span> {
    let mut spans = Vec::new();
    root.visit_scalars("", &mut |pointer, node, scalar| {
        let telling = split_pointer(pointer).any(|key| names_a_secret(&key));
        if telling && matches!(scalar.origin, Origin::Literal) && !scalar.value.is_null() {
            spans.push(node.span);
        }
    });
    spans
}

/// Pointers of the values under keys that nobody knows.
fn misplaced_pointers(conformity: &Conformity) -> Vec<String> {
    let unknown = conformity.findings.iter().filter_map(|finding| match &finding.target {
        Target::Key(key) => Some(format!("{}/{}", finding.pointer, escape_pointer(key))),
        Target::Value | Target::Missing(_) => None,
    });
    unknown.collect()
}

/// Spans of the literal values under keys that nobody knows: a misspelt `password` is no less secret.
fn misplaced_values(root: &Node, conformity: &Conformity) -> Vec<Span> {
    let mut spans = Vec::new();
    for finding in &conformity.findings {
        let Target::Key(key) = &finding.target else { continue };
        let Some(entry) = root.at(&finding.pointer).and_then(|node| node.entry(key)) else {
            continue;
        };
        entry.node.visit_scalars("", &mut |_, node, scalar| {
            if matches!(scalar.origin, Origin::Literal) && !scalar.value.is_null() {
                spans.push(node.span);
            }
        });
    }
    spans
}

fn first_character(node: &Node) -> Span {
    Span {
        start: node.span.start,
        end: node.span.start + 1,
    }
}

fn ends_in_index(pointer: &str) -> bool {
    pointer
        .rsplit('/')
        .next()
        .is_some_and(|step| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()))
}
