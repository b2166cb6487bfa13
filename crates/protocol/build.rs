//! Compiles the plugin contract without a system `protoc`.

use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files =
        ["plugin", "table", "source", "destination"].map(|name| root.join(format!("longshore/plugin/v1/{name}.proto")));
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    let descriptors = protox::compile(&files, [&root])?;
    tonic_prost_build::configure()
        // Batches go from socket to socket without being copied.
        .bytes(".")
        // Comments of the .proto are for plugin authors in any language; as rustdoc they would be parsed as code.
        .disable_comments(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
