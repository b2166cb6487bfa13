//! The folder that a scene's proxies and their tests share: who runs, what is to happen, what did.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::plan::{Control, Fault, Plan, Role, Victim};
use crate::{
    Context, Failure, Result, binaries,
    processes::{Process, ProcessIdentity},
};

/// The proxies of one scene, as their test sees them.
#[derive(Clone, Debug)]
pub struct FaultProxies {
    folder: Folder,
    plugins: [(Role, PathBuf); 2],
}

/// What fired.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fired {
    /// The plan.
    pub plan: Plan,
    /// Processes that were signalled.
    pub struck: Vec<ProcessIdentity>,
}

/// A proxy that runs, and its plugin.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) proxy: ProcessIdentity,
    pub(super) plugin: ProcessIdentity,
}

/// How many connections were cut.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct CutCounts {
    /// Between Longshore and the plugin.
    pub(super) calls: u64,
    /// Between the plugin and its database or API.
    pub(super) peer: u64,
}

impl FaultProxies {
    /// Lays proxies for two plugins into a folder that exists. `source` and `destination` name the plugins' programs, as in [`binaries::PROGRAMS`].
    ///
    /// # Errors
    /// A program is not built, or the folder can not be written.
    pub fn install(folder: &Path, source: &str, destination: &str) -> Result<Self> {
        let proxies = Self {
            folder: Folder(folder.to_owned()),
            plugins: [
                (Role::Source, binaries::program(source)?),
                (Role::Destination, binaries::program(destination)?),
            ],
        };
        let program = binaries::program("longshore-fault-proxy")?;
        for role in Role::ALL {
            std::os::unix::fs::symlink(&program, proxies.program(role)).context("a link to the fault proxy")?;
        }
        proxies.arm(None)?;
        Ok(proxies)
    }

    /// What to write as `path` of a plugin, beside `registry: local`.
    pub fn program(&self, role: Role) -> PathBuf {
        self.folder.program(role)
    }

    /// Says what is to happen from now on, once; forgets what fired before. Proxies read it when they start.
    ///
    /// # Errors
    /// The folder can not be written.
    pub fn arm(&self, plan: Option<Plan>) -> Result<()> {
        self.folder.forget("fired.json")?;
        for (role, plugin) in &self.plugins {
            self.folder.forget(&cuts_file(*role))?;
            let control = Control {
                role: *role,
                plugin: plugin.clone(),
                guard: binaries::program("longshore")?,
                plan,
            };
            self.folder.write(&control_file(*role), &control)?;
        }
        Ok(())
    }

    /// What has fired since the last [`arm`](Self::arm).
    ///
    /// # Errors
    /// The folder can not be read.
    pub fn fired(&self) -> Result<Option<Fired>> {
        self.folder.read("fired.json")
    }

    /// Fails unless the plan has fired and has hit something.
    ///
    /// # Errors
    /// It has not.
    pub fn require_fired(&self) -> Result<Fired> {
        let fired = self.fired()?.context("the fault did not fire")?;
        let has_hit = match fired.plan.fault {
            Fault::Kill | Fault::Stop => !fired.struck.is_empty(),
            Fault::Reset => self.connections_cut(fired.plan.victim)? > 0,
        };
        if has_hit {
            return Ok(fired);
        }
        Err(Failure::new("the fault fired and hit nothing"))
    }

    /// Cuts connections of a victim at any moment; see [`Fault::Reset`]. Gives how many proxies were told to.
    ///
    /// # Errors
    /// The folder can not be read.
    pub fn cut(&self, victim: Victim) -> Result<usize> {
        self.folder.cut(victim)
    }

    /// The real plugin's process, when it runs.
    ///
    /// # Errors
    /// The folder can not be read.
    pub fn plugin(&self, role: Role) -> Result<Option<Process>> {
        let pair = self.folder.running(role)?;
        Ok(pair.and_then(|pair| pair.plugin.look_up()))
    }

