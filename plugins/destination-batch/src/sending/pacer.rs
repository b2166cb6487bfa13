//! The pace of one project: its token buckets, and the pause that one "too many requests" means for everything.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as Line, Notify},
    time::{Instant, sleep_until},
};

use super::{bucket::TokenBucket, request::Endpoint, retry::Retries};
use crate::{
    limits,
    spec::{Rate, RateLimits},
};

/// Shared by everything in the process that writes to the project.
///
/// Whoever sends knows four calls: [`turn`](Self::turn) before a request, [`arrived`](Self::arrived) when it is answered, then [`accepted`](Self::accepted)
/// or [`refused`](Self::refused). A bucket that several processes share (in a store of theirs, say) would be another body of these four; there is none, because the state store is the
/// orchestrator's and a lease for every request would cost more than `rate_limit.share` does.
#[derive(Debug)]
pub(crate) struct Pacer {
    retries: Retries,
    state: Mutex<State>,
    /// For each endpoint, those that wait for a turn; only the first one asks the bucket.
    lines: [Line<()>; 2],
    /// A request was answered, so that a turn may be had earlier.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// `None`: no rate to keep to.
    buckets: Option<[TokenBucket; 2]>,
    paused_until: Option<Instant>,
    /// Counts pauses: what is said of a request of an earlier round is of no weight any more.
    round: u64,
    refusals_in_a_row: u32,
}

/// Leave to send one request now. Says by its round what a refusal of that request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    round: u64,
    endpoint: Endpoint,
    /// Of the request, in its bucket.
    number: u64,
}

/// When a request arrives is known within this, at most: clocks tick, and the server looks at its own. What our bucket holds back covers the difference, so
/// that the server's bucket is never found empty when ours says there is enough. How long a request travels is covered by its tokens, which count until it
/// is answered.
const JITTER: Duration = Duration::from_millis(50);

/// The capacity and rate that we keep to, for what the server allows.
fn paced(rate: &Rate, documented: (f64, f64), share: f64) -> (f64, f64) {
    let per_second = rate.updates_per_second.unwrap_or(documented.0) * share;
    let burst = rate.burst.map_or(documented.1, f64::from) * share;
    let reserve = (per_second * JITTER.as_secs_f64()).min(burst / 4.0);
    (burst - reserve, per_second)
}

impl Pacer {
    pub(crate) fn new(rates: &RateLimits, retries: Retries, now: Instant) -> Self {
        let bucket = |(capacity, per_second)| TokenBucket::new(capacity, per_second, now);
        let buckets = (!rates.unlimited).then(|| Endpoint::ALL.map(|endpoint| bucket(Self::rate(rates, endpoint))));
        let state = State {
            buckets,
            paused_until: None,
            round: 0,
            refusals_in_a_row: 0,
        };
        Self {
            retries,
            state: Mutex::new(state),
            lines: <[Line<()>; 2]>::default(),
            changed: Notify::new(),
        }
    }

    /// Capacity and tokens per second that an endpoint is used with.
    pub(crate) fn rate(rates: &RateLimits, endpoint: Endpoint) -> (f64, f64) {
        match endpoint {
            Endpoint::Update => paced(
                &rates.update,
                (limits::UPDATE_PER_SECOND, limits::UPDATE_BURST),
                rates.share,
            ),
            Endpoint::MassUpdate => paced(
                &rates.mass_update,
                (limits::MASS_UPDATE_PER_SECOND, limits::MASS_UPDATE_BURST),
                rates.share,
            ),
        }
    }

    /// Waits until a request of so many operations may go: first come, first served. Dropping the wait costs nothing.
    pub(crate) async fn turn(&self, endpoint: Endpoint, operations: usize) -> Turn {
        let _first_in_line = self.lines[endpoint.index()].lock().await;
        loop {
            // Asked for before looking, so that nothing is missed in between.
            let changed = self.changed.notified();
            let again_at = match self.try_turn(endpoint, operations as f64, Instant::now()) {
                Ok(turn) => return turn,
                Err(again_at) => again_at,
            };
            tokio::select! {
                () = sleep_until(again_at) => {}
                () = changed => {}
            }
        }
    }

