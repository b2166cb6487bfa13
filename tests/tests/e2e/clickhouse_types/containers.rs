//! Arrays, maps, tuples and what is made of them.

use longshore_tests::{Result, shop::Target};
use serde_json::{Value, json};

use super::{
    case::{Case, arrive, arrive_with},
    outcome::{self, collision, nameless, not_finite, plain},
};
use crate::clickhouse_scene::{ClickHouseScene, ClickHouseSync};

const TARGETS: [Target; 2] = [Target::Profiles, Target::Events];

/// The engine's text of each item.
const ITEMS: &str = "toJSONString(arrayMap(item -> toString(item), @))";
const JSON: &str = "toJSONString(@)";

#[tokio::test]
async fn arrays_arrive_as_the_texts_of_their_items() -> Result<()> {
    let cases = [
        Case::new(
            "Array(String)",
            outcome::json,
            &[
                "['a', 'é']",
                "[]",
                "['']",
                "range(25)::Array(String)",
                "range(26)::Array(String)",
            ],
        ),
        Case::new(
            "Array(Nullable(String))",
            outcome::json,
            &["['a', NULL]", "['a']", "[NULL]"],
        ),
        Case::new("Array(LowCardinality(String))", outcome::json, &["['a', 'a']"]),
        Case::new("Array(Bool)", outcome::json, &["[true, false]"]),
        Case::new("Array(Int8)", outcome::json, &["[-128, 127]", "[]"]),
        Case::new("Array(Nullable(Int32))", outcome::json, &["[1, NULL]", "[-2147483648]"]),
        Case::new("Array(UInt64)", outcome::json, &["[0, 18446744073709551615]"]),
        Case::new(
            "Array(UInt256)",
            outcome::json,
            &["[toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935')]"],
        ),
        Case::new("Array(Float32)", outcome::json, &["[1.5, -0.25, 0.1]"]),
        Case::new("Array(Float64)", outcome::json, &["[1.5, 0.1]"]),
        Case::new("Array(Enum8('a' = 1, 'b' = 2))", outcome::json, &["['b', 'a']"]),
        Case::new(
            "Array(UUID)",
            outcome::json,
            &["['61f0c404-5cb3-11e7-907b-a6006ad3dba0']"],
        ),
        Case::new("Array(IPv4)", outcome::json, &["['255.255.255.255']"]),
        Case::new("Array(IPv6)", outcome::json, &["['2001:db8::1']"]),
    ]
    .map(|case| case.never_null().shown(ITEMS));
    let others = [
        Case::new("Array(Decimal(9, 2))", outcome::json, &["[1.5, -99.99]"])
            .shown("toJSONString(arrayMap(item -> toDecimalString(item, 2), @))"),
        Case::new("Array(Date)", outcome::json, &["['1970-01-01', '2149-06-06']"])
            .shown("toJSONString(arrayMap(item -> concat(toString(item), 'T00:00:00Z'), @))"),
        Case::new(
            "Array(DateTime64(3, 'Asia/Tokyo'))",
            outcome::json,
            &["[toDateTime64('2020-01-01 00:00:00.125', 3, 'UTC')]"],
        )
        .shown(
            "toJSONString(arrayMap(item -> concat(replaceOne(toString(toTimeZone(item, 'UTC')), ' ', 'T'), 'Z'), @))",
        ),
    ]
    .map(Case::never_null);
    arrive(&[cases.as_slice(), &others].concat(), &TARGETS).await
}

