//! Watches the messages for the moment of the plan, and strikes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::process::{Pid, Signal, getppid, kill_process};

use super::{
    folder::{Fired, Folder},
    plan::{Fault, Moment, Plan, Victim},
};
use crate::{Context, Failure, Result, processes::Process};

/// A message that was passed on is given so long to arrive before what comes "after" it.
const ARRIVAL: Duration = Duration::from_millis(4);

/// What one process of a proxy has seen.
pub(super) struct Watch {
    folder: Folder,
    plan: Option<Plan>,
    seen: AtomicU64,
}

impl Watch {
    pub(super) fn new(folder: Folder, plan: Option<Plan>) -> Self {
        Self {
            folder,
            plan,
            seen: AtomicU64::new(0),
        }
    }

    /// The run is at this moment. Returns when the plan, if this is its time, has been carried out, unless that ends this process.
    pub(super) async fn reached(&self, moment: Moment) {
        let Some(plan) = self.plan.filter(|plan| plan.moment == moment) else {
            return;
        };
        if self.seen.fetch_add(1, Ordering::SeqCst) + 1 != plan.occurrence {
            return;
        }
        if matches!(moment, Moment::MidBatch | Moment::AfterAck) {
            tokio::time::sleep(ARRIVAL).await;
        }
        if let Err(failure) = self.strike(plan) {
            complain(&failure);
        }
        if plan.fault == Fault::Reset {
            // What is held back goes on over the cut connections: give the cut, which signals ask for, time to happen.
            tokio::time::sleep(ARRIVAL).await;
        }
    }

    fn strike(&self, plan: Plan) -> Result<()> {
        let victims = match plan.fault {
            Fault::Reset => Vec::new(),
            Fault::Kill | Fault::Stop => self.processes_of(plan.victim)?,
        };
        let fired = Fired {
            plan,
            struck: victims.iter().map(Process::identity).collect(),
        };
        if !self.folder.claim(&fired)? {
            return Ok(());
        }
        let signal = match plan.fault {
            Fault::Kill => Signal::KILL,
            Fault::Stop => Signal::STOP,
            Fault::Reset => return self.folder.cut(plan.victim).map(drop),
        };
        for process in victims {
            process.signal(signal)?;
        }
        Ok(())
    }

    /// The processes that are one for Longshore: a plugin and its proxy. The plugin comes first, as this process may be the proxy.
    fn processes_of(&self, victim: Victim) -> Result<Vec<Process>> {
        let victims = match victim.role() {
            None => vec![getppid().and_then(|pid| Process::look_up(pid.as_raw_pid()))],
            Some(role) => {
                let pair = self.folder.running(role)?;
                let pair = pair.context(format!("no {} runs", role.name()))?;
                vec![pair.plugin.look_up(), pair.proxy.look_up()]
            }
        };
        let victims: Option<Vec<Process>> = victims.into_iter().collect();
        victims.context("the victim does not run")
    }
}

/// Says what went wrong in a proxy, as a line of the plugin's log.
#[expect(clippy::print_stderr, reason = "a plugin logs to standard error")]
pub(super) fn complain(failure: &Failure) {
    eprintln!(
        "{}",
        serde_json::json!({ "level": "error", "message": format!("fault proxy: {failure}") })
    );
}

/// Ends this process by a signal, as the plugin that it stands for was ended.
pub(super) fn end_by(signal: i32) -> Result<()> {
    let own = Pid::from_raw(i32::try_from(std::process::id()).context("a process has a number")?);
    let signal = Signal::from_named_raw(signal).context("the plugin was ended by a signal without a name")?;
    kill_process(own.context("a process has a number")?, signal).context("this process can not be ended")
}
