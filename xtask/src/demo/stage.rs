//! What the demo plays on: a database with a shop, an emulator of Batch, and a directory with configuration files.

use std::{fs, time::Instant};

use longshore_tests::{
    Context, Longshore, Result, SandboxOptions, SandboxProcess,
    shop::{Configuration, Target},
};

use super::{DemoArguments, shop::DemoShop};
use crate::{
    Console, Workspace,
    console::{duration, thousands},
};

/// What was set up. Everything ends when it is dropped.
pub(super) struct Stage {
    pub(super) shop: DemoShop,
    pub(super) sandbox: SandboxProcess,
    pub(super) longshore: Longshore,
}

/// The rate of `/profiles/update`, which event syncs use: updates a second.
const DOCUMENTED_RATE: u64 = 300;

impl Stage {
    pub(super) async fn set(arguments: &DemoArguments, workspace: &Workspace, console: &Console) -> Result<Self> {
        console.heading(format_args!("1  A {} with a shop in it", arguments.source.title()));
        let began = Instant::now();
        let shop = DemoShop::open(arguments, console).await?;
        console.note(format_args!(
            "{} rows in `profiles`, {} in `events` ({})",
            thousands(arguments.profiles.into()),
            thousands(arguments.events.into()),
            duration(began.elapsed())
        ));

        console.heading("2  A local emulator of the Batch Profile API");
        let sandbox = SandboxProcess::start(SandboxOptions {
            rate_limited: false,
            strict: true,
        })
        .await?;
        console.note(format_args!(
            "longshore-batch-sandbox listens on {}",
            sandbox.base_url()
        ));
        let minutes = u64::from(arguments.events) / DOCUMENTED_RATE / 60;
        console.note(format_args!(
            "Its rate limit is lifted: Batch documents {DOCUMENTED_RATE} updates a second, at which as many events can take {minutes} minutes."
        ));

        console.heading("3  Two syncs, as YAML");
        let longshore = configured(&shop, &sandbox, workspace, console)?;
        Ok(Self {
            shop,
            sandbox,
            longshore,
        })
    }

    /// Takes everything down.
    ///
    /// # Errors
    /// A process of a sync is still there.
    pub(super) async fn clear(self) -> Result<()> {
        self.longshore.leaves_nothing_running().await
    }
}

/// A directory that stays after the demo, so that its files and the history of its runs can be looked at.
fn configured(
    shop: &DemoShop,
    sandbox: &SandboxProcess,
    workspace: &Workspace,
    console: &Console,
) -> Result<Longshore> {
    let folder = workspace.target().join("demo");
    if folder.exists() {
        // The state of an earlier demo belongs to a database that is gone.
        fs::remove_dir_all(&folder).context(format!("{} can not be removed", folder.display()))?;
    }
    fs::create_dir_all(&folder).context(format!("{} can not be made", folder.display()))?;
    let mut longshore = Longshore::in_folder(&folder)?;
    for (name, value) in Configuration::variables_for(shop.origin()) {
        longshore.set_variable(name, value);
    }
    console.note(format_args!("in {}", folder.display()));
    for target in [Target::Profiles, Target::Events] {
        let text = shop.configuration(target, sandbox).text();
        let file = format!("{}.yml", target.table());
        longshore.write(&file, &text)?;
        if target == Target::Events {
            console.note(format_args!("{file}:"));
            text.lines().for_each(|line| console.aside(format_args!("  {line}")));
        } else {
            console.note(format_args!("{file}: the same for the other table"));
        }
    }
    if let Some(remark) = shop.remark() {
        console.note(remark);
    }
    longshore.show_messages();
    Ok(longshore)
}
