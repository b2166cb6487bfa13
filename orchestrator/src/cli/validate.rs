//! `longshore validate`

use serde_json::json;

use super::{ConfigurationFiles, Context};
use crate::{
    engine::session,
    failure::{Exit, Failure},
};

pub(super) async fn run(files: &ConfigurationFiles, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(files).await?;
    let host = context.plugin_host()?;
    for warning in session::validate(&host, &configuration).await? {
        context.output.note(&warning.to_string());
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
