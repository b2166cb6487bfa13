//! The exact requests for some rows, without sending them. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use longshore_sdk::{
    arrow::array::RecordBatch,
    destination::{Preview, PreviewedRequest},
    prelude::*,
};
use url::Url;

use crate::{
    encode::rows::encode,
    mapping::TablePlan,
    sending::{claims::Claims, pool::Pool, request::RequestLimits},
};

/// What would be sent for these batches, and what would be refused, in the order in which a lone stream would do it. Made by the same code that sends.
///
/// # Errors
/// When a batch has not the columns of the plan.
pub(crate) fn preview(
    plan: &Arc<TablePlan>,
    batches: &[RecordBatch],
    url: &Url,
    limits: RequestLimits,
    now: DateTime<Utc>,
) -> Result<Preview> {
    let mut pool = Pool::default();
    let mut rejects = Vec::new();
    for (batch, sequence) in batches.iter().zip(1..) {
        let encoded = encode(plan, sequence, batch, now)?;
        rejects.extend(encoded.rejects);
        for row in encoded.batch.rows() {
            pool.push(row);
        }
    }
    let claims = Arc::new(Claims::default());
    let mut requests = Vec::new();
    while let Some(request) = pool.take(limits, claims.claim()) {
        let body = String::from_utf8(request.body.into())
            .map_err(|error| Error::internal("request_broken", "A request is no UTF-8").with_cause(&error))?;
        requests.push(PreviewedRequest {
            method: "POST".to_owned(),
            url: url.to_string(),
            body,
        });
        pool.release(request.operations.iter().map(crate::operation::Operation::custom_id));
    }
    Ok(Preview {
        requests,
        rejects,
        id_column: Some(plan.column_name(plan.custom_id)),
    })
}
