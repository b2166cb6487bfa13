//! From what is logged within a run's span to the run's buffer.

use std::{fmt, sync::Arc};

use longshore_state::{LogLevel, LogLine, UnixMicros};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

use super::{
    Buffers, FIELD,
    buffer::{Buffer, PendingLine},
    lock,
};
use crate::{in_clear, plugin_host::LOG_TARGET};

/// Whose run a span is: with the span, for whoever prints what is logged within it.
pub struct SyncName(pub Arc<str>);

/// Collects the lines of runs.
pub struct RunLogLayer {
    buffers: Buffers,
}

impl RunLogLayer {
    pub(super) fn new(buffers: Buffers) -> Self {
        Self { buffers }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RunLogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut run = RunOf::default();
        attributes.record(&mut run);
        let Some(buffer) = run.number.and_then(|number| lock(&self.buffers).get(&number).cloned()) else {
            return;
        };
        if let Some(span) = context.span(id) {
            let mut extensions = span.extensions_mut();
            extensions.insert(buffer);
            extensions.insert(SyncName(run.sync.into()));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let scope = context.event_scope(event).into_iter().flatten();
        let mut buffers = scope.filter_map(|span| span.extensions().get::<Arc<Buffer>>().cloned());
        if let Some(buffer) = buffers.next() {
            buffer.push(line_of(event));
        }
    }
}

/// The run log that a span belongs to, and whose it is.
#[derive(Default)]
struct RunOf {
    number: Option<u64>,
    sync: String,
}

impl Visit for RunOf {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == FIELD {
            self.number = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "sync" {
            value.clone_into(&mut self.sync);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

fn line_of(event: &Event<'_>) -> PendingLine {
    let metadata = event.metadata();
    let mut words = Words {
        from_plugin: metadata.target() == LOG_TARGET,
        ..Words::default()
    };
    event.record(&mut words);
    let line = LogLine {
        at: UnixMicros::now(),
        level: level_of(*metadata.level()),
        plugin: words.plugin,
        message: match words.message.is_empty() {
            true => words.fields.trim_start().to_owned(),
            false => words.message + &words.fields,
        },
    };
    PendingLine {
        line,
        names: words.names,
    }
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// An event in words: its message, then its fields.
#[derive(Default)]
struct Words {
    /// The event is a plugin's line, and the field `plugin` says whose.
    from_plugin: bool,
    plugin: Option<String>,
    message: String,
    fields: String,
    /// Values of fields that hold names.
    names: Vec<String>,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "plugin" if self.from_plugin => self.plugin = Some(value.to_owned()),
            name => {
                if in_clear::is_name(name) {
                    self.names.push(value.to_owned());
                }
                self.record_debug(field, &value);
            }
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write as _;
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        // A value that can not be written is the fault of its own `Debug`.
        written.expect("a String takes every text");
    }
}
