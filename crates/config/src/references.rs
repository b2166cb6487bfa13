//! What must hold between documents: names are unique, and every name that is referred to exists.
//!
//! Works on the names as written, so that a document with another error still counts: one mistake gives one message.

use crate::configuration::{Draft, Kind};
use crate::diagnostic::Diagnostic;
use crate::document::Document;
use crate::suggestion::did_you_mean;
use crate::yaml::{Content, Node, Origin};

const NAME: &str = "/spec/name";
const DESTINATIONS: &str = "/spec/destinations";

/// `complete` says whether every document could be read; if not, nothing is said about what may only be unread.
pub(crate) fn check(drafts: &[Draft], complete: bool, diagnostics: &mut Vec<Diagnostic>) {
    for (kind, noun) in [(Kind::Source, "source"), (Kind::Destination, "destination")] {
        refuse_duplicates(drafts, kind, noun, diagnostics);
    }
    refuse_second_settings(drafts, diagnostics);
    if !complete {
        return;
    }
    let destinations = named(drafts, Kind::Destination);
    let names: Vec<&str> = destinations.iter().map(|(name, _)| *name).collect();
    let nameless_destination = drafts
        .iter()
        .filter(|draft| draft.kind == Kind::Destination)
        .any(|draft| name_of(draft).is_none());
    let mut references = References::default();
    for draft in drafts.iter().filter(|draft| draft.kind == Kind::Source) {
        references.collect(&draft.document);
    }
    // A destination without a usable name may be the one that is meant.
    if !nameless_destination {
        for (name, pointer, document) in &references.written {
            if !names.contains(name) {
                diagnostics.push(unknown_destination(document, pointer, name, &names));
            }
        }
    }
    let all_known = references.written.iter().all(|(name, _, _)| names.contains(name));
    if references.unreadable || !all_known || references.written.is_empty() {
        return;
    }
    for (name, document) in destinations {
        if !references.written.iter().any(|(used, _, _)| *used == name) {
            diagnostics.push(
                document
                    .error_at(NAME, format!("no source sends anything to the destination `{name}`"))
                    .with_help("name it under a source's `destinations`, or remove it")
                    .as_warning(),
            );
        }
    }
}

#[derive(Default)]
struct References<'d> {
    /// Name, JSON pointer and document of every reference.
    written: Vec<(&'d str, String, &'d Document)>,
    /// Some reference could not be read, and was reported.
    unreadable: bool,
}

impl<'d> References<'d> {
    fn collect(&mut self, document: &'d Document) {
        let Some(Content::Sequence(items)) = document.root().at(DESTINATIONS).map(|node| &node.content) else {
            self.unreadable = true;
            return;
        };
        for (index, item) in items.iter().enumerate() {
            match usable_text(item) {
                Some(name) => {
                    self.written.push((name, format!("{DESTINATIONS}/{index}"), document));
                }
                None => self.unreadable = true,
            }
        }
    }
}

fn unknown_destination(document: &Document, pointer: &str, name: &str, names: &[&str]) -> Diagnostic {
    let help = did_you_mean(name, names, "there are")
        .unwrap_or_else(|| "the configuration has no destination: add a document with `kind: destination`".to_owned());
    document
        .error_at(pointer, format!("there is no destination `{name}`"))
        .with_help(help)
}

fn refuse_duplicates(drafts: &[Draft], kind: Kind, noun: &str, diagnostics: &mut Vec<Diagnostic>) {
    let documents = named(drafts, kind);
    for (index, (name, document)) in documents.iter().enumerate() {
        let first = documents[..index].iter().find(|(known, _)| known == name);
        if let Some((_, first)) = first {
            let mut diagnostic = document
                .error_at(NAME, format!("two {noun}s have the name `{name}`"))
                .with_help("rename one: the name is the key under which state and history are kept");
            if kind == Kind::Destination {
                diagnostic.help = Some("rename one: sources refer to a destination by its name".to_owned());
            }
            diagnostic.related.push(first.related(NAME, "the first one is here"));
            diagnostics.push(diagnostic);
        }
    }
}

fn refuse_second_settings(drafts: &[Draft], diagnostics: &mut Vec<Diagnostic>) {
    let mut settings = drafts.iter().filter(|draft| draft.kind == Kind::Settings);
    let Some(first) = settings.next() else { return };
    for second in settings {
        let mut diagnostic = second
            .document
            .error_at("/kind", "there are two settings documents")
            .with_help("put all settings into one");
        diagnostic
            .related
            .push(first.document.related("/kind", "the first one is here"));
        diagnostics.push(diagnostic);
    }
}

fn named(drafts: &[Draft], kind: Kind) -> Vec<(&str, &Document)> {
    drafts
        .iter()
        .filter(|draft| draft.kind == kind)
        .filter_map(|draft| name_of(draft).map(|name| (name, &draft.document)))
        .collect()
}

fn name_of(draft: &Draft) -> Option<&str> {
    draft.document.root().at(NAME).and_then(usable_text)
}

fn usable_text(node: &Node) -> Option<&str> {
    let Content::Scalar(scalar) = &node.content else {
        return None;
    };
    scalar
        .value
        .as_str()
        .filter(|_| !matches!(scalar.origin, Origin::Failed))
}
