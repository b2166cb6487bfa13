//! Which combinations there are, and which make no sense.

use std::fmt;

use longshore_tests::{
    fault_proxy::{Fault, Moment, Plan, Victim},
    shop::Target,
};

/// Combinations that are left out, each with the reason. Every other one is played.
const LEFT_OUT: [(Victim, Moment, Fault, &str); 2] = [
    (
        Victim::Destination,
        Moment::DuringPrepare,
        Fault::Reset,
        "nothing was sent yet: the destination has no connection to the API that could be cut",
    ),
    (
        Victim::Destination,
        Moment::BeforeFirstBatch,
        Fault::Reset,
        "nothing was sent yet: the destination has no connection to the API that could be cut",
    ),
];

/// One combination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) target: Target,
    pub(super) plan: Plan,
}

impl Cell {
    /// Every combination with a fault that makes sense.
    pub(super) fn all_of(fault: Fault) -> Vec<Self> {
        let mut cells = Vec::new();
        for target in [Target::Profiles, Target::Events] {
            for victim in Victim::ALL {
                for moment in Moment::ALL {
                    let plan = Plan {
                        moment,
                        occurrence: occurrence(moment),
                        victim,
                        fault,
                    };
                    cells.push(Self { target, plan });
                }
            }
        }
        cells.retain(|cell| !is_left_out(cell.plan));
        cells
    }
}

fn is_left_out(plan: Plan) -> bool {
    LEFT_OUT
        .iter()
        .any(|(victim, moment, fault, _)| (*victim, *moment, *fault) == (plan.victim, plan.moment, plan.fault))
}

/// Batches and acks: not the first one, so that something is done and something is to come. Of batches, more than may be unacked at once.
fn occurrence(moment: Moment) -> u64 {
    match moment {
        Moment::DuringPrepare | Moment::BeforeFirstBatch | Moment::AfterCommit => 1,
        Moment::AfterSending | Moment::AfterAck => 2,
        Moment::MidBatch => 12,
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan {
            moment, victim, fault, ..
        } = self.plan;
        write!(formatter, "{}: {fault:?} {victim:?} {moment:?}", self.target.table())
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let all = Victim::ALL.len() * Moment::ALL.len() * Fault::ALL.len();
    let played: usize = Fault::ALL.iter().map(|fault| Cell::all_of(*fault).len()).sum();
    assert_eq!(played, 2 * (all - LEFT_OUT.len()), "each for both targets");
    assert!(LEFT_OUT.iter().all(|(.., reason)| !reason.is_empty()));
}
