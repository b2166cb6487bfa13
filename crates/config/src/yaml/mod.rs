//! YAML text to a tree that remembers where everything stood.
//!
//! Built on the event layer of `saphyr-parser`, because what we promise (duplicate keys are errors, alias bombs are
//! refused, plain and quoted scalars are told apart, every key has a position) is decided between events and tree.

mod node;
mod scalar;
mod tree;

pub(crate) use node::{Content, Node, Origin, Scalar, escape_pointer, split_pointer};
pub(crate) use scalar::resolve_plain;
pub(crate) use tree::{Problem, parse};
