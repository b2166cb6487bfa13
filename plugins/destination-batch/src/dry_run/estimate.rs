//! How long the rate limits make so many updates take. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    sending::{bucket::TokenBucket, pacer::Pacer, request::Endpoint},
    spec::RateLimits,
};

/// From the first request until the last of so many updates may go, beginning with a full bucket; `None` without a rate.
pub(super) fn paced(rates: &RateLimits, endpoint: Endpoint, operations: u64) -> Option<Duration> {
    if rates.unlimited {
        return None;
    }
    let start = Instant::now();
    let (capacity, per_second) = Pacer::rate(rates, endpoint);
    // The very bucket that paces requests.
    let bucket = TokenBucket::new(capacity, per_second, start);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2⁵³ updates")]
    Some(bucket.time_for(operations as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sending::retry::Retries,
        spec::{Rate, Retry},
    };

    #[test]
    fn the_burst_is_free_and_the_rest_goes_at_the_rate() {
        let rates = RateLimits::default();
        let seconds = |endpoint, operations| paced(&rates, endpoint, operations).unwrap().as_secs_f64();
        // The bucket holds 15 of the 1,000 back, and 500 of the 10,000.
        assert_eq!(seconds(Endpoint::Update, 985), 0.0);
        assert_eq!(seconds(Endpoint::Update, 985 + 3_000), 10.0);
        assert_eq!(seconds(Endpoint::MassUpdate, 9_500 + 50_000), 5.0);
        let shared = RateLimits {
            share: 0.4,
            ..RateLimits::default()
        };
        assert_eq!(
            paced(&shared, Endpoint::Update, 394 + 1_200),
            Some(Duration::from_secs(10))
        );
        let configured = RateLimits {
            update: Rate {
                updates_per_second: Some(100.0),
                burst: Some(200),
            },
            ..RateLimits::default()
        };
        assert_eq!(
            paced(&configured, Endpoint::Update, 195 + 500),
            Some(Duration::from_secs(5))
        );
        let unlimited = RateLimits {
            unlimited: true,
            ..RateLimits::default()
        };
        assert_eq!(paced(&unlimited, Endpoint::Update, 1_000_000), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_the_time_that_the_pacer_takes() {
        let rates = RateLimits::default();
        let pacer = Pacer::new(&rates, Retries::new(&Retry::default()), Instant::now());
        let start = Instant::now();
        for _ in 0..100 {
            let turn = pacer.turn(Endpoint::Update, 137).await;
            pacer.arrived(turn);
        }
        let estimated = paced(&rates, Endpoint::Update, 13_700).unwrap();
        let difference = start.elapsed().abs_diff(estimated);
        assert!(
            difference < Duration::from_millis(2),
            "{:?}, not {estimated:?}",
            start.elapsed()
        );
    }
}
