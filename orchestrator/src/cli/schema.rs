//! `longshore schema`

use super::Context;
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let schema = longshore_config::schema();
    context.output.text(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
