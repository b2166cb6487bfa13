//! Which of a source's tables are meant.

use crate::configuration::Source;
use crate::diagnostic::Diagnostic;
use crate::document::Document;
use crate::pattern::{PATTERN_CHARACTERS, TablePattern};
use crate::suggestion::did_you_mean;

/// `tables` and `skip_tables` of a source.
///
/// A text that is exactly the name of an offered table means that table, whatever characters it has; otherwise it is a
/// pattern: `*` any characters (dots and slashes included), `?` one, `[abc]` and `[!abc]` one of or none of, `{a,b}` either,
/// `\` takes the next character literally. Case matters.
#[derive(Clone, Debug)]
pub struct TableSelection {
    include: Vec<String>,
    skip: Vec<String>,
    document: Document,
}

impl TableSelection {
    /// The selection of a source.
    pub fn of(source: &Source) -> Self {
        Self {
            include: source.spec.tables.clone(),
            skip: source.spec.skip_tables.clone(),
            document: source.document.clone(),
        }
    }

    /// The names to ask the source for, when only these can be meant: no text has a pattern's characters, and nothing is
    /// skipped. `None` means that the whole list is needed.
    pub fn exact_names(&self) -> Option<Vec<String>> {
        let exact = self.skip.is_empty() && !self.include.iter().any(|text| text.contains(PATTERN_CHARACTERS));
        exact.then(|| {
            let mut names: Vec<String> = Vec::new();
            for name in &self.include {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            names
        })
    }

    /// The selected tables, in the order in which they are offered, each once.
    ///
    /// # Errors
    /// Every text of `tables` and `skip_tables` that means no offered table (a misspelt skip would deliver what must stay
    /// where it is), every one that is no valid pattern, and a selection that leaves nothing.
    pub fn select(&self, offered: &[String]) -> Result<Vec<String>, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let included = self.marked("/spec/tables", &self.include, offered, &mut diagnostics);
        let skipped = self.marked("/spec/skip_tables", &self.skip, offered, &mut diagnostics);
        let mut selected: Vec<String> = Vec::new();
        for (table, (included, skipped)) in offered.iter().zip(included.iter().zip(&skipped)) {
            if *included && !*skipped && !selected.contains(table) {
                selected.push(table.clone());
            }
        }
        if diagnostics.is_empty() && selected.is_empty() {
            diagnostics.push(
                self.document
                    .error_at("/spec/skip_tables", "`skip_tables` leaves none of the selected tables")
                    .with_help("remove a pattern here, or the source"),
            );
        }
        if diagnostics.is_empty() {
            Ok(selected)
        } else {
            Err(diagnostics)
        }
    }

    /// For each offered table whether one of `texts` means it.
    fn marked(
        &self,
        pointer: &str,
        texts: &[String],
        offered: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<bool> {
        let mut marked = vec![false; offered.len()];
        for (index, text) in texts.iter().enumerate() {
            let place = format!("{pointer}/{index}");
            let meaning = if offered.contains(text) {
                Meaning::Name(text)
            } else {
                match TablePattern::parse(text) {
                    Ok(pattern) => Meaning::Pattern(pattern),
                    Err(reason) => {
                        diagnostics.push(
                            self.document
                                .error_at(
                                    &place,
                                    format!("`{text}` is neither a table nor a valid pattern: {reason}"),
                                )
                                .with_help("in a pattern, `\\` before `[`, `{`, `*` or `?` makes it stand for itself"),
                        );
                        continue;
                    }
                }
            };
            let mut any = false;
            for (mark, table) in marked.iter_mut().zip(offered) {
                if meaning.includes(table) {
                    any = true;
                    *mark = true;
                }
            }
            if !any {
                diagnostics.push(self.nothing_matches(&place, text, offered));
            }
        }
        marked
    }

    fn nothing_matches(&self, place: &str, text: &str, offered: &[String]) -> Diagnostic {
        let message = if text.contains(PATTERN_CHARACTERS) {
            format!("no table of the source matches `{text}`")
        } else {
            format!("the source has no table `{text}`")
        };
        let names: Vec<&str> = offered.iter().map(String::as_str).collect();
        let help = did_you_mean(text, &names, "the source has")
            .unwrap_or_else(|| "the source offers no table at all: check the user's privileges".to_owned());
        self.document.error_at(place, message).with_help(help)
    }
}

enum Meaning<'t> {
    Name(&'t str),
    Pattern(TablePattern),
}

impl Meaning<'_> {
    fn includes(&self, table: &str) -> bool {
        match self {
            Self::Name(name) => *name == table,
            Self::Pattern(pattern) => pattern.matches(table),
        }
    }
}
