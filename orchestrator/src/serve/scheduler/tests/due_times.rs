//! Due times: met, missed, made up for.

use std::time::Duration;

use longshore_config::CatchUp;
use longshore_schedule::Schedule;
use longshore_state::{TurnStatus, UnixMicros};

use super::world::{MINUTE, World, cron, due, every, minute, sync, with_schedule};
use crate::serve::scheduler::Ended;

#[test]
fn a_sync_runs_at_its_due_times_and_not_at_its_start() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    assert!(world.started.is_empty());
    world.until(9);
    assert!(world.started.is_empty());
    assert_eq!(world.scheduler.wake_at(world.now), Some(minute(10)));
    world.until(10);
    assert_eq!(world.started, ["a"]);
    world.end("a", Ended::Completed);
    world.until(20);
    assert_eq!(world.started, ["a", "a"]);
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Completed, due(10, 10)), (TurnStatus::Open, due(20, 20))]
    );
}

#[test]
fn times_at_which_nobody_ran_the_daemon_are_made_up_for_by_one_run() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.now = minute(47);
    world.restart();
    assert_eq!(world.turns_of("a"), [(TurnStatus::Open, due(10, 40))]);
    assert_eq!(world.started, ["a"]);
}

#[test]
fn times_at_which_nobody_ran_the_daemon_are_left_out_where_the_user_wants_it() {
    let mut world = World::new(vec![sync("a", CatchUp::Skip)]);
    world.now = minute(47);
    world.restart();
    assert_eq!(world.turns_of("a"), [(TurnStatus::Missed, due(10, 40))]);
    world.until(50);
    assert_eq!(world.turns_of("a")[1], (TurnStatus::Open, due(50, 50)));
}

#[test]
fn a_daemon_that_is_back_within_a_minute_is_on_time() {
    let mut world = World::new(vec![sync("a", CatchUp::Skip)]);
    world.now = minute(30).after(Duration::from_secs(60));
    world.restart();
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Missed, due(10, 20)), (TurnStatus::Open, due(30, 30))]
    );
    let mut world = World::new(vec![sync("a", CatchUp::Skip)]);
    world.now = minute(30).after(Duration::from_secs(61));
    world.restart();
    assert_eq!(world.turns_of("a"), [(TurnStatus::Missed, due(10, 30))]);
}

#[test]
fn times_that_pass_during_a_run_are_made_up_for_after_it() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.until(35);
    assert_eq!(world.started, ["a"], "never two at once");
    world.end("a", Ended::Completed);
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Completed, due(10, 10)), (TurnStatus::Open, due(20, 30))]
    );
}

#[test]
fn times_that_pass_during_a_run_are_left_out_where_the_user_wants_it() {
    let mut world = World::new(vec![sync("a", CatchUp::Skip)]);
    world.until(10);
    world.until(35);
    world.end("a", Ended::Completed);
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Completed, due(10, 10)), (TurnStatus::Missed, due(20, 30))]
    );
}

#[test]
fn one_run_that_waits_stands_for_every_time_that_passes_meanwhile() {
    let mut world = World::new(vec![sync("a", CatchUp::Once), sync("b", CatchUp::Skip)]);
    world.concurrent_runs = 1;
    world.restart();
    world.until(10);
    assert_eq!(world.started, ["a"]);
    world.until(32);
    assert_eq!(world.turns_of("b"), [(TurnStatus::Open, due(10, 30))]);
    world.end("a", Ended::Completed);
    assert_eq!(world.started, ["a", "b"], "who waits longer goes first");
}

#[test]
fn jitter_puts_a_run_off_and_a_restart_finds_the_same_start() {
    let schedule = Schedule {
        jitter: "5m".parse().unwrap(),
        ..every("10m")
    };
    let mut world = World::new(vec![with_schedule("a", schedule, CatchUp::Skip)]);
    let start = world.scheduler.wake_at(world.now).unwrap();
    assert!(start > minute(10) && start <= minute(15), "{start:?}");
    world.now = UnixMicros(start.0 - 1);
    world.restart();
    assert!(world.started.is_empty());
    assert_eq!(world.scheduler.wake_at(world.now), Some(start));
    world.pass(Duration::from_micros(1));
    assert_eq!(world.turns_of("a"), [(TurnStatus::Open, due(10, 10))]);
}

#[test]
fn a_time_whose_jitter_still_runs_is_not_missed_with_those_before_it() {
    let schedule = Schedule {
        jitter: "9m".parse().unwrap(),
        ..every("10m")
    };
    let mut world = World::new(vec![with_schedule("a", schedule, CatchUp::Once)]);
    let first = world.scheduler.wake_at(world.now).unwrap();
    assert!(first > minute(11), "{first:?}");
    world.now = minute(20);
    world.restart();
    assert_eq!(world.turns_of("a"), [(TurnStatus::Open, due(10, 10))]);
}

#[test]
fn a_new_schedule_counts_from_when_it_was_seen() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.planned = vec![with_schedule("a", every("3m"), CatchUp::Once)];
    world.now = minute(31);
    world.restart();
    assert!(world.turns.is_empty(), "nobody has asked for these times then");
    assert_eq!(world.scheduler.wake_at(world.now), Some(minute(33)));
}

#[test]
fn a_new_schedule_counts_from_when_it_was_seen_also_while_a_run_goes_on() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.planned = vec![with_schedule("a", every("3m"), CatchUp::Once)];
    world.scheduler.reload(world.planned.clone(), Vec::new(), 4);
    world.settle();
    assert_eq!(world.scheduler.wake_at(world.now), Some(minute(12)));
    world.until(35);
    world.end("a", Ended::Completed);
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Completed, due(10, 10)), (TurnStatus::Open, due(12, 33))]
    );
}

#[test]
fn a_clock_that_was_set_back_far_does_not_silence_a_sync() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(600);
    world.end("a", Ended::Completed);
    let turns = world.turns.len();
    world.until(5);
    assert_eq!(world.scheduler.wake_at(world.now), Some(minute(10)));
    world.until(10);
    assert_eq!(world.turns.len(), turns + 1);
}

#[test]
fn a_clock_that_was_set_back_a_little_does_not_repeat_a_due_time() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.end("a", Ended::Completed);
    world.now = minute(9);
    world.settle();
    world.until(10);
    assert_eq!(world.turns_of("a"), [(TurnStatus::Completed, due(10, 10))]);
}

#[test]
fn the_hour_that_comes_twice_has_its_fixed_time_once() {
    let mut world = World::new(vec![with_schedule("a", cron("30 2 * * *"), CatchUp::Once)]);
    // 2026-10-25T00:00:00Z: Paris turns its clock back at one.
    world.now = UnixMicros(1_792_886_400_000_000);
    world.stored.clear();
    world.restart();
    for _ in 0..24 * 60 {
        world.pass(MINUTE);
        if !world.running.is_empty() {
            world.end("a", Ended::Completed);
        }
    }
    assert_eq!(world.started.len(), 1);
}
