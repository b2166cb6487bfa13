//! Text, and what arrives as text.

use longshore_tests::{Result, shop::Target};

use super::{
    case::{Case, arrive, arrive_with},
    outcome::{json, plain, text},
};

const TARGETS: [Target; 2] = [Target::Profiles, Target::Events];

#[tokio::test]
async fn text_arrives_as_it_is_up_to_what_batch_takes() -> Result<()> {
    let lengths = [300, 301].map(|length| format!("repeat('é', {length})"));
    let values = [
        "'plain'",
        "''",
        "' '",
        r"'two\nlines'",
        r#"'quote " and \\ backslash'"#,
        "'😀 \u{feff}\u{202e}'",
        r"'a\0b'",
        "'[1, 2'",
        "'\\\\N'",
        "'null'",
        "'12'",
        r#"'["a", "b"]'"#,
        r#"'{"Colour": "red", "weight": 1.5, "gone": null}'"#,
        &lengths[0],
        &lengths[1],
    ];
    let cases = [
        Case::new("String", text, &values),
        Case::new("LowCardinality(String)", text, &values).with_nullable("LowCardinality(Nullable(String))"),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn strings_that_are_no_utf8_arrive_in_hexadecimal_and_those_beside_them_as_they_are() -> Result<()> {
    const SPELLED: &str = r"if(isValidUTF8(@), @, concat('\\x', lower(hex(@))))";
    let values = [r"'\xff\x00\xe9'", "'é'", r"'caf\xe9'", r"'\xed\xa0\x80'"];
    let cases = [
        Case::new("String", plain, &values).shown(SPELLED),
        Case::new("LowCardinality(String)", plain, &values)
            .with_nullable("LowCardinality(Nullable(String))")
            .shown(SPELLED),
        Case::new("Array(String)", json, &[r"['a', 'caf\xe9']"])
            .never_null()
            .shown(&format!(
                "toJSONString(arrayMap(item -> {}, @))",
                SPELLED.replace('@', "item")
            )),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn enums_arrive_as_their_names() -> Result<()> {
    let cases = [
        Case::new(
            r"Enum8('it\'s' = -128, 'b c' = 127, 'é' = 0)",
            plain,
            &["-128", "127", "'é'"],
        ),
        Case::new(
            "Enum16('least' = -32768, 'greatest' = 32767)",
            plain,
            &["'least'", "'greatest'"],
        ),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn identifiers_and_addresses_arrive_as_the_engine_writes_them() -> Result<()> {
    let cases = [
        Case::new(
            "UUID",
            plain,
            &[
                "'00000000-0000-0000-0000-000000000000'",
                "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
                "'61f0c404-5cb3-11e7-907b-a6006ad3dba0'",
            ],
        ),
        Case::new("IPv4", plain, &["'0.0.0.0'", "'255.255.255.255'", "'1.2.3.4'"]),
        Case::new(
            "IPv6",
            plain,
            &[
                "'::'",
                "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
                "'::ffff:1.2.3.4'",
                "'2001:db8::1'",
            ],
        ),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn fixed_strings_arrive_as_text_without_their_zero_bytes_where_that_is_asked_for() -> Result<()> {
    let cases = [
        Case::new("FixedString(4)", plain, &["'abcd'", "'ab'", "'é'"]),
        Case::new("LowCardinality(FixedString(3))", plain, &["'abc'", "'a'"])
            .with_nullable("LowCardinality(Nullable(FixedString(3)))"),
    ];
    let options: String = (1..=cases.len())
        .map(|table| format!("t{table}: {{ text_columns: [value, maybe] }}, "))
        .collect();
    arrive_with(&cases, &TARGETS, |sync| {
        sync.with_source(&format!("table_options: {{ {options} }}"))
    })
    .await
}
