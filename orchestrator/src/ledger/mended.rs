//! A file of exported rejects whose rows a person has mended.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use longshore_core::Error;
use longshore_row_json::RowError;
use longshore_state::{RejectStatus, StateStore};
use serde_json::{Map, Value};

use super::row::rejected_row;

/// What a file asks for. Nothing is sent before every line of it is understood.
#[derive(Default)]
pub(crate) struct MendedFile {
    /// The rejects that it names, by sync.
    pub(crate) ids: BTreeMap<String, Vec<i64>>,
    /// Rows that are not as they are stored, by reject.
    pub(crate) rows: BTreeMap<i64, bytes::Bytes>,
}

/// A place in the file.
#[derive(Clone)]
struct Line {
    file: PathBuf,
    number: usize,
}

impl Line {
    /// An error here, at a field where one is at fault.
    fn error(&self, field: &str, what: &str, remedy: &str) -> Error {
        let at = match field {
            "" => String::new(),
            field => format!(", field `{field}`"),
        };
        Error::config(
            "mended_file",
            format!("{}, line {}{at}: {what}", self.file.display(), self.number),
        )
        .with_remedy(format!("{remedy} Nothing was sent."))
    }
}

/// Reads a file.
///
/// # Errors
/// `mended_file`, with the line, the field, and how to mend it; those of the store.
pub(crate) async fn read(path: &Path, store: &dyn StateStore) -> Result<MendedFile, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::config("mended_file", format!("{} can not be read", path.display()))
            .with_cause(&error)
            .with_remedy("Name a file that `longshore rejects export` has written, in UTF-8.")
    })?;
    read_text(&text, path, store).await
}

/// Reads the text of a file, which errors call `path`.
///
/// # Errors
/// As for [`read`].
pub(crate) async fn read_text(text: &str, path: &Path, store: &dyn StateStore) -> Result<MendedFile, Error> {
    let mut file = MendedFile::default();
    let mut seen = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let place = Line {
            file: path.to_owned(),
            number: index + 1,
        };
        let (id, values) = parsed(&place, line)?;
        if !seen.insert(id) {
            return Err(place.error("id", "this reject is in the file twice", "Keep one of the lines."));
        }
        take(&mut file, &place, store, (id, values)).await?;
    }
    if seen.is_empty() {
        let message = format!("{} names no reject", path.display());
        return Err(Error::config("mended_file", message)
            .with_remedy("`longshore rejects export` writes one reject a line. Nothing was sent."));
    }
    Ok(file)
}

fn parsed(place: &Line, line: &str) -> Result<(i64, Map<String, Value>), Error> {
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
        // The column is of use; the words of the error may repeat a value.
        let what = format!("this is no JSON object (column {})", error.column());
        place.error(
            "",
            &what,
            "Write one object a line, as `longshore rejects export` does.",
        )
    })?;
    let id = object.get("id").and_then(Value::as_i64);
    let id = id.ok_or_else(|| {
        place.error(
            "id",
            "the number of the reject is missing",
            "Leave `id` as it was exported.",
        )
    })?;
    match object.get("row") {
        Some(Value::Object(values)) => Ok((id, values.clone())),
        Some(Value::Null) => {
            let remedy = "Remove the line: only rejects with a row can be sent again.";
            Err(place.error("row", "the row of this reject is not kept", remedy))
        }
        _ => Err(place.error(
            "row",
            "the row is missing, or no object",
            "Leave `row` as it was exported, apart from values.",
        )),
    }
}

async fn take(
    file: &mut MendedFile,
    place: &Line,
    store: &dyn StateStore,
    (id, values): (i64, Map<String, Value>),
) -> Result<(), Error> {
    let Some(kept) = store.get_reject(id).await? else {
        return Err(place.error(
            "id",
            &format!("there is no reject {id}"),
            "Is this the state that it was exported from?",
        ));
    };
    if kept.reject.status != RejectStatus::Pending {
        let what = format!("the reject {id} is {} already", kept.reject.status);
        return Err(place.error("id", &what, "Remove the line."));
    }
    let Some(stored) = rejected_row(store, &kept).await? else {
        return Err(place.error("row", "the row of this reject is not kept", "Remove the line."));
    };
    let (mended, changed) = stored.mended(&values).map_err(|error| match error {
        RowError::UnknownColumn { column, known } => {
            let remedy = format!("Its columns are: {known}.");
            place.error(&format!("row.{column}"), "the row has no such column", &remedy)
        }
        RowError::Value { column, message } => place.error(
            &format!("row.{column}"),
            &message,
            "Give a value that the column can hold, or leave the field out to keep the stored one.",
        ),
        other => place
            .error(
                "row",
                "the row can not be put together",
                "Leave `row` as it was exported, apart from values.",
            )
            .with_cause(&other),
    })?;
    if !changed.is_empty() {
        let data = mended.encode().map_err(|error| {
            place
                .error(
                    "row",
                    "the mended row can not be encoded",
                    "Leave `row` as it was exported, apart from values.",
                )
                .with_cause(&error)
        })?;
        file.rows.insert(id, data.into());
    }
    file.ids.entry(kept.reject.sync).or_default().push(id);
    Ok(())
}
