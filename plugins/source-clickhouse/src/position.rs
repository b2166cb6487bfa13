//! Values in the order that a partition is read in: from Arrow to lossless values, and from values to parameters of a query.

use longshore_sdk::{
    arrow::{
        array::{Array as _, ArrayRef, AsArray as _},
        datatypes::{
            DataType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit as ArrowUnit,
            TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
            UInt8Type, UInt16Type, UInt32Type, UInt64Type,
        },
    },
    core::cursor::{CursorType, Sign, TimeUnit, Timestamp},
    prelude::*,
};

use crate::catalog::Column;

/// Days since 1970 of 1900-01-01 and 2299-12-31, the first and the last that `Date32` has.
const DATES: (i32, i32) = (-25_567, 120_529);

/// The expression whose values [`value_at`] reads.
pub(crate) fn expression(column: &Column) -> String {
    expression_of(column, &column.sql())
}

/// As [`expression`], of an expression that has the column's type.
pub(crate) fn expression_of(column: &Column, sql: &str) -> String {
    let of = column.of.bare();
    let target = match (of.name.as_str(), column.position_type()) {
        (_, Some(CursorType::Decimal | CursorType::Uuid)) | ("IPv4" | "IPv6", _) => "String".to_owned(),
        ("Enum8" | "Enum16", _) => "Int16".to_owned(),
        ("DateTime", _) => "DateTime64(0, 'UTC')".to_owned(),
        ("DateTime64", _) => format!("DateTime64({}, 'UTC')", of.time_digits().unwrap_or(3)),
        _ => return sql.to_owned(),
    };
    let target = if column.is_nullable() {
        format!("Nullable({target})")
    } else {
        target
    };
    format!("CAST({sql}, {})", crate::names::literal(&target))
}

/// What a position compares: the column, or for names their numbers, which is what orders them.
pub(crate) fn compared(column: &Column) -> String {
    if column.of.bare().name.starts_with("Enum") {
        expression(column)
    } else {
        column.tested()
    }
}

/// A value of a column's position; `None` is NULL.
///
/// # Errors
/// `cursor_value_unreadable`: the server sent another type than was asked for.
pub(crate) fn value_at(cursor_type: CursorType, values: &ArrayRef, row: usize) -> Result<Option<CursorValue>> {
    if values.is_null(row) {
        return Ok(None);
    }
    read(cursor_type, values, row).map(Some).ok_or_else(|| {
        Error::source(
            "cursor_value_unreadable",
            "A value of the cursor or key column can not be read",
        )
    })
}

fn read(cursor_type: CursorType, values: &ArrayRef, row: usize) -> Option<CursorValue> {
    Some(match cursor_type {
        CursorType::Int => CursorValue::Int(match values.data_type() {
            DataType::Int8 => values.as_primitive::<Int8Type>().value(row).into(),
            DataType::Int16 => values.as_primitive::<Int16Type>().value(row).into(),
            DataType::Int32 => values.as_primitive::<Int32Type>().value(row).into(),
            DataType::Int64 => values.as_primitive::<Int64Type>().value(row),
            _ => return None,
        }),
        CursorType::Uint => CursorValue::Uint(match values.data_type() {
            DataType::UInt8 => values.as_primitive::<UInt8Type>().value(row).into(),
            DataType::UInt16 => values.as_primitive::<UInt16Type>().value(row).into(),
            DataType::UInt32 => values.as_primitive::<UInt32Type>().value(row).into(),
            DataType::UInt64 => values.as_primitive::<UInt64Type>().value(row),
            _ => return None,
        }),
        CursorType::Date => CursorValue::Date(values.as_primitive_opt::<Date32Type>()?.value(row)),
        CursorType::Timestamp { unit, .. } => {
            let DataType::Timestamp(sent, _) = values.data_type() else {
                return None;
            };
            let value = match sent {
                ArrowUnit::Second => values.as_primitive::<TimestampSecondType>().value(row),
                ArrowUnit::Millisecond => values.as_primitive::<TimestampMillisecondType>().value(row),
                ArrowUnit::Microsecond => values.as_primitive::<TimestampMicrosecondType>().value(row),
                ArrowUnit::Nanosecond => values.as_primitive::<TimestampNanosecondType>().value(row),
            };
            let sent = match sent {
                ArrowUnit::Second => TimeUnit::Second,
                ArrowUnit::Millisecond => TimeUnit::Millisecond,
                ArrowUnit::Microsecond => TimeUnit::Microsecond,
                ArrowUnit::Nanosecond => TimeUnit::Nanosecond,
            };
            if sent != unit {
                return None;
            }
            CursorValue::Timestamp(Timestamp {
                value,
                unit,
                instant: true,
            })
        }
        CursorType::Decimal => CursorValue::Decimal(text(values, row)?),
        CursorType::Uuid => CursorType::Uuid.parse(&text(values, row)?).ok()?,
        // A string that is no text is kept as the bytes that it is.
        CursorType::Text => text(values, row).map_or_else(
            || bytes(values, row).map(CursorValue::Binary),
            |text| Some(CursorValue::Text(text)),
        )?,
        CursorType::Binary => CursorValue::Binary(bytes(values, row)?),
    })
}

