//! Every type of ClickHouse on its way to Batch: what arrives is what the engine says that the value is, in the form that the READMEs of the two plugins document.
//!
//! What should arrive is worked out here from the engine's own text of each value, without any code of the plugins.

mod case;
mod containers;
mod documents;
mod numbers;
mod outcome;
mod refused;
mod texts;
mod times;
