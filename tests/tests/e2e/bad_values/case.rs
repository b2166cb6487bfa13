//! One kind of bad value, and a table that has rows of each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A word that stands in bad values wherever that is possible: no message may repeat it.
pub(super) const SECRET: &str = "HUSH";

/// What is wrong with a row.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The rule that the reject is to name.
    pub(super) rule: &'static str,
    /// The column that it is to name.
    pub(super) column: &'static str,
    /// The attribute that is left out; `None`: the whole row is refused.
    pub(super) attribute: Option<&'static str>,
    /// What makes a good row one of these: `column = expression, …`.
    pub(super) assignment: String,
    /// The reject's key, when the custom id itself is bad.
    pub(super) key: Option<Key>,
    /// Attributes that come with the assignment and are fine; null: one that goes with it.
    pub(super) also: Vec<(String, Value)>,
}

/// What a row is called whose custom id is bad.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// The table's primary key.
    Primary,
    /// This.
    Text(String),
    /// The custom id and this.
    IdAnd(&'static str),
}

impl Case {
    /// A column of a row is left out.
    pub(super) fn column(
        rule: &'static str,
        (column, attribute): (&'static str, &'static str),
        expression: impl std::fmt::Display,
    ) -> Self {
        Self {
            rule,
            column,
            attribute: Some(attribute),
            assignment: format!("{column} = {expression}"),
            key: None,
            also: Vec::new(),
        }
    }

    /// A row is refused because of a column.
    pub(super) fn row(rule: &'static str, column: &'static str, expression: impl std::fmt::Display) -> Self {
        Self {
            attribute: None,
            ..Self::column(rule, (column, ""), expression)
        }
    }

    /// The same, whose reject has this key.
    pub(super) fn called(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }
}

/// A table with good rows, and some of each case.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Statements that make it and fill it with good rows, numbered from 0 in the column `n`.
    pub(super) schema: String,
    pub(super) rows: u64,
    /// Row `n` is of case `n % every - 1`, when there is such a case.
    pub(super) every: u64,
    pub(super) cases: Vec<Case>,
    /// The attributes of a good row.
    pub(super) good: Map<String, Value>,
}

/// A reject as it is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Expected {
    pub(super) key: String,
    pub(super) rule: String,
    pub(super) column: String,
    pub(super) whole_row: bool,
}

/// Rule, column, and whether the whole row is refused.
pub(super) type Kind = (String, String, bool);

impl Expected {
    pub(super) fn kind(&self) -> Kind {
        (self.rule.clone(), self.column.clone(), self.whole_row)
    }
}

impl Table {
    /// What is wrong with a row; `None`: nothing.
    pub(super) fn case_of(&self, n: u64) -> Option<&Case> {
        let place = usize::try_from(n % self.every).ok()?.checked_sub(1)?;
        self.cases.get(place)
    }

    /// The statements that make good rows bad.
    pub(super) fn spoiled(&self) -> Vec<String> {
        let statement = |(case, place): (&Case, u64)| {
            let (name, every) = (self.name, self.every);
            format!("UPDATE {name} SET {} WHERE n % {every} = {place}", case.assignment)
        };
        self.cases.iter().zip(1..).map(statement).collect()
    }

    /// Every reject that the table is to have; rows that share a bad custom id have the same one.
    pub(super) fn rejects(&self) -> BTreeSet<Expected> {
        let reject = |n: u64| {
            let case = self.case_of(n)?;
            Some(Expected {
                key: match &case.key {
                    None => custom_id(n),
                    Some(Key::Primary) => n.to_string(),
                    Some(Key::Text(text)) => text.clone(),
                    Some(Key::IdAnd(end)) => format!("{}{end}", custom_id(n)),
                },
                rule: case.rule.to_owned(),
                column: case.column.to_owned(),
                whole_row: case.attribute.is_none(),
            })
        };
        (0..self.rows).filter_map(reject).collect()
    }

    /// How many rejects there are to be of each rule, column and extent.
    pub(super) fn counts_by_kind(&self) -> BTreeMap<Kind, u64> {
        let mut counts = BTreeMap::new();
        for case in (0..self.rows).filter_map(|n| self.case_of(n)) {
            let kind = (case.rule.to_owned(), case.column.to_owned(), case.attribute.is_none());
            *counts.entry(kind).or_default() += 1;
        }
        counts
    }

    /// The attributes that arrive of a row; `None`: the row does not.
    pub(super) fn arrives(&self, n: u64) -> Option<Map<String, Value>> {
        let mut attributes = self.good.clone();
        let Some(case) = self.case_of(n) else {
            return Some(attributes);
        };
        attributes.extend(case.also.iter().cloned());
        attributes.retain(|_, value| !value.is_null());
        attributes.remove(case.attribute?);
        Some(attributes)
    }
}

pub(super) fn custom_id(n: u64) -> String {
    format!("C-{n}")
}
