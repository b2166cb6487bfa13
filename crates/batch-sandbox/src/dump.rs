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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt;

    use super::*;
    use crate::rate_limits::{Limit, RateLimits};

    fn project_with_profiles(count: usize) -> Arc<Project> {
        let limits = RateLimits::new(Limit::Unlimited, Limit::Unlimited, Duration::ZERO);
        let project = Project::new("p".to_owned(), "r".to_owned(), limits);
        let operation = |number: usize| serde_json::json!({"identifiers": {"custom_id": number.to_string()}});
        let body: serde_json::Value = (0..count).map(operation).collect();
        let body = body.to_string();
        let operations = crate::request::operations(body.as_bytes(), count).unwrap();
        project.apply(operations, chrono::DateTime::UNIX_EPOCH, 0);
        Arc::new(project)
    }

    #[tokio::test]
    async fn a_dump_breaks_off_when_its_project_is_reset() {
        let project = project_with_profiles(2 * PAGE);
        let mut pages = lines(project.clone(), 0, None, Project::profiles)
            .into_body()
            .into_data_stream();
        assert!(pages.next().await.unwrap().is_ok());
        project.reset();
        assert!(pages.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_dump_ends_at_its_limit_in_the_middle_of_a_page() {
        let project = project_with_profiles(2 * PAGE);
        let pages = lines(project, 5, Some(PAGE + 1), Project::profiles)
            .into_body()
            .into_data_stream();
        let pages: Vec<Bytes> = pages.map(Result::unwrap).collect().await;
        let text = String::from_utf8(pages.concat()).unwrap();
        assert_eq!(text.lines().count(), PAGE + 1);
        assert!(text.starts_with(r#"{"custom_id":"5""#));
    }
}
