//! The two write endpoints.

use serde::{Deserialize, Serialize};

use crate::bucket::{self, Rate};
use crate::limits;

/// One of the write endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /{version}/profiles/update`
    Update,
    /// `POST /{version}/profiles/mass-update`
    MassUpdate,
}

impl Endpoint {
    /// The endpoint whose path ends in `segment`.
    pub(crate) fn at(segment: &str) -> Option<Self> {
        match segment {
            "update" => Some(Self::Update),
            "mass-update" => Some(Self::MassUpdate),
            _ => None,
        }
    }

    /// Operations that one call can hold.
    pub(crate) fn operations_per_call(self) -> usize {
        match self {
            Self::Update => limits::UPDATE_OPERATIONS,
            Self::MassUpdate => limits::MASS_UPDATE_OPERATIONS,
        }
    }

    /// The documented rate.
    pub fn documented_rate(self) -> Rate {
        match self {
            Self::Update => bucket::UPDATE,
            Self::MassUpdate => bucket::MASS_UPDATE,
        }
    }
}
