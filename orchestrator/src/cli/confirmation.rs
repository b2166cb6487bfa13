//! What is asked before something is given up that can not be had back.

use std::io::{BufRead as _, IsTerminal as _};

use longshore_core::Error;

use super::Context;
use crate::failure::Failure;

/// Goes on when the user has said `--yes`, or types it: `question` ends in what is typed. Without a terminal to ask at, `consequence` says why it was refused.
///
/// # Errors
/// `not_confirmed`; [`Failure::Cancelled`].
pub(super) fn confirm(context: &Context, yes: bool, consequence: &str, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::config("not_confirmed", consequence)
            .with_remedy("Give --yes to do it.")
            .into());
    }
    context.output.note(&format!("{question} Type yes to go on:"));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::Cancelled),
    }
}
