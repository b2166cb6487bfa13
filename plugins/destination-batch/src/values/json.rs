//! JSON as it is read, without a copy of every string: of a table of events, most rows have some.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_json::Number;

/// Any JSON. Strings without escapes lie in the text that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    /// In the order of the text. A name may be there twice, which JSON leaves open: whoever reads it decides.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Json<'_> {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_text(&self) -> bool {
        self.as_text().is_some()
    }
}

/// A string of JSON text; borrowed from the text where it has no escapes.
#[derive(Deserialize)]
pub(crate) struct JsonText<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        // JSON has no form for what is not finite.
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((JsonText(name), value)) = access.next_entry()? {
            fields.push((name, value));
        }
        Ok(Json::Object(fields))
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_reads_and_writes_what_json_is() {
        for text in [
            "null",
            "true",
            "0",
            "-9223372036854775808",
            "18446744073709551615",
            "1.5",
            "\"\"",
            "\"a\\n\\u00e9\"",
            "[]",
            "[1,[\"x\",null],{}]",
            "{\"b\":1,\"a\":{\"c\":[false]}}",
        ] {
            let json: Json<'_> = serde_json::from_str(text).unwrap();
            let expected: serde_json::Value = serde_json::from_str(text).unwrap();
            let written: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
            assert_eq!(written, expected, "{text}");
        }
        for text in ["", "{", "[1,]", "{\"a\"}", "nul", "1e400", "\"\\x\"", "[1] 2"] {
            assert!(serde_json::from_str::<Json<'_>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_that_is_there_twice_stays() {
        let json: Json<'_> = serde_json::from_str("{\"a\":1,\"a\":2}").unwrap();
        assert_eq!(json.to_string(), "{\"a\":1,\"a\":2}");
    }

    #[test]
    fn strings_are_borrowed_where_they_have_no_escapes() {
        let json: Json<'_> = serde_json::from_str("[\"plain\",\"a\\nb\"]").unwrap();
        let Json::Array(items) = json else { panic!("{json}") };
        assert!(matches!(&items[0], Json::Text(Cow::Borrowed("plain"))));
        assert!(matches!(&items[1], Json::Text(Cow::Owned(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_serde_json_reads_it(text in "[\\[\\]{}:,\"a1.\\-enul \\\\]{0,24}") {
            let expected = serde_json::from_str::<serde_json::Value>(&text).ok();
            let read = serde_json::from_str::<Json<'_>>(&text).ok();
            prop_assert_eq!(read.is_some(), expected.is_some());
            if let (Some(read), Some(expected)) = (read, expected) {
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&read.to_string()).unwrap(), expected);
            }
        }
    }
}
