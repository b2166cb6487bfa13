//! Compressed request bodies. No page says that Batch takes them, so they are off unless asked for.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use crate::answer::Refusal;

/// The body inside a gzip body, of at most `most` bytes.
pub(crate) fn decompressed(body: &[u8], most: usize) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    let one_too_many = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = MultiGzDecoder::new(body).take(one_too_many);
    if decoder.read_to_end(&mut plain).is_err() {
        return Err(Refusal::malformed("the body is not valid gzip"));
    }
    if plain.len() > most {
        return Err(Refusal::too_large(most));
    }
    Ok(plain.into())
}