    /// Connections of a victim that were cut since the last [`arm`](Self::arm).
    ///
    /// # Errors
    /// The folder can not be read.
    pub fn connections_cut(&self, victim: Victim) -> Result<u64> {
        let counts = |role| self.folder.cuts(role);
        Ok(match victim {
            Victim::Orchestrator => counts(Role::Source)?.calls + counts(Role::Destination)?.calls,
            Victim::Source => counts(Role::Source)?.peer,
            Victim::Destination => counts(Role::Destination)?.peer,
        })
    }
}

impl Fired {
    /// Sends SIGCONT to every process that was hit and still is there.
    pub fn let_go_on(&self) {
        for struck in &self.struck {
            if let Some(process) = struck.look_up() {
                // One that ends in this moment needs no signal.
                process.signal(Signal::CONT).ok();
            }
        }
    }
}

/// The files.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    fn program(&self, role: Role) -> PathBuf {
        self.0.join(format!("faulty-{}", role.name()))
    }

    pub(super) fn control(&self, role: Role) -> Result<Control> {
        let control = self.read(&control_file(role))?;
        control.context(format!("{} is not there", control_file(role)))
    }

    pub(super) fn announce(&self, role: Role, pair: Pair) -> Result<()> {
        self.write(&running_file(role), &pair)
    }

    pub(super) fn running(&self, role: Role) -> Result<Option<Pair>> {
        self.read(&running_file(role))
    }

    pub(super) fn cuts(&self, role: Role) -> Result<CutCounts> {
        Ok(self.read(&cuts_file(role))?.unwrap_or_default())
    }

    pub(super) fn count_cuts(&self, role: Role, more: CutCounts) -> Result<()> {
        let mut counts = self.cuts(role)?;
        counts.calls += more.calls;
        counts.peer += more.peer;
        self.write(&cuts_file(role), &counts)
    }

    /// Tells the proxies of a victim to cut its connections: [`Signal::USR1`] those of calls, [`Signal::USR2`] those to database or API.
    pub(super) fn cut(&self, victim: Victim) -> Result<usize> {
        let (roles, signal) = match victim.role() {
            None => (Role::ALL.to_vec(), Signal::USR1),
            Some(role) => (vec![role], Signal::USR2),
        };
        let mut told = 0;
        for role in roles {
            let proxy = self.running(role)?.and_then(|pair| pair.proxy.look_up());
            told += usize::from(proxy.is_some_and(|proxy| proxy.signal(signal).is_ok()));
        }
        Ok(told)
    }

    /// Whether this call is the one that fires: of all processes at all times, one gets `true`.
    pub(super) fn claim(&self, fired: &Fired) -> Result<bool> {
        let draft = self.0.join(format!("fired-by-{}.json", std::process::id()));
        fs::write(&draft, to_json(fired)?).context("what fired can not be written")?;
        // Unlike a rename, a link fails when there is one, and what is there is whole.
        let linked = fs::hard_link(&draft, self.0.join("fired.json"));
        fs::remove_file(&draft).context("a draft can not be removed")?;
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error).context("what fired can not be written"),
        }
    }

    /// Replaces a file as a whole: no reader sees half of it.
    fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let draft = self.0.join(format!("{name}.{}", std::process::id()));
        fs::write(&draft, to_json(value)?).context(format!("{name} can not be written"))?;
        fs::rename(&draft, self.0.join(name)).context(format!("{name} can not be written"))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(
                serde_json::from_slice(&bytes).context(format!("{name} is broken"))?,
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(format!("{name} can not be read")),
        }
    }

    fn forget(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).context(format!("{name} can not be removed"))
            }
            _ => Ok(()),
        }
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).context("a document of ours becomes JSON")
}

fn control_file(role: Role) -> String {
    format!("faulty-{}.json", role.name())
}

fn running_file(role: Role) -> String {
    format!("running-{}.json", role.name())
}

fn cuts_file(role: Role) -> String {
    format!("cuts-{}.json", role.name())
}
