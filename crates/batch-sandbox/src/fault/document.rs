//! Fault rules as JSON documents.

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

use super::{Chance, FaultKind, FaultRule};

/// A rule as JSON: one flat object, in which an unknown or misplaced field is an error.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleDocument {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    skip: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<u64>,
}

impl TryFrom<RuleDocument> for FaultRule {
    type Error = String;

    fn try_from(mut document: RuleDocument) -> Result<Self, String> {
        let kind = document.take_kind()?;
        if let Some(field) = document.field_of_another_kind() {
            return Err(format!("{field} has no meaning for a fault of kind {}", document.kind));
        }
        let chance = match (document.probability, document.seed) {
            (None, None) => None,
            (None, Some(_)) => return Err("seed needs a probability".to_owned()),
            (Some(probability), _) if !(0.0..=1.0).contains(&probability) => {
                return Err("probability must be from 0 to 1".to_owned());
            }
            (Some(probability), seed) => Some(Chance {
                probability,
                seed: seed.unwrap_or_default(),
            }),
        };
        let burst = document.burst.unwrap_or(1);
        if burst == 0 {
            return Err("burst must be 1 or more".to_owned());
        }
        Ok(Self {
            kind,
            endpoint: document.endpoint,
            project: document.project,
            skip: document.skip,
            next: document.next,
            chance,
            burst,
        })
    }
}

impl RuleDocument {
    fn take_kind(&mut self) -> Result<FaultKind, String> {
        let status = match self.kind.as_str() {
            "status_429" => Some(429),
            "status_500" => Some(500),
            "status_503" => Some(503),
            "status" => Some(self.status.take().ok_or("a fault of kind status needs a status")?),
            _ => None,
        };
        if let Some(status) = status {
            if !(400..=599).contains(&status) {
                return Err("status must be from 400 to 599".to_owned());
            }
            return Ok(FaultKind::Status {
                status,
                retry_after_s: self.retry_after_s.take(),
                error_code: self.error_code.take(),
                applied: self.applied.take().unwrap_or(false),
            });
        }
        match self.kind.as_str() {
            "slow" => Ok(FaultKind::Slow {
                ms: self.ms.take().ok_or("a fault of kind slow needs ms")?,
                applied: self.applied.take().unwrap_or(true),
            }),
            "cut_before" => Ok(FaultKind::CutBefore),
            "cut_after" => Ok(FaultKind::CutAfter),
            "partial_errors" => Ok(FaultKind::PartialErrors {
                operations: self.operations.take().unwrap_or(1),
            }),
            "garbled" => Ok(FaultKind::Garbled),
            other => Err(format!(
                "unknown kind of fault {other:?}; known are status_429, status_500, status_503, status, slow, cut_before, \
                 cut_after, partial_errors and garbled"
            )),
        }
    }

    /// Called after the kind has taken its own fields.
    fn field_of_another_kind(&self) -> Option<&'static str> {
        let left = [
            ("status", self.status.is_some()),
            ("retry_after_s", self.retry_after_s.is_some()),
            ("error_code", self.error_code.is_some()),
            ("applied", self.applied.is_some()),
            ("ms", self.ms.is_some()),
            ("operations", self.operations.is_some()),
        ];
        left.into_iter().find_map(|(name, is_left)| is_left.then_some(name))
    }
}

impl From<FaultRule> for RuleDocument {
    fn from(rule: FaultRule) -> Self {
        let mut document = Self {
            endpoint: rule.endpoint,
            project: rule.project,
            skip: rule.skip,
            next: rule.next,
            probability: rule.chance.map(|chance| chance.probability),
            seed: rule.chance.map(|chance| chance.seed),
            burst: (rule.burst > 1).then_some(rule.burst),
            ..Self::default()
        };
        let name = match rule.kind {
            FaultKind::Status {
                status,
                retry_after_s,
                error_code,
                applied,
            } => {
                document.status = Some(status);
                document.retry_after_s = retry_after_s;
                document.error_code = error_code;
                document.applied = Some(applied);
                "status"
            }
            FaultKind::Slow { ms, applied } => {
                document.ms = Some(ms);
                document.applied = Some(applied);
                "slow"
            }
            FaultKind::CutBefore => "cut_before",
            FaultKind::CutAfter => "cut_after",
            FaultKind::PartialErrors { operations } => {
                document.operations = Some(operations);
                "partial_errors"
            }
            FaultKind::Garbled => "garbled",
        };
        document.kind = name.to_owned();
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_and_written_without_loss() {
        let documents = [
            r#"{"kind":"status_429","retry_after_s":2,"next":3}"#,
            r#"{"kind":"status_500"}"#,
            r#"{"kind":"status","status":502,"applied":true,"error_code":"X"}"#,
            r#"{"kind":"slow","ms":20,"probability":0.25,"seed":7}"#,
            r#"{"kind":"cut_before","endpoint":"mass_update","skip":1}"#,
            r#"{"kind":"cut_after","project":"p"}"#,
            r#"{"kind":"partial_errors","operations":2}"#,
            r#"{"kind":"garbled"}"#,
            r#"{"kind":"status_429","probability":0.01,"seed":7,"burst":3}"#,
        ];
        for document in documents {
            let rule: FaultRule = serde_json::from_str(document).unwrap();
            let written = serde_json::to_string(&rule).unwrap();
            assert_eq!(serde_json::from_str::<FaultRule>(&written).unwrap(), rule, "{document}");
        }
    }

    #[test]
    fn documents_that_mean_nothing_are_refused() {
        let documents = [
            r#"{"next":1}"#,
            r#"{"kind":"explode"}"#,
            r#"{"kind":"slow"}"#,
            r#"{"kind":"status"}"#,
            r#"{"kind":"status","status":202}"#,
            r#"{"kind":"cut_after","ms":5}"#,
            r#"{"kind":"status_500","operations":5}"#,
            r#"{"kind":"cut_after","probability":1.5}"#,
            r#"{"kind":"cut_after","seed":1}"#,
            r#"{"kind":"cut_after","burst":0}"#,
            r#"{"kind":"cut_after","proability":0.5}"#,
        ];
        for document in documents {
            assert!(serde_json::from_str::<FaultRule>(document).is_err(), "{document}");
        }
    }
}
