//! What `benches/hot_paths.rs` sends rows through: the decoding of a read, without a server. No part of the plugin's interface.

use bytes::Bytes;
use longshore_sdk::{arrow::array::ArrayRef, prelude::*};

use crate::{
    decode::{ColumnDecoder, PendingRows, RowFinder, decoder},
    representation::Representation,
};

/// Rows of one batch after the other.
pub struct CopyDecoding {
    decoders: Vec<Box<dyn ColumnDecoder>>,
    finder: RowFinder,
    pending: PendingRows,
}

impl CopyDecoding {
    /// For columns of these types, named as PostgreSQL does. `None` for a type that this measurement does not know.
    #[must_use]
    pub fn new(types: &[&str]) -> Option<Self> {
        let representations = types.iter().map(|name| representation(name));
        let representations: Vec<Representation> = representations.collect::<Option<_>>()?;
        Some(Self {
            decoders: representations.iter().map(decoder).collect(),
            finder: RowFinder::default(),
            pending: PendingRows::new(types.len()),
        })
    }

    /// Decodes one batch, whose rows are these messages.
    ///
    /// # Errors
    /// Those of a read.
    pub fn batch(&mut self, messages: &[Bytes]) -> Result<Vec<ArrayRef>> {
        for (message, number) in messages.iter().zip(1..) {
            if self.finder.find(message, 0, self.decoders.len())?.is_some() {
                self.pending.push(message, number, self.finder.row(message, 0));
            }
        }
        let decoded = self.pending.decode(&self.decoders);
        self.pending.clear();
        decoded.map_err(|(_, bad)| bad.error.at("", "", ""))
    }
}

fn representation(name: &str) -> Option<Representation> {
    Some(match name {
        "bool" => Representation::Boolean,
        "int4" => Representation::Int32,
        "int8" => Representation::Int64,
        "float8" => Representation::Float64,
        "numeric" => Representation::Decimal128 {
            precision: 12,
            scale: 2,
        },
        "text" => Representation::Text,
        "json" => Representation::Json,
        "jsonb" => Representation::Jsonb,
        "date" => Representation::Date,
        "timestamptz" => Representation::Timestamp { instant: true },
        "uuid" => Representation::Uuid,
        "text[]" => Representation::List(Box::new(Representation::Text)),
        _ => return None,
    })
}
