//! The fields of a log line for people, without secrets: names as they are, everything else as free text.

use std::fmt;

use longshore_config::Secrets;
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::{RecordFields, VisitOutput as _},
    fmt::{
        FormatFields,
        format::{DefaultVisitor, Writer},
    },
};

use crate::in_clear;

/// Writes fields as lines for people usually have them.
pub(super) struct ClearedFields(pub(super) Secrets);

impl<'w> FormatFields<'w> for ClearedFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut names = Names::default();
        fields.record(&mut names);
        let mut cleared = Cleared {
            secrets: &self.0,
            names: &names.0,
            written: DefaultVisitor::new(writer, true),
        };
        fields.record(&mut cleared);
        cleared.written.finish()
    }
}

/// The names among the fields: the message may repeat them.
#[derive(Default)]
struct Names(Vec<String>);

impl Visit for Names {
    fn record_str(&mut self, field: &Field, value: &str) {
        if in_clear::is_name(field.name()) {
            self.0.push(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if in_clear::is_name(field.name()) {
            self.0.push(format!("{value:?}"));
        }
    }
}

struct Cleared<'s, 'w> {
    secrets: &'s Secrets,
    names: &'s [String],
    written: DefaultVisitor<'w>,
}

impl Visit for Cleared<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if in_clear::is_name(field.name()) {
            self.written.record_debug(field, value);
            return;
        }
        let said = format!("{value:?}");
        let cleared = self.secrets.redact_beside(&said, self.names);
        self.written.record_debug(field, &format_args!("{cleared}"));
    }
}
