//! What a connection test tries.

use longshore_sdk::prelude::*;

use crate::{
    answers::{self, Consequence, success},
    sending::{project::Project, request::Endpoint},
    values::write_json_string,
};

const REACH: &str = "reach the API";
const KEYS: &str = "use the keys";

/// Tries whether the API answers and, with a custom id to do it with, whether it takes the keys.
pub(crate) async fn test_connection(project: &Project, test_custom_id: Option<&str>) -> Vec<Check> {
    let base = project.client.base();
    let reached = match project.client.reach().await {
        Ok(status) => Check::passed(REACH, format!("{base} answers (HTTP {status})")),
        Err(error) => {
            let error = Error::destination("unreachable", format!("{base} can not be reached"))
                .with_cause(&error.without_url())
                .with_remedy("Check base_url, the network, proxies and certificates of this machine.");
            return vec![
                Check::from_error(REACH, &error),
                Check::skipped(KEYS, "the API could not be reached"),
            ];
        }
    };
    let keys = match test_custom_id {
        Some(custom_id) => try_keys(project, custom_id).await,
        None => Check::warning(
            KEYS,
            "not tried: Batch has no call that tries keys without writing",
            "Set test_custom_id to a custom id of your own; the test then sends this id without attributes. Otherwise the first run tries the keys.",
        ),
    };
    vec![reached, keys]
}

/// One operation with an identifier and nothing else: a wrong key is refused, a right one changes nothing of a profile that exists.
async fn try_keys(project: &Project, custom_id: &str) -> Check {
    let mut body = b"[{\"identifiers\":{\"custom_id\":".to_vec();
    write_json_string(&mut body, custom_id);
    body.extend_from_slice(b"}}]");
    project.pacer.turn(Endpoint::Update, 1).await;
    let reply = project.client.post(Endpoint::Update, body.into()).await;
    let is_read = reply.ending.rule().consequence == Consequence::Read;
    match is_read.then(|| success::read(&reply.body, 1)).flatten() {
        Some(errors) if errors.is_empty() => Check::passed(KEYS, "Batch takes them"),
        Some(_) => Check::failed(
            KEYS,
            "Batch takes the keys but refused test_custom_id",
            "Choose another custom id.",
        ),
        None => {
            let error = answers::error(reply.ending, &reply.body);
            let error = reply
                .cause
                .as_ref()
                .map_or_else(|| error.clone(), |cause| error.clone().with_cause(cause));
            Check::from_error(KEYS, &error)
        }
    }
}
