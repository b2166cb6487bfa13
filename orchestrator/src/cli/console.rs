//! Standard error: log lines and progress bars, without getting into each other's way, and without secrets.

mod lines;

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex},
};

use indicatif::MultiProgress;
use longshore_config::Secrets;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::observe::{Observation, run_log, telemetry::Telemetry};

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
        let lines = tracing_subscriber::fmt::layer().with_writer(self.clone());
        let lines = if json {
            lines.json().event_format(lines::Objects::new()).boxed()
        } else {
            lines
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
        self.print(&format!("{line}\n"));
    }

    fn print(&self, text: &str) {
        let text = self.secrets.redact(text).into_owned();
        let bars = self.bars.lock().expect("no holder of this lock panics").clone();
        // Whoever has closed standard error does not want to hear about it.
        let print = || io::stderr().write_all(text.as_bytes()).ok();
        match bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        };
    }
}

/// One log line.
pub(crate) struct Line {
    console: Console,
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
        self.console.print(&String::from_utf8_lossy(&self.text));
    }
}

impl<'a> MakeWriter<'a> for Console {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            console: self.clone(),
            text: Vec::new(),
        }
    }
}
