//! One sync after the other, each with what befalls it.

use std::time::{Duration, Instant};

use chrono::DateTime;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{scene::Scene, source::BusySource, trouble::Trouble};
use crate::{Context, Failure, Finished, Result, shop::Target};

/// What a run says that delivers rows again because it can not tell them from new ones.
const SAYS_THAT_IT_REPEATS: &str = "delivered again";

/// The syncs of one table.
pub(super) struct SyncLoop<'a, S> {
    scene: &'a Scene,
    source: &'a S,
    target: Target,
    chance: StdRng,
}

impl<'a, S: BusySource> SyncLoop<'a, S> {
    pub(super) fn new(scene: &'a Scene, source: &'a S, target: Target, seed: u64) -> Self {
        Self {
            scene,
            source,
            target,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    pub(super) async fn run_until(mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            self.once().await?;
            sleep(Duration::from_millis(self.chance.random_range(0..400))).await;
        }
        Ok(())
    }

    async fn once(&mut self) -> Result<()> {
        let trouble = Trouble::any(&mut self.chance);
        let proxies = self.scene.proxies(self.target);
        proxies.arm(trouble.plan())?;
        let running = self.scene.start(self.target)?;
        let pid = running.pid();
        let (finished, hit) = tokio::join!(running.finish(), trouble.befall(pid, proxies, self.source));
        let hit = hit? || proxies.fired()?.is_some();
        if hit {
            let kind = trouble.to_string();
            self.scene
                .tally
                .add(|counts| *counts.troubles.entry(kind).or_default() += 1);
        }
        let finished = finished.context(format!("a sync of {} with {trouble:?}", self.target.table()))?;
        take(self.scene, self.target, trouble, &finished)
    }
}

/// A sync that nothing befalls.
pub(super) async fn in_peace(scene: &Scene, target: Target) -> Result<()> {
    let finished = scene.start(target)?.finish().await?;
    take(scene, target, Trouble::None, &finished)
}

/// Counts what a sync has done. One that ended otherwise than it may is a finding.
fn take(scene: &Scene, target: Target, trouble: Trouble, finished: &Finished) -> Result<()> {
    let ending = ending(trouble, finished);
    scene.note(&json!({
        "at": chrono::Utc::now().to_rfc3339(),
        "sync": target.table(),
        "trouble": format!("{trouble:?}"),
        "ending": ending,
        "stdout": finished.stdout,
        "stderr": finished.stderr,
    }))?;
    scene.tally.add(|counts| *counts.syncs.entry(ending).or_default() += 1);
    match ending {
        "completed" => take_report(scene, target, &finished.json()?),
        "killed" => Ok(()),
        _ => Err(Failure::new(format!(
            "a sync of {} did not survive {trouble:?}: {finished}",
            target.table()
        ))),
    }
}

/// How a sync ended.
fn ending(trouble: Trouble, finished: &Finished) -> &'static str {
    if finished.status.success() {
        return "completed";
    }
    if finished.ended_by(Signal::KILL) && trouble.kills_the_orchestrator() {
        return "killed";
    }
    "failed"
}

fn take_report(scene: &Scene, target: Target, report: &Value) -> Result<()> {
    let run_id = report["run_id"].as_str().context("a report names its run")?;
    let table = &report["tables"][0];
    let count = |name: &str| {
        table[name]
            .as_u64()
            .context(format!("a report counts {name}: {report}"))
    };
    let (delivered, deduplicated) = (count("delivered")?, count("deduplicated")?);
    let accounted = delivered + deduplicated + count("rejected")? + count("filtered")?;
    if accounted != count("read")? || count("rejected")? > 0 {
        return Err(Failure::new(format!("rows are unaccounted for, or rejected: {report}")));
    }
    scene.tally.add(|counts| {
        counts.delivered += delivered;
        counts.deduplicated += deduplicated;
        if report["attempt"].as_u64() > Some(1) {
            counts.resumed.insert(run_id.to_owned());
        }
    });
    let warnings = report["warnings"].as_array().into_iter().flatten();
    let mut words = warnings.filter_map(Value::as_str);
    if words.any(|words| words.contains(SAYS_THAT_IT_REPEATS)) {
        scene.tally.repeats(run_id, delivered);
    }
    if let Some(cursor) = table["cursor"].as_str() {
        let cursor = DateTime::parse_from_rfc3339(cursor).context(format!("a cursor is an instant: {cursor}"))?;
        scene.tally.read_up_to(target, cursor.timestamp_micros());
    }
    Ok(())
}
