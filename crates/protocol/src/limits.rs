//! Sizes that both ends of a stream keep. One constant for each, with the reason beside it.

use std::time::Duration;

/// No gRPC message is larger, in bytes. Large enough for a row of many megabytes, small enough that a few in flight fit any memory budget.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// What a message may hold besides its batch's Arrow bytes: the envelope's fields and gRPC framing.
pub const ENVELOPE_BYTES: usize = 64 * 1024;

/// Size a batch is aimed at, in bytes of Arrow data. Two hops over Unix sockets carry most at 256 KiB to 1 MiB a message; 4 MiB is slower.
pub const TARGET_BATCH_BYTES: usize = 512 * 1024;

/// Rows a batch is cut at even when they are tiny, so that a checkpoint is never far away.
pub const MAX_BATCH_ROWS: usize = 16 * 1024;

/// Window of HTTP/2 flow control for one stream, in bytes: what a source may have on the wire before the orchestrator takes it.
pub const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;

/// Window of HTTP/2 flow control for a connection, in bytes: several streams at full speed.
pub const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Size of one HTTP/2 frame, in bytes: a batch of [`TARGET_BATCH_BYTES`] comes in one, and its parts need not be joined by whoever receives it.
pub const FRAME_BYTES: u32 = 1024 * 1024;

/// A plugin that was asked to stop is killed after this.
pub const STOP_DEADLINE: Duration = Duration::from_secs(5);
