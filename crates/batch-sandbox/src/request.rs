//! The skeleton of a request body. What does not fit it refuses the whole call; values are looked at later, one by one.
//!
//! That structure refuses a call and a value only itself is an inference: the documentation does not say.

use std::borrow::Cow;

use crate::json::{Json, Member};

/// One element of the body: what to do to one profile.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) identifier: Identifier<'a>,
    pub(crate) attributes: Vec<Member<'a>>,
    pub(crate) events: Vec<SentEvent<'a>>,
}

/// Whom an operation is about: exactly one of the two.
#[derive(Debug, PartialEq)]
pub(crate) enum Identifier<'a> {
    CustomId(Cow<'a, str>),
    Installation,
}

/// An event as it was sent.
#[derive(Debug)]
pub(crate) struct SentEvent<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) time: Option<Cow<'a, str>>,
    pub(crate) attributes: Vec<Member<'a>>,
    /// Bytes of the event's compact JSON text.
    pub(crate) bytes: usize,
}

/// Why a whole call is refused with 400. Names positions and keys, never values.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed(pub(crate) String);

/// Reads a body of at most `most` operations.
pub(crate) fn operations(body: &[u8], most: usize) -> Result<Vec<Operation<'_>>, Malformed> {
    let document: Json<'_> = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Malformed(format!("the body is not valid JSON (line {line}, column {column})"))
    })?;
    let Json::Array(items) = document else {
        return Err(Malformed(format!(
            "the body must be an array of operations, not {}",
            document.kind()
        )));
    };
    if items.len() > most {
        return Err(Malformed(format!(
            "{} operations, of which {most} are allowed in one call",
            items.len()
        )));
    }
    let numbered = items.into_iter().enumerate();
    numbered
        .map(|(index, item)| operation(item).map_err(|Malformed(why)| Malformed(format!("operation {index}: {why}"))))
        .collect()
}

fn operation(item: Json<'_>) -> Result<Operation<'_>, Malformed> {
    let (mut identifiers, mut attributes, mut events) = (None, None, None);
    for (key, value) in object(item, "the operation")? {
        let slot = match &*key {
            "identifiers" => &mut identifiers,
            "attributes" => &mut attributes,
            "events" => &mut events,
            _ => {
                return Err(Malformed(
                    "an operation holds identifiers, attributes and events only".to_owned(),
                ));
            }
        };
        once(slot, &key, value)?;
    }
    let Some(identifiers) = identifiers else {
        return Err(Malformed("identifiers is missing".to_owned()));
    };
    let events = match events {
        None => Vec::new(),
        Some(Json::Array(items)) => items.into_iter().map(event).collect::<Result<_, _>>()?,
        Some(other) => return Err(Malformed(format!("events must be an array, not {}", other.kind()))),
    };
    Ok(Operation {
        identifier: identifier(identifiers)?,
        attributes: attributes.map_or(Ok(Vec::new()), |value| object(value, "attributes"))?,
        events,
    })
}

fn identifier(value: Json<'_>) -> Result<Identifier<'_>, Malformed> {
    let mut members = object(value, "identifiers")?.into_iter();
    let (Some((key, value)), None) = (members.next(), members.next()) else {
        let rule = "identifiers must hold exactly one of custom_id and installation";
        return Err(Malformed(rule.to_owned()));
    };
    match &*key {
        "custom_id" => Ok(Identifier::CustomId(text(value, "custom_id")?)),
        "installation" => {
            let (mut apikey, mut installation_id) = (None, None);
            for (key, value) in object(value, "installation")? {
                let slot = match &*key {
                    "apikey" => &mut apikey,
                    "installation_id" => &mut installation_id,
                    _ => {
                        return Err(Malformed(
                            "installation holds apikey and installation_id only".to_owned(),
                        ));
                    }
                };
                once(slot, &key, text(value, "a field of installation")?)?;
            }
            if apikey.is_none() || installation_id.is_none() {
                return Err(Malformed("installation needs apikey and installation_id".to_owned()));
            }
            Ok(Identifier::Installation)
        }
        _ => Err(Malformed("identifiers holds custom_id or installation".to_owned())),
    }
}

fn event(item: Json<'_>) -> Result<SentEvent<'_>, Malformed> {
    let bytes = compact_length(&item);
    let (mut name, mut time, mut attributes) = (None, None, None);
    for (key, value) in object(item, "an event")? {
        match &*key {
            "name" => once(&mut name, &key, text(value, "an event's name")?)?,
            "time" => once(&mut time, &key, text(value, "an event's time")?)?,
            "attributes" => once(&mut attributes, &key, object(value, "an event's attributes")?)?,
            _ => return Err(Malformed("an event holds name, time and attributes only".to_owned())),
        }
    }
    Ok(SentEvent {
        name: name.ok_or_else(|| Malformed("an event has no name".to_owned()))?,
        time,
        attributes: attributes.unwrap_or_default(),
        bytes,
    })
}

fn object<'a>(value: Json<'a>, what: &str) -> Result<Vec<Member<'a>>, Malformed> {
    match value {
        Json::Object(members) => Ok(members),
        other => Err(Malformed(format!("{what} must be an object, not {}", other.kind()))),
    }
}

fn text<'a>(value: Json<'a>, what: &str) -> Result<Cow<'a, str>, Malformed> {
    match value {
        Json::Text(text) => Ok(text),
        other => Err(Malformed(format!("{what} must be a string, not {}", other.kind()))),
    }
}

