//! The soak: writers keep a database busy, syncs run all the time, whatever takes part in them is killed, stopped and cut off, and in the end every
//! committed row has to be where it belongs.
//!
//! Every decision comes from one seed. What the machine makes of them differs from run to run, as with any real processes: a seed repeats the plan, and
//! nearly always the finding.
//!
//! | file | what it is about |
//! |---|---|
//! | `scene.rs` | the folder, the sandboxes and the proxies of a soak |
//! | `source.rs` | what a soak needs of a database; `postgresql/` and `clickhouse/` are two |
//! | `syncs.rs` | one sync after the other, each with what befalls it |
//! | `trouble.rs` | what can befall a sync |
//! | `oracle.rs` | what must be true in the end |
//! | `tally.rs` | what is counted on the way |

mod clickhouse;
mod oracle;
mod postgresql;
mod scene;
mod source;
mod syncs;
mod tally;
mod trouble;

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::{
    clickhouse::ClickHouseSource, postgresql::PostgresSource, scene::Scene, source::BusySource, syncs::SyncLoop,
};
pub use self::{oracle::Findings, tally::Counts};
use crate::{Context, Failure, Result, shop::Target};

/// Which database is kept busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A throwaway cluster.
    Postgresql,
    /// The engine behind its front, or the server that the environment names.
    Clickhouse,
}

/// A soak to run.
#[derive(Clone, Debug)]
pub struct Soak {
    /// Where rows come from.
    pub database: Database,
    /// How long writers write and syncs are disturbed; what ends a soak comes on top.
    pub duration: Duration,
    /// What every decision comes from.
    pub seed: u64,
    /// An empty folder, for state, configuration and logs. It is left as it is.
    pub folder: PathBuf,
}

/// What a soak that lost nothing has survived.
#[derive(Debug)]
pub struct Outcome {
    /// What was counted on the way.
    pub counts: Counts,
    /// What the comparisons found: profiles, then events.
    pub findings: [Findings; 2],
}

impl Soak {
    /// Runs it to its end. `tell` hears, every few seconds, how it stands.
    ///
    /// # Errors
    /// A row is missing, old, or there more often than was announced; a sync failed that should have survived; something could not be done. The folder then
    /// holds the logs.
    pub async fn run(&self, tell: impl Fn(&Counts)) -> Result<Outcome> {
        match self.database {
            Database::Postgresql => self.play(PostgresSource::start().await?, tell).await,
            Database::Clickhouse => self.play(ClickHouseSource::start().await?, tell).await,
        }
    }

    async fn play<S: BusySource>(&self, source: S, tell: impl Fn(&Counts)) -> Result<Outcome> {
        let mut chance = StdRng::seed_from_u64(self.seed);
        let scene = Scene::set(&source, &self.folder, chance.random()).await?;
        let end = Instant::now() + self.duration;
        let time_is_up = CancellationToken::new();
        let writing = source.write_until(chance.random(), &time_is_up, &scene.tally);
        let mut loops = Vec::new();
        for target in [Target::Profiles, Target::Events] {
            loops.push(SyncLoop::new(&scene, &source, target, chance.random()).run_until(end));
        }
        let syncing = try_join_all(loops);
        let clock = async {
            while Instant::now() < end {
                sleep(TOLD_EVERY.min(end.saturating_duration_since(Instant::now()))).await;
                tell(&scene.tally.counts());
            }
            time_is_up.cancel();
            Ok::<_, Failure>(())
        };
        tokio::try_join!(writing, syncing, clock)?;
        self.judge(&scene, &source).await
    }

    /// Lets the syncs finish in peace, then compares.
    async fn judge<S: BusySource>(&self, scene: &Scene, source: &S) -> Result<Outcome> {
        scene.let_be().await?;
        sleep(source.settles_within()).await;
        for target in [Target::Profiles, Target::Events] {
            // The first one goes on with what was interrupted, the second one finds what that one's view was too old for.
            for _ in 0..2 {
                syncs::in_peace(scene, target).await?;
            }
        }
        scene.longshore.leaves_nothing_running().await?;
        let findings = [
            oracle::profiles(scene, source).await?,
            oracle::events(scene, source).await?,
        ];
        let counts = scene.tally.counts();
        let outcome = Outcome { counts, findings };
        if outcome.findings.iter().all(Findings::are_good) {
            return Ok(outcome);
        }
        let told = outcome.to_string();
        std::fs::write(self.folder.join("findings.txt"), &told).context("the findings can not be written")?;
        Err(Failure::new(told))
    }
}

const TOLD_EVERY: Duration = Duration::from_secs(10);

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [profiles, events] = &self.findings;
        write!(formatter, "{}\nprofiles: {profiles}\nevents: {events}", self.counts)
    }
}
