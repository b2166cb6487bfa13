//! SQLite: the contract, the file, its versions, several processes.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use longshore_state::{StateStore, open, sqlite::SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::contract::{self, Backend, RUN, SYNC, code, contract};

mod copies;
mod golden;
mod processes;

fn sqlite() -> Backend {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db");
    Backend::new(
        move |probe| {
            let path = path.clone();
            Box::pin(async move {
                let store = SqliteStore::open_with_probe(&path, probe).await.unwrap();
                Arc::new(store) as Arc<dyn StateStore>
            })
        },
        folder,
    )
}

contract! { sqlite:
    holds {
        the_second_process_is_told_who_holds_and_since_when,
        a_process_is_refused_its_own_sync_while_it_holds_it,
        a_released_sync_is_free_and_its_generation_grows,
        a_dead_process_is_taken_over_at_once,
        an_expired_lease_is_taken_over_although_its_process_lives,
        a_renewed_lease_stands_longer,
        of_many_that_ask_at_once_exactly_one_wins,
        a_process_that_slept_through_its_lease_can_write_nothing,
        a_change_by_hand_fences_a_process_that_slept,
        a_state_that_is_held_can_not_be_changed_by_hand,
    }
    checkpoints {
        a_commit_adds_up_and_moves_the_position,
        a_commit_from_another_revision_is_refused_whole,
        nothing_is_committed_behind_the_end,
        unknown_partitions_and_runs_are_refused,
        fingerprints_add_up_and_stay_bounded,
        a_crash_leaves_the_rows_between_commit_and_mark_uncertain,
        a_broken_stream_is_counted_once,
        rows_that_are_sent_once_more_are_counted_at_once_and_whatever_follows,
        a_cancelled_run_counts_what_it_leaves_behind,
    }
    runs {
        a_completed_run_promotes_and_keeps_its_counts_only,
        a_run_goes_on_where_its_dead_process_stopped,
        a_failed_run_keeps_its_error_until_it_goes_on,
        a_run_that_nobody_went_on_with_is_closed_by_the_next,
        a_plan_is_stored_once_and_whole,
        a_plan_keeps_its_order,
        an_incomplete_table_is_not_promoted,
        a_promotion_from_another_revision_changes_nothing,
        runs_are_listed_newest_first,
        the_newest_plan_of_what_is_new_tells_which_tables_are_read,
        a_table_whose_cursor_a_person_set_is_read_although_its_plan_is_gone,
    }
    history {
        an_attempt_says_what_began_it_and_how_it_ended,
        an_attempt_whose_process_died_is_told_from_one_that_goes_on,
        runs_are_listed_by_status_and_from_a_moment_on,
        a_log_comes_back_in_order_and_page_after_page,
        a_long_log_keeps_its_beginning_and_its_end_and_says_how_much_is_missing,
        a_log_of_long_lines_is_bounded_in_bytes,
        a_run_that_is_not_known_has_no_log,
        runs_that_are_too_old_are_removed_with_all_that_was_stored_about_them,
        of_too_many_runs_the_oldest_go,
        what_is_running_or_interrupted_is_remembered_however_old_it_is,
        a_run_that_the_ledger_names_is_remembered_until_its_rejects_are_gone,
        a_process_that_lost_its_hold_removes_no_run,
        runs_of_syncs_that_are_not_configured_any_more_are_removed_too,
    }
    failed_starts {
        what_failed_before_it_had_a_run_is_a_failed_run_of_the_history,
        an_interrupted_run_is_gone_on_with_although_a_try_failed_before_it_had_a_run,
        tries_of_one_turn_that_fail_before_they_have_a_run_are_attempts_of_one,
        so_many_tries_that_nobody_could_read_them_are_several_runs,
        a_turn_names_the_run_that_tells_of_its_tries_until_it_has_one_of_its_own,
    }
    alerts {
        an_alert_outlives_the_process_and_is_replaced_as_a_whole,
    }
    states {
        a_state_set_by_hand_forgets_what_belonged_to_the_old_cursor,
        nonsense_is_refused,
        a_reset_table_is_planned_anew_by_the_interrupted_run,
        a_reset_sync_starts_over,
        resetting_nothing_is_no_error,
        every_cursor_value_comes_back_as_it_was,
    }
    rejects {
        rejects_are_listed_newest_first_and_page_after_page,
        rejects_are_filtered_and_counted_by_kind,
        the_ledger_drops_its_oldest_beyond_the_bound_and_says_so,
        old_rejects_are_removed_and_pending_ones_counted,
    }
    turns {
        a_recorded_turn_decides_its_due_times_and_the_next_process_finds_it,
        a_sync_has_one_open_turn_at_most,
        a_turn_stands_for_later_due_times_until_its_run_begins,
        a_turn_that_is_put_off_keeps_when_and_why,
        a_pause_needs_no_daemon_and_is_told_once,
        a_daemon_that_lost_the_store_decides_nothing_more,
        a_run_that_lost_its_sync_does_not_claim_a_turn,
        of_old_turns_the_last_thousand_are_kept,
    }
    retries {
        a_kept_row_comes_back_with_its_table,
        a_delivered_row_supersedes_the_older_rejects_of_its_identity_and_no_others,
        where_rows_are_replaced_only_those_of_a_known_version_are_tried,
        a_row_that_is_refused_again_has_the_rejects_of_its_last_run,
        a_discarded_reject_stays_named_and_is_never_sent,
        what_a_retry_leaves_out_is_as_old_as_its_row_and_keeps_what_was_mended,
        a_delivered_row_supersedes_its_own_older_versions,
        a_commit_that_is_refused_supersedes_nothing,
        a_run_tries_whole_kept_rows_of_earlier_runs_once_and_leaves_held_ones,
        rows_that_were_tried_least_come_first_and_refused_columns_not_at_all,
        what_became_of_rows_that_were_sent_again_is_stored_and_counted,
        a_redelivered_row_supersedes_older_ones_and_a_column_stays_until_it_is_taken,
        rows_that_were_sent_again_when_a_process_died_are_uncertain_where_a_repeat_leaves_a_trace,
        a_replay_leaves_the_interrupted_run_alone_and_is_closed_when_its_process_died,
        a_process_that_lost_its_hold_can_send_and_settle_nothing,
        the_ledger_lets_go_of_what_is_dealt_with_first,
        beyond_the_bound_of_bytes_the_oldest_rows_go_and_stay_named,
    }
}

