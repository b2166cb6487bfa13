//! The disk of the state is full, really: a file system of a few MiB in a mount namespace of the daemon's own, which is gone with it.

use std::{fs::File, io::Write as _, path::PathBuf};

use longshore_tests::{Context as _, PATIENCE, Result, RunningLongshore, eventually, http};
use rustix::process::Signal;
use serde_json::Value;

use super::scene::{Daemons, Sync};

/// Gives a program a small disk at `state`, as root or where user namespaces are allowed.
const WITH_SMALL_DISK: [&str; 7] = [
    "unshare",
    "--mount",
    "--map-root-user",
    "sh",
    "-c",
    "mount -t tmpfs -o size=4m tmpfs state && exec \"$@\"",
    "sh",
];

/// A daemon with its state on a small disk, as its API shows it: no other process sees the disk.
struct Confined {
    daemons: Daemons,
    daemon: RunningLongshore,
    base: String,
}

impl Confined {
    async fn start(syncs: &[Sync], more: &[&str]) -> Result<Self> {
        let daemons = Daemons::new(syncs)?;
        let folder = daemons.longshore.folder();
        let text = std::fs::read_to_string(folder.join("longshore.yml")).context("the configuration is there")?;
        let settings = "---\nkind: settings\nspec: { state: 'sqlite:state/state.db' }\n";
        daemons.longshore.write("longshore.yml", &format!("{text}{settings}"))?;
        std::fs::create_dir(folder.join("state")).context("a directory can not be made")?;
        let arguments = [&["serve"], more].concat();
        let daemon = daemons.longshore.start_through(&WITH_SMALL_DISK, &arguments)?;
        let base = eventually(
            "the daemon answers; it needs root or user namespaces for a disk of its own",
            PATIENCE,
            async || Some(daemon.printed().trim().strip_prefix("listening on ")?.to_owned()),
        );
        let base = base.await?;
        Ok(Self { daemons, daemon, base })
    }

    /// A path on the small disk, from here.
    fn on_disk(&self, name: &str) -> PathBuf {
        let folder = self.daemons.longshore.folder().join("state").join(name);
        PathBuf::from(format!("/proc/{}/root{}", self.daemon.pid(), folder.display()))
    }

    fn fill_disk(&self) -> Result<()> {
        assert!(self.on_disk("state.db").exists(), "it is the disk of the state");
        let mut filler = File::create(self.on_disk("filler")).context("no file can be made")?;
        while filler.write_all(&[0; 1024]).is_ok() {}
        // And the last corner, so that not even a page of 4 KiB fits.
        while filler.write_all(&[0; 16]).is_ok() {}
        Ok(())
    }

