//! Where a soak plays.

use std::{
    cell::RefCell,
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use super::{source::BusySource, tally::Tally};
use crate::{
    Context, Longshore, Result, RunningLongshore, SandboxOptions, SandboxProcess, fault_proxy::FaultProxies,
    shop::Target,
};

/// A sync that is disturbed takes longer, but never that long.
const SYNC_BOUND: Duration = Duration::from_secs(240);

/// One Longshore with two syncs on one state, and a sandbox for each.
pub(super) struct Scene {
    pub(super) longshore: Longshore,
    pub(super) tally: Tally,
    sandboxes: [SandboxProcess; 2],
    proxies: [FaultProxies; 2],
    log: RefCell<File>,
}

impl Scene {
    /// Lays everything out in a folder, with faults at the sandboxes that come from a seed.
    pub(super) async fn set<S: BusySource>(source: &S, folder: &Path, seed: u64) -> Result<Self> {
        let sandbox = SandboxOptions {
            rate_limited: false,
            strict: true,
        };
        let mut longshore = Longshore::in_folder(folder)?;
        longshore.set_patience(SYNC_BOUND);
        for (name, value) in source.variables() {
            longshore.set_variable(name, &value);
        }
        let laid = |target: Target| -> Result<FaultProxies> {
            let place = folder.join(target.table());
            fs::create_dir_all(&place).context("a folder of a sync can not be made")?;
            FaultProxies::install(&place, S::PLUGIN, "longshore-destination-batch")
        };
        let scene = Self {
            longshore,
            tally: Tally::default(),
            sandboxes: [
                SandboxProcess::start(sandbox).await?,
                SandboxProcess::start(sandbox).await?,
            ],
            proxies: [laid(Target::Profiles)?, laid(Target::Events)?],
            log: RefCell::new(File::create(folder.join("syncs.jsonl")).context("the log can not be made")?),
        };
        for target in [Target::Profiles, Target::Events] {
            let text = source.configuration(target, scene.sandbox(target), scene.proxies(target));
            scene.longshore.write(&file(target), &text)?;
            scene.sandbox(target).set_faults(weather(seed)).await?;
        }
        Ok(scene)
    }

    pub(super) fn sandbox(&self, target: Target) -> &SandboxProcess {
        &self.sandboxes[target as usize]
    }

    pub(super) fn proxies(&self, target: Target) -> &FaultProxies {
        &self.proxies[target as usize]
    }

    pub(super) fn start(&self, target: Target) -> Result<RunningLongshore> {
        self.longshore.start(["sync", &file(target), "--json"])
    }

    /// No more trouble from the sandboxes and the proxies.
    pub(super) async fn let_be(&self) -> Result<()> {
        for (sandbox, proxies) in self.sandboxes.iter().zip(&self.proxies) {
            sandbox.set_faults(json!([])).await?;
            proxies.arm(None)?;
        }
        Ok(())
    }

    /// Adds a line to the log of syncs.
    pub(super) fn note(&self, line: &Value) -> Result<()> {
        writeln!(self.log.borrow_mut(), "{line}").context("the log can not be written")
    }
}

fn file(target: Target) -> String {
    format!("{}.yml", target.table())
}

/// What the API does to its clients now and then: lost answers, refused calls, slow ones.
fn weather(seed: u64) -> Value {
    let seed = seed >> 12;
    json!([
        { "kind": "cut_after", "probability": 0.01, "seed": seed },
        { "kind": "cut_before", "probability": 0.01, "seed": seed + 1 },
        { "kind": "status_503", "probability": 0.01, "seed": seed + 2 },
        { "kind": "slow", "ms": 60, "probability": 0.5, "seed": seed + 3 },
    ])
}
