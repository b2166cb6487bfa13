//! Results as they are produced: whole, in order, one stream.

use std::io::Cursor;

use arrow::{
    array::{AsArray as _, DictionaryArray, RecordBatch},
    datatypes::{Int32Type, UInt64Type},
    ipc::reader::StreamReader,
};
use longshore_tests::{ClickHouseServer, Context as _, ExceptionForm, FrontOptions, Result};
use reqwest::StatusCode;

use super::{ask, header};

/// What the Arrow reader is built without.
pub(super) const UNCOMPRESSED: (&str, &str) = ("output_format_arrow_compression_method", "none");

/// The bytes of an answer up to where it ends, and whether it ended properly.
pub(super) async fn received(mut response: reqwest::Response) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, true),
            Err(_) => return (bytes, false),
        }
    }
}

async fn batches(server: &ClickHouseServer, parameters: &[(&str, &str)], query: &str) -> Result<Vec<RecordBatch>> {
    let response = ask(server, parameters, query).await?;
    assert_eq!(response.status(), StatusCode::OK);
    let (bytes, complete) = received(response).await;
    assert!(complete);
    // One end of the stream, at the end: nothing after it, and not without it.
    assert!(bytes.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
    let length = bytes.len() as u64;
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None).context("the stream has no schema")?;
    let batches: std::result::Result<Vec<_>, _> = reader.by_ref().collect();
    let batches = batches.context("the stream can not be read")?;
    assert_eq!(reader.get_ref().position(), length);
    Ok(batches)
}

#[tokio::test]
async fn many_chunks_are_one_arrow_stream() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let parameters = [("max_block_size", "1000"), UNCOMPRESSED];
    let query = "SELECT number, toString(number) AS text FROM numbers(100000) FORMAT ArrowStream";
    let batches = batches(server, &parameters, query).await?;
    assert!(batches.len() > 50, "{}", batches.len());
    let mut next = 0_u64;
    for batch in &batches {
        let (numbers, texts) = (
            batch.column(0).as_primitive::<UInt64Type>(),
            batch.column(1).as_string::<i32>(),
        );
        for (number, text) in numbers.values().iter().zip(texts) {
            assert_eq!((*number, text), (next, Some(next.to_string().as_str())));
            next += 1;
        }
    }
    assert_eq!(next, 100_000);
    Ok(())
}

#[tokio::test]
async fn each_chunk_has_its_own_dictionary() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let parameters = [
        ("max_block_size", "1000"),
        ("output_format_arrow_low_cardinality_as_dictionary", "1"),
        UNCOMPRESSED,
    ];
    let query =
        "SELECT number, toLowCardinality(toString(intDiv(number, 10))) AS text FROM numbers(20000) FORMAT ArrowStream";
    let mut rows = 0;
    for batch in batches(server, &parameters, query).await? {
        let texts: &DictionaryArray<Int32Type> = batch.column(1).as_dictionary();
        let texts = texts.downcast_dict::<arrow::array::StringArray>().unwrap();
        for (number, text) in batch.column(0).as_primitive::<UInt64Type>().values().iter().zip(texts) {
            assert_eq!(text, Some((number / 10).to_string().as_str()));
            rows += 1;
        }
    }
    assert_eq!(rows, 20_000);
    Ok(())
}

#[tokio::test]
async fn an_empty_result_is_a_schema_and_an_end() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let query = "SELECT number FROM numbers(0) FORMAT ArrowStream";
    let rows: usize = batches(server, &[UNCOMPRESSED], query)
        .await?
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(rows, 0);
    Ok(())
}

#[tokio::test]
async fn in_every_format_chunks_make_what_one_chunk_would() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let formats = [
        "TabSeparated",
        "TabSeparatedWithNamesAndTypes",
        "TSVWithNames",
        "CSV",
        "CSVWithNames",
        "CSVWithNamesAndTypes",
        "JSONEachRow",
        "JSONCompactEachRowWithNamesAndTypes",
        "JSONCompactStringsEachRow",
        "RowBinary",
        "RowBinaryWithNames",
        "RowBinaryWithNamesAndTypes",
        "TSKV",
        "JSON",
        "JSONCompact",
        "XML",
        "Values",
        "Parquet",
        "Pretty",
    ];
    // A name that a format has to quote.
    let query = "SELECT number AS `a\n\"b`, toString(number) AS s FROM numbers(20000)";
    for format in formats {
        let mut bodies = Vec::new();
        for block in ["500", "100000"] {
            let parameters = [
                ("default_format", format),
                ("max_block_size", block),
                ("output_format_write_statistics", "0"),
            ];
            let (bytes, complete) = received(ask(server, &parameters, query).await?).await;
            assert!(complete && !bytes.is_empty(), "{format}");
            bodies.push(bytes);
        }
        assert!(bodies[0] == bodies[1], "{format}");
    }
    let totals = "SELECT number % 2 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k";
    assert_eq!(server.query(totals).await?, "0\t5\n1\t5\n\n0\t10\n");
    Ok(())
}

