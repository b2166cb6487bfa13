//! What is to be told of a condition, by what was told before. Pure.

use longshore_state::StoredAlert;

/// What is stored of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// It holds; otherwise it did, and that it does not any more is being told.
    pub firing: bool,
    /// Whoever is to know has been told.
    pub told: bool,
}

impl Known {
    /// Of what is stored.
    #[must_use]
    pub fn of(alert: &StoredAlert) -> Self {
        Self {
            firing: alert.firing,
            told: alert.told,
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: what is stored is how it is.
    Stay,
    /// Tell that it holds, or that it does not any more.
    Tell {
        /// It holds.
        firing: bool,
    },
    /// Tell nothing: nobody has heard that it had ceased.
    TakeBack,
    /// Tell nothing: nobody has heard that it held.
    Forget,
}

/// The next step for a condition that holds now or does not.
#[must_use]
pub fn step(known: Option<Known>, holds: bool) -> Step {
    match (known, holds) {
        (None, false) => Step::Stay,
        (None, true) => Step::Tell { firing: true },
        (Some(Known { firing: true, .. }), true) | (Some(Known { firing: false, .. }), false) => Step::Stay,
        (
            Some(Known {
                firing: true,
                told: true,
            }),
            false,
        ) => Step::Tell { firing: false },
        (
            Some(Known {
                firing: true,
                told: false,
            }),
            false,
        ) => Step::Forget,
        (Some(Known { firing: false, .. }), true) => Step::TakeBack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through events, `true` for "it holds", `!` for "what was to be told has arrived", and gives what was told.
    fn told(events: &str) -> String {
        let (mut known, mut told) = (None::<Known>, String::new());
        for event in events.chars() {
            if event == '!' {
                known = match known {
                    Some(Known { firing, told: false }) => {
                        told.push(if firing { 'F' } else { 'R' });
                        firing.then_some(Known { firing, told: true })
                    }
                    other => other,
                };
                continue;
            }
            match step(known, event == '+') {
                Step::Stay => {}
                Step::Tell { firing } => known = Some(Known { firing, told: false }),
                Step::TakeBack => {
                    known = Some(Known {
                        firing: true,
                        told: true,
                    });
                }
                Step::Forget => known = None,
            }
        }
        told
    }

    #[test]
    fn a_condition_is_told_of_once_and_so_is_its_end() {
        assert_eq!(told("+!+!+!-!-!"), "FR");
        assert_eq!(told("-!-!"), "");
        assert_eq!(told("+!-!+!-!"), "FRFR");
    }

    #[test]
    fn what_never_arrived_needs_no_end() {
        assert_eq!(told("+-!"), "", "it held and ceased while nobody could be told");
        assert_eq!(told("++!"), "F");
        assert_eq!(
            told("+!-+!"),
            "F",
            "it ceased and held again while nobody could be told"
        );
        assert_eq!(told("+!-+-!"), "FR");
    }
}
