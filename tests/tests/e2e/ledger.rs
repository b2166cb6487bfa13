//! The ledger of rejects: rows that were refused are kept, tried again, superseded, mended and sent again.

mod interrupted;
mod mending;
mod retrying;
mod same_row;
mod scene;
mod superseding;
