//! Every kind of type: what it becomes, its limits and NULL, compared value by value.

use longshore_sdk::arrow::{
    array::{
        Array as _, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, FixedSizeBinaryArray,
        Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray,
        Time64MicrosecondArray, TimestampMicrosecondArray,
    },
    datatypes::{DataType, IntervalMonthDayNano, i256},
};
use serde_json::json;

use crate::support::{Reading, column, database, read_all, texts};

#[tokio::test]
async fn numbers_keep_every_bit_at_their_limits() {
    let database = database(
        "CREATE TABLE t (n int, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8); INSERT INTO t VALUES \
         (1, true, -32768, -2147483648, -9223372036854775808, '-infinity', 'NaN'), \
         (2, false, 32767, 2147483647, 9223372036854775807, 1.17549435e-38, 5e-324), (3, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    .await;
    let rows = read_all(database.spec(json!({})), "t").await;
    assert_eq!(
        column::<BooleanArray>(&rows, "b").iter().collect::<Vec<_>>(),
        [Some(true), Some(false), None]
    );
    assert_eq!(
        column::<Int16Array>(&rows, "i2").iter().collect::<Vec<_>>(),
        [Some(i16::MIN), Some(i16::MAX), None]
    );
    assert_eq!(
        column::<Int32Array>(&rows, "i4").iter().collect::<Vec<_>>(),
        [Some(i32::MIN), Some(i32::MAX), None]
    );
    assert_eq!(
        column::<Int64Array>(&rows, "i8").iter().collect::<Vec<_>>(),
        [Some(i64::MIN), Some(i64::MAX), None]
    );
    assert_eq!(
        column::<Float32Array>(&rows, "f4").iter().collect::<Vec<_>>(),
        [Some(f32::NEG_INFINITY), Some(f32::MIN_POSITIVE), None]
    );
    let f8 = column::<Float64Array>(&rows, "f8");
    assert!(f8.value(0).is_nan() && f8.is_null(2));
    assert_eq!(f8.value(1).to_bits(), 5e-324_f64.to_bits());
}

#[tokio::test]
async fn numerics_are_decimals_as_wide_as_declared_and_text_beyond() {
    let nines_76 = "9".repeat(76);
    let database = database(&format!(
        "CREATE TABLE t (small numeric(10,2), wide numeric(38,0), wider numeric(76,10), widest numeric(100,50), free numeric, negative numeric(3,-2), tiny numeric(2,5)); \
         INSERT INTO t VALUES (-12.30, {}, -{}.{}, 1.5, 'NaN', 12345, 0.00012), (0, -1, 0.0000000001, -0.00000000000000000001, 'Infinity', -99900, -0.00099), \
         (99999999.99, 0, 1, 0, 123456789012345678901234567890.1234567890123456789012345678901234567890, 0, 0), (NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "9".repeat(38),
        &nines_76[..66],
        &nines_76[..10],
    ))
    .await;
    let rows = read_all(database.spec(json!({})), "t").await;
    assert_eq!(
        rows.schema().field_with_name("small").unwrap().data_type(),
        &DataType::Decimal128(10, 2)
    );
    assert_eq!(
        column::<Decimal128Array>(&rows, "small").iter().collect::<Vec<_>>(),
        [Some(-1230), Some(0), Some(9_999_999_999), None]
    );
    assert_eq!(
        column::<Decimal128Array>(&rows, "wide").iter().collect::<Vec<_>>(),
        [Some(10_i128.pow(38) - 1), Some(-1), Some(0), None]
    );
    let wider = column::<Decimal256Array>(&rows, "wider");
    assert_eq!(wider.data_type(), &DataType::Decimal256(76, 10));
    assert_eq!(wider.value(0), i256::from_string(&format!("-{nines_76}")).unwrap());
    assert_eq!(
        (wider.value(1), wider.value(2), wider.is_null(3)),
        (i256::ONE, i256::from_i128(10_i128.pow(10)), true)
    );
    assert_eq!(texts(&rows, "widest")[0], format!("1.5{}", "0".repeat(49)));
    let free = texts(&rows, "free");
    assert_eq!(
        free,
        [
            "NaN",
            "Infinity",
            "123456789012345678901234567890.1234567890123456789012345678901234567890",
            "∅"
        ]
    );
    assert_eq!(
        column::<Decimal128Array>(&rows, "negative").iter().collect::<Vec<_>>(),
        [Some(12_300), Some(-99_900), Some(0), None]
    );
    assert_eq!(
        column::<Decimal128Array>(&rows, "tiny").iter().collect::<Vec<_>>(),
        [Some(12), Some(-99), Some(0), None]
    );
}

#[tokio::test]
async fn a_nan_in_a_decimal_is_an_error_with_a_remedy_that_works() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, price numeric(10,2)); INSERT INTO t VALUES (1, 1.50), (2, 'NaN')",
    )
    .await;
    let error = Reading::new(database.spec(json!({})), "t")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!(error.code, "numeric_not_a_number");
    assert!(
        error.message.contains("price") && error.message.contains("row number 2"),
        "{error}"
    );
    assert!(error.remedy.contains("text_columns"), "{}", error.remedy);
    let as_text = read_all(
        database.spec(json!({"table_options": {"t": {"text_columns": ["price"]}}})),
        "t",
    )
    .await;
    assert_eq!(texts(&as_text, "price"), ["1.50", "NaN"]);
}

