//! How much of the documented rate limits a sync uses, by what the sandbox let in within a time. Of the processes nothing is measured: they wait.

use longshore_tests::{
    Failure, Result,
    pace::{Endpoint, Pace},
};

use super::Sample;
use crate::stage::Stage;

/// Partitions in flight, as a configuration that says nothing has it.
const STREAMS: u32 = 2;

/// What a bucket that is full at the first call lets in.
pub(super) fn bucket(endpoint: Endpoint, stage: &Stage) -> Sample {
    let pace = pace(endpoint, stage);
    within(&pace, pace.given())
}

/// What a sync sends.
///
/// # Errors
/// A call was refused with 429.
pub(super) async fn sync(endpoint: Endpoint, stage: &Stage) -> Result<Sample> {
    let pace = pace(endpoint, stage);
    let measured = pace.measure().await?;
    match measured.refused {
        0 => Ok(within(&pace, measured.used)),
        refused => Err(Failure::new(format!("{refused} calls were refused with 429"))),
    }
}

fn pace(endpoint: Endpoint, stage: &Stage) -> Pace {
    Pace {
        endpoint,
        streams: STREAMS,
        time: stage.sizes.limited,
    }
}

fn within(pace: &Pace, rows: u64) -> Sample {
    Sample {
        seconds: pace.time.as_secs_f64(),
        rows,
        bytes: None,
        processes: Vec::new(),
    }
}
