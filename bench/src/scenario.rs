//! What is measured, as data. `list` has the list; `work` knows how each kind is run.

pub(crate) mod list;

use std::collections::BTreeSet;

use clap::ValueEnum;
use longshore_tests::pace::Endpoint;
use serde::{Deserialize, Serialize};

use crate::{
    stage::{Need, Transport},
    table::Table,
};

/// Scenarios that are measured together, in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// The databases' own pace, and Longshore from them to a destination that discards.
    Discard,
    /// From the databases to Batch's API without rate limits: an endpoint that takes everything, and the sandbox.
    Batch,
    /// Runs with nothing new, and with 1,000 new rows in a large table.
    Incremental,
    /// The same rows through connectorx, ADBC, dlt, and a plain Python loop.
    Peers,
    /// Memory of each process, by number and size of rows.
    Memory,
    /// How much of the documented rate limits is used.
    Limits,
}

/// What kind of thing a scenario measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// What could be reached at most.
    Ceiling,
    /// Longshore.
    Longshore,
    /// What others reach.
    Peer,
}

/// One thing that is measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) group: Group,
    /// Unique among all.
    pub(crate) name: String,
    pub(crate) work: Work,
    /// The name of the scenario of the same group that this one is compared with, by rows in a second.
    pub(crate) ceiling: Option<&'static str>,
}

/// What is run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Work {
    /// `psql` with COPY in binary form to `/dev/null`.
    Copy {
        transport: Transport,
        table: Table,
        order: Order,
    },
    /// `curl` with `FORMAT ArrowStream` to `/dev/null`.
    Fetch(Table),
    /// Two gRPC hops that carry as many bytes as the events take as Arrow.
    Hops,
    /// `longshore sync` of a whole table, with a state that knows nothing.
    Sync(Sync),
    /// `longshore sync` when everything was read before.
    NothingNew(Sync),
    /// `longshore sync` when a few rows were added to a large table.
    FewNew(Sync),
    /// A Python program of `bench/peers`.
    Peer { program: &'static str, table: Table },
    /// What the documented rate limits let in: counted, not run.
    Bucket(Endpoint),
    /// `longshore sync` to a sandbox that keeps to the documented rate limits.
    Limited(Endpoint),
}

/// In which order rows are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they lie.
    Physical,
    /// By the index on the cursor.
    Cursor,
}

/// A sync of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sync {
    pub(crate) from: From,
    pub(crate) table: Table,
    pub(crate) order: Order,
    pub(crate) to: To,
    /// Partitions in flight.
    pub(crate) concurrency: u8,
}

/// Where a sync reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Postgresql(Transport),
    ClickHouse,
    Generate,
}

/// Where a sync writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Discard,
    NullEndpoint(Target),
    Sandbox(Target),
}

/// What a row is at Batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Attributes,
    Events,
}

impl Target {
    /// As the destination's options name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Attributes => "profile_attributes",
            Self::Events => "profile_events",
        }
    }
}

impl Scenario {
    pub(crate) fn kind(&self) -> Kind {
        match self.work {
            Work::Copy { .. } | Work::Fetch(_) | Work::Hops | Work::Bucket(_) => Kind::Ceiling,
            Work::Sync(_) | Work::NothingNew(_) | Work::FewNew(_) | Work::Limited(_) => Kind::Longshore,
            Work::Peer { .. } => Kind::Peer,
        }
    }

    /// What has to be there.
    pub(crate) fn needs(&self) -> BTreeSet<Need> {
        match &self.work {
            Work::Copy { table, .. } => BTreeSet::from([Need::Postgresql(*table)]),
            Work::Fetch(table) => BTreeSet::from([Need::ClickHouse(*table)]),
            // What is limited has a sandbox of its own, which counts for it alone.
            Work::Hops | Work::Bucket(_) | Work::Limited(_) => BTreeSet::new(),
            Work::Sync(sync) | Work::NothingNew(sync) | Work::FewNew(sync) => sync.needs(),
            Work::Peer { table, program } => {
                let endpoint = list::sends(program).then_some(Need::NullEndpoint);
                [Need::Postgresql(*table)].into_iter().chain(endpoint).collect()
            }
        }
    }
}

impl Sync {
    fn needs(&self) -> BTreeSet<Need> {
        let from = match self.from {
            From::Postgresql(_) => Some(Need::Postgresql(self.table)),
            From::ClickHouse => Some(Need::ClickHouse(self.table)),
            From::Generate => None,
        };
        let to = match self.to {
            To::Discard => None,
            To::NullEndpoint(_) => Some(Need::NullEndpoint),
            To::Sandbox(_) => Some(Need::Sandbox),
        };
        from.into_iter().chain(to).collect()
    }
}
