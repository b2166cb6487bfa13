//! Which Arrow type stands for which PostgreSQL type. The table for users is in the crate's README.

use std::collections::HashMap;

use longshore_sdk::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use crate::catalog::types::{SourceType, TypeCatalog, oid};

/// How a column's values are asked for, decoded and delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Representation {
    Boolean,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal128 {
        precision: u8,
        scale: i8,
    },
    Decimal256 {
        precision: u8,
        scale: i8,
    },
    Text,
    Json,
    Jsonb,
    Bytes,
    Date,
    Time,
    Timestamp {
        instant: bool,
    },
    Interval,
    Uuid,
    /// The server's own text, because Arrow has no such type.
    ServerText,
    /// A one-dimensional array.
    List(Box<Representation>),
}

/// Decimal digits that Arrow's decimal types hold.
const DECIMAL128_DIGITS: i32 = 38;
/// See [`DECIMAL128_DIGITS`].
const DECIMAL256_DIGITS: i32 = 76;

impl Representation {
    /// The representation of a type. `declared_dimensions` is the column's, 0 when nothing is declared.
    pub(crate) fn choose(types: &TypeCatalog, source: SourceType, declared_dimensions: i16) -> Self {
        let resolved = types.resolve(source);
        match types.element_of(resolved) {
            Some(_) if declared_dimensions > 1 => Self::ServerText,
            Some(element) => Self::List(Box::new(Self::of_scalar(types.resolve(element)))),
            None => Self::of_scalar(resolved),
        }
    }

    fn of_scalar(source: SourceType) -> Self {
        match source.oid {
            oid::BOOL => Self::Boolean,
            oid::INT2 => Self::Int16,
            oid::INT4 => Self::Int32,
            oid::INT8 => Self::Int64,
            oid::FLOAT4 => Self::Float32,
            oid::FLOAT8 => Self::Float64,
            oid::NUMERIC => Self::of_numeric(source.modifier),
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => Self::Text,
            oid::JSON => Self::Json,
            oid::JSONB => Self::Jsonb,
            oid::BYTEA => Self::Bytes,
            oid::DATE => Self::Date,
            oid::TIME => Self::Time,
            oid::TIMESTAMP => Self::Timestamp { instant: false },
            oid::TIMESTAMPTZ => Self::Timestamp { instant: true },
            oid::INTERVAL => Self::Interval,
            oid::UUID => Self::Uuid,
            _ => Self::ServerText,
        }
    }

    /// numeric's modifier is `(precision << 16 | scale) + 4`, the scale with 11 bits and a sign; -1 when nothing is declared.
    fn of_numeric(modifier: i32) -> Self {
        if modifier < 4 {
            return Self::ServerText;
        }
        let packed = modifier - 4;
        let precision = (packed >> 16) & 0xFFFF;
        let scale = ((packed & 0x7FF) ^ 0x400) - 0x400;
        // numeric(3,-2) holds up to 99,900; numeric(2,5) up to 0.00099. Arrow wants 0 <= scale <= precision here.
        let digits = (precision - scale.min(0)).max(scale);
        let scale = scale.max(0);
        let (Ok(precision), Ok(scale)) = (u8::try_from(digits), i8::try_from(scale)) else {
            return Self::ServerText;
        };
        if digits <= DECIMAL128_DIGITS {
            Self::Decimal128 { precision, scale }
        } else if digits <= DECIMAL256_DIGITS {
            Self::Decimal256 { precision, scale }
        } else {
            Self::ServerText
        }
    }

    /// The Arrow type.
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal128 { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Decimal256 { precision, scale } => DataType::Decimal256(*precision, *scale),
            Self::Text | Self::Json | Self::Jsonb | Self::ServerText => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp { instant: true } => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Timestamp { instant: false } => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Uuid => DataType::FixedSizeBinary(16),
            Self::List(item) => DataType::List(std::sync::Arc::new(item.item_field())),
        }
    }

    /// The field of a list's elements. Any element may be NULL.
    pub(crate) fn item_field(&self) -> Field {
        Field::new("item", self.data_type(), true).with_metadata(self.metadata())
    }

    /// What the Arrow type alone does not say.
    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        let pairs: &[(&str, &str)] = match self {
            Self::Uuid => &[("ARROW:extension:name", "arrow.uuid"), ("ARROW:extension:metadata", "")],
            Self::Json | Self::Jsonb => &[("ARROW:extension:name", "arrow.json"), ("ARROW:extension:metadata", "")],
            Self::ServerText => &[("longshore.text", "true")],
            Self::Date | Self::Timestamp { .. } => &[(INFINITY_KEY, INFINITY_EXTREMES)],
            _ => &[],
        };
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// The expression that asks for a column in the form that this representation decodes.
    pub(crate) fn expression(&self, column: &str, source: SourceType) -> String {
        match self {
            // A cast from inet to text always adds the length of the netmask; its output function does not.
            Self::ServerText if source.oid == oid::INET => format!("pg_catalog.textin(pg_catalog.inet_out({column}))"),
            Self::ServerText => format!("{column}::pg_catalog.text"),
            Self::List(item) if **item == Self::ServerText => format!("{column}::pg_catalog.text[]"),
            _ => column.to_owned(),
        }
    }
}

/// Field metadata that tells how a column writes the infinities of PostgreSQL's dates and timestamps.
pub(crate) const INFINITY_KEY: &str = "longshore.infinity";

/// The greatest value of the Arrow type is `infinity`, the least is `-infinity`. Neither is a date that the column could hold otherwise.
pub(crate) const INFINITY_EXTREMES: &str = "extremes";

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(precision: i32, scale: i32) -> Representation {
        Representation::of_numeric(((precision << 16) | (scale & 0x7FF)) + 4)
    }

    #[test]
    fn a_decimal_is_as_wide_as_its_declaration_needs() {
        assert_eq!(
            numeric(10, 2),
            Representation::Decimal128 {
                precision: 10,
                scale: 2
            }
        );
        assert_eq!(
            numeric(38, 38),
            Representation::Decimal128 {
                precision: 38,
                scale: 38
            }
        );
        assert_eq!(
            numeric(39, 0),
            Representation::Decimal256 {
                precision: 39,
                scale: 0
            }
        );
        assert_eq!(
            numeric(76, 10),
            Representation::Decimal256 {
                precision: 76,
                scale: 10
            }
        );
        assert_eq!(numeric(77, 0), Representation::ServerText);
        assert_eq!(numeric(1000, 1000), Representation::ServerText);
        assert_eq!(Representation::of_numeric(-1), Representation::ServerText);
    }

    #[test]
    fn scales_outside_the_precision_are_moved_into_it() {
        assert_eq!(numeric(3, -2), Representation::Decimal128 { precision: 5, scale: 0 });
        assert_eq!(numeric(2, 5), Representation::Decimal128 { precision: 5, scale: 5 });
        assert_eq!(numeric(30, -50), Representation::ServerText);
    }
}