fn bytes(values: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    Some(match values.data_type() {
        DataType::Binary => values.as_binary::<i32>().value(row).to_vec(),
        DataType::FixedSizeBinary(_) => values.as_fixed_size_binary().value(row).to_vec(),
        _ => return None,
    })
}

fn text(values: &ArrayRef, row: usize) -> Option<String> {
    String::from_utf8(bytes(values, row)?).ok()
}

/// Parameters of a statement in the making: each value is given a name, and stands in the SQL by it alone.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn into_vec(self) -> Vec<(String, String)> {
        self.0
    }

    /// An expression for a value to compare a column with.
    pub(crate) fn value(&mut self, column: &Column, value: &CursorValue) -> String {
        let of = column.of.bare();
        match value {
            CursorValue::Int(value) => self.typed("Int64", value.to_string()),
            CursorValue::Uint(value) => self.typed("UInt64", value.to_string()),
            // The column's own type, without wrappers.
            CursorValue::Decimal(text) => self.typed(&of.text, text.clone()),
            CursorValue::Date(days) => {
                // Days beyond those of the type compare with every value as its ends do.
                let date = CursorValue::Date((*days).clamp(DATES.0, DATES.1));
                self.typed("Date32", date.to_string())
            }
            CursorValue::Timestamp(at) => self.timestamp(&of.name, at),
            CursorValue::Uuid(_) => self.typed("UUID", value.to_string()),
            CursorValue::Text(text) if of.name == "IPv4" || of.name == "IPv6" => self.typed(&of.name, text.clone()),
            CursorValue::Text(text) => self.bytes(&of.text, text.as_bytes()),
            CursorValue::Binary(bytes) => self.bytes(&of.text, bytes),
            CursorValue::Infinity(sign) => self.infinity(*sign, &of.name),
        }
    }

    fn typed(&mut self, of: &str, text: String) -> String {
        let name = format!("longshore_{}", self.0.len());
        let placeholder = format!("{{{name}:{of}}}");
        self.0.push((name, text));
        placeholder
    }

    fn bytes(&mut self, of: &str, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = self.typed("String", hex);
        match of.strip_prefix("FixedString(").and_then(|rest| rest.strip_suffix(')')) {
            Some(length) => format!("toFixedString(unhex({hex}), {length})"),
            None => format!("unhex({hex})"),
        }
    }

    /// An instant, with microseconds, to compare times of any precision with.
    pub(crate) fn instant(&mut self, at: &Timestamp) -> String {
        self.timestamp("DateTime64", at)
    }

    fn timestamp(&mut self, of: &str, at: &Timestamp) -> String {
        if of == "DateTime"
            && at.unit == TimeUnit::Second
            && let Ok(seconds) = u32::try_from(at.value)
        {
            let seconds = self.typed("UInt32", seconds.to_string());
            return format!("toDateTime({seconds}, 'UTC')");
        }
        let (function, count) = match at.unit {
            TimeUnit::Second => ("fromUnixTimestamp64Milli", at.value.saturating_mul(1_000)),
            TimeUnit::Millisecond => ("fromUnixTimestamp64Milli", at.value),
            TimeUnit::Microsecond => ("fromUnixTimestamp64Micro", at.value),
            TimeUnit::Nanosecond => ("fromUnixTimestamp64Nano", at.value),
        };
        let count = self.typed("Int64", count.to_string());
        format!("{function}({count}, 'UTC')")
    }

    /// ClickHouse has no infinite dates: a state set by hand may say one, and means the end of the type.
    fn infinity(&mut self, sign: Sign, of: &str) -> String {
        let days = if sign == Sign::Positive { DATES.1 } else { DATES.0 };
        if of.starts_with("DateTime") {
            let millisecond = Timestamp {
                value: i64::from(days) * 86_400_000,
                unit: TimeUnit::Millisecond,
                instant: true,
            };
            return self.timestamp(of, &millisecond);
        }
        self.typed("Date32", CursorValue::Date(days).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(of: &str) -> Column {
        Column::of_type("c", of)
    }

    fn parameter(of: &str, value: &CursorValue) -> (String, String) {
        let mut parameters = Parameters::default();
        let expression = parameters.value(&column(of), value);
        (expression, parameters.into_vec().remove(0).1)
    }

    #[test]
    fn values_never_become_part_of_a_statement() {
        let hostile = CursorValue::Text("' OR 1=1 --".to_owned());
        let (expression, text) = parameter("String", &hostile);
        assert_eq!(expression, "unhex({longshore_0:String})");
        assert_eq!(text, "27204f5220313d31202d2d");
        let decimal = CursorValue::Decimal("-1.50".to_owned());
        assert_eq!(
            parameter("Nullable(Decimal(9, 2))", &decimal),
            ("{longshore_0:Decimal(9, 2)}".to_owned(), "-1.50".to_owned())
        );
    }

    #[test]
    fn times_are_counts_with_an_explicit_zone() {
        let at = |value, unit| {
            CursorValue::Timestamp(Timestamp {
                value,
                unit,
                instant: true,
            })
        };
        assert_eq!(
            parameter("DateTime", &at(7, TimeUnit::Second)),
            ("toDateTime({longshore_0:UInt32}, 'UTC')".to_owned(), "7".to_owned())
        );
        assert_eq!(
            parameter("DateTime", &at(-1, TimeUnit::Second)),
            (
                "fromUnixTimestamp64Milli({longshore_0:Int64}, 'UTC')".to_owned(),
                "-1000".to_owned()
            )
        );
        assert_eq!(
            parameter("DateTime64(6, 'Asia/Tokyo')", &at(-1, TimeUnit::Microsecond)),
            (
                "fromUnixTimestamp64Micro({longshore_0:Int64}, 'UTC')".to_owned(),
                "-1".to_owned()
            )
        );
    }

    #[test]
    fn dates_beyond_the_type_compare_as_its_ends() {
        assert_eq!(parameter("Date", &CursorValue::Date(-1)).1, "1969-12-31");
        assert_eq!(parameter("Date32", &CursorValue::Date(i32::MIN)).1, "1900-01-01");
        assert_eq!(parameter("Date32", &CursorValue::Date(i32::MAX)).1, "2299-12-31");
    }

    #[test]
    fn names_are_compared_by_the_numbers_that_order_them() {
        assert_eq!(compared(&column("Enum8('b' = 1, 'a' = 2)")), "CAST(`c`, 'Int16')");
        assert_eq!(compared(&column("Int8")), "`c`");
        assert_eq!(
            expression(&column("Nullable(DateTime)")),
            r"CAST(`c`, 'Nullable(DateTime64(0, \'UTC\'))')"
        );
    }
}
