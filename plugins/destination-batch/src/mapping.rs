//! From a table's columns to Batch's attributes: decided once per table, before a row is read.

pub(crate) mod key;
mod kind;
mod plan;
mod refusal;

pub(crate) use kind::AttributeKind;
pub(crate) use plan::TablePlan;
