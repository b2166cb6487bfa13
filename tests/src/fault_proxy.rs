//! Faults at exact moments of a run.
//!
//! A fault proxy is a program that Longshore starts in place of a plugin (`registry: local`). It starts the real plugin as its child and passes every
//! message on, both ways and one at a time, so it knows where the run is: at the moment that its [`Plan`] names, it hits one of the three processes.
//! Longshore can not tell it from the plugin: it dies with it, is stopped with it, and has its words.
//!
//! Tests lay two proxies into a folder with [`FaultProxies::install`], say what is to happen with [`FaultProxies::arm`], and ask afterwards whether it did:
//! a plan fires once, however often plugins are started again, and a plan that did not fire must fail its test.

mod child;
mod cuts;
mod destination;
mod folder;
mod plan;
mod plugin;
mod program;
mod relay;
mod source;
mod watch;
mod wire;

pub use folder::{FaultProxies, Fired};
pub use plan::{Fault, Moment, Plan, Role, Victim};
pub use program::main;
