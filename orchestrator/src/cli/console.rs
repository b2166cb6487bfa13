//! Standard error: log lines and progress bars, without getting into each other's way, and without secrets.

mod fields;
mod lines;

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex},
};

use indicatif::MultiProgress;
use longshore_config::Secrets;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    in_clear,
    observe::{Observation, run_log, telemetry::Telemetry},
};
use fields::ClearedFields;

/// Standard error. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Console {
    secrets: Secrets,
    bars: Arc<Mutex<Option<MultiProgress>>>,
}

impl Console {
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            bars: Arc::default(),
        }
    }

    /// Sends this process's log lines here, from a level on, and those of runs to where they are kept.
    pub(crate) fn log(&self, level: LevelFilter, json: bool, observation: &Observation, telemetry: &Telemetry) {
        let writer = Writing {
            console: self.clone(),
            json,
        };
        let lines = tracing_subscriber::fmt::layer().with_writer(writer);
        let lines = if json {
            lines.json().event_format(lines::Objects::new()).boxed()
        } else {
            lines
                .fmt_fields(ClearedFields(self.secrets.clone()))
                .with_ansi(self.is_terminal() && std::env::var_os("NO_COLOR").is_none())
                .event_format(lines::Text)
                .boxed()
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(lines::printed_from(level)))
            .with(observation.logs.layer().with_filter(LevelFilter::from(run_log::LEVEL)))
            .with(telemetry.layer())
            .init();
    }

    pub(crate) fn is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// From now on, and until `None` is given, lines are printed above these bars.
    pub(crate) fn show_bars(&self, bars: Option<MultiProgress>) {
        *self.bars.lock().expect("no holder of this lock panics") = bars;
    }

    /// Prints a line.
    pub(crate) fn line(&self, line: &str) {
        self.print(&format!("{}\n", self.secrets.redact(line)));
    }

    fn print(&self, text: &str) {
        let bars = self.bars.lock().expect("no holder of this lock panics").clone();
        // Whoever has closed standard error does not want to hear about it.
        let print = || io::stderr().write_all(text.as_bytes()).ok();
        match bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        };
    }
}

/// Where the subscriber writes lines to.
struct Writing {
    console: Console,
    json: bool,
}

/// One log line. One for people has been cleared of secrets field by field, one for programs is here.
pub(crate) struct Line {
    console: Console,
    json: bool,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        match self.json {
            true => self.console.print(&in_clear::json_line(&self.console.secrets, &text)),
            false => self.console.print(&text),
        }
    }
}

impl<'a> MakeWriter<'a> for Writing {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            console: self.console.clone(),
            json: self.json,
            text: Vec::new(),
        }
    }
}
