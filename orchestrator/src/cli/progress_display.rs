//! Progress of a sync on standard error: bars on a terminal, a line now and then elsewhere.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use longshore_core::CursorValue;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{console::Console, output::grouped};
use crate::engine::progress::{CursorSpan, Progress, TableCounters};
use crate::figures::counted;

const REFRESH: Duration = Duration::from_millis(100);

/// Lines in a log file are read later: few are enough.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Shows progress until it is told to end.
pub(super) struct ProgressDisplay {
    end: oneshot::Sender<()>,
    showing: JoinHandle<()>,
}

impl ProgressDisplay {
    pub(super) fn start(console: &Console, sync: &str, progress: Progress) -> Self {
        let (end, ended) = oneshot::channel();
        let console = console.clone();
        let showing = if console.is_terminal() {
            tokio::spawn(show_bars(console, progress, ended))
        } else {
            tokio::spawn(show_lines(console, sync.to_owned(), progress, ended))
        };
        Self { end, showing }
    }

    pub(super) async fn end(self) {
        // A display that has ended by itself shows nothing any more.
        self.end.send(()).ok();
        self.showing.await.ok();
    }
}

async fn show_bars(console: Console, progress: Progress, mut ended: oneshot::Receiver<()>) {
    let bars = MultiProgress::new();
    console.show_bars(Some(bars.clone()));
    let mut shown: Vec<(ProgressBar, Rate)> = Vec::new();
    loop {
        for (index, table) in progress.tables().iter().enumerate() {
            if shown.len() == index {
                let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed");
                shown.push((bars.add(ProgressBar::new_spinner().with_style(style)), Rate::default()));
            }
            let (bar, rate) = &mut shown[index];
            bar.set_message(line_of(table, rate));
            bar.tick();
        }
        tokio::select! {
            () = tokio::time::sleep(REFRESH) => {}
            _ = &mut ended => break,
        }
    }
    console.show_bars(None);
    // The summary that follows says it all; a terminal that is gone needs no clearing.
    bars.clear().ok();
}

async fn show_lines(console: Console, sync: String, progress: Progress, mut ended: oneshot::Receiver<()>) {
    let mut rates: Vec<Rate> = Vec::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LINE_INTERVAL) => {}
            _ = &mut ended => return,
        }
        let tables = progress.tables();
        rates.resize_with(tables.len(), Rate::default);
        for (table, rate) in tables
            .iter()
            .zip(&mut rates)
            .filter(|(table, _)| !table.complete.load(Ordering::Relaxed))
        {
            console.line(&format!("{sync}: {}", line_of(table, rate)));
        }
    }
}

fn line_of(table: &Arc<TableCounters>, rate: &mut Rate) -> String {
    let acked = table.acked.load(Ordering::Relaxed);
    let expected = table.expected.load(Ordering::Relaxed);
    let rejected = table.rejected.load(Ordering::Relaxed);
    let mut line = format!("{}  {}", table.name, counted(acked, "row", "rows"));
    if expected > acked && !table.complete.load(Ordering::Relaxed) {
        line.push_str(&format!(" of about {}", grouped(expected)));
    }
    line.push_str(&format!("  {} rows/s", grouped(rate.of(acked))));
    if rejected > 0 {
        line.push_str(&format!("  {} rejected", grouped(rejected)));
    }
    if let Some(lag) = lag(&table.cursor_span()) {
        line.push_str(&format!("  {lag} behind"));
    }
    if table.complete.load(Ordering::Relaxed) {
        line.push_str("  done");
    }
    line
}

/// How far the committed cursor is behind the upper bound of the run's view, where both are points in time.
fn lag(span: &CursorSpan) -> Option<String> {
    let (Some(CursorValue::Timestamp(at)), Some(CursorValue::Timestamp(bound))) = (&span.at, &span.upper_bound) else {
        return None;
    };
    let seconds = |value: i64, per_second: i64| value.div_euclid(per_second);
    let behind = seconds(bound.value, bound.unit.per_second()).checked_sub(seconds(at.value, at.unit.per_second()))?;
    let behind = u64::try_from(behind).ok().filter(|behind| *behind > 0)?;
    Some(match behind {
        0..60 => format!("{behind} s"),
        60..3_600 => format!("{} min", behind / 60),
        3_600..86_400 => format!("{} h", behind / 3_600),
        _ => format!("{} d", behind / 86_400),
    })
}

/// Rows per second over the last few seconds.
#[derive(Default)]
struct Rate {
    samples: std::collections::VecDeque<(Instant, u64)>,
}

impl Rate {
    const WINDOW: Duration = Duration::from_secs(20);

    fn of(&mut self, rows: u64) -> u64 {
        let now = Instant::now();
        self.samples.push_back((now, rows));
        while self.samples.len() > 2 && self.samples.front().is_some_and(|(at, _)| now - *at > Self::WINDOW) {
            self.samples.pop_front();
        }
        let Some((since, before)) = self.samples.front().copied().filter(|(at, _)| *at < now) else {
            return 0;
        };
        let milliseconds = u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX).max(1);
        rows.saturating_sub(before) * 1_000 / milliseconds
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::cursor::{TimeUnit, Timestamp};

    use super::*;

    #[test]
    fn the_lag_is_told_in_the_unit_a_person_would_use() {
        let at = |value| {
            Some(CursorValue::Timestamp(Timestamp {
                value,
                unit: TimeUnit::Second,
                instant: true,
            }))
        };
        let lag_of = |seconds| {
            lag(&CursorSpan {
                at: at(0),
                upper_bound: at(seconds),
            })
        };
        assert_eq!(lag_of(0), None);
        assert_eq!(lag_of(-5), None);
        assert_eq!(lag_of(59).as_deref(), Some("59 s"));
        assert_eq!(lag_of(7_200).as_deref(), Some("2 h"));
        assert_eq!(
            lag(&CursorSpan {
                at: Some(CursorValue::Int(1)),
                upper_bound: Some(CursorValue::Int(2))
            }),
            None
        );
    }
}
