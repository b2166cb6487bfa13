//! What a daemon shows of itself: metrics, health, logs of runs that go on at once, alerts.

use longshore_tests::{Context, PATIENCE, Result, RunningLongshore, eventually, http};
use rustix::process::Signal;
use tokio::net::TcpListener;

use super::scene::{Daemons, Sync};
use crate::{alerts::Webhook, scene::Scene};

/// An address that was free a moment ago.
async fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no socket")?;
    let address = listener.local_addr().context("no address")?;
    Ok(address.to_string())
}

async fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let client = http::client().build().context("no client")?;
    let answer = client
        .get(format!("http://{address}{path}"))
        .send()
        .await
        .context("no answer")?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await.context("no body")?))
}

#[tokio::test]
async fn a_daemon_answers_metrics_of_what_it_ran_and_says_whether_it_is_ready() -> Result<()> {
    let address = free_address().await?;
    let daemons = Daemons::new(&[Sync::quick("quick"), Sync::slow("slow")])?;
    let daemon = daemons
        .start(&["--metrics-listen", &address, "--host", "prometheus.example"])
        .await?;
    assert_eq!(get(&address, "/healthz").await?.0, 200);
    assert_eq!(get(&address, "/readyz").await?, (200, "ready\n".to_owned()));
    let under = async |host: &str| -> Result<u16> {
        let client = http::client().build().context("no client")?;
        let asked = client.get(format!("http://{address}/metrics")).header("host", host);
        Ok(asked.send().await.context("no answer")?.status().as_u16())
    };
    assert_eq!(under("prometheus.example:9464").await?, 200);
    assert_eq!(
        under("evil.example").await?,
        403,
        "a page under a foreign name reads nothing"
    );
    daemons.longshore.json(["syncs", "run", "quick"]).await?;
    daemons.longshore.json(["syncs", "run", "slow"]).await?;
    daemons.until_running("slow").await?;
    eventually("the quick sync is counted", PATIENCE, async || {
        let (_, text) = get(&address, "/metrics").await.ok()?;
        let counted = [
            r#"longshore_rows_read_total{sync="quick",table="numbers"} 10"#,
            r#"longshore_rows_delivered_total{sync="quick",table="numbers",destination="quick-out"} 10"#,
            r#"longshore_runs_total{sync="quick",outcome="completed"} 1"#,
            r#"longshore_runs_in_progress{sync="slow"} 1"#,
        ];
        counted.iter().all(|line| text.contains(line)).then_some(())
    })
    .await?;

    daemon.signal(Signal::TERM)?;
    eventually("it drains and says so", PATIENCE, async || {
        let (status, reason) = get(&address, "/readyz").await.ok()?;
        (status == 503 && reason == "draining\n").then_some(())
    })
    .await?;
    assert_eq!(get(&address, "/healthz").await?.0, 200);
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?;
    Ok(())
}

