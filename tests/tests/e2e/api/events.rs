//! The stream of events.

use std::time::Duration;

use longshore_tests::{Context as _, Result, http};
use serde_json::{Value, json};

use crate::served::{Quay, Served};

/// Reads events until one has a name, and gives all of them.
async fn until(stream: &mut reqwest::Response, text: &mut String, name: &str) -> Result<Vec<(String, Value)>> {
    loop {
        let events = parsed(text);
        if events.iter().any(|(known, _)| known == name) {
            return Ok(events);
        }
        let piece = tokio::time::timeout(Duration::from_secs(60), stream.chunk()).await;
        let piece = piece
            .context(format!("no {name} comes after {text}"))?
            .context("the stream breaks off")?;
        text.push_str(&String::from_utf8_lossy(&piece.context("the stream ends")?));
    }
}

fn parsed(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split_inclusive("\n\n").filter(|block| block.ends_with("\n\n"));
    let event = |block: &str| {
        let line = |name: &str| {
            block
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|line| line.trim().to_owned())
        };
        Some((line("event:")?, serde_json::from_str(&line("data:")?).unwrap()))
    };
    blocks.filter_map(event).collect()
}

async fn listen(served: &Served) -> Result<reqwest::Response> {
    let client = http::client().build().context("an HTTP client can not be made")?;
    let stream = client.get(format!("{}/api/v1/events", served.base)).send().await;
    stream.context("the daemon does not answer")
}

#[tokio::test]
async fn a_run_is_followed_from_its_start_through_its_progress_to_its_end() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let mut stream = listen(&served).await?;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    served.post("/syncs/numbers/run", json!({})).await?.good();
    let events = until(&mut stream, &mut text, "progress").await?;
    let started = events
        .iter()
        .position(|(name, data)| name == "run_started" && data["sync"] == "numbers")
        .unwrap();
    let progress = events.iter().position(|(name, _)| name == "progress").unwrap();
    assert!(started < progress, "{events:?}");
    assert_eq!(events[progress].1["tables"][0]["table"], "numbers");
    served.post("/syncs/numbers/cancel", json!({})).await?.good();
    let events = until(&mut stream, &mut text, "run_ended").await?;
    let (_, ended) = events.iter().find(|(name, _)| name == "run_ended").unwrap();
    assert_eq!(
        (&ended["sync"], &ended["outcome"]),
        (&json!("numbers"), &json!("cancelled"))
    );
    Ok(())
}

#[tokio::test]
async fn a_stream_ends_with_the_daemon_and_does_not_hold_it_up() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let mut stream = listen(&served).await?;
    served.daemon.signal(rustix::process::Signal::TERM)?;
    let ended = tokio::time::timeout(Duration::from_secs(30), async {
        while let Ok(Some(_)) = stream.chunk().await {}
    });
    ended.await.context("the stream goes on")?;
    served.daemon.finish().await?.succeeded()?;
    Ok(())
}
