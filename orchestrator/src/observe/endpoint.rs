//! What machines ask a daemon: `/metrics`, `/healthz`, `/readyz`. A router to mount wherever the daemon listens.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::metrics::{CONTENT_TYPE, Metrics};

/// Where metrics are.
pub const METRICS: &str = "/metrics";

/// Whether work is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// No, for this reason: a word for machines, such as `draining`.
    NotReady(&'static str),
}

/// Tells whether work is taken; asked at every request, must not block.
pub trait AsksReadiness: Clone + Send + Sync + 'static {
    /// At this moment.
    fn readiness(&self) -> Readiness;
}

impl<F: Fn() -> Readiness + Clone + Send + Sync + 'static> AsksReadiness for F {
    fn readiness(&self) -> Readiness {
        self()
    }
}

/// - `GET /metrics`: the metrics in the text form of Prometheus.
/// - `GET /healthz`: 200 as long as the process answers at all.
/// - `GET /readyz`: 200 when work is taken, 503 with the reason otherwise.
pub fn router(metrics: Metrics, readiness: impl AsksReadiness) -> Router {
    Router::new()
        .route(METRICS, get(scrape))
        .with_state(metrics)
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || ready(readiness.readiness())))
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.scraped()).into_response()
}

fn ready(readiness: Readiness) -> Response {
    match readiness {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::NotReady(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String, Option<String>) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), kind)
    }

    #[tokio::test]
    async fn metrics_health_and_readiness_are_answered() {
        let draining = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&draining);
        let readiness = move || match asked.load(Ordering::Relaxed) {
            true => Readiness::NotReady("draining"),
            false => Readiness::Ready,
        };
        let router = router(Metrics::default(), readiness);

        let (status, text, kind) = ask(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(kind.unwrap().starts_with("text/plain; version=0.0.4"));
        assert!(text.contains("longshore_build_info{"), "{text}");
        assert_eq!(ask(&router, "/readyz").await.0, StatusCode::OK);
        draining.store(true, Ordering::Relaxed);
        let (status, reason, _) = ask(&router, "/readyz").await;
        assert_eq!((status, &*reason), (StatusCode::SERVICE_UNAVAILABLE, "draining\n"));
        assert_eq!(ask(&router, "/healthz").await.0, StatusCode::OK, "it drains, and lives");
    }
}
