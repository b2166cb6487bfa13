//! Syncs from the source `generate` to the destination `discard`: whatever a plugin can do wrong, without a database.

use longshore_tests::{Finished, Longshore, Result};

use crate::report::Report;

/// A configuration of one sync named `numbers`.
pub(crate) struct Generated {
    pub(crate) longshore: Longshore,
}

impl Generated {
    /// A table `numbers` with a cursor. The lines become options of the two plugins.
    pub(crate) fn with(rows: u64, source: &[&str], destination: &[&str]) -> Result<Self> {
        let table = format!("tables: [{{ name: numbers, rows: {rows}, cursor: id }}]");
        let generated = Self {
            longshore: Longshore::new()?,
        };
        generated.configure(&[&[table.as_str()], source].concat(), destination)?;
        Ok(generated)
    }

    /// Replaces the configuration.
    pub(crate) fn configure(&self, source: &[&str], destination: &[&str]) -> Result<()> {
        let indented = |lines: &[&str]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
        let text = format!(
            "kind: source\nspec:\n  name: numbers\n  path: generate\n  tables: ['*']\n  destinations: [nowhere]\n  spec:\n{}\
             ---\nkind: destination\nspec:\n  name: nowhere\n  path: discard\n  spec:\n    ack_delay: 0\n{}",
            indented(source),
            indented(destination)
        );
        self.longshore.write("longshore.yml", &text)
    }

    pub(crate) async fn sync(&self) -> Result<Finished> {
        self.longshore.run(["sync", "--json"]).await
    }

    /// A sync that is to succeed.
    pub(crate) async fn sync_well(&self) -> Result<Report> {
        Report::of(&self.sync().await?.succeeded()?)
    }
}
