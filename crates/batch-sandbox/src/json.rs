//! JSON as it was sent: members in their order, repeated members kept, texts borrowed from the body.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A member of an object.
pub(crate) type Member<'a> = (Cow<'a, str>, Json<'a>);

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// An integer above the signed 64-bit range.
    Unsigned(u64),
    Float(f64),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<Member<'a>>),
}

impl Json<'_> {
    /// The JSON type, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Boolean(_) => "a boolean",
            Json::Integer(_) | Json::Unsigned(_) | Json::Float(_) => "a number",
            Json::Text(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Json<'de>, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
                Ok(Json::Boolean(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
                Ok(Json::Integer(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
                Ok(i64::try_from(value).map_or(Json::Unsigned(value), Json::Integer))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
                Ok(Json::Float(value))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
                Ok(Json::Text(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
                Ok(Json::Text(Cow::Owned(value.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(key) = access.next_key::<Key<'de>>()? {
                    members.push((key.0, access.next_value()?));
                }
                Ok(Json::Object(members))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A member's key, borrowed when it has no escapes (which `Cow` itself never is).
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Boolean(value) => serializer.serialize_bool(*value),
            Json::Integer(value) => serializer.serialize_i64(*value),
            Json::Unsigned(value) => serializer.serialize_u64(*value),
            Json::Float(value) => serializer.serialize_f64(*value),
            Json::Text(value) => serializer.serialize_str(value),
            Json::Array(items) => serializer.collect_seq(items),
            Json::Object(members) => Members(members).serialize(serializer),
        }
    }
}

/// The members of an object, written in their order.
pub(crate) struct Members<'m, 'a>(pub(crate) &'m [Member<'a>]);

impl Serialize for Members<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The compact JSON text of a value that can not fail to be written: one whose keys are texts.
pub(crate) fn compact<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value with text keys is always valid JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_repetitions() {
        let text = r#"{"z":1,"a":[true,null,-2.5],"z":"é\n","u":18446744073709551615}"#;
        let value: Json<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(String::from_utf8(compact(&value)).unwrap(), text);
    }

    #[test]
    fn texts_without_escapes_are_borrowed() {
        let value: Json<'_> = serde_json::from_str(r#"{"plain":"text"}"#).unwrap();
        let Json::Object(members) = value else {
            panic!("an object was read")
        };
        assert!(matches!(
            &members[0],
            (Cow::Borrowed("plain"), Json::Text(Cow::Borrowed("text")))
        ));
    }

    #[test]
    fn integers_keep_every_digit() {
        let value: Json<'_> =
            serde_json::from_str("[-9223372036854775808,9223372036854775807,9223372036854775808]").unwrap();
        let expected = [
            Json::Integer(i64::MIN),
            Json::Integer(i64::MAX),
            Json::Unsigned(1 << 63),
        ];
        assert_eq!(value, Json::Array(expected.to_vec()));
    }
}
