//! The SDK as a plugin's author and as Longshore meet it: over the real protocol, and the examples as real processes.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails here")]

mod certificates;
mod destination_stream;
mod examples;
mod partition_writer;
mod plugin_process;
mod rejected_rows;
mod serving;
