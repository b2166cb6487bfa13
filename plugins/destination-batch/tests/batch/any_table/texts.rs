//! Texts of every kind that has a rule somewhere, at the limits and one beyond them, and texts of no kind.

use proptest::{prelude::*, sample::select, strategy::BoxedStrategy};
use serde_json::{Value as Json, json};

/// What a person, a program or an attacker may have put into a column.
const WORDS: [&str; 84] = [
    "",
    " ",
    "\n",
    "a\nb",
    "a\r",
    "\u{0}",
    "\u{7f}",
    "\u{feff}x",
    "\u{2028}",
    "\u{202e}reversed",
    "\"\\",
    "\"}],\"x\":[{\"",
    "</script>",
    "'; DROP TABLE profiles; --",
    "${HOME}",
    "null",
    "NULL",
    "true",
    "f",
    "1",
    "-7",
    "12.5",
    "1e3",
    "1e999",
    "99999999999999999999",
    "[object Object]",
    "é😀",
    "👩‍👩‍👧‍👦",
    "plain",
    "a@b.example",
    "a@b",
    "@",
    "a b@c.example",
    "+33612345678",
    "+",
    "0612",
    "fr",
    "FR",
    "français",
    "Europe/Paris",
    "Mars/Base",
    "subscribed",
    "unsubscribed",
    "Subscribed",
    "https://x.y/z?a=1#b",
    "https://",
    "x.y",
    "HTTP://X.Y",
    "https://a b",
    "javascript:alert(1)",
    "1990-01-02",
    "1990-01-02T03:04:05Z",
    "1990-01-02 03:04:05.678+02:00",
    "1990-13-02",
    "0000-00-00",
    "2016-12-31T23:59:60Z",
    "10000-01-01T00:00:00Z",
    "0000-01-01T00:00:00+14:00",
    "{not json",
    "[]",
    "{}",
    "[\"a\",\"b\"]",
    "[\"\"]",
    "[1,2]",
    "[null]",
    "[[\"a\"]]",
    "[{\"a\":1}]",
    "[{\"a\":1},\"b\"]",
    "[\"A b\",\"c\"]",
    "[\"news\",\"sport\"]",
    "{\"$add\":[\"x\"]}",
    "{\"$remove\":[\"x\"]}",
    "{\"$add\":[\"x\"],\"$remove\":[\"y\"]}",
    "{\"$add\":[]}",
    "{\"$add\":1}",
    "{\"$add\":[\"x\"],\"a\":1}",
    "{\"$label\":\"x\"}",
    "\"text in quotes\"",
    "\"a@b.example\"",
    "3",
    "false",
    "[\"\u{0}\"]",
    "{\"a\":\"x\\ny\"}",
    "{\"a\":\"\\ud83d\\ude00\"}",
];

/// Documents, mostly objects, as they may stand in a JSON column or in text.
const DOCUMENTS: [&str; 24] = [
    "{\"a\":1}",
    "{\"A b\":1,\"a_b\":2}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"b\":{\"c\":1}}}",
    "{\"a\":{\"b\":1}}",
    "{\"a\":[{\"b\":1},{\"b\":2}]}",
    "{\"a\":[{\"b\":{\"c\":1}}]}",
    "{\"a\":[{\"b\":[\"x\"]}]}",
    "{\"url(a)\":\"x\"}",
    "{\"url(a)\":\"https://x.y\"}",
    "{\"url__a\":\"https://x.y\",\"date__b\":\"1990-01-02\"}",
    "{\"date(a)\":1}",
    "{\"url(a)\":1}",
    "{\"a\":18446744073709551615}",
    "{\"a\":1e308}",
    "{\"a\":-0.0}",
    "{\"a\":\"\"}",
    "{\"a\":[]}",
    "{\"\":1}",
    "{\"é\":1}",
    "{\"a\":null}",
    "{\"a\":null,\"b\":true}",
    "{\"__proto__\":{\"x\":1}}",
    "{\"a234567890123456789012345678901\":1}",
];

/// So many of something, around a limit: two below to two above.
fn around(limit: usize) -> impl Strategy<Value = usize> + Clone {
    prop_oneof![limit - 2..=limit + 2, Just(limit)]
}

fn letters(count: impl Strategy<Value = usize> + 'static) -> BoxedStrategy<String> {
    (count, select(vec!["a", "é", "😀"]))
        .prop_map(|(count, letter)| letter.repeat(count))
        .boxed()
}

