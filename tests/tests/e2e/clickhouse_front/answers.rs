//! Parameters, formats, errors, users.

use longshore_tests::{ClickHouseServer, Result};
use reqwest::{Method, StatusCode};

use super::{answered, ask, header};

#[tokio::test]
async fn it_says_that_it_is_there() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    for path in ["/ping", "/"] {
        let response = server.request(Method::GET, path)?.send().await.unwrap();
        assert_eq!(answered(response).await, (StatusCode::OK, "Ok.\n".to_owned()));
    }
    let response = server.request(Method::GET, "/nowhere")?.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn parameters_are_typed_and_never_part_of_the_statement() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let statement = "SELECT {n:Int64} + 1, {s:String}, {t:DateTime64(6, 'UTC')}, {a:Array(String)}, {x:Nullable(Int8)} FORMAT TSVRaw";
    let parameters = [
        ("param_n", "9223372036854775806"),
        ("param_s", "it's; DROP\\t-- \u{e9}"),
        ("param_t", "1969-12-31 23:59:59.999999"),
        ("param_a", "['a','b\\'']"),
        ("param_x", "\\N"),
    ];
    let expected =
        "9223372036854775807\tit's; DROP\t-- \u{e9}\t1969-12-31 23:59:59.999999\t['a','b\\'']\t\\N\n".to_owned();
    assert_eq!(
        answered(ask(server, &parameters, statement).await?).await,
        (StatusCode::OK, expected.clone())
    );

    // As the crate `clickhouse` sends them.
    let fields = [&[("query", statement)], &parameters[..]].concat();
    let mut form = String::new();
    for (name, value) in fields {
        form += &format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    form += "--limit--\r\n";
    let request = server
        .post(&[], form)
        .header("Content-Type", "multipart/form-data; boundary=limit");
    assert_eq!(
        answered(request.send().await.unwrap()).await,
        (StatusCode::OK, expected)
    );

    // Bytes that are no UTF-8, as they are and escaped.
    for value in ["%FFa", "%5CxFFa"] {
        let path = format!("/?query=SELECT+hex(%7Bs:String%7D)&param_s={value}");
        let request = server
            .request(Method::GET, &path)?
            .basic_auth(server.user(), Some(server.password()));
        assert_eq!(
            answered(request.send().await.unwrap()).await,
            (StatusCode::OK, "FF61\n".into())
        );
    }

    let response = ask(server, &[("param_n", "1 OR 1")], "SELECT {n:Int64}").await?;
    assert_eq!(header(&response, "X-ClickHouse-Exception-Code"), "457");
    let response = ask(server, &[], "SELECT {n:Int64}").await?;
    assert_eq!(header(&response, "X-ClickHouse-Exception-Code"), "456");
    Ok(())
}

#[tokio::test]
async fn the_format_comes_from_the_statement_or_the_request() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let asked = async |parameters: &[(&str, &str)], statement: &str| -> Result<(String, String)> {
        let response = ask(server, parameters, statement).await?;
        Ok((
            header(&response, "X-ClickHouse-Format").to_owned(),
            response.text().await.unwrap(),
        ))
    };
    let named = asked(
        &[("default_format", "CSV")],
        "SELECT 1 AS n FORMAT JSONEachRow SETTINGS max_threads = 1",
    );
    assert_eq!(named.await?, ("JSONEachRow".into(), "{\"n\":1}\n".into()));
    let default = asked(&[("default_format", "CSVWithNames")], "SELECT 'FORMAT TSV' AS s;");
    assert_eq!(
        default.await?,
        ("CSVWithNames".into(), "\"s\"\n\"FORMAT TSV\"\n".into())
    );
    assert_eq!(
        asked(&[], "SELECT 1, '\t'").await?,
        ("TabSeparated".into(), "1\t\\t\n".into())
    );
    // What looks like the clause and is none, and the clause where it is hard to see.
    for (statement, format) in [
        ("SELECT 1 AS format, 2 AS TSV", "TabSeparated"),
        ("SELECT 1 -- FORMAT CSV", "TabSeparated"),
        ("SELECT 1 /* FORMAT CSV", "TabSeparated"),
        ("SELECT $x$ FORMAT CSV $x$", "TabSeparated"),
        (
            "SELECT * FROM (SELECT `FORMAT` FROM (SELECT 1 AS `FORMAT`))",
            "TabSeparated",
        ),
        ("(SELECT 1)\nformat\tcsv -- the end\n;", "csv"),
        ("WITH '\\' FORMAT TSV' AS s SELECT s FORMAT /* here */ CSV", "CSV"),
    ] {
        let (named, answer) = asked(&[], statement).await?;
        if statement.contains("/* FORMAT CSV") {
            assert!(answer.starts_with("Code: 62. "), "{answer}");
        } else {
            assert_eq!(named, format, "{statement}: {answer}");
            assert!(!answer.starts_with("Code: "), "{statement}: {answer}");
        }
    }
    for parameters in [&[][..], &[("default_format", "NoFormat")]] {
        let statement = if parameters.is_empty() {
            "SELECT 1 FORMAT NoFormat"
        } else {
            "SELECT 1"
        };
        let response = ask(server, parameters, statement).await?;
        assert_eq!(header(&response, "X-ClickHouse-Exception-Code"), "73", "{parameters:?}");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
    let request = server
        .post(&[], "SELECT 1 AS n")
        .header("X-ClickHouse-Format", "JSONEachRow");
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "{\"n\":1}\n");
    Ok(())
}