#[tokio::test]
async fn dates_and_times_are_exact_and_infinities_are_their_extremes() {
    let database = database(
        "CREATE TABLE t (n int, d date, t time, ts timestamp, tz timestamptz, iv interval); INSERT INTO t VALUES \
         (1, 'infinity', '00:00', 'infinity', 'infinity', '1 year 2 mons -3 days 04:05:06.000007'), \
         (2, '-infinity', '24:00:00', '-infinity', '-infinity', '0'), \
         (3, '4713-01-01 BC', '23:59:59.999999', '4713-01-01 00:00:00 BC', '0001-12-31 23:59:59.999999+00 BC', '-178000000 years'), \
         (4, '5874897-12-31', '12:00', '1969-12-31 23:59:59.999999', '2026-11-20 12:00:00.000001+07', '-00:00:00.000001'), \
         (5, NULL, NULL, NULL, NULL, NULL)",
    )
    .await;
    let rows = read_all(database.spec(json!({})), "t").await;
    // 4713-01-01 BC is 2,440,550 days before 1970 (Julian day 38); 5874897-12-31 is Julian day 2,147,483,493.
    let expected = [
        Some(i32::MAX),
        Some(i32::MIN),
        Some(38 - 2_440_588),
        Some(2_147_483_493 - 2_440_588),
        None,
    ];
    assert_eq!(column::<Date32Array>(&rows, "d").iter().collect::<Vec<_>>(), expected);
    let expected = [
        Some(0),
        Some(86_400_000_000),
        Some(86_399_999_999),
        Some(43_200_000_000),
        None,
    ];
    assert_eq!(
        column::<Time64MicrosecondArray>(&rows, "t").iter().collect::<Vec<_>>(),
        expected
    );
    let expected = [
        Some(i64::MAX),
        Some(i64::MIN),
        Some((38 - 2_440_588) * 86_400_000_000),
        Some(-1),
        None,
    ];
    assert_eq!(
        column::<TimestampMicrosecondArray>(&rows, "ts")
            .iter()
            .collect::<Vec<_>>(),
        expected
    );
    let instants = column::<TimestampMicrosecondArray>(&rows, "tz");
    assert_eq!(instants.timezone(), Some("UTC"));
    let expected = [
        Some(i64::MAX),
        Some(i64::MIN),
        Some(-719_162 * 86_400_000_000 - 1),
        Some(1_795_150_800_000_001),
        None,
    ];
    assert_eq!(instants.iter().collect::<Vec<_>>(), expected);
    let expected = [
        Some(IntervalMonthDayNano::new(14, -3, 14_706_000_007_000)),
        Some(IntervalMonthDayNano::new(0, 0, 0)),
        Some(IntervalMonthDayNano::new(-2_136_000_000, 0, 0)),
        Some(IntervalMonthDayNano::new(0, 0, -1_000)),
        None,
    ];
    assert_eq!(
        column::<IntervalMonthDayNanoArray>(&rows, "iv")
            .iter()
            .collect::<Vec<_>>(),
        expected
    );
    for name in ["d", "ts", "tz"] {
        assert_eq!(
            rows.schema().field_with_name(name).unwrap().metadata()["longshore.infinity"],
            "extremes",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_time_that_arrow_can_not_hold_is_an_error_not_a_wrong_time() {
    let database = database("CREATE TABLE t (at timestamp); INSERT INTO t VALUES ('294276-12-31')").await;
    let error = Reading::new(database.spec(json!({})), "t")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!(error.code, "value_out_of_range");
    let as_text = read_all(
        database.spec(json!({"table_options": {"t": {"text_columns": ["at"]}}})),
        "t",
    )
    .await;
    assert_eq!(texts(&as_text, "at"), ["294276-12-31 00:00:00"]);
}

#[tokio::test]
async fn text_bytes_uuids_and_json_arrive_as_they_are() {
    let database = database(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); \
         CREATE TABLE t (n int, a text, b varchar(5), c char(4), d name, e citext, f mood, g bytea, u uuid, j json, jb jsonb, k \"char\"); \
         INSERT INTO t VALUES (1, E'é\\n\\t\\\\😀', '', 'ab', 'Name', 'MiXed', 'it''s ok', '\\x00ff', '00112233-4455-6677-8899-aabbccddeeff', \
         '{\"b\" : 1, \"b\":2}', '{\"b\" : 1.10, \"a\":null}', 'x'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    .await;
    let rows = read_all(database.spec(json!({})), "t").await;
    let expected = [
        ("a", "é\n\t\\😀"),
        ("b", ""),
        ("c", "ab  "),
        ("d", "Name"),
        ("e", "MiXed"),
        ("f", "it's ok"),
        ("j", "{\"b\" : 1, \"b\":2}"),
        ("jb", "{\"a\": null, \"b\": 1.10}"),
        ("k", "x"),
    ];
    for (name, value) in expected {
        assert_eq!(texts(&rows, name), [value, "∅"], "{name}");
    }
    assert_eq!(
        column::<BinaryArray>(&rows, "g").iter().collect::<Vec<_>>(),
        [Some(&[0, 255][..]), None]
    );
    let uuids = column::<FixedSizeBinaryArray>(&rows, "u");
    assert_eq!(
        uuids.value(0),
        [
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff
        ]
    );
    assert!(uuids.is_null(1));
    let schema = rows.schema();
    let metadata = |name: &str, key: &str| {
        schema
            .field_with_name(name)
            .unwrap()
            .metadata()
            .get(key)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(metadata("u", "ARROW:extension:name"), "arrow.uuid");
    assert_eq!(metadata("j", "ARROW:extension:name"), "arrow.json");
    assert_eq!(metadata("jb", "longshore.source_type"), "jsonb");
    assert_eq!(metadata("b", "longshore.source_type"), "character varying(5)");
    assert_eq!(
        (metadata("f", "longshore.text"), metadata("a", "longshore.text")),
        ("true".to_owned(), String::new())
    );
}

#[tokio::test]
async fn every_other_type_is_the_servers_own_text() {
    let cases = [
        ("inet", "192.168.0.1"),
        ("inet", "10.1.2.3/8"),
        ("inet", "::1"),
        ("cidr", "10.0.0.0/8"),
        ("macaddr", "08:00:2b:01:02:03"),
        ("macaddr8", "08:00:2b:01:02:03:04:05"),
        ("money", "$1,234.50"),
        ("bit(3)", "101"),
        ("varbit", "10101"),
        ("xml", "<a>b</a>"),
        ("hstore", "\"a\"=>\"1\", \"b\"=>NULL"),
        ("int4range", "[1,5)"),
        ("tstzrange", "[\"2026-01-01 00:00:00+00\",)"),
        ("int4multirange", "{[1,3),[5,7)}"),
        ("pair", "(1,\"a b\")"),
        ("timetz", "12:00:00.5+02"),
        ("point", "(1.5,-2)"),
        ("tsvector", "'cat' 'fat'"),
        ("pg_lsn", "16/B374D848"),
        ("oid", "4294967295"),
        ("int2vector", "1 2 3"),
        ("jsonpath", "$.\"a\""),
    ];
    let columns: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(n, (of, _))| format!("c{n} {of}"))
        .collect();
    let values: Vec<String> = cases
        .iter()
        .map(|(of, value)| format!("'{}'::{of}", value.replace('\'', "''")))
        .collect();
    let nulls = vec!["NULL"; cases.len()];
    let database = database(&format!(
        "CREATE EXTENSION hstore; CREATE TYPE pair AS (a int, b text); CREATE TABLE t ({}); INSERT INTO t VALUES ({}), ({})",
        columns.join(", "),
        values.join(", "),
        nulls.join(", ")
    ))
    .await;
    let rows = read_all(database.spec(json!({})), "t").await;
    for (n, (of, value)) in cases.iter().enumerate() {
        assert_eq!(texts(&rows, &format!("c{n}")), [*value, "∅"], "{of}");
        assert_eq!(rows.schema().field(n).metadata()["longshore.text"], "true", "{of}");
    }
}

#[tokio::test]
async fn domains_are_what_lies_below_them() {
    let database = database(
        "CREATE DOMAIN price AS numeric(8,3) CHECK (value >= 0); CREATE DOMAIN net_price AS price; CREATE DOMAIN tags AS text[]; \
         CREATE TABLE t (a net_price, b tags, c price[]); INSERT INTO t VALUES (1.5, '{x,NULL}', '{2.25}'), (NULL, NULL, NULL)",
    )
    .await;
    let rows = read_all(database.spec(json!({})), "t").await;
    assert_eq!(
        column::<Decimal128Array>(&rows, "a").iter().collect::<Vec<_>>(),
        [Some(1_500), None]
    );
    assert_eq!(
        rows.schema().field_with_name("a").unwrap().data_type(),
        &DataType::Decimal128(8, 3)
    );
    assert_eq!(texts(&rows, "b"), ["[x, ]", "∅"]);
    assert_eq!(texts(&rows, "c"), ["[2.250]", "∅"]);
    assert_eq!(
        rows.schema().field_with_name("a").unwrap().metadata()["longshore.source_type"],
        "net_price"
    );
}

#[tokio::test]
async fn one_dimensional_arrays_are_lists() {
    let database = database(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (i int8[], s text[], m mood[], n numeric[], d numeric(5,1)[], z timestamptz[], u uuid[], j jsonb[], ip inet[]); \
         INSERT INTO t VALUES ('{1,NULL,-3}', '{a,\"\",NULL}', '{ok,NULL}', '{1.10,NaN}', '{1.5}', '{\"1970-01-01 00:00:01+00\"}', '{00000000-0000-0000-0000-000000000001}', \
         ARRAY['{\"a\": 1}'::jsonb], '{10.0.0.1}'), ('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    .await;
    let rows = read_all(database.spec(json!({})), "t").await;
    let lists = column::<ListArray>(&rows, "i");
    let first = lists.value(0);
    assert_eq!(
        first
            .as_any()
            .downcast_ref::<Int64Array>()
            .unwrap()
            .iter()
            .collect::<Vec<_>>(),
        [Some(1), None, Some(-3)]
    );
    assert_eq!(
        (lists.value(1).len(), lists.is_null(1), lists.is_null(2)),
        (0, false, true)
    );
    for (name, value) in [
        ("s", "[a, , ]"),
        ("m", "[ok, ]"),
        ("n", "[1.10, NaN]"),
        ("d", "[1.5]"),
        ("j", "[{\"a\": 1}]"),
    ] {
        assert_eq!(texts(&rows, name), [value, "[]", "∅"], "{name}");
    }
    // Within an array the server's cast to text adds the length of the netmask.
    assert_eq!(texts(&rows, "ip")[0], "[10.0.0.1/32]");
    let instants = column::<ListArray>(&rows, "z").value(0);
    assert_eq!(
        instants
            .as_any()
            .downcast_ref::<TimestampMicrosecondArray>()
            .unwrap()
            .values(),
        &[1_000_000]
    );
}

#[tokio::test]
async fn arrays_of_several_dimensions_are_text_where_declared_and_an_error_elsewhere() {
    let database = database(
        "CREATE TABLE declared (a int[][]); INSERT INTO declared VALUES ('{{1,2},{3,4}}'), ('{5}'); \
         CREATE TABLE hidden (a int[]); INSERT INTO hidden VALUES ('{{1,2},{3,4}}')",
    )
    .await;
    let declared = read_all(database.spec(json!({})), "declared").await;
    assert_eq!(texts(&declared, "a"), ["{{1,2},{3,4}}", "{5}"]);
    let error = Reading::new(database.spec(json!({})), "hidden")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!(error.code, "array_of_several_dimensions");
    let as_text = read_all(
        database.spec(json!({"table_options": {"hidden": {"text_columns": ["a"]}}})),
        "hidden",
    )
    .await;
    assert_eq!(texts(&as_text, "a"), ["{{1,2},{3,4}}"]);
}

#[tokio::test]
async fn texts_do_not_depend_on_the_settings_of_user_or_database() {
    let database = database("CREATE TABLE t (r tstzrange, m interval[], f float8[]); INSERT INTO t VALUES ('[2026-01-01 00:00+00,)', '{1 day}', '{0.1}')").await;
    let name = &database.name;
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET TimeZone = 'America/Los_Angeles'; ALTER DATABASE {name} SET DateStyle = 'German'; \
             ALTER DATABASE {name} SET IntervalStyle = 'iso_8601'; ALTER DATABASE {name} SET extra_float_digits = -10; ALTER DATABASE {name} SET search_path = ''"
        ))
        .await;
    let rows = read_all(
        database.spec(json!({"table_options": {"t": {"text_columns": ["m"]}}})),
        "t",
    )
    .await;
    assert_eq!(texts(&rows, "r"), ["[\"2026-01-01 00:00:00+00\",)"]);
    assert_eq!(texts(&rows, "m"), ["{\"1 day\"}"]);
}
