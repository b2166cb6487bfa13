//! Whole content as a stream of JSON lines, read page by page so that a dump of millions costs little memory and holds up
//! nobody for long.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;

use crate::project::Project;

/// Items that are copied under one lock.
const PAGE: usize = 1_000;

struct Position {
    project: Arc<Project>,
    generation: u64,
    from: usize,
    left: usize,
}

/// One line an item, from position `from` on. When the project is reset meanwhile, the stream breaks off: a dump that
/// ends well is complete up to the moment of its last page.
pub(crate) fn lines<T: Serialize + 'static>(
    project: Arc<Project>,
    from: usize,
    limit: Option<usize>,
    read: fn(&Project, usize, usize) -> Vec<T>,
) -> Response {
    let start = Position {
        generation: project.generation(),
        project,
        from,
        left: limit.unwrap_or(usize::MAX),
    };
    let pages = stream::try_unfold(start, move |mut position| async move {
        let items = read(&position.project, position.from, position.left.min(PAGE));
        if position.project.generation() != position.generation {
            return Err(io::Error::other("the project was reset during the dump"));
        }
        if items.is_empty() {
            return Ok(None);
        }
        position.from += items.len();
        position.left -= items.len();
        let mut page = Vec::with_capacity(items.len() * 256);
        for item in &items {
            serde_json::to_writer(&mut page, item)?;
            page.push(b'\n');
        }
        Ok(Some((Bytes::from(page), position)))
    });
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(pages),
    )
        .into_response()
}
