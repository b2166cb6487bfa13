//! Format, lints and documentation.

use longshore_tests::Result;

use crate::Cargo;

pub(crate) fn run(cargo: &Cargo<'_>) -> Result<()> {
    cargo.run(&["fmt", "--all", "--check"])?;
    cargo.run(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    cargo.run_with(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
}
