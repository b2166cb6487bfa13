//! Rejects as people ask for them: which they mean, how they are shown, and what of them is to be sent again. Commands and the API use the same.

pub(crate) mod discards;
pub(crate) mod export;
pub(crate) mod filters;
pub(crate) mod mended;
pub(crate) mod replays;
pub(crate) mod row;
pub(crate) mod shown;

use longshore_core::Error;

pub(crate) fn unknown(id: i64) -> Error {
    Error::config("reject_unknown", format!("There is no reject {id}"))
        .with_remedy("`longshore rejects list` shows the numbers.")
}
