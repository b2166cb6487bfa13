//! Rows that the last run delivered and this one sees again.

use longshore_core::{Result, TableState, fingerprints::Fingerprints};

use crate::source::PartitionWriter;

/// Decides for each row of an incremental read whether it is new.
#[derive(Clone, Debug, Default)]
pub struct SeenRows {
    delivered: Fingerprints,
    baseline: bool,
}

impl SeenRows {
    /// `delivered` is what the last run remembered; with `baseline` rows are only remembered for the next run and never delivered (`start_from: now`).
    #[must_use]
    pub fn new(delivered: Fingerprints, baseline: bool) -> Self {
        Self { delivered, baseline }
    }

    /// Whether a row is to be delivered; one that is not is counted as filtered or deduplicated. A row that the next run may see `again` is remembered
    /// for it. `fingerprint` is asked only when it is needed: two rows with the same content must have the same in every run.
    pub fn is_new(&mut self, again: bool, fingerprint: impl FnOnce() -> u64, output: &mut PartitionWriter) -> bool {
        if !again && self.delivered.is_empty() && !self.baseline {
            return true;
        }
        let fingerprint = fingerprint();
        if again {
            output.fingerprint(fingerprint);
        }
        if self.baseline {
            output.filtered(1);
            return false;
        }
        if self.delivered.take(fingerprint) {
            output.deduplicated(1);
            return false;
        }
        true
    }

    /// Looks at a row that is left for the next run because it is too new, and that may have been delivered all the same, when its time was still to
    /// come: such a row is remembered once more and counted as deduplicated. Any other is not counted at all.
    pub fn recall(&mut self, fingerprint: impl FnOnce() -> u64, output: &mut PartitionWriter) {
        if self.delivered.is_empty() {
            return;
        }
        let fingerprint = fingerprint();
        if self.delivered.take(fingerprint) {
            output.fingerprint(fingerprint);
            output.deduplicated(1);
        }
    }

    /// Whether no row needs its fingerprint but those that the next run may see again.
    #[must_use]
    pub fn lets_all_pass(&self) -> bool {
        self.delivered.is_empty() && !self.baseline
    }
}

/// The rows that the last run delivered and this one may see again. `own` reads the source's part of a state, and answers `None` for a cursor that was set
/// by hand: it means that rows are wanted again.
///
/// # Errors
/// Those of `own`.
pub fn delivered_before<T>(
    state: Option<&TableState>,
    own: impl FnOnce(&TableState) -> Result<Option<T>>,
) -> Result<Fingerprints> {
    match state {
        Some(state) if own(state)?.is_some() => Ok(state.fingerprints.clone()),
        Some(_) | None => Ok(Fingerprints::default()),
    }
}
