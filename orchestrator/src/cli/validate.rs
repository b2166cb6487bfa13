//! `longshore validate`

use serde_json::json;

use super::{ConfigurationFiles, Context};
use crate::{
    engine::session::Session,
    failure::{Exit, Failure},
};

pub(super) async fn run(files: &ConfigurationFiles, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(files)?;
    let host = context.plugin_host()?;
    let mut diagnostics = Vec::new();
    for source in &configuration.sources {
        match Session::open(&host, &configuration, source).await {
            Ok(session) => session.close().await,
            // Mistakes in the options of one source do not hide those of the next.
            Err(Failure::Configuration(found)) => diagnostics.extend(found),
            Err(failure) => return Err(failure),
        }
    }
    if !diagnostics.is_empty() {
        diagnostics.dedup();
        return Err(Failure::Configuration(diagnostics));
    }
    let sources: Vec<&str> = configuration
        .sources
        .iter()
        .map(|source| source.spec.name.as_str())
        .collect();
    let destinations: Vec<&str> = configuration
        .destinations
        .iter()
        .map(|destination| destination.spec.name.as_str())
        .collect();
    context.output.data(
        &json!({ "valid": true, "sources": sources, "destinations": destinations }),
        |_| {
            format!(
                "valid: sources {}; destinations {}\n",
                sources.join(", "),
                destinations.join(", ")
            )
        },
    )?;
    Ok(Exit::Done)
}