    async fn ask(&self, path: &str) -> Result<(u16, Value)> {
        let client = http::client().build().context("no client")?;
        let answer = client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .context("no answer")?;
        let status = answer.status().as_u16();
        let text = answer.text().await.context("no body")?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn run(&self, sync: &str) -> Result<()> {
        let client = http::client().build().context("no client")?;
        let asked = client.post(format!("{}/api/v1/syncs/{sync}/run", self.base));
        let asked = asked.header("content-type", "application/json").body("{}");
        let answer = asked.send().await.context("no answer")?;
        assert!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    }

    async fn until(&self, path: &str, what: &str, is_so: impl Fn(u16, &Value) -> bool) -> Result<Value> {
        eventually(what, 2 * PATIENCE, async || {
            let (status, answer) = self.ask(path).await.ok()?;
            is_so(status, &answer).then_some(answer)
        })
        .await
    }

    async fn until_moving(&self, sync: &str, attempt: u64) -> Result<Value> {
        let path = format!("/api/v1/syncs/{sync}");
        self.until(&path, "it runs and has moved rows", |_, sync| {
            let activity = &sync["activity"];
            activity["attempt"].as_u64() >= Some(attempt) && activity["tables"][0]["acked"].as_u64() > Some(0)
        })
        .await
    }

    async fn until_unusable(&self) -> Result<()> {
        self.until("/readyz", "the state can not be used", |status, reason| {
            status == 503 && reason == "store_unusable\n"
        })
        .await?;
        Ok(())
    }
}

fn moving() -> Sync {
    Sync {
        destination: "batches_per_second: 20",
        rows: 3_000,
        ..Sync::slow("moving")
    }
}

#[tokio::test]
async fn a_full_disk_is_waited_out_and_nothing_is_lost_or_taken_for_another_daemon() -> Result<()> {
    let often = Sync::quick("often").with_schedule("schedule: { every: 5s }");
    let confined = Confined::start(&[moving(), often], &[]).await?;
    confined.run("moving").await?;
    let begun = confined.until_moving("moving", 1).await?;
    confined.fill_disk()?;
    confined.until_unusable().await?;
    // More renewals in vain, 5 s apart, than fit a lease.
    eventually("the leases have lapsed", 2 * PATIENCE, async || {
        let renewals = confined
            .daemon
            .said_times("the lease could not be renewed yet sync=\"longshore serve\"");
        (renewals >= 7).then_some(())
    })
    .await?;
    std::fs::remove_file(confined.on_disk("filler")).context("the filler is there")?;
    confined
        .until("/readyz", "it is ready again", |status, _| status == 200)
        .await?;

    let idle = |_, sync: &Value| sync["phase"] != "running";
    confined
        .until("/api/v1/syncs/moving", "it does not run yet", idle)
        .await?;
    confined.run("moving").await?;
    let done = confined
        .until("/api/v1/syncs/moving", "it is done", |_, sync| {
            sync["last_run"]["status"] == "completed"
        })
        .await?;
    assert_eq!(
        done["last_run"]["run_id"], begun["activity"]["run_id"],
        "the same run went on"
    );
    let run = begun["activity"]["run_id"].as_str().unwrap_or_default();
    let (_, run) = confined.ask(&format!("/api/v1/runs/{run}")).await?;
    assert_eq!(run["tables"][0]["delivered"], 3_000, "{run}");
    assert!(run["attempt"].as_u64() > Some(1), "{run}");

    let (_, turns) = confined.ask("/api/v1/syncs/often/turns?limit=1000").await?;
    let turns = turns["turns"].as_array().cloned().unwrap_or_default();
    let at = |turn: &Value, end: &str| {
        let text = turn[end].as_str().unwrap_or_default();
        chrono::DateTime::parse_from_rfc3339(text)
            .map(|at| at.timestamp())
            .unwrap_or_default()
    };
    for pair in turns.windows(2) {
        let [later, earlier] = pair else { continue };
        let gap = at(later, "first_due_at") - at(earlier, "last_due_at");
        assert_eq!(gap, 5, "every due time is accounted for: {turns:?}");
    }
    assert!(
        turns.iter().any(|turn| turn["first_due_at"] != turn["last_due_at"]),
        "{turns:?}"
    );

    let Confined { daemons, daemon, .. } = confined;
    daemon.signal(Signal::TERM)?;
    let ended = daemon.finish().await?.succeeded()?;
    assert!(
        !ended.stderr.contains("run_lost") && !ended.stderr.contains("lost the state"),
        "{ended}"
    );
    daemons.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_daemon_that_ends_while_its_disk_is_full_says_so_and_does_not_hang() -> Result<()> {
    let confined = Confined::start(&[moving()], &["--drain-timeout", "2s"]).await?;
    confined.run("moving").await?;
    confined.until_moving("moving", 1).await?;
    confined.fill_disk()?;
    confined.until_unusable().await?;
    let Confined { daemons, daemon, .. } = confined;
    daemon.signal(Signal::TERM)?;
    let ended = daemon.finish().await?;
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert!(ended.stderr.contains("error[state_full]"), "{ended}");
    assert!(ended.stderr.contains("the next start finds it out"), "{ended}");
    daemons.longshore.leaves_nothing_running().await
}
