//! A local emulator of the Batch Profile API, with its documented limits.
//!
//! It answers `POST /{version}/profiles/update` and `POST /{version}/profiles/mass-update` as the documentation says, keeps
//! what it is sent in memory, and tells about it under `/_sandbox`. It is written from the facts about the API alone and
//! shares no code with any client, so that each checks the other. The crate's README says what is documented and what is
//! inferred, and lists the control API.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use longshore_batch_sandbox::{Options, Sandbox};
//!
//! let running = Sandbox::start(Options::for_project("project_1", "rest_1")).await?;
//! let base_url = format!("http://{}/2.11", running.address());
//! // … a client posts to `{base_url}/profiles/update` …
//! let project = running.sandbox().project("project_1").expect("it was given");
//! assert_eq!(project.counts().profiles, 0);
//! running.stop().await;
//! # Ok(()) }
//! ```

mod answer;
mod api;
mod bucket;
mod call;
mod clock;
mod control;
mod dump;
mod endpoint;
mod fault;
mod gzip;
mod json;
pub mod limits;
mod options;
mod project;
mod rate_limits;
mod request;
mod request_log;
mod sandbox;
mod server;
mod store;
mod strict;
mod sync;
mod validation;

pub use bucket::{MASS_UPDATE, Rate, TokenBucket, UPDATE};
pub use clock::{Clock, ManualClock, SystemClock};
pub use endpoint::Endpoint;
pub use fault::{FaultKind, FaultReport, FaultRule};
pub use options::{Credentials, Options};
pub use project::{Counts, EndpointCounts, Project};
pub use rate_limits::Limit;
pub use request_log::LoggedRequest;
pub use sandbox::Sandbox;
pub use server::{Running, StartError};
pub use store::{AttributeValue, DuplicateGroup, Duplicates, EventSnapshot, ProfileSnapshot};
pub use strict::{Violation, ViolationKind, Violations};
pub use validation::{Category, PartialError};
