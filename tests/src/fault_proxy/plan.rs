//! What is to happen, and when.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which of the two plugins of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Rows come from it.
    Source,
    /// Rows go to it.
    Destination,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Source, Self::Destination];

    /// The word for it, as in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// A moment of a run, as its messages show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The destination was asked to prepare, and its answer is held back.
    DuringPrepare,
    /// The run is planned and prepared, a partition is being read, and its first batch is not out.
    BeforeFirstBatch,
    /// A batch was handed to the destination, which has not acked it.
    MidBatch,
    /// A batch is durable at its target, and the ack is held back.
    AfterSending,
    /// An ack was passed on.
    AfterAck,
    /// The source was told that a checkpoint is committed.
    AfterCommit,
}

impl Moment {
    /// All, in the order of a run.
    pub const ALL: [Self; 6] = [
        Self::DuringPrepare,
        Self::BeforeFirstBatch,
        Self::MidBatch,
        Self::AfterSending,
        Self::AfterAck,
        Self::AfterCommit,
    ];
}

/// Who is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Victim {
    /// Longshore itself.
    Orchestrator,
    /// The source plugin.
    Source,
    /// The destination plugin.
    Destination,
}

impl Victim {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Orchestrator, Self::Source, Self::Destination];

    /// The plugin that is meant, if it is one.
    pub(super) fn role(self) -> Option<Role> {
        match self {
            Self::Orchestrator => None,
            Self::Source => Some(Role::Source),
            Self::Destination => Some(Role::Destination),
        }
    }
}

/// What hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGSTOP; whoever armed the plan sends SIGCONT, see [`super::Fired::let_go_on`].
    Stop,
    /// The victim's connections are cut: of the orchestrator those to both plugins, of the source those to its database, of the destination those to its API.
    Reset,
}

impl Fault {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Kill, Self::Stop, Self::Reset];
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// When.
    pub moment: Moment,
    /// At which of these moments, counted from 1 in each process of the plugin that sees it.
    pub occurrence: u64,
    /// Who.
    pub victim: Victim,
    /// What.
    pub fault: Fault,
}

/// What a proxy is told, in a file beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Control {
    pub(super) role: Role,
    /// The real plugin's program.
    pub(super) plugin: PathBuf,
    /// The program that ties the plugin's life to the proxy's: Longshore.
    pub(super) guard: PathBuf,
    pub(super) plan: Option<Plan>,
}