#[tokio::test]
async fn settings_and_the_database_hold_for_one_query() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let database = server.create_database().await?;
    let statement = "SELECT currentDatabase(), getSetting('max_block_size'), toString(toDateTime(0)) FORMAT TSVRaw";
    let parameters = [
        ("database", database.name()),
        ("max_block_size", "123"),
        ("session_timezone", "Asia/Tokyo"),
    ];
    let response = ask(server, &parameters, statement).await?;
    assert_eq!(header(&response, "X-ClickHouse-Timezone"), "Asia/Tokyo");
    let expected = format!("{}\t123\t1970-01-01 09:00:00\n", database.name());
    assert_eq!(response.text().await.unwrap(), expected);

    let response = ask(
        server,
        &[],
        "SELECT currentDatabase(), getSetting('max_block_size') = 123 FORMAT TSVRaw",
    );
    assert_eq!(response.await?.text().await.unwrap(), "default\t0\n");
    Ok(())
}

#[tokio::test]
async fn an_error_has_the_status_the_code_and_the_text_of_a_server() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let cases = [
        (
            "SELECT * FROM no_such_table",
            &[][..],
            StatusCode::NOT_FOUND,
            60,
            "UNKNOWN_TABLE",
        ),
        ("SELEC 1", &[], StatusCode::BAD_REQUEST, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", &[], StatusCode::BAD_REQUEST, 62, "SYNTAX_ERROR"),
        (
            "SELECT toInt8('x')",
            &[],
            StatusCode::BAD_REQUEST,
            6,
            "CANNOT_PARSE_TEXT",
        ),
        (
            "SELECT 1",
            &[("no_such_setting", "1")],
            StatusCode::NOT_FOUND,
            115,
            "UNKNOWN_SETTING",
        ),
        (
            "SELECT 1",
            &[("database", "no_such_database")],
            StatusCode::NOT_FOUND,
            81,
            "UNKNOWN_DATABASE",
        ),
        (
            "SELECT throwIf(1)",
            &[],
            StatusCode::INTERNAL_SERVER_ERROR,
            395,
            "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
        ),
        (
            "SELECT sum(sipHash64(number)) FROM numbers(100000000000)",
            &[("max_execution_time", "0.2")],
            StatusCode::REQUEST_TIMEOUT,
            159,
            "TIMEOUT_EXCEEDED",
        ),
    ];
    for (statement, parameters, status, code, name) in cases {
        let response = ask(server, parameters, statement).await?;
        assert_eq!(
            header(&response, "X-ClickHouse-Exception-Code"),
            code.to_string(),
            "{statement}"
        );
        let (given, text) = answered(response).await;
        assert_eq!(given, status, "{statement}: {text}");
        assert!(text.starts_with(&format!("Code: {code}. DB::Exception: ")), "{text}");
        assert!(text.contains(&format!("({name}) (version ")), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_query_leaves_nothing_behind_for_the_next_one() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let session = [("session_id", "a_failed_query"), ("max_block_size", "10")];
    let failing = "SELECT number, throwIf(number = 100) FROM numbers(1000) FORMAT JSON";
    for _ in 0..3 {
        let (status, _) = answered(ask(server, &session, failing).await?).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        let next = ask(server, &session[..1], "SELECT getSetting('max_block_size') = 10").await?;
        assert_eq!(answered(next).await, (StatusCode::OK, "0\n".into()));
    }
    Ok(())
}

#[tokio::test]
async fn only_the_user_with_the_password_is_let_in() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let one = || server.request(Method::GET, "/?query=SELECT%201");
    let (user, password) = (server.user(), server.password());
    let by_headers = one()?
        .header("X-ClickHouse-User", user)
        .header("X-ClickHouse-Key", password);
    let by_basic = one()?.basic_auth(user, Some(password));
    let by_fields = server.request(
        Method::GET,
        &format!("/?query=SELECT%201&user={user}&password={password}"),
    )?;
    for request in [by_headers, by_basic, by_fields] {
        assert_eq!(
            answered(request.send().await.unwrap()).await,
            (StatusCode::OK, "1\n".into())
        );
    }

    let wrong = one()?
        .header("X-ClickHouse-User", user)
        .header("X-ClickHouse-Key", "wrong");
    let unknown = one()?.basic_auth("nobody", Some(password));
    let mixed = one()?
        .basic_auth(user, Some(password))
        .header("X-ClickHouse-User", user);
    for request in [wrong, unknown, mixed] {
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "X-ClickHouse-Exception-Code"), "516");
        let (status, text) = answered(response).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
        assert!(!text.contains(password), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn who_is_refused_gets_to_read_why_whatever_was_sent() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let body = "SELECT 1 -- ".to_owned() + &"x".repeat(5_000_000);
    let request = server
        .request(Method::POST, "/")?
        .basic_auth("nobody", Some(""))
        .body(body);
    let (status, text) = answered(request.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.starts_with("Code: 516. "), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_get_changes_nothing() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let database = server.create_database().await?;
    let create = format!(
        "/?query=CREATE%20TABLE%20{}.t%20(a%20Int8)%20ENGINE%20Memory",
        database.name()
    );
    let request = server
        .request(Method::GET, &create)?
        .basic_auth(server.user(), Some(server.password()));
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "X-ClickHouse-Exception-Code"), "164");
    let tables = format!(
        "SELECT count() FROM system.tables WHERE database = '{}'",
        database.name()
    );
    assert_eq!(database.count(&tables).await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_answer_names_its_query_and_what_it_read() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let parameters = [("query_id", "a-query-of-a-test"), ("wait_end_of_query", "1")];
    let response = ask(server, &parameters, "SELECT sum(number) FROM numbers(1000)").await?;
    assert_eq!(header(&response, "X-ClickHouse-Query-Id"), "a-query-of-a-test");
    let summary: serde_json::Value = serde_json::from_str(header(&response, "X-ClickHouse-Summary")).unwrap();
    assert_eq!(summary["read_rows"], "1000", "{summary}");
    Ok(())
}
