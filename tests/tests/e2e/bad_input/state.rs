//! State that can not be used: the run stops before it touches anything.

use longshore_tests::{PATIENCE, Result, eventually};
use rustix::process::Signal;

use super::{assert_refused, exit};
use crate::generated::Generated;

#[tokio::test]
async fn a_state_file_that_can_not_be_written_is_named() -> Result<()> {
    let generated = Generated::with(10, &[], &[])?;
    let settings = "kind: settings\nspec:\n  state: sqlite:/proc/no/such/place/state.db\n";
    generated.longshore.write("settings.yml", settings)?;
    let finished = generated
        .longshore
        .run(["sync", "longshore.yml", "settings.yml"])
        .await?;
    assert_refused(&finished, exit::CONFIGURATION, &["/proc/no/such/place", "state"]);
    Ok(())
}

#[tokio::test]
async fn a_corrupt_state_file_is_left_alone() -> Result<()> {
    let generated = Generated::with(10, &[], &[])?;
    let file = generated.longshore.state_file();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let rubbish = b"this was a database once ".repeat(500);
    std::fs::write(&file, &rubbish).unwrap();
    let finished = generated.sync().await?;
    assert_refused(&finished, exit::CONFIGURATION, &["state.db"]);
    assert_eq!(std::fs::read(&file).unwrap(), rubbish);
    Ok(())
}

#[tokio::test]
async fn a_damaged_state_file_does_not_restart_from_the_beginning() -> Result<()> {
    let generated = Generated::with(1_000, &[], &[])?;
    generated.sync_well().await?;
    let file = generated.longshore.state_file();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[16..].fill(0x5a);
    std::fs::write(&file, &bytes).unwrap();
    let finished = generated.sync().await?;
    assert_ne!(finished.code(), Some(0), "{finished}");
    assert!(finished.stderr.contains("state.db"), "{finished}");
    Ok(())
}

#[tokio::test]
async fn a_state_file_of_a_newer_version_is_left_alone() -> Result<()> {
    let generated = Generated::with(1_000, &[], &[])?;
    generated.sync_well().await?;
    let file = generated.longshore.state_file();
    raise_version(&file);
    let before = std::fs::read(&file).unwrap();
    let finished = generated.sync().await?;
    assert_refused(&finished, exit::CONFIGURATION, &["newer"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    Ok(())
}

/// Writes a schema version far in the future into SQLite's `user_version`, the big-endian number at byte 60 of the file.
fn raise_version(file: &std::path::Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let version: [u8; 4] = bytes[60..64].try_into().unwrap();
    assert_ne!(
        u32::from_be_bytes(version),
        0,
        "the store keeps its version in user_version"
    );
    bytes[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_sync_that_runs_elsewhere_is_refused_with_its_holder() -> Result<()> {
    let generated = Generated::with(5_000, &["checkpoint_rows: 10"], &["batches_per_second: 20"])?;
    let first = generated.longshore.start(["sync", "--json"])?;
    first.plugin("longshore-destination-discard").await?;
    let held = eventually("the first run holds the sync", PATIENCE, async || {
        let shown = generated.longshore.json(["state", "show", "numbers"]).await.ok()?;
        (!shown["held_by"].is_null()).then_some(shown)
    })
    .await?;
    assert_eq!(held["held_by"]["pid"].as_i64(), Some(i64::from(first.pid())));

    let second = generated.sync().await?;
    assert_refused(&second, exit::CONFIGURATION, &["numbers", &first.pid().to_string()]);
    let reset = generated.longshore.run(["state", "reset", "numbers", "--yes"]).await?;
    assert_ne!(
        reset.code(),
        Some(0),
        "a cursor was reset under a running sync\n{reset}"
    );

    first.signal(Signal::INT)?;
    let finished = first.finish().await?;
    assert_eq!(finished.code(), Some(exit::CANCELLED), "{finished}");
    generated.longshore.leaves_nothing_running().await
}
