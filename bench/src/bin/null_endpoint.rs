//! An HTTP server that takes whatever it is sent and answers as Batch does when all is well. It looks at nothing, so that whoever sends to it sets the pace.
//!
//! `GET /counts` tells how many calls and bytes came so far. It listens on 127.0.0.1, prints its address as one line of JSON, and ends with its standard input.

use std::{
    io::Write as _,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use futures_util::StreamExt as _;
use longshore_tests::{Context, Result};
use tokio::net::TcpListener;

/// What Batch answers to a call of which it took everything.
const SUCCESS: &str = r#"{"code":"SUCCESS"}"#;

/// What has come so far.
#[derive(Default)]
struct Counts {
    calls: AtomicU64,
    bytes: AtomicU64,
}

/// One thread: the machine's other cores are for whoever is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.context("no port can be had on 127.0.0.1")?;
    let address = listener.local_addr().context("the address is unknown")?;
    writeln!(std::io::stdout(), "{{\"address\":\"{address}\"}}").context("the address can not be printed")?;
    let counts = Arc::new(Counts::default());
    let router = Router::new()
        .route("/counts", get(told))
        .fallback(take)
        .with_state(counts);
    let owner_has_ended = async {
        // Any end will do, that by an error as well.
        let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).into_future() => served.context("HTTP can not be served"),
        () = owner_has_ended => Ok(()),
    }
}

async fn take(State(counts): State<Arc<Counts>>, body: Body) -> impl IntoResponse {
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut frames = body.into_data_stream();
    let mut bytes = 0;
    while let Some(frame) = frames.next().await {
        let Ok(frame) = frame else {
            let answer = r#"{"error_code":"MALFORMED","error_message":"the body breaks off"}"#;
            return (StatusCode::BAD_REQUEST, json, answer);
        };
        bytes += frame.len() as u64;
    }
    counts.calls.fetch_add(1, Ordering::Relaxed);
    counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    (StatusCode::ACCEPTED, json, SUCCESS)
}

async fn told(State(counts): State<Arc<Counts>>) -> impl IntoResponse {
    let (calls, bytes) = (
        counts.calls.load(Ordering::Relaxed),
        counts.bytes.load(Ordering::Relaxed),
    );
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, format!("{{\"calls\":{calls},\"bytes\":{bytes}}}"))
}
