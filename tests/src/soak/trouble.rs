//! What can befall a sync.

use std::{fmt, time::Duration};

use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};
use rustix::process::Signal;
use tokio::time::sleep;

use super::source::BusySource;
use crate::{
    Context, Result,
    fault_proxy::{Fault, FaultProxies, Moment, Plan, Role, Victim},
    processes::Process,
};

/// What befalls one sync.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// A fault at an exact moment of the run, if that comes.
    Planned(Plan),
    /// SIGKILL at any time.
    Killed(Victim, Duration),
    /// Connections are cut at any time.
    Cut(Victim, Duration),
    /// SIGSTOP at any time, and SIGCONT after a while that is shorter than any patience.
    Stopped(Victim, Duration, Duration),
    /// The database ends the connections of every sync.
    Disconnected(Duration),
}

impl Trouble {
    pub(super) fn any(chance: &mut StdRng) -> Self {
        let victim = *Victim::ALL.choose(chance).expect("there are victims");
        // A sync with little to do takes a third of a second, of which the plugins run two thirds.
        let after = Duration::from_millis(chance.random_range(20..600));
        match chance.random_range(0..100) {
            0..30 => Self::None,
            30..60 => Self::Planned(Plan {
                moment: *Moment::ALL.choose(chance).expect("there are moments"),
                occurrence: chance.random_range(1..=2),
                victim,
                fault: *[Fault::Kill, Fault::Kill, Fault::Reset]
                    .choose(chance)
                    .expect("there are faults"),
            }),
            60..80 => Self::Killed(victim, after),
            80..88 => Self::Cut(victim, after),
            88..95 => Self::Stopped(victim, after, Duration::from_millis(chance.random_range(100..2_500))),
            _ => Self::Disconnected(after),
        }
    }

    /// What the proxies are to be told before the sync starts.
    pub(super) fn plan(self) -> Option<Plan> {
        match self {
            Self::Planned(plan) => Some(plan),
            _ => None,
        }
    }

    /// Whether Longshore itself may not live to the end of it.
    pub(super) fn kills_the_orchestrator(self) -> bool {
        let planned = |plan: Plan| plan.victim == Victim::Orchestrator && plan.fault == Fault::Kill;
        matches!(self, Self::Killed(Victim::Orchestrator, _)) || self.plan().is_some_and(planned)
    }

    /// Lets it happen to the sync that this process runs; gives whether it has hit something. Of a plan the proxies know.
    pub(super) async fn befall<S: BusySource>(
        self,
        orchestrator: i32,
        proxies: &FaultProxies,
        source: &S,
    ) -> Result<bool> {
        let find = |victim| {
            Ok::<_, crate::Failure>(match victim {
                Victim::Orchestrator => Process::look_up(orchestrator),
                Victim::Source => proxies.plugin(Role::Source)?,
                Victim::Destination => proxies.plugin(Role::Destination)?,
            })
        };
        match self {
            Self::None | Self::Planned(_) => Ok(false),
            Self::Killed(victim, after) => {
                sleep(after).await;
                Ok(find(victim)?.is_some_and(|process| process.signal(Signal::KILL).is_ok()))
            }
            Self::Cut(victim, after) => {
                sleep(after).await;
                Ok(proxies.cut(victim)? > 0)
            }
            Self::Stopped(victim, after, time) => {
                sleep(after).await;
                let Some(process) = find(victim)? else { return Ok(false) };
                if process.signal(Signal::STOP).is_err() {
                    return Ok(false);
                }
                sleep(time).await;
                // It may have been killed meanwhile; one that was not must go on.
                if process.runs() {
                    process
                        .signal(Signal::CONT)
                        .context("a stopped process can not be let go on")?;
                }
                Ok(true)
            }
            Self::Disconnected(after) => {
                sleep(after).await;
                Ok(source.break_connections().await? > 0)
            }
        }
    }
}

/// The kind, for counting.
impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(formatter, "none"),
            Self::Planned(plan) => write!(formatter, "{:?} of {:?} {:?}", plan.fault, plan.victim, plan.moment),
            Self::Killed(victim, _) => write!(formatter, "Kill of {victim:?}"),
            Self::Cut(victim, _) => write!(formatter, "Reset of {victim:?}"),
            Self::Stopped(victim, ..) => write!(formatter, "Stop of {victim:?}"),
            Self::Disconnected(_) => write!(formatter, "connections ended by the database"),
        }
    }
}