async fn refused(path: &Path) -> longshore_core::Error {
    SqliteStore::open(path).await.expect_err("the file must be refused")
}

#[tokio::test]
async fn file_and_folder_are_made_for_their_owner_only() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("project/.longshore/state.db");
    let store = open(&format!("sqlite:{}", path.display())).await.unwrap();
    contract::started(&*store).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let files: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.contains(&path));
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            ["state.db", "state.db-wal", "state.db-shm"].contains(&name),
            "{name} was left behind"
        );
    }
}

#[tokio::test]
async fn a_dropped_store_has_closed_its_file() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    let store = SqliteStore::open(&path).await.unwrap();
    contract::started(&store).await;
    drop(store);
    assert!(
        !root.path().join("state.db-wal").exists(),
        "the last one to close it merges the log"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_with_the_remedy() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    fs::write(&path, "kind: source\n".repeat(1000)).unwrap();
    let error = refused(&path).await;
    assert_eq!(error.code, "state_corrupt");
    assert!(
        error.message.contains(path.to_str().unwrap()) && error.remedy.contains("backup"),
        "{error:?}"
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "kind: source\n".repeat(1000),
        "it was not touched"
    );
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_never_an_empty_state() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    drop(contract::started(&SqliteStore::open(&path).await.unwrap()).await);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).await;
    let outcome = match store {
        Ok(store) => store.get_run(RUN).await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert_eq!(code(outcome), "state_corrupt");
}

#[tokio::test]
async fn a_stored_value_that_nobody_wrote_is_damage() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    let store = SqliteStore::open(&path).await.unwrap();
    contract::started(&store).await;
    for change in [
        "UPDATE runs SET holder = '{'",
        "UPDATE runs SET holder = '{}', uncertain_rows = -1",
    ] {
        Connection::open(&path).unwrap().execute(change, []).unwrap();
        assert_eq!(code(store.get_run(RUN).await), "state_corrupt", "{change}");
    }
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_as_it_is() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    drop(SqliteStore::open(&path).await.unwrap());
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = refused(&path).await;
    assert_eq!(error.code, "state_newer");
    assert!(error.message.contains("newer version of Longshore"), "{error}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_as_it_is() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("app.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE users (name TEXT)")
        .unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(refused(&path).await.code, "state_foreign");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_can_not_be_written_is_said_with_the_remedy() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.join("state.db"), root.path().to_owned()] {
        let error = refused(&path).await;
        assert_eq!(error.code, "state_unwritable", "{}", path.display());
        assert!(!error.remedy.is_empty());
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    fs::write(&path, "").unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    contract::started(&store).await;
    assert!(store.interrupted_run(SYNC).await.unwrap().is_some());
}

#[tokio::test]
async fn a_url_that_names_no_store_is_refused_without_repeating_it() {
    for (url, expected) in [
        ("postgresql://user:secret@host/db", "state_backend_unavailable"),
        ("postgres://user:secret@host/db", "state_backend_unavailable"),
        ("mysql://user:secret@host", "state_url_invalid"),
        ("secret", "state_url_invalid"),
        ("sqlite:", "state_url_invalid"),
    ] {
        let error = open(url).await.unwrap_err();
        assert_eq!(error.code, expected, "{url}");
        assert!(!format!("{error:?}").contains("secret"));
        assert!(!error.remedy.is_empty());
    }
}
