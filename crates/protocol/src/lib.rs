//! The plugin contract as Rust: generated types ([`v1`]), their conversions to and from the core's types, Arrow framing, limits.
//!
//! The contract itself is `proto/longshore/plugin/v1/*.proto`; it is what authors of plugins in other languages read. There is no policy
//! here: who waits for whom, what is retried, what is refused is decided by the SDK on one side and the orchestrator on the other.

pub mod batch_stream;
pub mod convert;
pub mod framing;
pub mod limits;
pub mod status;

/// Version of the contract that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The rule of rejects that hold a row because an earlier attempt may have delivered it; see `WriteOpen.uncertain_rows`.
pub const UNCERTAIN_DELIVERY: &str = "uncertain_delivery";

/// The partition as which rejects of earlier runs are sent again; see `WriteOpen.partition_id`.
pub const REJECTS_PARTITION: &str = "rejects";

/// Generated from `proto/longshore/plugin/v1`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("longshore.plugin.v1");
}
