//! Who may write for a sync, and when somebody else may take over.
//!
//! One process at a time *holds* a sync: it has a lease that it renews, and a **generation** that grows with every acquisition. Every write of a
//! run names its generation and is refused when a later one exists, so a process that slept through its lease (a suspended laptop, a stopped
//! container, a long pause of the virtual machine) can not move a cursor once somebody else has taken over.

use serde::{Deserialize, Serialize};

use crate::moment::UnixMicros;

/// The process that wants to hold a sync, described well enough that another one can tell whether it still lives.
///
/// See [`Holder::current`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine's name.
    pub host: String,
    /// Changes with every start of the machine; empty where the system does not say.
    pub boot_id: String,
    /// The name space that `pid` is a number of: two containers on one machine may have the same host name and boot id, but never share this.
    /// Empty where the system does not say.
    pub pid_namespace: String,
    /// The process.
    pub pid: u32,
    /// When the process started, in ticks since the machine's start: a pid is used again, a pid with its start time is not. 0: unknown.
    pub process_started: u64,
    /// The invocation of Longshore, for people and logs.
    pub invocation_id: String,
}

/// Leave to write for a sync, as long as its generation is the latest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The sync held.
    pub sync: String,
    /// The fencing generation: greater than that of every earlier hold of the sync.
    pub generation: u64,
}

/// A hold as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentHold {
    /// Who holds.
    pub holder: Holder,
    /// Since when.
    pub since: UnixMicros,
    /// Until when, unless renewed.
    pub lease_until: UnixMicros,
    /// The fencing generation.
    pub generation: u64,
}

/// The answer to the wish to hold a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquisition {
    /// It is yours.
    Acquired {
        /// What to present with every write.
        hold: Hold,
        /// Whose hold ended with this: its process is dead, or its lease had run out. `None`: nobody held the sync.
        taken_over_from: Option<CurrentHold>,
    },
    /// Somebody else has it.
    HeldBy(CurrentHold),
}

/// Whether a holder's process still runs, as far as it can be told from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// Proven: it was a process of this machine since its last start, and it is gone.
    Dead,
    /// It can not be told from here.
    Unknown,
}

impl CurrentHold {
    /// Whether the hold keeps others away: not when its process is proven dead, not when its lease has run out.
    ///
    /// A live process whose lease has run out has lost it: it may be suspended, and nobody waits for ever. Its generation fences it.
    #[must_use]
    pub fn stands(&self, now: UnixMicros, liveness: Liveness) -> bool {
        liveness != Liveness::Dead && now < self.lease_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> CurrentHold {
        CurrentHold {
            holder: Holder {
                host: "host".to_owned(),
                boot_id: "boot".to_owned(),
                pid_namespace: "pid:[1]".to_owned(),
                pid: 7,
                process_started: 11,
                invocation_id: "invocation".to_owned(),
            },
            since: UnixMicros(0),
            lease_until: UnixMicros(100),
            generation: 1,
        }
    }

    #[test]
    fn a_hold_stands_until_its_lease_ends_or_its_process_is_proven_dead() {
        assert!(hold().stands(UnixMicros(99), Liveness::Alive));
        assert!(hold().stands(UnixMicros(99), Liveness::Unknown));
        assert!(!hold().stands(UnixMicros(99), Liveness::Dead));
        assert!(!hold().stands(UnixMicros(100), Liveness::Alive));
    }

    #[test]
    fn the_stored_form_of_a_holder_is_what_it_always_was() {
        let golden = r#"{"host":"host","boot_id":"boot","pid_namespace":"pid:[1]","pid":7,"process_started":11,"invocation_id":"invocation"}"#;
        assert_eq!(serde_json::to_string(&hold().holder).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Holder>(golden).unwrap(), hold().holder);
    }
}
