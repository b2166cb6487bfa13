//! How a log line is written. What is logged within a run has the name of its sync: a daemon runs several at once, and a line of one looks like that of another.

use std::{fmt, sync::Arc};

use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::{FilterFn, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, Writer},
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

use crate::observe::run_log::{self, SyncName};

/// What of a program is printed: lines from a level on. Spans are not, and tie lines to runs, whatever is printed.
pub(super) fn printed_from(level: LevelFilter) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let of_runs = LevelFilter::from(run_log::LEVEL);
    let printed = filter_fn(move |metadata| {
        let from = if metadata.is_span() { of_runs } else { level };
        *metadata.level() <= from
    });
    printed.with_max_level_hint(level.max(of_runs))
}

/// Lines for people: when, how grave, what, and the rest as `name=value`.
pub(super) struct Text;

/// Lines for machines: one JSON object each.
pub(super) struct Objects(Format<Json>);

impl Objects {
    pub(super) fn new() -> Self {
        let format = tracing_subscriber::fmt::format().json();
        Self(
            format
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false),
        )
    }
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        let (dimmed, coloured, plain) = match writer.has_ansi_escapes() {
            true => ("\x1b[2m", colour_of(level), "\x1b[0m"),
            false => ("", "", ""),
        };
        writer.write_str(dimmed)?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "{plain} {coloured}{level:>5}{plain} ")?;
        context.format_fields(writer.by_ref(), event)?;
        if let Some(sync) = sync_of(context, event) {
            write!(writer, " sync={sync:?}")?;
        }
        writeln!(writer)
    }
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

impl<S, N> FormatEvent<S, N> for Objects
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        match (sync_of(context, event), line.trim_end().strip_suffix('}')) {
            (Some(sync), Some(open)) => {
                let sync = serde_json::Value::from(&*sync);
                writeln!(writer, "{open},\"sync\":{sync}}}")
            }
            _ => writer.write_str(&line),
        }
    }
}

/// The sync whose run an event was logged in; `None` where the event says it itself, or belongs to no run.
fn sync_of<S, N>(context: &FmtContext<'_, S, N>, event: &Event<'_>) -> Option<Arc<str>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    if event.metadata().fields().field("sync").is_some() {
        return None;
    }
    let mut spans = context.event_scope()?;
    spans.find_map(|span| span.extensions().get::<SyncName>().map(|name| Arc::clone(&name.0)))
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use longshore_state::{RunKind, Trigger};
    use tracing_subscriber::{Layer as _, fmt::MakeWriter, layer::SubscriberExt as _};

    use super::*;
    use crate::observe::Observation;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Page {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn log_something(observation: &Observation) {
        tracing::info!("before");
        let watch = observation.watch(
            observation.logs.begin("people"),
            "people",
            RunKind::Sync,
            Trigger::Command,
        );
        watch.span().in_scope(|| {
            tracing::info!(rows = 7, "within");
            tracing::debug!("too much");
            tracing::info_span!("deeper").in_scope(|| tracing::warn!("deep"));
            tracing::info!(sync = "other", "says it itself");
        });
    }

    #[test]
    fn a_line_of_a_run_has_the_name_of_its_sync_and_others_have_none() {
        let (observation, page) = (Observation::default(), Page::default());
        let lines = tracing_subscriber::fmt::layer().event_format(Text).with_ansi(false);
        let lines = lines.with_writer(page.clone());
        let subscriber = tracing_subscriber::registry()
            .with(lines.with_filter(printed_from(LevelFilter::INFO)))
            .with(observation.logs.layer().with_filter(LevelFilter::from(run_log::LEVEL)));
        tracing::subscriber::with_default(subscriber, || log_something(&observation));
        let lines = page.lines();
        for (line, expected) in lines.iter().zip([
            "  INFO before",
            r#"  INFO within rows=7 sync="people""#,
            r#"  WARN deep sync="people""#,
            r#"  INFO says it itself sync="other""#,
        ]) {
            assert!(line.ends_with(expected), "{line}");
        }
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn so_it_is_with_lines_for_machines() {
        let (observation, page) = (Observation::default(), Page::default());
        let lines = tracing_subscriber::fmt::layer().json().event_format(Objects::new());
        let lines = lines.with_writer(page.clone());
        let subscriber = tracing_subscriber::registry()
            .with(lines.with_filter(printed_from(LevelFilter::INFO)))
            .with(observation.logs.layer().with_filter(LevelFilter::from(run_log::LEVEL)));
        tracing::subscriber::with_default(subscriber, || log_something(&observation));
        let objects: Vec<serde_json::Value> = page
            .lines()
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let syncs: Vec<_> = objects.iter().map(|object| object["sync"].as_str()).collect();
        assert_eq!(syncs, [None, Some("people"), Some("people"), Some("other")]);
        assert_eq!(
            (&objects[1]["message"], &objects[1]["rows"]),
            (&"within".into(), &7.into())
        );
    }
}
