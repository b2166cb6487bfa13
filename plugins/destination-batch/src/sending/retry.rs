//! When to try again. Pure: chance comes in as a number between 0 and 1.

use std::time::Duration;

use longshore_sdk::core::retry::RetryPolicy;

use crate::spec::Retry;

/// The waits of one project.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    /// After failures of the network and of the server.
    pub(crate) transient: RetryPolicy,
    /// The shortest pause after "too many requests".
    pub(crate) pause: Duration,
    /// Attempts for one request that is refused with "too many requests".
    pub(crate) rate_limited_attempts: u32,
}

/// No pause after "too many requests" is longer, unless the server asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What the server asks for is taken at its word up to here: a misread header must not stop a project for a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);

impl Retries {
    pub(crate) fn new(spec: &Retry) -> Self {
        let transient = RetryPolicy {
            max_attempts: spec.max_attempts,
            first_delay: spec.first_delay.0,
            factor: 2.0,
            max_delay: spec.max_delay.0,
        };
        Self {
            transient,
            pause: spec.rate_limited_delay.0,
            rate_limited_attempts: spec.rate_limited_attempts,
        }
    }

    /// How long a project pauses: what the server asks for, or the shortest pause doubled with each refusal in a row, and up to a quarter more.
    pub(crate) fn pause_after(&self, refusals_in_a_row: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
        if let Some(asked) = retry_after {
            return asked.min(LONGEST_RETRY_AFTER);
        }
        let doublings = refusals_in_a_row.saturating_sub(1).min(16);
        let pause = (self.pause * 2_u32.pow(doublings)).min(LONGEST_PAUSE.max(self.pause));
        pause.mul_f64(1.0 + 0.25 * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_from_the_server_pauses_start_at_five_seconds_and_grow() {
        let retries = Retries::new(&Retry::default());
        let seconds = |refusals, chance| retries.pause_after(refusals, None, chance).as_secs_f64();
        assert_eq!(seconds(1, 0.0), 5.0);
        assert_eq!(seconds(1, 1.0), 6.25);
        assert_eq!(seconds(2, 0.0), 10.0);
        assert_eq!(seconds(100, 0.0), 60.0);
    }

    #[test]
    fn the_servers_word_counts() {
        let retries = Retries::new(&Retry::default());
        assert_eq!(
            retries.pause_after(3, Some(Duration::from_secs(1)), 0.9),
            Duration::from_secs(1)
        );
        assert_eq!(
            retries.pause_after(1, Some(Duration::from_secs(86_400)), 0.9),
            LONGEST_RETRY_AFTER
        );
    }
}
