//! What is printed when this program panics, without secrets: a message may hold whatever was at hand.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::Write as _,
    panic::{self, PanicHookInfo},
    thread,
};

use longshore_config::Secrets;

/// Prints panics of this process without secrets from now on.
pub(super) fn keep_secrets(secrets: Secrets) {
    panic::set_hook(Box::new(move |panic| {
        let thread = thread::current();
        let text = in_words(&secrets, thread.name(), &place(panic), message(panic));
        // Nobody is left to be told that standard error is closed.
        std::io::stderr().write_all(text.as_bytes()).ok();
    }));
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

fn message<'p>(panic: &'p PanicHookInfo<'_>) -> &'p str {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("something that is no text")
}

/// As Rust itself says it, so that whoever looks for panics in a log finds it.
fn in_words(secrets: &Secrets, thread: Option<&str>, place: &str, message: &str) -> String {
    let thread = thread.unwrap_or("<unnamed>");
    let mut text = format!("thread '{thread}' panicked at {place}:\n{}\n", secrets.redact(message));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("stack backtrace:\n{backtrace}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_where_and_why_without_secrets() {
        let secrets = Secrets::new();
        secrets.insert("hunter2hunter2");
        let text = in_words(&secrets, Some("main"), "src/main.rs:1:2", "no \"hunter2hunter2\" here");
        assert!(
            text.starts_with("thread 'main' panicked at src/main.rs:1:2:\nno \"***\" here\n"),
            "{text}"
        );
    }
}
