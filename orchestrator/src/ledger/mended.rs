//! A file of exported rejects whose rows a person has mended.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    path::{Path, PathBuf},
};

use longshore_core::Error;
use longshore_row_json::{RowError, StoredRow, object_with_unique_fields};
use longshore_state::{Reject, RejectStatus, StateStore};
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

/// A row that lines of the file are about. Each of its rejects has a line, and what any of them mends is mended.
struct MendedRow {
    stored: StoredRow,
    ids: Vec<i64>,
    /// By column, with the number of the line that it is from.
    changes: BTreeMap<String, (Value, usize)>,
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
    let mut rows = HashMap::new();
    let mut seen = BTreeSet::new();
    // Some editors put a mark of the encoding in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
        let (kept, row) = understood(&place, store, (id, values)).await?;
        file.ids.entry(kept.sync.clone()).or_default().push(id);
        match rows.entry(kept.place()) {
            Entry::Vacant(vacant) => {
                vacant.insert(row);
            }
            Entry::Occupied(mut occupied) => occupied.get_mut().merge(&place, row)?,
        }
    }
    if seen.is_empty() {
        let message = format!("{} names no reject", path.display());
        return Err(Error::config("mended_file", message)
            .with_remedy("`longshore rejects export` writes one reject a line. Nothing was sent."));
    }
    for row in rows.into_values().filter(|row| !row.changes.is_empty()) {
        let data = row.encode(path)?;
        file.rows.extend(row.ids.iter().map(|id| (*id, data.clone())));
    }
    Ok(file)
}

impl MendedRow {
    /// Takes what another line mends of the same row.
    fn merge(&mut self, place: &Line, other: Self) -> Result<(), Error> {
        for (column, (value, number)) in other.changes {
            match self.changes.get(&column) {
                Some((mended, line)) if *mended != value => {
                    let what = format!("line {line} is about the same row and has another value here");
                    return Err(place.error(&format!("row.{column}"), &what, "Give both the same value."));
                }
                Some(_) => {}
                None => {
                    self.changes.insert(column, (value, number));
                }
            }
        }
        self.ids.extend(other.ids);
        Ok(())
    }

    fn encode(&self, path: &Path) -> Result<bytes::Bytes, Error> {
        let numbers: BTreeSet<usize> = self.changes.values().map(|(_, number)| *number).collect();
        let place = Line {
            file: path.to_owned(),
            number: numbers.first().copied().unwrap_or_default(),
        };
        let values = self
            .changes
            .iter()
            .map(|(column, (value, _))| (column.clone(), value.clone()));
        let encoded = self.stored.mended(&values.collect()).and_then(|(row, _)| row.encode());
        encoded
            .map(Into::into)
            .map_err(|error| not_put_together(&place, &error))
    }
}

fn not_put_together(place: &Line, error: &RowError) -> Error {
    let remedy = "Leave `row` as it was exported, apart from values.";
    place
        .error("row", "the row can not be put together", remedy)
        .with_cause(error)
}

fn parsed(place: &Line, line: &str) -> Result<(i64, Map<String, Value>), Error> {
    let object = object_with_unique_fields(line).map_err(|error| {
        // The column is of use; the words of the error may repeat a value.
        let what = format!(
            "this is no JSON object whose fields are there once each (column {})",
            error.column()
        );
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

/// The reject that a line is about, and what it mends of its row.
async fn understood(
    place: &Line,
    store: &dyn StateStore,
    (id, values): (i64, Map<String, Value>),
) -> Result<(Reject, MendedRow), Error> {
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
    let (_, changed) = stored.mended(&values).map_err(|error| match error {
        RowError::UnknownColumn { column, known } => {
            let remedy = format!("Its columns are: {known}.");
            place.error(&format!("row.{column}"), "the row has no such column", &remedy)
        }
        RowError::Value { column, message } => place.error(
            &format!("row.{column}"),
            &message,
            "Give a value that the column can hold, or leave the field out to keep the stored one.",
        ),
        other => not_put_together(place, &other),
    })?;
    let change = |column: String| {
        let value = values.get(&column)?.clone();
        Some((column, (value, place.number)))
    };
    let row = MendedRow {
        stored,
        ids: vec![id],
        changes: changed.into_iter().filter_map(change).collect(),
    };
    Ok((kept.reject, row))
}
