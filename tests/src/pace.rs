//! How much of the documented rates is used: whole syncs, from the source `generate` to a sandbox that keeps to the rates, measured by what the
//! sandbox let in and by the sandbox's clock.

use std::{collections::BTreeMap, fmt, time::Duration};

use longshore_batch_sandbox::{LoggedRequest, Rate};

pub use longshore_batch_sandbox::Endpoint;

use crate::{
    Context, Failure, Longshore, PROJECT_KEY, REST_API_KEY, Result, SandboxOptions, SandboxProcess,
    shop::BATCH_KEY_VARIABLE,
};

/// Of what the bucket gives, so much has to be used.
pub const BAR: f64 = 0.98;

/// Beyond the time that is measured, so that a run does not end within it.
const MARGIN: Duration = Duration::from_secs(3);

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Where the profiles go.
    pub endpoint: Endpoint,
    /// Partitions that are written at once by one process, to one project.
    pub streams: u32,
    /// What is measured, from the first call on.
    pub time: Duration,
}

/// What the sandbox says of it.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Updates let in within the time.
    pub used: u64,
    /// What a bucket that was full at the first call gives within the time.
    pub given: u64,
    /// Calls refused with 429, at any time.
    pub refused: u64,
}

impl Pace {
    /// Runs a sync and measures it.
    ///
    /// # Errors
    /// The sync fails, or was over before the time was.
    pub async fn measure(&self) -> Result<Measured> {
        let sandbox = SandboxProcess::start(SandboxOptions {
            rate_limited: true,
            strict: false,
        })
        .await?;
        let mut longshore = Longshore::new()?;
        longshore.set_variable(BATCH_KEY_VARIABLE, REST_API_KEY);
        longshore.set_patience(self.time + Duration::from_secs(120));
        longshore.write("longshore.yml", &self.configuration(&sandbox))?;
        longshore.run(["sync", "--json"]).await?.succeeded()?;
        let counts = sandbox.counts().await?;
        let used = self.used(&sandbox.requests().await?)?;
        Ok(Measured {
            used,
            given: self.given(),
            refused: counts.too_many_requests,
        })
    }

    fn configuration(&self, sandbox: &SandboxProcess) -> String {
        let (rows, streams) = (self.given_within(self.time + MARGIN), self.streams);
        let endpoint = match self.endpoint {
            Endpoint::Update => "update",
            Endpoint::MassUpdate => "mass_update",
        };
        format!(
            "kind: source\nspec:\n  name: pace\n  path: generate\n  tables: ['*']\n  destinations: [batch]\n  concurrency: {streams}\n  spec:\n\
             \x20   tables: [{{ name: profiles, rows: {rows}, partitions: {streams} }}]\n\
             ---\nkind: destination\nspec:\n  name: batch\n  path: batch\n  spec:\n    target: profile_attributes\n    endpoint: {endpoint}\n    custom_id: id\n\
             \x20   base_url: {}\n    project_key: {PROJECT_KEY}\n    rest_api_key: ${{{BATCH_KEY_VARIABLE}}}\n",
            sandbox.base_url()
        )
    }

    /// What a bucket that is full at the first call gives within the time.
    pub fn given(&self) -> u64 {
        self.given_within(self.time)
    }

    fn given_within(&self, time: Duration) -> u64 {
        let Rate { per_second, burst } = self.endpoint.documented_rate();
        burst + per_second * time.as_secs()
    }

    /// Updates let in within the time, from the first call that was.
    fn used(&self, requests: &[LoggedRequest]) -> Result<u64> {
        let admitted: BTreeMap<(u64, u64), u64> = requests
            .iter()
            .filter(|request| request.endpoint == Some(self.endpoint))
            .filter_map(|request| {
                let operations = request.operations? as u64;
                Some(((request.admitted_us?, request.sequence), operations))
            })
            .collect();
        let (first, _) = *admitted.keys().next().context("the sandbox let nothing in")?;
        let (last, _) = *admitted.keys().next_back().context("the sandbox let nothing in")?;
        let end = first + u64::try_from(self.time.as_micros()).context("the time is too long")?;
        if last <= end {
            return Err(Failure::new("the sync was over before the time was: nothing is shown"));
        }
        Ok(admitted
            .range(..=(end, u64::MAX))
            .map(|(_, operations)| operations)
            .sum())
    }
}

impl Measured {
    /// The part of what the bucket gave that was used, from 0 to 1.
    pub fn share(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a bucket gives far less than 2^52 updates")]
        let share = self.used as f64 / self.given as f64;
        share
    }

    /// Whether enough was used, and nothing refused.
    pub fn is_good(&self) -> bool {
        self.share() >= BAR && self.refused == 0
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, given, refused } = self;
        let percent = 100.0 * self.share();
        write!(formatter, "{used:>9} of {given:>9} {percent:>7.2} % {refused:>5}")
    }
}