#[tokio::test]
async fn rows_arrive_while_the_query_still_runs() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    // Without an end: only what comes as it is produced comes at all.
    let query = "SELECT number FROM system.numbers FORMAT RowBinary";
    let mut response = ask(server, &[], query).await?;
    let mut bytes = 0;
    while bytes < 10_000_000 {
        bytes += response.chunk().await.unwrap().unwrap().len();
    }
    Ok(())
}

/// `VmHWM` of a process in MiB: the most memory that it ever had.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn ten_million_rows_pass_in_bounded_memory() -> Result<()> {
    // Two fronts of their own: what other tests do is not to be measured.
    let mut peaks = Vec::new();
    for rows in [100_000_u64, 10_000_000] {
        let server = ClickHouseServer::start_front(FrontOptions::default()).await?;
        let query = format!("SELECT number, toString(number) AS text FROM numbers({rows}) FORMAT ArrowStream");
        let mut response = ask(&server, &[UNCOMPRESSED], &query).await?;
        let mut bytes = 0_u64;
        while let Some(chunk) = response.chunk().await.context("the answer breaks off")? {
            bytes += chunk.len() as u64;
        }
        let peak = peak_memory(server.front_pid().context("it is a front")?);
        peaks.push((rows, bytes, peak));
    }
    let [(_, _, small), (_, bytes, large)] = peaks[..] else {
        unreachable!()
    };
    assert!(bytes > 180_000_000, "{bytes}");
    use std::io::Write as _;
    writeln!(
        std::io::stderr(),
        "peak memory of the front with its engine: (rows, bytes of the answer, MiB) {peaks:?}"
    )
    .unwrap();
    assert!(large < small + 100, "{peaks:?}");
    Ok(())
}

/// The query fails after three of its ten million rows.
const FAILING: &str = "SELECT number, throwIf(number = 3000000) FROM numbers(10000000) FORMAT ArrowStream";

#[tokio::test]
async fn an_error_in_mid_stream_is_told_in_the_body() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let response = ask(server, &[UNCOMPRESSED], FAILING).await?;
    assert_eq!(response.status(), StatusCode::OK);
    let tag = header(&response, "X-ClickHouse-Exception-Tag").to_owned();
    assert_eq!(tag.len(), 16);
    let (bytes, complete) = received(response).await;
    assert!(!complete, "a server ends the connection, not the body");
    assert!(bytes.len() > 10_000_000, "{}", bytes.len());

    let end = format!(" {tag}\r\n__exception__\r\n");
    let rest = bytes.strip_suffix(end.as_bytes()).unwrap();
    let line = rest.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let length: usize = std::str::from_utf8(&rest[line..]).unwrap().parse().unwrap();
    let (before, message) = rest[..line].split_at(line - length);
    assert!(before.ends_with(format!("\r\n__exception__\r\n{tag}\r\n").as_bytes()));
    let message = String::from_utf8(message.to_vec()).unwrap();
    assert!(message.starts_with("Code: 395. DB::Exception: "), "{message}");
    assert!(message.ends_with(")\n"), "{message}");

    let waiting = [("wait_end_of_query", "1"), UNCOMPRESSED];
    let response = ask(server, &waiting, FAILING).await?;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(header(&response, "X-ClickHouse-Exception-Code"), "395");
    Ok(())
}

#[tokio::test]
async fn older_servers_tell_it_in_their_own_way() -> Result<()> {
    for (exception_form, marker, ends_properly) in [
        (
            ExceptionForm::Marked,
            "__exception__\r\nCode: 395. DB::Exception: ",
            false,
        ),
        (ExceptionForm::Plain, "Code: 395. DB::Exception: ", true),
    ] {
        let server = ClickHouseServer::start_front(FrontOptions { exception_form }).await?;
        let response = ask(&server, &[UNCOMPRESSED], FAILING).await?;
        assert_eq!(
            (response.status(), header(&response, "X-ClickHouse-Exception-Tag")),
            (StatusCode::OK, "")
        );
        let (bytes, complete) = received(response).await;
        let text = String::from_utf8_lossy(&bytes[bytes.len() - 500..]).into_owned();
        assert!(
            text.contains(marker) && text.ends_with("(official build))\n"),
            "{exception_form:?}: {text}"
        );
        assert_eq!(complete, ends_properly, "{exception_form:?}");
        assert_eq!(text.contains("__exception__"), exception_form == ExceptionForm::Marked);
    }
    Ok(())
}
