//! Whatever happens in whatever order, crashes between any two steps included: one run at a time, and one turn for every due time.

use std::time::Duration;

use longshore_config::CatchUp;
use longshore_state::{Turn, TurnStatus, UnixMicros};
use proptest::prelude::*;

use super::world::{START, World, every, lasting, passing, with_schedule};
use crate::serve::scheduler::Ended;

#[derive(Clone, Debug)]
enum Happening {
    Pass(u32),
    End(u8, u8),
    /// Carries out some steps, dies before the last is confirmed, and starts again after some seconds.
    Crash(u8, u32),
    RunNow(u8),
    Pause(u8, bool),
    Cancel(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (1_u32..900).prop_map(Happening::Pass),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Happening::End(which, how)),
        2 => (0_u8..4, 0_u32..2_000).prop_map(|(steps, seconds)| Happening::Crash(steps, seconds)),
        1 => any::<u8>().prop_map(Happening::RunNow),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, paused)| Happening::Pause(which, paused)),
        1 => any::<u8>().prop_map(Happening::Cancel),
    ]
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn name(which: u8) -> &'static str {
    NAMES[usize::from(which) % NAMES.len()]
}

fn world() -> World {
    let planned = NAMES.iter().enumerate().map(|(index, name)| {
        let catch_up = if index % 2 == 0 { CatchUp::Once } else { CatchUp::Skip };
        let mut planned = with_schedule(name, every(["5m", "90s", "1h", "7m", "10m"][index]), catch_up);
        planned.destinations = vec![format!("destination-{}", index % 3)];
        planned
    });
    let mut world = World::new(planned.collect());
    world.concurrent_runs = 2;
    world.restart();
    world
}

/// What the engine's hold and the store's recovery do at a start: nothing runs, and nothing that runs is complete.
fn happen(world: &mut World, happening: &Happening) {
    match happening {
        Happening::Pass(seconds) => world.pass(Duration::from_secs((*seconds).into())),
        Happening::End(which, how) => {
            let Some(sync) = world
                .running
                .get(usize::from(*which) % world.running.len().max(1))
                .cloned()
            else {
                return;
            };
            let ended = match how % 8 {
                0 => Ended::Failed(passing()),
                1 => Ended::Failed(lasting()),
                2 => Ended::Cancelled,
                _ => Ended::Completed,
            };
            world.end(&sync, ended);
        }
        Happening::Crash(steps, seconds) => {
            world.now = world.now.after(Duration::from_secs((*seconds).into()));
            for step in 0..*steps {
                let Some(next) = world.scheduler.next_step(world.now) else {
                    break;
                };
                let turn = world.carry_out(&next);
                if step + 1 < *steps {
                    world.scheduler.done(&next, turn, world.now);
                }
            }
            world.restart();
        }
        Happening::RunNow(which) => {
            world.scheduler.run_now(name(*which), world.now).ok();
            world.settle();
        }
        Happening::Pause(which, paused) => world.pause(name(*which), *paused),
        Happening::Cancel(which) => {
            world.scheduler.cancel(name(*which), world.now);
            world.settle();
        }
    }
}

/// Lets everything end well, and time pass, until nothing is open or undecided.
fn come_to_rest(world: &mut World) {
    for sync in NAMES {
        world.pause(sync, false);
    }
    for _ in 0..200 {
        for sync in world.running.clone() {
            world.end(&sync, Ended::Completed);
        }
        if !world.turns.iter().any(|turn| turn.status == TurnStatus::Open) {
            return;
        }
        world.pass(Duration::from_secs(60));
    }
    panic!("it does not come to rest: {:?}", world.scheduler);
}

fn due_times(world: &World, sync: &str) -> Vec<UnixMicros> {
    let planned = world.planned.iter().find(|planned| planned.name == sync).unwrap();
    let (schedule, _) = planned.schedule.as_ref().unwrap();
    let next = |after: &UnixMicros| {
        let next = schedule.next_after(crate::serve::scheduler::due::instant(*after))?;
        Some(crate::serve::scheduler::due::micros(next)).filter(|due| *due <= world.now)
    };
    std::iter::successors(next(&START), next).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_due_time_has_exactly_one_turn(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut world = world();
        for happening in &happenings {
            // One run of a sync at a time, no turn twice, no time decided twice: the world itself checks.
            happen(&mut world, happening);
            prop_assert!(world.running.len() <= world.concurrent_runs);
        }
        come_to_rest(&mut world);
        for sync in NAMES {
            let of_sync: Vec<&Turn> = world.turns.iter().filter(|turn| turn.sync == sync).collect();
            for due in due_times(&world, sync) {
                let stands_for = |turn: &&&Turn| turn.due.is_some_and(|times| times.first <= due && due <= times.last);
                prop_assert_eq!(of_sync.iter().filter(stands_for).count(), 1, "{} at {:?}", sync, due);
            }
            // Who cancels a run gives up what has passed meanwhile.
            let cancelled = |happening: &Happening| matches!(happening, Happening::Cancel(which) if name(*which) == sync);
            if ["a", "c", "e"].contains(&sync) && !happenings.iter().any(cancelled) {
                prop_assert!(of_sync.iter().all(|turn| turn.status != TurnStatus::Missed), "it catches up");
            }
        }
    }
}
