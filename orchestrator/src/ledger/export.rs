//! Rejects with their rows, to look at or to mend.

use longshore_core::Error;
use longshore_state::{KeptReject, Page, StateStore};
use serde_json::Value;

use super::{row::rejected_row, shown::ShownReject};

/// Rejects that are in memory at once.
pub(crate) const PAGE: Page = Page {
    after: 0,
    rejects: 1_000,
    bytes: 8 * 1024 * 1024,
};

/// One reject with its row, as `rejects export` writes it and `rejects replay --file` reads it.
pub(crate) async fn exported(store: &dyn StateStore, kept: KeptReject) -> Result<Value, Error> {
    let row = rejected_row(store, &kept).await?;
    serde_json::to_value(ShownReject::with_row(kept.reject, row.as_ref()))
        .map_err(|error| Error::internal("json", "A reject can not be written as JSON").with_cause(&error))
}
