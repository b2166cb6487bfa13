//! A run: from stored cursors, through the plugins, to promoted cursors.
//!
//! | module | step |
//! |---|---|
//! | [`session`] | the plugins of a sync: started, checked, configured, stopped |
//! | [`reading`] | what is to be read: what is new, or a range that somebody names |
//! | `begin` | a new run, or the interrupted one |
//! | [`hold`] | one process at a time runs a sync; the lease behind that |
//! | [`plan`] | what to read: selected tables, stored states, an interrupted run to go on with |
//! | [`run`] | a sync from its hold to its report, over as many attempts as it takes |
//! | `attempts` | how many attempts, how far apart, what is said of those that broke off |
//! | `failed_start` | an attempt that failed before it had a run, remembered all the same |
//! | `attempt` | the steps of one attempt in their order, and what happens at their end |
//! | `queue` | partitions that go one after the other |
//! | `prepare` | the destinations made ready, once, before a row is read |
//! | `old_rows` | what a destination no longer takes for its age, told before the first row is read |
//! | `retry` | rejects of earlier runs sent again, before the partitions |
//! | [`replay`] | rejects sent again by a person's wish |
//! | `tables` | all partitions, so many at once; each table completed as its last partition is |
//! | `transfer` | one partition: batches one way, acks the other, checkpoints into the store |
//! | [`progress`] | counters that others may watch while it runs |
//! | [`dry_run`] | a run that sends nothing and leaves nothing: what it finds |
//! | [`report`] | what is said at the end |
//!
//! The decisions are in `longshore-core` ([`longshore_core::partition`], [`longshore_core::balance`]); what is here moves bytes and waits.
//! **Invariant: no row is decoded here.** A batch is an opaque message with an envelope.

mod attempt;
mod attempts;
mod begin;
pub mod dry_run;
mod failed_start;
pub mod hold;
mod old_rows;
pub mod plan;
mod prepare;
pub mod progress;
mod queue;
pub mod reading;
pub mod replay;
pub mod report;
mod retry;
pub mod run;
pub mod session;
mod tables;
mod transfer;
