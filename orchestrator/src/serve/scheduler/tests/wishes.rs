//! Run now, pause, resume, cancel, replay, reload; and what runs beside what.

use longshore_config::CatchUp;
use longshore_state::TurnStatus;

use super::world::{World, by_request, due, lasting, minute, passing, sync};
use crate::serve::scheduler::{Busy, Cancelling, Ended, Planned, Running};

#[test]
fn a_sync_without_a_schedule_runs_when_somebody_asks() {
    let mut world = World::new(vec![by_request("a")]);
    world.until(500);
    assert!(world.started.is_empty());
    world.scheduler.run_now("a", world.now).unwrap();
    world.settle();
    assert_eq!(world.running, ["a"]);
    assert_eq!(world.scheduler.run_now("a", world.now), Err(Busy(Running::Turn)));
    world.end("a", Ended::Completed);
    assert_eq!(world.turns_of("a"), [(TurnStatus::Completed, None)]);
}

#[test]
fn a_pause_keeps_runs_back_and_resuming_makes_up_for_them() {
    let mut world = World::new(vec![sync("a", CatchUp::Once), sync("b", CatchUp::Skip)]);
    for name in ["a", "b"] {
        world.pause(name, true);
    }
    world.until(35);
    assert!(world.started.is_empty());
    assert_eq!(world.scheduler.wake_at(world.now), None);
    world.restart();
    assert!(world.started.is_empty(), "a restart does not end a pause");
    for name in ["a", "b"] {
        world.pause(name, false);
    }
    assert_eq!(world.turns_of("a"), [(TurnStatus::Open, due(10, 30))]);
    assert_eq!(world.turns_of("b"), [(TurnStatus::Missed, due(10, 30))]);
}

#[test]
fn a_pause_does_not_touch_what_runs_and_keeps_its_retry_back() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.pause("a", true);
    assert_eq!(world.running, ["a"]);
    world.end("a", Ended::Failed(passing()));
    world.until(30);
    assert!(world.running.is_empty());
    world.pause("a", false);
    assert_eq!(world.running, ["a"]);
}

#[test]
fn who_asks_for_a_run_need_not_wait_for_a_pause_or_a_retry() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.end("a", Ended::Failed(passing()));
    world.pause("a", true);
    world.scheduler.run_now("a", world.now).unwrap();
    world.settle();
    assert_eq!(world.running, ["a"]);
    world.end("a", Ended::Completed);
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Completed, due(10, 10))],
        "it was the same turn"
    );
}

#[test]
fn a_run_that_was_asked_for_and_fails_is_retried_under_the_pause_only_when_that_ends() {
    let mut world = World::new(vec![by_request("a")]);
    world.pause("a", true);
    world.scheduler.run_now("a", world.now).unwrap();
    world.settle();
    world.end("a", Ended::Failed(passing()));
    world.until(60);
    assert!(world.running.is_empty());
    world.pause("a", false);
    assert_eq!(world.running, ["a"]);
}

#[test]
fn cancelling_takes_back_what_waits_and_tells_what_runs() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    assert_eq!(world.scheduler.cancel("a", world.now), Cancelling::Idle);
    world.until(10);
    assert_eq!(world.scheduler.cancel("a", world.now), Cancelling::Running);
    world.end("a", Ended::Cancelled);
    assert_eq!(world.turns_of("a"), [(TurnStatus::Cancelled, due(10, 10))]);
    assert_eq!(world.scheduler.wake_at(world.now), Some(minute(20)));

    world.until(20);
    world.end("a", Ended::Failed(passing()));
    assert_eq!(world.scheduler.cancel("a", world.now), Cancelling::Waiting);
    world.settle();
    assert_eq!(world.turns_of("a")[1], (TurnStatus::Cancelled, due(20, 20)));
    assert_eq!(world.turns[1].tries, 1, "waiting is no try");
    world.until(29);
    assert!(world.running.is_empty());
}

