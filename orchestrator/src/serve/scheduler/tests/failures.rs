//! What fails, what is held elsewhere, what a crash interrupts.

use std::time::Duration;

use longshore_config::CatchUp;
use longshore_core::Error;
use longshore_state::{Trigger, TurnStatus, UnixMicros};

use super::world::{World, by_request, due, lasting, minute, passing, sync};
use crate::serve::scheduler::Ended;

#[test]
fn what_can_pass_is_tried_again_after_growing_delays_until_it_works() {
    let mut world = World::new(vec![by_request("a")]);
    world.scheduler.run_now("a", world.now).unwrap();
    world.settle();
    let mut delays = Vec::new();
    for _ in 0..8 {
        world.end("a", Ended::Failed(passing()));
        let retry_at = world.scheduler.wake_at(world.now).unwrap();
        delays.push(retry_at.since(world.now).as_secs());
        world.now = UnixMicros(retry_at.0 - 1);
        world.settle();
        assert!(world.running.is_empty(), "not a moment before");
        world.pass(Duration::from_micros(1));
        assert_eq!(world.running, ["a"]);
    }
    assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]), "{delays:?}");
    assert_eq!((delays[0], delays[7]), (22, 675), "{delays:?}");
    world.end("a", Ended::Completed);
    assert_eq!(world.turns_of("a"), [(TurnStatus::Completed, None)]);
    assert_eq!(world.turns[0].tries, 9);
}

#[test]
fn what_can_not_pass_waits_for_the_next_due_time() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.end("a", Ended::Failed(lasting()));
    assert_eq!(world.turns_of("a"), [(TurnStatus::Failed, due(10, 10))]);
    assert_eq!(world.scheduler.wake_at(world.now), Some(minute(20)));
    world.until(20);
    assert_eq!(world.started, ["a", "a"]);
}

#[test]
fn a_restart_keeps_the_place_in_the_row_of_retries() {
    let mut world = World::new(vec![by_request("a")]);
    world.scheduler.run_now("a", world.now).unwrap();
    world.settle();
    for _ in 0..3 {
        world.end("a", Ended::Failed(passing()));
        world.now = world.scheduler.wake_at(world.now).unwrap();
        world.settle();
    }
    world.end("a", Ended::Failed(passing()));
    let retry_at = world.scheduler.wake_at(world.now);
    world.restart();
    assert!(world.running.is_empty());
    assert_eq!(world.scheduler.wake_at(world.now), retry_at);
    world.now = retry_at.unwrap();
    world.settle();
    world.end("a", Ended::Failed(passing()));
    assert_eq!(world.turns[0].tries, 5);
}

#[test]
fn times_that_pass_between_two_tries_are_made_up_for_when_the_run_is_done() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.end("a", Ended::Failed(passing()));
    world.now = minute(25);
    world.settle();
    assert_eq!(world.running, ["a"]);
    assert_eq!(world.turns_of("a"), [(TurnStatus::Open, due(10, 10))]);
    world.end("a", Ended::Completed);
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Completed, due(10, 10)), (TurnStatus::Open, due(20, 20))]
    );
}

#[test]
fn a_sync_that_another_process_runs_is_waited_for_and_that_is_no_failure() {
    let mut world = World::new(vec![sync("a", CatchUp::Skip)]);
    world.until(10);
    let held = Error::config("sync_held", "The sync a is being run by process 7");
    for _ in 0..400 {
        world.end("a", Ended::HeldElsewhere(held.clone()));
        assert!(world.scheduler.sync("a").unwrap().held_by().is_some());
        world.turns[0].run_id = None;
        world.now = world.scheduler.wake_at(world.now).unwrap();
        world.settle();
        assert_eq!(world.running, ["a"]);
    }
    world.end("a", Ended::Completed);
    // More than half an hour has passed: what this run brings is what was due in all of it.
    assert_eq!(world.turns_of("a"), [(TurnStatus::Completed, due(10, 40))]);
    assert_eq!(world.turns[0].tries, 1);
}

#[test]
fn an_interrupted_run_is_gone_on_with_at_once_whatever_becomes_of_missed_times() {
    for catch_up in [CatchUp::Once, CatchUp::Skip] {
        let mut world = World::new(vec![sync("a", catch_up)]);
        world.until(10);
        world.now = minute(15);
        world.restart();
        assert_eq!(world.running, ["a"]);
        assert_eq!(world.turns_of("a"), [(TurnStatus::Open, due(10, 10))]);
    }
}

#[test]
fn a_run_that_never_began_is_begun_after_a_crash() {
    let mut world = World::new(vec![by_request("a")]);
    world.scheduler.run_now("a", world.now).unwrap();
    let step = world.scheduler.next_step(world.now).unwrap();
    world.carry_out(&step);
    world.restart();
    assert_eq!(world.running, ["a"]);
    assert_eq!(world.turns.len(), 1);
}

#[test]
fn a_daemon_that_drains_starts_nothing_and_leaves_what_it_stops_open() {
    let mut world = World::new(vec![sync("a", CatchUp::Once), sync("b", CatchUp::Once)]);
    world.until(10);
    world.scheduler.drain();
    world.until(25);
    assert_eq!(world.started.len(), 2);
    assert_eq!(world.scheduler.wake_at(world.now), None);
    world.end("a", Ended::Completed);
    world.end("b", Ended::Cancelled);
    assert_eq!(world.turns_of("a"), [(TurnStatus::Completed, due(10, 10))]);
    assert_eq!(world.turns_of("b"), [(TurnStatus::Open, due(10, 10))]);
    world.restart();
    assert_eq!(
        world.started[2..],
        ["b".to_owned(), "a".to_owned()],
        "the interrupted one has waited longer"
    );
}

#[test]
fn the_next_run_is_the_next_try_and_never_lies_in_the_past() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    let next = |world: &World| world.scheduler.sync("a").unwrap().next_run_at(world.now);
    assert_eq!(next(&world), Some(minute(10)));
    world.until(10);
    assert_eq!(next(&world), Some(minute(20)));
    world.until(25);
    assert_eq!(next(&world), Some(minute(30)), "20 has passed while it runs");
    world.end("a", Ended::Failed(passing()));
    let retry_at = world.scheduler.sync("a").unwrap().retry_at();
    assert!(retry_at.is_some_and(|at| at > world.now && at < minute(30)));
    assert_eq!(next(&world), retry_at);
    world.pause("a", true);
    assert_eq!(next(&world), None);
}

#[test]
fn what_is_gone_on_with_says_so_also_when_another_process_has_the_sync_first() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    let trigger = |world: &World| world.scheduler.sync("a").unwrap().trigger();
    world.until(10);
    assert_eq!(trigger(&world), Trigger::Schedule { due: minute(10) });
    world.restart();
    assert_eq!(trigger(&world), Trigger::Recovery);
    world.end("a", Ended::HeldElsewhere(lasting()));
    assert_eq!(trigger(&world), Trigger::Recovery, "nothing was gone on with yet");
    world.pass(Duration::from_secs(5));
    world.end("a", Ended::Failed(passing()));
    assert_eq!(trigger(&world), Trigger::Schedule { due: minute(10) });
}
