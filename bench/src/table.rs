//! The tables that are read, and how many rows they have.

use std::{fmt, time::Duration};

/// A table or view of the bench. All but the first four exist for what they take of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    /// What customers of a shop do: 11 columns with text, numbers, timestamps, booleans and JSON text.
    Events,
    /// As `Events`, with as many rows as are sent over HTTP.
    EventsToSend,
    /// Customers of the shop, 11 columns, with as many rows as are sent over HTTP.
    ProfilesToSend,
    /// Few columns and very many rows; new rows are added in each round.
    Large,
    /// Events that the server makes while they are read: so many millions.
    Millions(u64),
    /// Rows of 200 columns.
    Wide,
    /// Rows of one mebibyte.
    Mebibytes,
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Of `Events`.
    pub(crate) events: u64,
    /// Of `EventsToSend` and `ProfilesToSend`.
    pub(crate) to_send: u64,
    /// Of `Large`.
    pub(crate) large: u64,
    /// Added to `Large` in each round.
    pub(crate) new: u64,
    /// Rows in one of the millions of `Millions`: fewer in a quick run.
    pub(crate) million: u64,
    /// Of `Wide`.
    pub(crate) wide: u64,
    /// Of `Mebibytes`.
    pub(crate) mebibytes: u64,
    /// For how long the use of rate limits is looked at.
    pub(crate) limited: Duration,
}

impl Table {
    /// Its name in the databases.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Events => "events".to_owned(),
            Self::EventsToSend => "events_to_send".to_owned(),
            Self::ProfilesToSend => "profiles_to_send".to_owned(),
            Self::Large => "large".to_owned(),
            Self::Millions(millions) => format!("events_{millions}m"),
            Self::Wide => "wide_rows".to_owned(),
            Self::Mebibytes => "mebibytes".to_owned(),
        }
    }

    /// Its rows, without those that rounds add.
    pub(crate) fn rows(self, sizes: &Sizes) -> u64 {
        match self {
            Self::Events => sizes.events,
            Self::EventsToSend | Self::ProfilesToSend => sizes.to_send,
            Self::Large => sizes.large,
            Self::Millions(millions) => millions * sizes.million,
            Self::Wide => sizes.wide,
            Self::Mebibytes => sizes.mebibytes,
        }
    }

    /// Columns that tell its rows apart.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::ProfilesToSend => "custom_id",
            _ => "id",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}
