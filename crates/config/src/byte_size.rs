//! Sizes in bytes, as people write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes: in a document either an integer, or text such as `512KiB`, `8 MiB` or `1GB`.
///
/// `KB`, `MB`, `GB`, `TB` are powers of 1,000, `KiB`, `MiB`, `GiB`, `TiB` powers of 1,024, `B` is one byte. The range is
/// that of 64 bits; a field that takes less says so in its own schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Units from the largest to the smallest, binary ones first, so that `Display` finds the shortest exact form.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// What the JSON Schema says of the text; the units above in the form that editors understand.
const PATTERN: &str = "^[0-9]+ ?([KMGT]i?)?B$";

impl ByteSize {
    /// A size of so many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of so many times 1,048,576 bytes. At most 2⁴⁴ − 1, or the result wraps in release builds.
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Why a text is not a size in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ByteSizeError {
    /// Not a number followed by a known unit.
    #[error("a size is a whole number and one of the units B, KB, KiB, MB, MiB, GB, GiB, TB, TiB, such as 8MiB")]
    Malformed,
    /// More than 64 bits hold.
    #[error("the size is larger than 16 EiB")]
    TooLarge,
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits_end = text
            .find(|letter: char| !letter.is_ascii_digit())
            .ok_or(ByteSizeError::Malformed)?;
        let (digits, unit) = text.split_at(digits_end);
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(ByteSizeError::Malformed)?;
        if digits.is_empty() {
            return Err(ByteSizeError::Malformed);
        }
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .map(Self)
            .ok_or(ByteSizeError::TooLarge)
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that gives a whole number.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS
            .iter()
            .filter(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .min_by_key(|(_, factor)| self.0 / factor);
        match exact {
            Some((name, factor)) => write!(formatter, "{}{name}", self.0 / factor),
            None => write!(formatter, "{}B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a size such as 8MiB, or a number of bytes")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes)
                    .map(ByteSize)
                    .map_err(|_| E::custom("a size can not be negative"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": PATTERN,
            "format": crate::formats::BYTE_SIZE,
            "examples": ["512KiB", "8MiB", 1_048_576],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_blank() {
        for (text, bytes) in [
            ("0B", 0),
            ("512KiB", 512 * 1024),
            ("8 MiB", 8 << 20),
            ("1GB", 1_000_000_000),
            ("18446744073709551615B", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "", "8", "MiB", "8mib", "8Mb", "1.5GiB", "-1B", "8  MiB", "8MiB ", "٨MiB",
        ] {
            assert_eq!(text.parse::<ByteSize>(), Err(ByteSizeError::Malformed), "{text}");
        }
        for text in ["18446744073709551616B", "16777216TiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(ByteSizeError::TooLarge), "{text}");
        }
    }

    #[test]
    fn display_is_exact_and_reads_back() {
        for (bytes, text) in [
            (0, "0B"),
            (1, "1B"),
            (8 << 20, "8MiB"),
            (1_000_000, "1MB"),
            (1025, "1025B"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
        }
    }

    #[test]
    fn integers_and_text_deserialize_and_negatives_do_not() {
        assert_eq!(serde_json::from_str::<ByteSize>("7").expect("an integer"), ByteSize(7));
        assert_eq!(
            serde_json::from_str::<ByteSize>("\"7KB\"").expect("text"),
            ByteSize(7000)
        );
        assert!(serde_json::from_str::<ByteSize>("-7").is_err());
        assert!(serde_json::from_str::<ByteSize>("7.5").is_err());
    }
}
