//! Who may move what is stored: compare-and-swap under a fencing generation.
//!
//! Whatever moves in a store — a partition's progress, a table's state — has a *revision* that grows by one with every write, and belongs to a sync
//! whose holds have a *generation* that grows with every one. A writer names both. It is refused when a later generation exists, however long it
//! slept, and when the revision is not the one that it has seen: nothing is ever moved from where it is not.

/// What a store knows when somebody wants to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Generation of the sync's latest hold.
    pub generation: u64,
    /// That hold was not released.
    pub held: bool,
    /// Revision of what is to be written; 0: it was never written.
    pub revision: u64,
    /// Nothing follows any more.
    pub complete: bool,
}

/// What a writer believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Generation of its hold.
    pub generation: u64,
    /// The revision that it moves from.
    pub from_revision: u64,
}

/// Why a write is refused; nothing is written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The hold was released, or a later one exists: this writer must stop.
    #[error("generation {latest} holds the sync, or nobody")]
    Fenced {
        /// The latest generation.
        latest: u64,
    },
    /// Somebody else has written, or this write was made already.
    #[error("it is at revision {found}")]
    Moved {
        /// The revision that is stored.
        found: u64,
    },
    /// Its end is stored.
    #[error("it is complete")]
    Complete,
}

/// The revision that a write leads to.
///
/// # Errors
/// [`Refusal`], the gravest first: whoever is fenced learns that, whatever else is wrong.
pub fn admit(stored: Stored, claim: Claim) -> Result<u64, Refusal> {
    fence(stored.generation, stored.held, claim.generation)?;
    next_revision(stored.revision, stored.complete, claim.from_revision)
}

/// The first half of [`admit`]: whether a generation is the latest, and its hold not released.
///
/// # Errors
/// [`Refusal::Fenced`].
pub fn fence(latest: u64, held: bool, generation: u64) -> Result<(), Refusal> {
    if held && generation == latest {
        Ok(())
    } else {
        Err(Refusal::Fenced { latest })
    }
}

/// The second half of [`admit`], for a writer whose generation was checked in the same transaction.
///
/// # Errors
/// [`Refusal::Moved`], [`Refusal::Complete`].
pub fn next_revision(stored: u64, complete: bool, from: u64) -> Result<u64, Refusal> {
    if complete {
        return Err(Refusal::Complete);
    }
    if stored != from {
        return Err(Refusal::Moved { found: stored });
    }
    Ok(stored + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What can happen to a sync with several processes.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        /// A process takes the hold and reads what is stored.
        Acquire(usize),
        /// The latest holder releases.
        Release,
        /// A process writes, whether it still holds the sync or not.
        Write(usize),
        /// A process writes the same again, because it never heard the answer.
        WriteAgain(usize),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_usize..3).prop_map(Event::Acquire),
            Just(Event::Release),
            (0_usize..3).prop_map(Event::Write),
            (0_usize..3).prop_map(Event::Write),
            (0_usize..3).prop_map(Event::WriteAgain),
        ]
    }

    proptest! {
        /// Whatever three processes do in whatever order: what is stored moves one step at a time, and only by the latest holder.
        #[test]
        fn only_the_latest_holder_moves_anything_and_only_by_one_step(events in proptest::collection::vec(event(), 1..200)) {
            let mut stored = Stored { generation: 0, held: false, revision: 0, complete: false };
            let mut claims = [None::<Claim>; 3];
            let mut previous = [None::<Claim>; 3];
            let mut written = Vec::new();
            for event in events {
                match event {
                    Event::Acquire(process) => {
                        stored = Stored { generation: stored.generation + 1, held: true, ..stored };
                        claims[process] = Some(Claim { generation: stored.generation, from_revision: stored.revision });
                    }
                    Event::Release => stored.held = false,
                    Event::Write(process) => {
                        let Some(claim) = claims[process] else { continue };
                        match admit(stored, claim) {
                            Ok(revision) => {
                                prop_assert!(stored.held && claim.generation == stored.generation);
                                prop_assert_eq!(revision, stored.revision + 1);
                                stored.revision = revision;
                                written.push(claim.generation);
                                previous[process] = Some(claim);
                                claims[process] = Some(Claim { from_revision: revision, ..claim });
                            }
                            Err(refusal) => prop_assert_eq!(refusal, Refusal::Fenced { latest: stored.generation }),
                        }
                    }
                    Event::WriteAgain(process) => {
                        if let Some(claim) = previous[process] {
                            prop_assert!(admit(stored, claim).is_err(), "nothing is written twice");
                        }
                    }
                }
            }
            prop_assert!(written.is_sorted(), "a generation never writes after a later one");
            prop_assert_eq!(stored.revision, written.len() as u64);
        }
    }

    #[test]
    fn a_writer_learns_why_it_is_refused() {
        let stored = Stored {
            generation: 3,
            held: true,
            revision: 7,
            complete: false,
        };
        let claim = Claim {
            generation: 3,
            from_revision: 7,
        };
        assert_eq!(admit(stored, claim), Ok(8));
        let earlier = Claim { generation: 2, ..claim };
        assert_eq!(admit(stored, earlier), Err(Refusal::Fenced { latest: 3 }));
        assert_eq!(
            admit(Stored { held: false, ..stored }, claim),
            Err(Refusal::Fenced { latest: 3 })
        );
        let behind = Claim {
            from_revision: 6,
            ..claim
        };
        assert_eq!(admit(stored, behind), Err(Refusal::Moved { found: 7 }));
        let complete = Stored {
            complete: true,
            ..stored
        };
        assert_eq!(admit(complete, claim), Err(Refusal::Complete));
    }
}
