//! In which form a column's values are asked for and delivered. The table for users is in the crate's README, where a test compares it with this.

use std::collections::HashMap;

use crate::column_type::ColumnType;

/// How a column is asked for, and what its values are to those who receive them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Representation {
    form: Form,
    /// Strings are bytes, not UTF-8 text.
    binary: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// ClickHouse's Arrow output holds it as it is.
    AsStored,
    /// Another type of ClickHouse's holds it without loss, and Arrow holds that one.
    Cast(String),
    /// The server's own text, because Arrow has no such type.
    ServerText { nullable: bool },
    /// JSON text.
    Json,
    /// It can not be read; why, and what to do.
    Refused { remedy: String },
}

/// What reading a type takes: of a part, before the whole is known.
enum Part {
    Same(String),
    Changed(String),
    Text { nullable: bool },
    Json,
    Refused { remedy: String },
}

impl Representation {
    /// The representation of a type.
    pub(crate) fn choose(of: &ColumnType) -> Self {
        let form = match part(of) {
            Part::Same(_) => Form::AsStored,
            Part::Changed(target) => Form::Cast(target),
            Part::Text { nullable } => Form::ServerText { nullable },
            Part::Json => Form::Json,
            Part::Refused { remedy } => Form::Refused { remedy },
        };
        Self { form, binary: false }
    }

    /// The server's own text, for every type that has one.
    pub(crate) fn server_text(of: &ColumnType) -> Self {
        match Self::choose(of) {
            refused @ Self {
                form: Form::Refused { .. },
                ..
            } => refused,
            _ => Self {
                form: Form::ServerText {
                    nullable: of.is_nullable(),
                },
                binary: false,
            },
        }
    }

    /// The same with strings as bytes.
    pub(crate) fn with_bytes(mut self) -> Self {
        self.binary = true;
        self
    }

    /// Whether strings in it are bytes rather than text.
    pub(crate) fn keeps_bytes(&self) -> bool {
        self.binary
    }

    /// What to do about a type that can not be read; `None` for all others.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match &self.form {
            Form::Refused { remedy } => Some(remedy),
            _ => None,
        }
    }

    /// The expression that asks for a column, given as an identifier, in this form.
    pub(crate) fn expression(&self, column: &str) -> String {
        match &self.form {
            Form::AsStored | Form::Refused { .. } => column.to_owned(),
            Form::Cast(target) => cast(column, target),
            Form::ServerText { nullable: true } => cast(column, "Nullable(String)"),
            Form::ServerText { nullable: false } => cast(column, "String"),
            // NULL stays NULL: the function has no text for it.
            Form::Json => format!("toJSONString({column})"),
        }
    }

    /// What the Arrow type alone does not say.
    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        let pairs: &[(&str, &str)] = match &self.form {
            Form::Json => &[("ARROW:extension:name", "arrow.json"), ("ARROW:extension:metadata", "")],
            Form::ServerText { .. } => &[("longshore.text", "true")],
            _ => &[],
        };
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }
}

fn cast(column: &str, target: &str) -> String {
    format!("CAST({column}, {})", crate::names::literal(target))
}

/// What a type, alone or within another, takes.
fn part(of: &ColumnType) -> Part {
    match of.name.as_str() {
        "Bool" | "Int8" | "Int16" | "Int32" | "Int64" | "UInt8" | "UInt16" | "UInt32" | "UInt64" | "Float32"
        | "Float64" | "String" | "FixedString" | "UUID" | "Date" | "Date32" | "Decimal" | "Decimal32" | "Decimal64"
        | "Decimal128" | "Decimal256" | "Point" | "Ring" | "LineString" | "MultiLineString" | "Polygon"
        | "MultiPolygon" => Part::Same(of.text.clone()),
        name if name.starts_with("Interval") => Part::Same(of.text.clone()),
        "BFloat16" => Part::Changed("Float32".to_owned()),
        // Arrow output has no zone for it, and the number alone is no time.
        "DateTime" => Part::Changed("DateTime64(0, 'UTC')".to_owned()),
        "DateTime64" => {
            let digits = of.time_digits().unwrap_or(3);
            Part::Changed(format!("DateTime64({digits}, 'UTC')"))
        }
        "Nullable" => wrapped(of, true),
        "LowCardinality" => wrapped(of, false),
        "SimpleAggregateFunction" => of.inner(1).map_or_else(unknown, |inner| part(&inner)),
        "Array" => container(of, &[0], |parts| format!("Array({})", parts[0])),
        "Map" => container(of, &[0, 1], |parts| format!("Map({}, {})", parts[0], parts[1])),
        "Tuple" => tuple(of, ""),
        "Nested" => tuple(of, "Array"),
        "JSON" | "Object" | "Variant" | "Dynamic" | "Geometry" => Part::Json,
        "AggregateFunction" => Part::Refused {
            remedy: "Its values are unfinished sums that only ClickHouse can read: select finalizeAggregation(column) in a view or a `query`, declare the column \
                     as SimpleAggregateFunction, or leave it out with the table's `exclude_columns`."
                .to_owned(),
        },
        // Integers of 128 and 256 bits, Enum, IPv4, IPv6, Time, Time64, Nothing, QBit, and whatever comes after them.
        _ => unknown(),
    }
}

