//! Arrow on the wire: a schema is one IPC message, a batch is one IPC message without the schema.

use std::{collections::HashMap, fmt, sync::Arc};

use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
    ipc::{
        MetadataVersion,
        convert::try_schema_from_ipc_buffer,
        reader::read_record_batch,
        root_as_message,
        writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamEncoder, write_message},
    },
};
use bytes::Bytes;

/// Begins every encapsulated message (Arrow columnar format, "Encapsulated message format").
const CONTINUATION_MARKER: [u8; 4] = [0xFF; 4];

/// Arrow data on the wire could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// Arrow refused.
    #[error("Arrow data can not be encoded or decoded")]
    Arrow(#[from] ArrowError),
    /// The message holds no record batch, or more than one.
    #[error("a message must hold exactly one record batch")]
    NotOneBatch,
    /// The contract has no dictionary batches.
    #[error("column {0} is dictionary-encoded, which the contract does not carry; send its values")]
    Dictionary(String),
}

/// A schema as one IPC message.
///
/// # Errors
/// [`FramingError::Dictionary`] for a schema with a dictionary-encoded column.
pub fn encode_schema(schema: &Schema) -> Result<Bytes, FramingError> {
    if let Some(field) = schema
        .flattened_fields()
        .into_iter()
        .find(|field| matches!(field.data_type(), arrow::datatypes::DataType::Dictionary(..)))
    {
        return Err(FramingError::Dictionary(field.name().clone()));
    }
    let options = IpcWriteOptions::default();
    let encoded = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut DictionaryTracker::new(true),
        &options,
    );
    let mut message = Vec::new();
    write_message(&mut message, encoded, &options)?;
    Ok(message.into())
}

/// Reads what [`encode_schema`] wrote.
///
/// # Errors
/// When the bytes are no IPC schema message.
pub fn decode_schema(message: &[u8]) -> Result<SchemaRef, FramingError> {
    Ok(Arc::new(try_schema_from_ipc_buffer(message)?))
}

/// Encodes batches of one stream, all of one schema.
#[derive(Default)]
pub struct BatchEncoder {
    options: IpcWriteOptions,
    /// Made for the first batch.
    stream: Option<StreamEncoder>,
}

impl BatchEncoder {
    /// An encoder for batches of a row or two: their buffers are aligned to 8 bytes, the least that the format allows, because padding to 64 would be most
    /// of the message.
    #[must_use]
    pub fn compact() -> Self {
        let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5);
        Self {
            options: options.expect("8 is one of the alignments that the format allows"),
            ..Self::default()
        }
    }

    /// A batch as one IPC message. Its values are copied once, into the message.
    ///
    /// # Errors
    /// When Arrow can not encode the batch.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Bytes, FramingError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(stream_without_schema(batch.schema_ref(), self.options.clone())?),
        };
        let pieces = stream.encode(batch)?;
        let mut message = Vec::with_capacity(pieces.iter().map(Buffer::len).sum());
        for piece in &pieces {
            message.extend_from_slice(piece);
        }
        Ok(message.into())
    }
}

impl fmt::Debug for BatchEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchEncoder").finish_non_exhaustive()
    }
}

/// Arrow's encoder writes the schema in front of the first batch; ours goes as a message of its own. So the first batch is an empty one.
fn stream_without_schema(schema: &SchemaRef, options: IpcWriteOptions) -> Result<StreamEncoder, ArrowError> {
    let mut stream = StreamEncoder::try_new_with_options(schema, options)?;
    stream.encode(&RecordBatch::new_empty(Arc::clone(schema)))?;
    Ok(stream)
}

/// Decodes batches of one stream, without copying where the bytes are aligned.
#[derive(Debug)]
pub struct BatchDecoder {
    schema: SchemaRef,
}

impl BatchDecoder {
    /// A decoder for a stream whose schema message is given.
    ///
    /// # Errors
    /// When the bytes are no IPC schema message.
    pub fn new(schema_message: &[u8]) -> Result<Self, FramingError> {
        Ok(Self {
            schema: decode_schema(schema_message)?,
        })
    }

