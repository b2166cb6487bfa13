//! What is wrong and how it is said: each case has its exit code, a message with the words that matter, and help.

mod configuration;
mod peers;
mod plugins;
mod rows;
mod state;

use longshore_tests::{Finished, Longshore};

/// Exit codes, as README.md lists them.
pub(crate) mod exit {
    pub(crate) const DONE: i32 = 0;
    pub(crate) const CONFIGURATION: i32 = 2;
    pub(crate) const SOURCE: i32 = 3;
    pub(crate) const DESTINATION: i32 = 4;
    pub(crate) const REJECTS: i32 = 5;
    pub(crate) const CANCELLED: i32 = 130;
}

/// The run ended with this code, and its message has all these words and says what to do.
#[track_caller]
pub(crate) fn assert_refused(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code(), Some(code), "{finished}");
    let message = finished.stderr.to_lowercase();
    for word in words {
        assert!(message.contains(&word.to_lowercase()), "{word:?} is not in\n{finished}");
    }
    assert!(message.contains("help:"), "nothing says what to do\n{finished}");
    assert!(!message.contains("panicked"), "{finished}");
}

/// Nothing was stored about any cursor: the state is as it was before the run.
pub(crate) async fn assert_no_cursor(longshore: &Longshore) {
    if !longshore.state_file().exists() {
        return;
    }
    let states = longshore.json(["state", "list"]).await.unwrap();
    assert_eq!(states.as_array().map(Vec::len), Some(0), "{states}");
}
