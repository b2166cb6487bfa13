//! Bytes in the pieces that they came in.

use std::collections::VecDeque;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};

/// What has arrived and was not read yet. What lies within one piece is read without a copy.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// None is empty.
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Pieces {
    pub(super) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.bytes, "nothing is read beyond what has arrived");
        self.bytes -= count;
        while let Some(front) = self.pieces.front_mut() {
            if count < front.len() {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.pieces.pop_front();
        }
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.bytes, "nothing is read beyond what has arrived");
        match self.pieces.front_mut() {
            Some(front) if count < front.len() => {
                self.bytes -= count;
                front.split_to(count)
            }
            Some(front) if count == front.len() => {
                self.bytes -= count;
                self.pieces.pop_front().unwrap_or_default()
            }
            _ => {
                let mut joined = BytesMut::with_capacity(count);
                joined.put(self.take(count));
                joined.freeze()
            }
        }
    }
}
