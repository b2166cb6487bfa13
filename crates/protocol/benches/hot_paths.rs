//! What it costs to put batches into messages and to read them again.

use std::{process::ExitCode, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::SchemaRef,
};
use longshore_hot_paths::HotPath;
use longshore_protocol::framing::{BatchDecoder, BatchEncoder, encode_schema};

/// Rows of a batch, about as many as 512 KiB hold.
const BATCH: i64 = 2_500;

fn main() -> ExitCode {
    longshore_hot_paths::main(
        &[
            HotPath {
                name: "batch_to_message",
                prepare: encoding,
            },
            HotPath {
                name: "slice_to_message",
                prepare: encoding_slices,
            },
            HotPath {
                name: "message_to_batch",
                prepare: decoding,
            },
        ],
        include_str!("hot_paths.toml"),
    )
}

fn encoding() -> Box<dyn FnMut(usize)> {
    let (batch, mut encoder) = (batch(BATCH), BatchEncoder::default());
    Box::new(move |rows| {
        for _ in 0..rows.div_ceil(batch.num_rows()) {
            assert!(!encoder.encode(&batch).expect("it can be encoded").is_empty());
        }
    })
}

/// Parts of a batch that is too large for one message.
fn encoding_slices() -> Box<dyn FnMut(usize)> {
    let (batch, mut encoder) = (batch(4 * BATCH), BatchEncoder::default());
    let part = batch.num_rows() / 4;
    Box::new(move |rows| {
        for message in 0..rows.div_ceil(part) {
            let slice = batch.slice(message % 4 * part, part);
            assert!(!encoder.encode(&slice).expect("it can be encoded").is_empty());
        }
    })
}

fn decoding() -> Box<dyn FnMut(usize)> {
    let batch = batch(BATCH);
    let message = BatchEncoder::default().encode(&batch).expect("it can be encoded");
    let decoder = decoder(&batch.schema());
    Box::new(move |rows| {
        for _ in 0..rows.div_ceil(batch.num_rows()) {
            let decoded = decoder.decode(message.clone()).expect("it was encoded");
            assert_eq!(decoded.num_rows(), batch.num_rows());
        }
    })
}

fn decoder(schema: &SchemaRef) -> BatchDecoder {
    let message = encode_schema(schema).expect("it can be encoded");
    BatchDecoder::new(&message).expect("it was encoded")
}

fn batch(rows: i64) -> RecordBatch {
    let texts = |what: &str| -> ArrayRef {
        let texts = (0..rows).map(|row| (row % 10 > 0).then(|| format!("{what} number {row}")));
        Arc::new(texts.collect::<StringArray>())
    };
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let floats: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)));
    let instants: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(0..rows));
    RecordBatch::try_from_iter([
        ("id", numbers),
        ("name", texts("customer")),
        ("mail", texts("address")),
        ("plan", texts("plan")),
        ("score", floats),
        ("created_at", Arc::clone(&instants)),
        ("updated_at", instants),
        ("properties", texts("{\"size\": 1, \"tags\": [\"a\", \"b\"]}")),
    ])
    .expect("columns of one length")
}
