//! A row's key: as text, so that a person can find the row, and as a fingerprint that tells it from all others of its table.

use arrow::{
    array::{Array, RecordBatch},
    util::display::{ArrayFormatter, FormatOptions, array_value_to_string},
};
use xxhash_rust::xxh3::Xxh3;

const AS_TEXT: FormatOptions<'static> = FormatOptions::new();

/// `name = value` for each key column that the batch has; empty when it has none.
pub(crate) fn key_of_row(batch: &RecordBatch, row: usize, key: &[String]) -> String {
    let parts: Vec<String> = key
        .iter()
        .filter_map(|name| {
            let value = array_value_to_string(batch.column_by_name(name)?, row).ok()?;
            Some(format!("{name} = {value}"))
        })
        .collect();
    parts.join(", ")
}

/// The keys of a batch's rows.
pub(crate) struct RowKeys<'a>(Vec<(&'a dyn Array, ArrayFormatter<'a>)>);

impl<'a> RowKeys<'a> {
    /// `None`: the table has no key, or not all of it is in the batch.
    pub(crate) fn of(batch: &'a RecordBatch, key: &[String]) -> Option<Self> {
        let column = |name: &String| {
            let array = batch.column_by_name(name)?.as_ref();
            Some((array, ArrayFormatter::try_new(array, &AS_TEXT).ok()?))
        };
        let columns: Vec<_> = key.iter().map(column).collect::<Option<_>>()?;
        (!columns.is_empty()).then_some(Self(columns))
    }

    /// 128 bits of a row's key. They go by the values as text, so that they stay the same when a column's type grows. A key with a NULL tells no row apart.
    pub(crate) fn fingerprint(&self, row: usize) -> Option<[u8; 16]> {
        let mut hasher = Xxh3::new();
        for (array, formatter) in &self.0 {
            if array.is_null(row) {
                return None;
            }
            let text = formatter.value(row).try_to_string().ok()?;
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        Some(hasher.digest128().to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, StringArray};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn fingerprints(batch: &RecordBatch, key: &[&str]) -> Vec<Option<[u8; 16]>> {
        let key: Vec<String> = key.iter().map(|&name| name.to_owned()).collect();
        let keys = RowKeys::of(batch, &key).unwrap();
        (0..batch.num_rows()).map(|row| keys.fingerprint(row)).collect()
    }

    #[test]
    fn a_row_is_known_again_wherever_it_stands_and_whatever_its_type_has_become() {
        let flags = BooleanArray::from((0..20).map(|n| n % 3 == 0).collect::<Vec<_>>());
        let ids = Int32Array::from((0..20).collect::<Vec<_>>());
        let all = batch(vec![("id", Arc::new(ids)), ("flag", Arc::new(flags))]);
        let wider = Int64Array::from((0..20).collect::<Vec<_>>());
        let flags = Arc::clone(all.column(1));
        let grown = batch(vec![("id", Arc::new(wider)), ("flag", flags)]);
        let known = fingerprints(&all, &["id", "flag"]);
        assert_eq!(known, fingerprints(&grown, &["id", "flag"]));
        for row in 0..20 {
            assert_eq!(fingerprints(&all.slice(row, 1), &["id", "flag"]), known[row..=row]);
        }
        let mut different = known.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 20);
    }

    #[test]
    fn no_two_keys_run_into_each_other_and_null_is_none() {
        let first = StringArray::from(vec![Some("ab"), Some("a"), Some(""), None]);
        let second = StringArray::from(vec!["c", "bc", "abc", "abc"]);
        let rows = batch(vec![("a", Arc::new(first)), ("b", Arc::new(second))]);
        let found = fingerprints(&rows, &["a", "b"]);
        assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
        assert_eq!(found[3], None);
        assert!(RowKeys::of(&rows, &[]).is_none());
        assert!(RowKeys::of(&rows, &["a".to_owned(), "c".to_owned()]).is_none());
    }
}