#[tokio::test]
async fn maps_and_tuples_arrive_in_events_as_objects() -> Result<()> {
    let named = [
        Case::new(
            "Map(String, Int64)",
            outcome::json,
            &[
                "map('a', -9223372036854775808, 'B c', 9223372036854775807)",
                "map()",
                "map('a b', 1, 'a-b', 2)",
            ],
        ),
        Case::new(
            "Map(LowCardinality(String), UInt64)",
            outcome::json,
            &["map('a', 18446744073709551615)", "map('a', 1)"],
        ),
        Case::new(
            "Map(String, Nullable(String))",
            outcome::json,
            &["map('a', 'x', 'b', NULL)", "map('a', NULL)"],
        ),
        Case::new("Map(UInt8, Array(String))", outcome::json, &["map(255, ['x', 'y'])"]),
        Case::new("Map(String, Bool)", outcome::json, &["map('yes', true)"]),
        Case::new(
            "Tuple(a Int32, b Nullable(String))",
            outcome::json,
            &["(-2147483648, 'x')", "(1, NULL)"],
        ),
        Case::new(
            "Tuple(a Tuple(b UUID, c Enum8('x' = 1)), d IPv4)",
            outcome::json,
            &["(('61f0c404-5cb3-11e7-907b-a6006ad3dba0', 'x'), '1.2.3.4')"],
        ),
        Case::new(
            "Array(Tuple(a Int32, b String))",
            outcome::json,
            &["[(1, 'x'), (2, 'y')]", "[]"],
        ),
        Case::new("Array(Map(String, Float64))", outcome::json, &["[map('a', 0.1)]"]),
    ]
    .map(|case| case.never_null().shown(JSON));
    let others = [
        Case::new(
            "Map(String, Int256)",
            outcome::json,
            &["map('a', toInt256('-57896044618658097711785492504343953926634992332820282019728792003956564819968'))"],
        )
        .shown("toJSONString(mapApply((key, item) -> (key, toString(item)), @))"),
        Case::new("Array(Map(String, Float64))", not_finite, &["[map('a', nan)]"]).shown(JSON),
        Case::new("Map(String, Int64)", collision, &["map('a', 1, 'a', 2)"]).shown(JSON),
        Case::new("Tuple(Int32, String)", nameless, &["(2147483647, 'x')"]).shown(JSON),
        Case::new("Point", nameless, &["(1.5, -2.5)"]).shown(JSON),
    ]
    .map(Case::never_null);
    arrive(&[named.as_slice(), &others].concat(), &[Target::Events]).await
}

/// Whether the server keeps the parts of `Nested` apart is a setting of its session.
#[tokio::test]
async fn nested_columns_arrive_as_the_server_keeps_them() -> Result<()> {
    for (flattened, wanted) in [
        ("1", json!({ "n_a": ["-2147483648", "2147483647"], "n_b": ["x", "y"] })),
        (
            "0",
            json!({ "n": [{ "a": i32::MIN, "b": "x" }, { "a": i32::MAX, "b": "y" }] }),
        ),
    ] {
        let scene = ClickHouseScene::open("").await?;
        let create = "CREATE TABLE t (custom_id String, event_name String, n Nested(a Int32, b String)) ENGINE = MergeTree ORDER BY custom_id";
        let parameters = [("database", scene.database.name()), ("flatten_nested", flattened)];
        let created = scene.server.post(&parameters, create).send().await.unwrap();
        assert!(created.status().is_success());
        let values = match flattened {
            "1" => "[-2147483648, 2147483647], ['x', 'y']",
            _ => "[(-2147483648, 'x'), (2147483647, 'y')]",
        };
        scene
            .database
            .execute(&format!("INSERT INTO t SELECT 'c-1', 'seen', {values}"))
            .await?;
        scene.sync_well(&ClickHouseSync::of("[t]", Target::Events)).await?;
        assert_eq!(
            Value::Object(scene.received(Target::Events).await?["c-1"].clone()),
            wanted
        );
        scene.assert_no_violations().await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_batch_has_no_form_for_arrives_as_json_text_where_that_is_asked_for() -> Result<()> {
    let cases = [
        Case::new("Array(Array(String))", plain, &["[['a'], []]"]),
        Case::new("Map(String, Int32)", plain, &["map('a', 1)"]),
        Case::new("Tuple(a Int32, b String)", plain, &["(1, 'x')"]),
        Case::new("Array(Tuple(a Int32, b String))", plain, &["[(1, 'x')]"]),
    ]
    .map(|case| case.never_null().shown(JSON));
    arrive_with(&cases, &TARGETS, |sync| {
        sync.with_destination("mapping: { value: { kind: string } }")
    })
    .await
}