fn once<T>(slot: &mut Option<T>, key: &str, value: T) -> Result<(), Malformed> {
    if slot.replace(value).is_some() {
        return Err(Malformed(format!("{key} occurs twice")));
    }
    Ok(())
}

/// Bytes of a value's compact text, without building it.
fn compact_length(value: &Json<'_>) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("a value with text keys is always valid JSON");
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        match operations(body.as_bytes(), 200) {
            Err(Malformed(why)) => why,
            Ok(operations) => panic!("accepted: {operations:?}"),
        }
    }

    #[test]
    fn a_body_that_does_not_fit_the_skeleton_is_refused_whole() {
        let cases = [
            ("", "not valid JSON"),
            ("[{]", "not valid JSON"),
            ("[] []", "not valid JSON"),
            (r#"{"identifiers":{"custom_id":"a"}}"#, "must be an array"),
            ("null", "must be an array"),
            ("[1]", "operation 0: the operation must be an object"),
            ("[{}]", "identifiers is missing"),
            (r#"[{"identifiers":"a"}]"#, "identifiers must be an object"),
            (r#"[{"identifiers":{}}]"#, "exactly one of"),
            (r#"[{"identifiers":{"custom_id":1}}]"#, "custom_id must be a string"),
            (r#"[{"identifiers":{"custom_id":null}}]"#, "custom_id must be a string"),
            (r#"[{"identifiers":{"customId":"a"}}]"#, "custom_id or installation"),
            (
                r#"[{"identifiers":{"custom_id":"a","installation":{"apikey":"k","installation_id":"i"}}}]"#,
                "exactly one of",
            ),
            (
                r#"[{"identifiers":{"installation":{"apikey":"k"}}}]"#,
                "needs apikey and installation_id",
            ),
            (
                r#"[{"identifiers":{"installation":{"apikey":"k","installation_id":5}}}]"#,
                "must be a string",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"attributes":[]}]"#,
                "attributes must be an object",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"attributes":null}]"#,
                "attributes must be an object",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"events":{}}]"#,
                "events must be an array",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"events":["e"]}]"#,
                "an event must be an object",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"events":[{}]}]"#,
                "an event has no name",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"events":[{"name":1}]}]"#,
                "name must be a string",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"events":[{"name":"e","time":1}]}]"#,
                "time must be a string",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"events":[{"name":"e","attributes":[]}]}]"#,
                "attributes must be an object",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"events":[{"name":"e","date":"x"}]}]"#,
                "name, time and attributes only",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"atributes":{}}]"#,
                "identifiers, attributes and events only",
            ),
            (
                r#"[{"identifiers":{"custom_id":"a"},"identifiers":{"custom_id":"b"}}]"#,
                "identifiers occurs twice",
            ),
            (r#"[{"identifiers":{"custom_id":"a"}},{}]"#, "operation 1:"),
        ];
        for (body, expected) in cases {
            let why = refusal(body);
            assert!(why.contains(expected), "{body}: {why}");
        }
    }

    #[test]
    fn the_number_of_operations_is_allowed_at_the_limit_and_refused_beyond_it() {
        let body = |count: usize| format!("[{}]", vec![r#"{"identifiers":{"custom_id":"a"}}"#; count].join(","));
        assert_eq!(operations(body(200).as_bytes(), 200).unwrap().len(), 200);
        assert!(operations(body(201).as_bytes(), 200).is_err());
        assert!(operations(b"[]", 200).unwrap().is_empty());
    }

    #[test]
    fn a_complete_operation_is_read() {
        let body = br#"[{"identifiers":{"custom_id":"u-1"},"attributes":{"plan":"pro"},
            "events":[{"name":"e","time":"t","attributes":{"q":5}},{"name":"f"}]},
            {"identifiers":{"installation":{"apikey":"k","installation_id":"i"}}}]"#;
        let read = operations(body, 200).unwrap();
        assert_eq!(read[0].identifier, Identifier::CustomId("u-1".into()));
        assert_eq!(read[0].attributes, [("plan".into(), Json::Text("pro".into()))]);
        assert_eq!(
            read[0].events[0].bytes,
            r#"{"name":"e","time":"t","attributes":{"q":5}}"#.len()
        );
        assert_eq!(read[0].events[1].time, None);
        assert_eq!(read[1].identifier, Identifier::Installation);
    }

    #[test]
    fn a_body_that_is_not_utf8_or_nests_without_end_is_refused() {
        assert!(operations(b"[{\"identifiers\":{\"custom_id\":\"\xff\"}}]", 200).is_err());
        assert!(operations("[".repeat(100_000).as_bytes(), 200).is_err());
    }
}
