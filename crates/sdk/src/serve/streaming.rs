//! A response stream that owns the task which fills it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;
use tokio::task::JoinHandle;

/// Ends the task when the stream is dropped: a call that nobody listens to does no work.
pub(crate) struct OwnedTask<S> {
    stream: S,
    task: JoinHandle<()>,
}

impl<S> OwnedTask<S> {
    pub(crate) fn new(stream: S, task: JoinHandle<()>) -> Self {
        Self { stream, task }
    }
}

impl<S: Stream + Unpin> Stream for OwnedTask<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

impl<S> Drop for OwnedTask<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
