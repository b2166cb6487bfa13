//! What decoding costs: one type at a time, and rows as they are.

use std::process::ExitCode;

use bytes::Bytes;
use longshore_hot_paths::HotPath;
use longshore_source_postgresql::hot_paths::CopyDecoding;

/// Rows of a batch, about as many as 512 KiB hold.
const BATCH: usize = 2_500;

/// Eleven columns, as of a table of customers.
const CUSTOMER: [&str; 11] = [
    "int8",
    "text",
    "text",
    "text",
    "text",
    "float8",
    "int4",
    "bool",
    "timestamptz",
    "timestamptz",
    "jsonb",
];

fn main() -> ExitCode {
    longshore_hot_paths::main(
        &[
            HotPath {
                name: "copy_bool",
                prepare: || column("bool"),
            },
            HotPath {
                name: "copy_int8",
                prepare: || column("int8"),
            },
            HotPath {
                name: "copy_float8",
                prepare: || column("float8"),
            },
            HotPath {
                name: "copy_numeric",
                prepare: || column("numeric"),
            },
            HotPath {
                name: "copy_text",
                prepare: || column("text"),
            },
            HotPath {
                name: "copy_jsonb",
                prepare: || column("jsonb"),
            },
            HotPath {
                name: "copy_timestamptz",
                prepare: || column("timestamptz"),
            },
            HotPath {
                name: "copy_uuid",
                prepare: || column("uuid"),
            },
            HotPath {
                name: "copy_text_list",
                prepare: || column("text[]"),
            },
            HotPath {
                name: "copy_customer",
                prepare: || decoding(&CUSTOMER),
            },
        ],
        include_str!("hot_paths.toml"),
    )
}

fn column(name: &'static str) -> Box<dyn FnMut(usize)> {
    decoding(&[name])
}

fn decoding(types: &[&str]) -> Box<dyn FnMut(usize)> {
    let mut decoding = CopyDecoding::new(types).expect("these types are known");
    let messages: Vec<Bytes> = (0..BATCH).map(|row| message(types, row)).collect();
    Box::new(move |rows| {
        for _ in 0..rows.div_ceil(BATCH) {
            let columns = decoding.batch(&messages).expect("these rows are well-formed");
            assert_eq!(columns[0].len(), BATCH);
        }
    })
}

/// A row as the server sends it. Every tenth value is NULL, but for the first column.
fn message(types: &[&str], row: usize) -> Bytes {
    let mut message = Vec::new();
    message.extend(i16::try_from(types.len()).expect("few columns").to_be_bytes());
    for (column, name) in types.iter().enumerate() {
        if column > 0 && (row + column).is_multiple_of(10) {
            message.extend((-1_i32).to_be_bytes());
            continue;
        }
        push_field(&mut message, &value(name, row));
    }
    message.into()
}

fn push_field(out: &mut Vec<u8>, value: &[u8]) {
    out.extend(i32::try_from(value.len()).expect("small values").to_be_bytes());
    out.extend(value);
}

fn value(name: &str, row: usize) -> Vec<u8> {
    let number = i64::try_from(row).expect("few rows");
    match name {
        "bool" => vec![u8::from(row.is_multiple_of(3))],
        "int4" => i32::try_from(row).expect("few rows").to_be_bytes().to_vec(),
        "int8" => number.to_be_bytes().to_vec(),
        "float8" => (row as f64 * 1.25).to_be_bytes().to_vec(),
        // Two digits to base 10,000, the first of weight 0: 1234.5600.
        "numeric" => [2_u16, 0, 0, 2, 1_234, 5_600]
            .iter()
            .flat_map(|part| part.to_be_bytes())
            .collect(),
        "timestamptz" => (757_382_400_000_000 + number * 1_000_000).to_be_bytes().to_vec(),
        "jsonb" => format!("\u{1}{{\"city\": \"Paris\", \"n\": {row}, \"tags\": [\"a\", \"b\"]}}").into_bytes(),
        "uuid" => [number.to_be_bytes(), number.to_be_bytes()].concat(),
        "text[]" => {
            let mut list: Vec<u8> = [1_i32, 0, 25, 2, 1]
                .iter()
                .flat_map(|part| part.to_be_bytes())
                .collect();
            push_field(&mut list, b"reading");
            push_field(&mut list, "\u{e9}checs".as_bytes());
            list
        }
        _ => format!("customer number {row}").into_bytes(),
    }
}