#[test]
fn what_was_cancelled_does_not_begin_again_for_times_that_had_passed() {
    for catch_up in [CatchUp::Once, CatchUp::Skip] {
        let mut world = World::new(vec![sync("a", catch_up)]);
        world.until(10);
        world.until(25);
        assert_eq!(world.scheduler.cancel("a", world.now), Cancelling::Running);
        // It takes until after the next due time to come to an orderly end.
        world.until(30);
        world.end("a", Ended::Cancelled);
        assert_eq!(
            world.turns_of("a"),
            [
                (TurnStatus::Cancelled, due(10, 10)),
                (TurnStatus::Missed, due(20, 20)),
                (TurnStatus::Open, due(30, 30))
            ],
            "{catch_up:?}"
        );
        world.end("a", Ended::Failed(passing()));
        world.now = minute(55);
        world.scheduler.cancel("a", world.now);
        world.settle();
        assert!(world.running.is_empty());
        assert_eq!(
            world.turns_of("a")[2..],
            [(TurnStatus::Cancelled, due(30, 30)), (TurnStatus::Missed, due(40, 50))]
        );
        world.until(60);
        assert_eq!(world.running, ["a"], "the next due time is as ever");
    }
}

#[test]
fn what_was_cancelled_is_given_up_for_the_next_daemon_too() {
    for paused in [false, true] {
        let mut world = World::new(vec![sync("a", CatchUp::Once)]);
        world.until(10);
        world.until(25);
        world.pause("a", paused);
        world.scheduler.cancel("a", world.now);
        world.scheduler.drain();
        world.end("a", Ended::Cancelled);
        let expected = [(TurnStatus::Cancelled, due(10, 10)), (TurnStatus::Missed, due(20, 20))];
        assert_eq!(world.turns_of("a"), expected, "{paused}");
        world.restart();
        world.pause("a", false);
        assert!(world.running.is_empty(), "{paused}");
        world.until(30);
        assert_eq!(world.running, ["a"]);
    }
}

#[test]
fn a_wish_that_comes_before_an_end_is_recorded_is_a_wish_for_the_next_run() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    // As when the store does not take the end yet: it is asked for again.
    world.running.clear();
    world.scheduler.ended("a", Ended::Completed, world.now, 0.5);
    world.scheduler.run_now("a", world.now).unwrap();
    world.settle();
    assert_eq!(world.running, ["a"]);
    world.running.clear();
    world.scheduler.ended("a", Ended::Failed(lasting()), world.now, 0.5);
    world.scheduler.cancel("a", world.now);
    world.settle();
    assert_eq!(
        world.turns_of("a"),
        [(TurnStatus::Completed, due(10, 10)), (TurnStatus::Failed, None)]
    );
}

#[test]
fn a_run_that_fails_before_it_hears_that_it_is_cancelled_is_not_tried_again() {
    let mut world = World::new(vec![sync("a", CatchUp::Once), sync("b", CatchUp::Once)]);
    world.until(10);
    for name in ["a", "b"] {
        assert_eq!(world.scheduler.cancel(name, world.now), Cancelling::Running);
    }
    world.end("a", Ended::Failed(passing()));
    world.end("b", Ended::HeldElsewhere(lasting()));
    assert_eq!(world.turns_of("a"), [(TurnStatus::Cancelled, due(10, 10))]);
    assert_eq!(world.turns_of("b"), [(TurnStatus::Cancelled, due(10, 10))]);
    world.until(19);
    assert!(world.running.is_empty());
    world.until(20);
    world.end("a", Ended::Failed(passing()));
    world.until(22);
    assert!(
        world.running.contains(&"a".to_owned()),
        "the next one is tried again as ever"
    );
}

