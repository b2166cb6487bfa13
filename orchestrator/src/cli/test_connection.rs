//! `longshore test-connection`

use longshore_protocol::{
    status::from_status,
    v1::{self, check::Outcome},
};
use serde::Serialize;

use super::{Context, Selected};
use crate::{
    engine::{plan::select_tables, session::Session},
    failure::{Exit, Failure},
    plugin_host::{Plugin, Role},
};

#[derive(Serialize)]
struct PluginChecks {
    role: &'static str,
    name: String,
    checks: Vec<ShownCheck>,
}

#[derive(Serialize)]
struct ShownCheck {
    name: String,
    outcome: &'static str,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    remedy: String,
}

pub(super) async fn run(selected: &Selected, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(&selected.files).await?;
    let host = context.plugin_host()?;
    let mut results = Vec::new();
    for source in selected.of(&configuration)? {
        let session = Session::open(&host, &configuration, source).await?;
        // When the tables can not even be listed, the connection's own checks say why.
        let (tables, selection) = match select_tables(&session, source).await {
            Ok(tables) => (tables, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        for configured in session.plugins() {
            let plugin = &configured.plugin;
            let asked = match plugin.role {
                Role::Source => tables.iter().map(|table| table.name.clone()).collect(),
                Role::Destination => Vec::new(),
            };
            let checks = plugin.test_connection(asked).await?;
            let mut checks: Vec<ShownCheck> = checks.into_iter().map(ShownCheck::from).collect();
            for table in &tables {
                checks.extend(takes_table(plugin, table).await);
            }
            results.push(PluginChecks {
                role: plugin.role.name(),
                name: plugin.name.clone(),
                checks,
            });
        }
        session.close().await;
        if let Some(failure) = selection
            && !results.iter().any(PluginChecks::failed)
        {
            return Err(failure);
        }
    }
    context
        .output
        .data(&results, |results| results.iter().map(PluginChecks::in_words).collect())?;
    Ok(match results.iter().find(|result| result.failed()) {
        None => Exit::Done,
        Some(result) if result.role == Role::Source.name() => Exit::Source,
        Some(_) => Exit::Destination,
    })
}

/// Whether a destination takes a table's columns, where it can say so without writing.
async fn takes_table(plugin: &Plugin, table: &v1::Table) -> Option<ShownCheck> {
    let capabilities = plugin
        .description
        .destination
        .as_ref()
        .filter(|_| plugin.role == Role::Destination)?;
    if !capabilities.preview {
        return None;
    }
    let request = v1::PreviewRequest {
        table: Some(table.clone()),
        write_mode: v1::WriteMode::Unspecified.into(),
        batches: Vec::new(),
    };
    let name = format!("take the columns of {}", table.name);
    let (outcome, message, remedy) = match plugin.destination().preview(request).await {
        Ok(_) => ("passed", "every column has a place".to_owned(), String::new()),
        Err(status) => {
            let error = plugin.explain(from_status(&status)).await;
            (FAILED, error.message, error.remedy)
        }
    };
    Some(ShownCheck {
        name,
        outcome,
        message,
        remedy,
    })
}

impl PluginChecks {
    fn failed(&self) -> bool {
        self.checks.iter().any(|check| check.outcome == FAILED)
    }

    fn in_words(&self) -> String {
        let checks: String = self.checks.iter().map(ShownCheck::in_words).collect();
        format!("{} {}\n{checks}", self.role, self.name)
    }
}

impl ShownCheck {
    fn in_words(&self) -> String {
        let help = if self.remedy.is_empty() {
            String::new()
        } else {
            format!("           help: {}\n", self.remedy)
        };
        format!("  {:<8} {}: {}\n{help}", self.outcome, self.name, self.message)
    }
}

const FAILED: &str = "failed";

impl From<v1::Check> for ShownCheck {
    fn from(check: v1::Check) -> Self {
        let outcome = match check.outcome() {
            Outcome::Passed => "passed",
            Outcome::Warning => "warning",
            // A check that does not say how it went did not go well.
            Outcome::Failed | Outcome::Unspecified => FAILED,
            Outcome::Skipped => "skipped",
        };
        Self {
            name: check.name,
            outcome,
            message: check.message,
            remedy: check.remedy,
        }
    }
}