    /// The stream's schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes one message.
    ///
    /// # Errors
    /// When the bytes are not exactly one record batch of the stream's schema.
    pub fn decode(&self, message: Bytes) -> Result<RecordBatch, FramingError> {
        let (header, body) = split_message(message)?;
        let header = root_as_message(&header).map_err(|error| ArrowError::ParseError(error.to_string()))?;
        let batch = header.header_as_record_batch().ok_or(FramingError::NotOneBatch)?;
        if usize::try_from(header.bodyLength()).ok() != Some(body.len()) {
            return Err(FramingError::NotOneBatch);
        }
        let no_dictionaries = HashMap::new();
        Ok(read_record_batch(
            &Buffer::from(body),
            batch,
            Arc::clone(&self.schema),
            &no_dictionaries,
            None,
            &header.version(),
        )?)
    }
}

/// Splits an encapsulated message (continuation marker, length, header, body) into header and body.
fn split_message(mut message: Bytes) -> Result<(Bytes, Bytes), FramingError> {
    const PREFIX_BYTES: usize = 8;
    if message.len() < PREFIX_BYTES {
        return Err(FramingError::NotOneBatch);
    }
    let prefix = message.split_to(PREFIX_BYTES);
    let (marker, length) = prefix.split_at(4);
    let length = u32::from_le_bytes(length.try_into().expect("the second half of 8 bytes is 4 bytes"));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if marker != CONTINUATION_MARKER || length > message.len() {
        return Err(FramingError::NotOneBatch);
    }
    let header = message.split_to(length);
    Ok((header, message))
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, DictionaryArray, Int64Array, StringArray},
        datatypes::Int8Type,
    };

    use super::*;

    fn batch() -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-3)]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some(""), None]));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("näme", names, true)]).unwrap()
    }

    #[test]
    fn a_batch_crosses_the_wire_without_its_schema() {
        let schema = encode_schema(&batch().schema()).unwrap();
        let mut encoder = BatchEncoder::default();
        let decoder = BatchDecoder::new(&schema).unwrap();
        for _ in 0..3 {
            assert_eq!(decoder.decode(encoder.encode(&batch()).unwrap()).unwrap(), batch());
        }
        assert_eq!(decode_schema(&schema).unwrap(), batch().schema());
    }

    #[test]
    fn a_slice_is_sent_alone() {
        let slice = batch().slice(1, 1);
        let message = BatchEncoder::default().encode(&slice).unwrap();
        let decoder = BatchDecoder::new(&encode_schema(&slice.schema()).unwrap()).unwrap();
        assert_eq!(decoder.decode(message).unwrap(), slice);
    }

    #[test]
    fn a_row_alone_is_small_and_comes_back_as_it_was() {
        let row = batch().slice(2, 1);
        let compact = BatchEncoder::compact().encode(&row).unwrap();
        assert!(compact.len() < BatchEncoder::default().encode(&row).unwrap().len());
        let decoder = BatchDecoder::new(&encode_schema(&row.schema()).unwrap()).unwrap();
        assert_eq!(decoder.decode(compact).unwrap(), row);
    }

    #[test]
    fn two_batches_half_a_batch_and_nonsense_are_refused() {
        let schema = encode_schema(&batch().schema()).unwrap();
        let message = BatchEncoder::default().encode(&batch()).unwrap();
        let decode = |bytes: Vec<u8>| BatchDecoder::new(&schema).unwrap().decode(bytes.into());
        assert!(decode([message.clone(), message.clone()].concat()).is_err());
        assert!(decode(message[..message.len() / 2].to_vec()).is_err());
        assert!(decode(b"nonsense".to_vec()).is_err());
        assert!(BatchDecoder::new(&message).is_err());
    }

    #[test]
    fn dictionaries_are_refused_by_column() {
        let column: ArrayRef = Arc::new(["a", "b"].into_iter().collect::<DictionaryArray<Int8Type>>());
        let schema = RecordBatch::try_from_iter([("kind", column)]).unwrap().schema();
        assert!(encode_schema(&schema).unwrap_err().to_string().contains("kind"));
    }
}