fn unknown() -> Part {
    Part::Text { nullable: false }
}

fn wrapped(of: &ColumnType, nullable: bool) -> Part {
    let Some(inner) = of.inner(0) else { return unknown() };
    let target = |text: String| if nullable { format!("Nullable({text})") } else { text };
    match part(&inner) {
        Part::Same(_) => Part::Same(of.text.clone()),
        Part::Changed(text) => Part::Changed(target(text)),
        Part::Text { nullable: within } => Part::Text {
            nullable: nullable || within,
        },
        other => other,
    }
}

/// A type that holds others. Text is a type of ClickHouse's as well, so a container of texts is a cast; JSON is not.
fn container(of: &ColumnType, places: &[usize], put: impl Fn(&[String]) -> String) -> Part {
    let inner: Option<Vec<ColumnType>> = places.iter().map(|place| of.inner(*place)).collect();
    inner.map_or_else(unknown, |inner| assembled(of, inner.iter(), put))
}

fn tuple(of: &ColumnType, around: &str) -> Part {
    let elements = of.elements();
    let names: Vec<Option<&str>> = elements.iter().map(|(name, _)| *name).collect();
    assembled(of, elements.iter().map(|(_, of)| of), |parts| {
        let parts: Vec<String> = names
            .iter()
            .zip(parts)
            .map(|(name, part)| name.map_or_else(|| part.clone(), |name| format!("{name} {part}")))
            .collect();
        let tuple = format!("Tuple({})", parts.join(", "));
        if around.is_empty() {
            tuple
        } else {
            format!("{around}({tuple})")
        }
    })
}

fn assembled<'a>(
    of: &ColumnType,
    inner: impl Iterator<Item = &'a ColumnType>,
    put: impl Fn(&[String]) -> String,
) -> Part {
    let mut parts = Vec::new();
    let mut changed = false;
    let mut json = false;
    for inner in inner {
        match part(inner) {
            Part::Same(text) => parts.push(text),
            Part::Changed(text) => {
                changed = true;
                parts.push(text);
            }
            Part::Text { nullable } => {
                changed = true;
                parts.push(if nullable { "Nullable(String)" } else { "String" }.to_owned());
            }
            Part::Json => json = true,
            refused @ Part::Refused { .. } => return refused,
        }
    }
    if json {
        Part::Json
    } else if changed {
        Part::Changed(put(&parts))
    } else {
        Part::Same(of.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(of: &str) -> String {
        Representation::choose(&ColumnType::parse(of)).expression("`c`")
    }

    #[test]
    fn what_arrow_holds_is_read_as_it_is() {
        for of in [
            "UInt64",
            "Nullable(String)",
            "LowCardinality(Nullable(String))",
            "Array(Tuple(a Int32, b Array(UUID)))",
            "Map(String, Decimal(76, 3))",
            "SimpleAggregateFunction(max, UInt8)",
        ] {
            assert_eq!(expression(of), "`c`", "{of}");
        }
    }

    #[test]
    fn what_arrow_does_not_hold_is_asked_for_in_a_form_that_it_does() {
        let cases = [
            ("DateTime('Asia/Tokyo')", r"CAST(`c`, 'DateTime64(0, \'UTC\')')"),
            (
                "Nullable(DateTime64(6))",
                r"CAST(`c`, 'Nullable(DateTime64(6, \'UTC\'))')",
            ),
            ("Enum8('a' = 1)", "CAST(`c`, 'String')"),
            ("LowCardinality(Nullable(IPv6))", "CAST(`c`, 'Nullable(String)')"),
            ("Array(Nullable(Int256))", "CAST(`c`, 'Array(Nullable(String))')"),
            (
                "Tuple(`a b` Enum16('x' = 1), n Int8)",
                "CAST(`c`, 'Tuple(`a b` String, n Int8)')",
            ),
            ("Nested(a IPv4)", "CAST(`c`, 'Array(Tuple(a String))')"),
            ("Array(Variant(Int32, String))", "toJSONString(`c`)"),
            ("Nullable(JSON(a Int32))", "toJSONString(`c`)"),
        ];
        for (of, wanted) in cases {
            assert_eq!(expression(of), wanted, "{of}");
        }
    }

    #[test]
    fn unfinished_sums_are_refused_wherever_they_are() {
        for of in [
            "AggregateFunction(sum, UInt64)",
            "Array(AggregateFunction(uniq, String))",
        ] {
            let refusal = Representation::choose(&ColumnType::parse(of));
            assert!(refusal.refusal().unwrap().contains("finalizeAggregation"), "{of}");
            assert!(Representation::server_text(&ColumnType::parse(of)).refusal().is_some());
        }
    }
}