/// Texts whose length is near a limit of theirs.
fn long_texts() -> BoxedStrategy<String> {
    let email = around(256).prop_map(|count| format!("{}@b.example", "a".repeat(count - 10)));
    let phone = around(15).prop_map(|count| format!("+{}", "1".repeat(count)));
    let url = around(2_048).prop_map(|count| format!("https://x.y/{}", "a".repeat(count - 12)));
    let host = around(63).prop_map(|count| format!("a@{}.example", "b".repeat(count)));
    prop_oneof![
        letters(around(300)),
        letters(around(200)),
        letters(around(64)),
        email,
        phone,
        url,
        host
    ]
    .boxed()
}

fn array_of(
    items: impl Strategy<Value = Json> + 'static,
    count: impl Strategy<Value = usize> + 'static,
) -> BoxedStrategy<String> {
    (items, count)
        .prop_map(|(item, count)| Json::from(vec![item; count]).to_string())
        .boxed()
}

fn object_of(fields: usize, value: &Json) -> Json {
    (0..fields)
        .map(|index| (format!("k{index}"), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// JSON text whose size is near a limit of its.
fn large_documents() -> BoxedStrategy<String> {
    let item = select(vec![json!("x"), json!({ "a": 1 })]);
    let topics = prop_oneof![around(300), 1..4_usize].prop_map(|count| json!("t".repeat(count)));
    let tags = around(64).prop_map(|count| json!("T".repeat(count)));
    let wide = around(20).prop_map(|count| object_of(count, &json!(1)).to_string());
    let name = around(30).prop_map(|count| json!({ "n".repeat(count): 1 }).to_string());
    let edits = (around(25), select(vec!["$add", "$remove"]))
        .prop_map(|(count, key)| json!({ key: vec!["x"; count] }).to_string());
    // About 5,000 bytes an object: three to five of them are an event near 25,000 bytes.
    let heavy = (3_usize..6, 200_usize..300)
        .prop_map(|(count, length)| Json::from(vec![object_of(20, &json!("v".repeat(length))); count]).to_string());
    let deep = (1_usize..200).prop_map(|levels| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels)));
    let nested = (1_usize..200).prop_map(|levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    prop_oneof![
        1 => array_of(item, around(25)),
        1 => array_of(topics, prop_oneof![around(25), 1..4_usize]),
        1 => array_of(tags, prop_oneof![around(10), 1..4_usize]),
        3 => wide,
        1 => name,
        1 => edits,
        3 => heavy,
        1 => deep,
        1 => nested,
    ]
    .boxed()
}

/// What Batch's own attributes take.
const GOOD: [&str; 10] = [
    "a@b.example",
    "+33612345678",
    "fr",
    "FR",
    "Europe/Paris",
    "America/Argentina/Buenos_Aires",
    "subscribed",
    "unsubscribed",
    "[\"news\"]",
    "https://x.y",
];

/// Any text that a column may hold.
pub(super) fn any_text() -> BoxedStrategy<String> {
    let words = select(&WORDS[..]).prop_map(str::to_owned);
    let good = select(&GOOD[..]).prop_map(str::to_owned);
    prop_oneof![6 => words, 2 => good, 2 => documents(), 2 => long_texts(), 2 => any::<String>()].boxed()
}

/// Any text that a column of JSON may hold.
pub(super) fn documents() -> BoxedStrategy<String> {
    let words = prop_oneof![select(&WORDS[..]), select(&GOOD[..])].prop_map(|word| Json::from(word).to_string());
    let known = select(&DOCUMENTS[..]).prop_map(str::to_owned);
    let scalars = select(vec![
        "1",
        "1.5",
        "true",
        "null",
        "{broken",
        "[\"news\"]",
        "[\"a\",\"b\"]",
    ])
    .prop_map(str::to_owned);
    prop_oneof![3 => known, 3 => large_documents(), 2 => words, 2 => scalars].boxed()
}

/// Custom ids: a few that come again and again, those that programs write by mistake, and long ones.
pub(super) fn custom_ids() -> BoxedStrategy<String> {
    let few = select(vec!["u1", "u2", "u3"]).prop_map(str::to_owned);
    let long = around(1_024).prop_map(|count| "é".repeat(count));
    prop_oneof![8 => few, 2 => any_text(), 1 => long].boxed()
}
