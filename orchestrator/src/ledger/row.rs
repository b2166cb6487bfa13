//! The row of a reject, for people.

use longshore_core::Error;
use longshore_protocol::v1;
use longshore_row_json::{RowError, StoredRow};
use longshore_state::{KeptReject, StateStore};
use prost::Message as _;

/// The row, where it is kept.
///
/// # Errors
/// `row_unreadable`.
pub(crate) async fn rejected_row(store: &dyn StateStore, kept: &KeptReject) -> Result<Option<StoredRow>, Error> {
    let Some(number) = kept.reject.row_table.filter(|_| kept.reject.row_kept) else {
        return Ok(None);
    };
    let id = kept.reject.id;
    let document = store.rejected_table(number).await?.ok_or_else(|| unreadable(id))?;
    let table = v1::Table::decode(document.as_slice()).map_err(|error| unreadable(id).with_cause(&error))?;
    let row = StoredRow::decode(&table.arrow_schema, &kept.row_data);
    Ok(Some(row.map_err(|error: RowError| unreadable(id).with_cause(&error))?))
}

fn unreadable(id: i64) -> Error {
    Error::internal("row_unreadable", format!("The row of reject {id} can not be read"))
}