    /// The request of this turn was answered, whatever the answer.
    pub(crate) fn arrived(&self, turn: Turn) {
        let mut state = self.lock();
        if turn.round != state.round {
            return;
        }
        if let Some(buckets) = &mut state.buckets {
            buckets[turn.endpoint.index()].arrived(turn.number, Instant::now());
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The server said "too many requests" to a request of this turn. Returns the pause, if this begins one.
    pub(crate) fn refused(
        &self,
        turn: Turn,
        retry_after: Option<Duration>,
        chance: f64,
        now: Instant,
    ) -> Option<Duration> {
        let mut state = self.lock();
        if turn.round != state.round {
            // Sent before the pause began: part of the same refusal. What the server asks for still counts.
            if let Some(asked) = retry_after {
                let until = now + self.retries.pause_after(1, Some(asked), chance);
                state.paused_until = state.paused_until.map(|current| current.max(until));
            }
            return None;
        }
        state.refusals_in_a_row = state.refusals_in_a_row.saturating_add(1);
        let pause = self.retries.pause_after(state.refusals_in_a_row, retry_after, chance);
        state.round += 1;
        state.paused_until = Some(now + pause);
        for bucket in state.buckets.iter_mut().flatten() {
            bucket.empty(now);
        }
        Some(pause)
    }

    /// The server took a request of this turn.
    pub(crate) fn accepted(&self, turn: Turn) {
        let mut state = self.lock();
        if turn.round == state.round {
            state.refusals_in_a_row = 0;
        }
    }

    /// Leave to send now, or when to ask again.
    fn try_turn(&self, endpoint: Endpoint, tokens: f64, now: Instant) -> Result<Turn, Instant> {
        let mut state = self.lock();
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            return Err(until);
        }
        let round = state.round;
        let number = match &mut state.buckets {
            Some(buckets) => buckets[endpoint.index()].take(tokens, now)?,
            None => 0,
        };
        Ok(Turn {
            round,
            endpoint,
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Retry;

    fn pacer() -> Pacer {
        Pacer::new(&RateLimits::default(), Retries::new(&Retry::default()), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_uses_nearly_all_that_is_allowed_and_never_more() {
        let pacer = pacer();
        let start = Instant::now();
        let mut sent = 0.0;
        while start.elapsed() < Duration::from_secs(60) {
            let turn = pacer.turn(Endpoint::Update, 200).await;
            pacer.arrived(turn);
            sent += 200.0;
            let allowed = limits::UPDATE_BURST + limits::UPDATE_PER_SECOND * start.elapsed().as_secs_f64();
            assert!(sent <= allowed, "{sent} of {allowed}");
        }
        let allowed = limits::UPDATE_BURST + limits::UPDATE_PER_SECOND * 60.0;
        assert!(sent >= allowed * 0.98, "{sent} of {allowed}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_refusal_stops_all_endpoints_and_empties_their_buckets() {
        let pacer = pacer();
        let start = Instant::now();
        let turn = pacer.turn(Endpoint::Update, 200).await;
        let mut waiting = Box::pin(async {
            for _ in 0..5 {
                pacer.turn(Endpoint::Update, 200).await;
            }
        });
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(
            pacer.refused(turn, None, 0.0, Instant::now()),
            Some(Duration::from_secs(5))
        );
        pacer.turn(Endpoint::MassUpdate, 1).await;
        assert!(start.elapsed() >= Duration::from_secs(5));
        waiting.await;
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_one_round_are_one_refusal() {
        let pacer = pacer();
        let (first, second) = (
            pacer.turn(Endpoint::Update, 1).await,
            pacer.turn(Endpoint::Update, 1).await,
        );
        assert!(pacer.refused(first, None, 0.0, Instant::now()).is_some());
        assert!(pacer.refused(second, None, 0.0, Instant::now()).is_none());
        let third = pacer.turn(Endpoint::Update, 1).await;
        assert_eq!(
            pacer.refused(third, None, 0.0, Instant::now()),
            Some(Duration::from_secs(10))
        );
        let fourth = pacer.turn(Endpoint::Update, 1).await;
        pacer.accepted(fourth);
        assert_eq!(
            pacer.refused(fourth, None, 0.0, Instant::now()),
            Some(Duration::from_secs(5))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_given_up_gives_its_tokens_back() {
        let pacer = pacer();
        let start = Instant::now();
        let first = pacer.turn(Endpoint::Update, 985).await;
        pacer.arrived(first);
        {
            let mut waiting = Box::pin(pacer.turn(Endpoint::Update, 200));
            assert!(futures_util::poll!(&mut waiting).is_pending());
        }
        pacer.turn(Endpoint::Update, 150).await;
        assert!(start.elapsed() <= Duration::from_millis(510), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_nothing_waits() {
        let rates = RateLimits {
            unlimited: true,
            ..RateLimits::default()
        };
        let pacer = Pacer::new(&rates, Retries::new(&Retry::default()), Instant::now());
        let start = Instant::now();
        for _ in 0..1_000 {
            pacer.turn(Endpoint::Update, 200).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