#[test]
fn a_replay_runs_when_the_sync_does_not() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.scheduler.replay("a", world.now).unwrap();
    assert_eq!(world.scheduler.replay("a", world.now), Err(Busy(Running::Replay)));
    world.settle();
    assert_eq!((world.running.len(), world.started.len()), (1, 0));
    world.until(10);
    assert!(world.started.is_empty(), "the due time waits for the replay");
    world.end("a", Ended::Failed(lasting()));
    assert_eq!(world.started, ["a"]);
    assert_eq!(world.scheduler.replay("a", world.now), Err(Busy(Running::Turn)));
}

#[test]
fn no_more_runs_go_on_at_once_than_allowed() {
    let planned: Vec<Planned> = (0..6).map(|number| sync(&number.to_string(), CatchUp::Once)).collect();
    let mut world = World::new(planned);
    world.until(10);
    assert_eq!(world.running, ["0", "1", "2", "3"]);
    world.end("2", Ended::Completed);
    assert_eq!(world.running, ["0", "1", "3", "4"]);
    let waiting = world.scheduler.sync("5").unwrap();
    assert_eq!(world.scheduler.obstacle(waiting).unwrap(), "a free slot: 4 runs go on");
}

#[test]
fn syncs_that_write_to_one_destination_take_turns_and_keep_no_others_back() {
    let shared = |name: &str| Planned {
        destinations: vec!["batch".to_owned()],
        ..sync(name, CatchUp::Once)
    };
    let mut world = World::new(vec![shared("a"), shared("b"), sync("c", CatchUp::Once)]);
    world.until(10);
    assert_eq!(world.running, ["a", "c"]);
    let waiting = world.scheduler.sync("b").unwrap();
    assert_eq!(
        world.scheduler.obstacle(waiting).unwrap(),
        "the destination batch, which a writes to"
    );
    world.end("a", Ended::Completed);
    assert_eq!(world.running, ["c", "b"]);
}

#[test]
fn a_reload_does_not_touch_runs_and_lets_removed_syncs_end() {
    let mut world = World::new(vec![
        sync("a", CatchUp::Once),
        sync("b", CatchUp::Once),
        by_request("c"),
    ]);
    world.until(10);
    world.end("b", Ended::Failed(passing()));
    let planned = vec![by_request("c"), sync("d", CatchUp::Once)];
    world.scheduler.reload(planned, world.stored.clone(), 4);
    world.settle();
    assert_eq!(world.running, ["a"], "it left the configuration and goes on");
    assert_eq!(
        world.turns_of("b"),
        [(TurnStatus::Cancelled, due(10, 10))],
        "what waited is taken back"
    );
    let names = |world: &World| -> Vec<String> {
        world
            .scheduler
            .syncs()
            .iter()
            .map(|sync| sync.name().to_owned())
            .collect()
    };
    assert_eq!(names(&world), ["c", "d", "a"]);
    world.end("a", Ended::Completed);
    assert_eq!(names(&world), ["c", "d"]);
    world.until(20);
    assert_eq!(world.running, ["d"]);
}

#[test]
fn a_sync_that_comes_back_while_it_still_runs_is_the_same_one() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.scheduler.reload(Vec::new(), world.stored.clone(), 4);
    world.settle();
    world
        .scheduler
        .reload(vec![sync("a", CatchUp::Once)], world.stored.clone(), 4);
    world.until(20);
    assert_eq!(world.started, ["a"]);
    world.end("a", Ended::Completed);
    // It had left the configuration at minute 10 and is back since minute 10: its schedule is the one that it had.
    assert_eq!(world.started, ["a", "a"]);
}

#[test]
fn what_was_to_run_and_left_the_configuration_between_two_starts_is_taken_back() {
    let mut world = World::new(vec![sync("a", CatchUp::Once)]);
    world.until(10);
    world.planned = vec![by_request("b")];
    world.restart();
    assert_eq!(world.turns_of("a"), [(TurnStatus::Cancelled, due(10, 10))]);
    assert_eq!(world.scheduler.syncs().len(), 1);
}