#[tokio::test]
async fn runs_that_go_on_at_once_have_each_their_own_log_and_say_what_began_them() -> Result<()> {
    let logging = |name| Sync {
        destination: "fail_after_rows: { rows: 1 }",
        ..Sync::quick(name)
    };
    let scheduled = logging("scheduled").with_schedule("schedule: { every: 5s }");
    let daemons = Daemons::new(&[scheduled, logging("asked")])?;
    let daemon = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "asked"]).await?;
    for name in ["scheduled", "asked"] {
        daemons
            .until(name, "it has failed", |sync| sync["last_run"]["status"] == "failed")
            .await?;
    }
    daemon.signal(Signal::TERM)?;
    let printed = daemon.finish().await?.succeeded()?.stderr;
    for line in printed.lines().filter(|line| line.contains("the attempt begins")) {
        let (by_schedule, asked) = (
            line.contains("trigger=\"schedule\" due=\"2"),
            line.contains("trigger=\"request\""),
        );
        assert!(
            by_schedule && line.ends_with("sync=\"scheduled\"") || asked && line.ends_with("sync=\"asked\""),
            "{line}"
        );
    }
    assert!(printed.contains("the attempt begins"), "{printed}");
    for (name, other, trigger) in [("scheduled", "asked", "schedule"), ("asked", "scheduled", "request")] {
        let runs = daemons.longshore.json(["runs", "list", "--sync", name]).await?;
        let run = runs[0]["run_id"].as_str().context("a run has an id")?;
        let shown = daemons.longshore.json(["runs", "show", run, "--logs"]).await?;
        let began = &shown["attempts"][0]["trigger"];
        assert_eq!(began["kind"], trigger);
        assert_eq!(began["due"].is_string(), trigger == "schedule", "{began}");
        let log = shown["log"]["lines"].to_string();
        assert!(log.contains(&format!("{name}-out")), "its own lines are there: {log}");
        assert!(log.contains("fault_injected") && log.contains("a fault fires"), "{log}");
        assert!(
            !log.contains(&format!("{other}-out")),
            "lines of another run are in it: {log}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_daemon_tells_a_webhook_once_of_a_sync_that_fails_and_once_of_its_recovery() -> Result<()> {
    let webhook = Webhook::start().await?;
    let failing = Sync {
        source: "fail_after_rows: { rows: 1 }",
        lines: "alerts: { url: \"${ALERT_WEBHOOK}\" }",
        ..Sync::quick("watched")
    };
    let mut daemons = Daemons::new(std::slice::from_ref(&failing))?;
    daemons.longshore.set_variable("ALERT_WEBHOOK", &webhook.address);
    let daemon = daemons.start(&[]).await?;
    for ended in 1..=2 {
        daemons.longshore.json(["syncs", "run", "watched"]).await?;
        eventually("the run has ended", PATIENCE, async || {
            let turns = daemons.turns("watched").await.ok()?;
            let failed = turns.iter().filter(|turn| turn["status"] == "failed").count();
            (failed == ended).then_some(())
        })
        .await?;
    }
    let told = |count: usize| {
        let webhook = &webhook;
        async move {
            eventually("the webhook was told", PATIENCE, async || {
                Some(webhook.messages()).filter(|messages| messages.len() >= count)
            })
            .await
        }
    };
    assert_eq!(told(1).await?[0]["state"], "firing");

    let mended = Sync { source: "", ..failing };
    daemons.configure(&[mended])?;
    daemon.signal(Signal::HUP)?;
    eventually("it is reloaded", PATIENCE, async || {
        daemon.said("loaded anew").then_some(())
    })
    .await?;
    daemons.longshore.json(["syncs", "run", "watched"]).await?;
    let messages = told(2).await?;
    assert_eq!(messages.len(), 2, "two failures were one alert: {messages:?}");
    assert_eq!(
        (&messages[1]["alert"], &messages[1]["state"]),
        (&"failure".into(), &"resolved".into())
    );
    daemon.signal(Signal::TERM)?;
    let finished = daemon.finish().await?.succeeded()?;
    assert!(
        !finished.stderr.contains("canary-hook"),
        "the address is a secret\n{finished}"
    );
    Ok(())
}

/// The value of a series, once it is scraped.
async fn series(address: &str, name: &str) -> Result<f64> {
    eventually(name, PATIENCE, async || {
        let (_, text) = get(address, "/metrics").await.ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value?.parse().ok()
    })
    .await
}

/// A daemon for the events of a scene, with its metrics at an address.
async fn serve(scene: &Scene, address: &str) -> Result<RunningLongshore> {
    let daemon = scene
        .longshore
        .start(["serve", "events.yml", "--metrics-listen", address])?;
    eventually("the daemon answers", PATIENCE, async || {
        daemon.said("serving").then_some(())
    })
    .await?;
    Ok(daemon)
}

#[tokio::test]
async fn the_lag_of_a_table_is_known_after_a_run_and_after_a_restart() -> Result<()> {
    let scene = Scene::open(20, 100).await?;
    let address = free_address().await?;
    let labels = r#"{sync="events",table="events"}"#;
    let lag_and_cursor = async || -> Result<(f64, f64)> {
        let cursor = series(&address, &format!("longshore_cursor_timestamp_seconds{labels}")).await?;
        let lag = series(&address, &format!("longshore_lag_seconds{labels}")).await?;
        let now = chrono::Utc::now().timestamp_micros() as f64 / 1e6;
        // The database's clock is this machine's.
        assert!((now - cursor - lag).abs() < 10.0, "{lag} s behind {now}, at {cursor}");
        Ok((lag, cursor))
    };
    let daemon = serve(&scene, &address).await?;
    scene.longshore.json(["syncs", "run", "events"]).await?;
    let (_, cursor) = lag_and_cursor().await?;
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;

    let daemon = serve(&scene, &address).await?;
    assert_eq!(lag_and_cursor().await?.1, cursor, "from the state, without a run");
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;
    Ok(())
}

#[tokio::test]
async fn metrics_know_what_was_run_beside_the_daemon_and_before_it() -> Result<()> {
    let scene = Scene::open(20, 100).await?;
    let address = free_address().await?;
    let cursor = r#"longshore_cursor_timestamp_seconds{sync="events",table="events"}"#;
    let success = r#"longshore_last_success_timestamp_seconds{sync="events"}"#;
    // In the state, and not in the daemon's configuration.
    scene.longshore.run(["sync", "profiles.yml"]).await?.succeeded()?;
    let daemon = serve(&scene, &address).await?;
    scene.longshore.run(["sync", "events.yml"]).await?.succeeded()?;
    let (at, succeeded) = (series(&address, cursor).await?, series(&address, success).await?);
    let (_, text) = get(&address, "/metrics").await?;
    assert!(!text.contains(r#"sync="profiles""#), "{text}");
    scene
        .longshore
        .run(["state", "reset", "events", "--yes"])
        .await?
        .succeeded()?;
    let (_, text) = get(&address, "/metrics").await?;
    assert!(!text.contains(cursor), "its state was reset: {text}");
    scene.longshore.run(["sync", "events.yml"]).await?.succeeded()?;
    assert_eq!(series(&address, cursor).await?, at);
    assert!(series(&address, success).await? >= succeeded);
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;

    let daemon = serve(&scene, &address).await?;
    assert!(
        series(&address, success).await? >= succeeded,
        "from the history, without a run"
    );
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;
    Ok(())
}
