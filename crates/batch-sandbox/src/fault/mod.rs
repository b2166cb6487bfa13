//! Faults on demand. A rule says what goes wrong, for which calls and how often; it counts how often it did, so that a
//! test can tell a fault that never fired.

mod document;

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

use document::RuleDocument;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// An error answer of this status. `applied`: the call takes effect all the same, as behind a broken gateway.
    Status {
        /// 400 to 599.
        status: u16,
        /// Value of a `Retry-After` header, in seconds. Batch documents none.
        retry_after_s: Option<u64>,
        /// The `error_code`; the documented one of the status when absent.
        error_code: Option<String>,
        /// Whether the call takes effect.
        applied: bool,
    },
    /// The answer comes `ms` milliseconds late. `applied`: the call takes effect at once, even when the client does not
    /// wait; otherwise after the delay, and only when the client is still there.
    Slow {
        /// Delay in milliseconds.
        ms: u64,
        /// Whether the call takes effect before the delay.
        applied: bool,
    },
    /// The connection is closed without an answer, and nothing took effect.
    CutBefore,
    /// The call takes effect, then the connection is closed without an answer.
    CutAfter,
    /// The first `operations` operations are refused with a partial error each; the rest is applied.
    PartialErrors {
        /// How many operations.
        operations: usize,
    },
    /// The call takes effect and is answered with 202 and a body that is not JSON.
    Garbled,
}

/// What goes wrong, when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RuleDocument", into = "RuleDocument")]
pub struct FaultRule {
    kind: FaultKind,
    endpoint: Option<Endpoint>,
    project: Option<String>,
    skip: u64,
    next: Option<u64>,
    chance: Option<Chance>,
    /// Calls that the rule spoils in a row each time it fires.
    burst: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Chance {
    probability: f64,
    seed: u64,
}

impl FaultRule {
    /// A rule that fires for every authenticated call.
    pub fn always(kind: FaultKind) -> Self {
        Self {
            kind,
            endpoint: None,
            project: None,
            skip: 0,
            next: None,
            chance: None,
            burst: 1,
        }
    }

    /// Fires `times` times at most.
    #[must_use]
    pub fn next(mut self, times: u64) -> Self {
        self.next = Some(times);
        self
    }

    /// Lets the first `calls` matching calls pass.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Fires with this probability, 0 to 1; equal seeds decide equally.
    #[must_use]
    pub fn with_probability(mut self, probability: f64, seed: u64) -> Self {
        self.chance = Some(Chance { probability, seed });
        self
    }

    /// Each time it fires, spoils so many calls in a row: as an outage does.
    #[must_use]
    pub fn in_bursts_of(mut self, calls: u64) -> Self {
        self.burst = calls;
        self
    }

    /// Fires for calls of this endpoint only.
    #[must_use]
    pub fn on(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Fires for calls of this project only.
    #[must_use]
    pub fn of(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    fn matches(&self, endpoint: Endpoint, project: &str) -> bool {
        self.endpoint.is_none_or(|only| only == endpoint) && self.project.as_deref().is_none_or(|only| only == project)
    }
}

/// How often a rule was asked and fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The rule.
    pub rule: FaultRule,
    /// Matching calls that reached this rule, those it let pass included.
    pub seen: u64,
    /// Calls that it spoilt.
    pub fired: u64,
}

/// The rules in force, asked in their order; the first one that fires has the call.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan {
    rules: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    report: FaultReport,
    random: u64,
    /// Calls that the burst under way still spoils.
    left_of_burst: u64,
}

impl FaultPlan {
    pub(crate) fn replace(&mut self, rules: Vec<FaultRule>) {
        let armed = rules.into_iter().map(|rule| Armed {
            random: rule.chance.map_or(0, |chance| chance.seed),
            report: FaultReport {
                rule,
                seen: 0,
                fired: 0,
            },
            left_of_burst: 0,
        });
        self.rules = armed.collect();
    }

    pub(crate) fn reports(&self) -> Vec<FaultReport> {
        self.rules.iter().map(|armed| armed.report.clone()).collect()
    }

    pub(crate) fn decide(&mut self, endpoint: Endpoint, project: &str) -> Option<FaultKind> {
        let mut matching = self
            .rules
            .iter_mut()
            .filter(|armed| armed.report.rule.matches(endpoint, project));
        matching.find_map(|armed| armed.fires().then(|| armed.report.rule.kind.clone()))
    }
}

impl Armed {
    fn fires(&mut self) -> bool {
        let Self {
            report,
            random,
            left_of_burst,
        } = self;
        report.seen += 1;
        if report.seen <= report.rule.skip || report.rule.next.is_some_and(|times| report.fired >= times) {
            return false;
        }
        if *left_of_burst > 0 {
            *left_of_burst -= 1;
            report.fired += 1;
            return true;
        }
        let drawn = report
            .rule
            .chance
            .is_none_or(|chance| unit(random) < chance.probability);
        if drawn {
            report.fired += 1;
            *left_of_burst = report.rule.burst.saturating_sub(1);
        }
        drawn
    }
}

/// A number from 0 to below 1 (SplitMix64: small, well spread, the same everywhere).
fn unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    let upper_53_bits = mixed >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let numerator = upper_53_bits as f64;
    numerator / 9_007_199_254_740_992.0
}

impl FaultKind {
    /// The name of the kind in documents.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Slow { .. } => "slow",
            Self::CutBefore => "cut_before",
            Self::CutAfter => "cut_after",
            Self::PartialErrors { .. } => "partial_errors",
            Self::Garbled => "garbled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rules: &[FaultRule]) -> FaultPlan {
        let mut plan = FaultPlan::default();
        plan.replace(rules.to_vec());
        plan
    }

    fn fired(plan: &mut FaultPlan, calls: usize) -> Vec<bool> {
        (0..calls)
            .map(|_| plan.decide(Endpoint::Update, "p").is_some())
            .collect()
    }

    #[test]
    fn a_rule_skips_then_fires_the_given_number_of_times_and_counts_both() {
        let mut plan = plan(&[FaultRule::always(FaultKind::CutAfter).after(2).next(3)]);
        assert_eq!(fired(&mut plan, 7), [false, false, true, true, true, false, false]);
        let report = &plan.reports()[0];
        assert_eq!((report.seen, report.fired), (7, 3));
    }

    #[test]
    fn a_probability_draws_the_same_with_the_same_seed_and_near_its_share() {
        let rule = FaultRule::always(FaultKind::CutBefore).with_probability(0.1, 42);
        let first = fired(&mut plan(std::slice::from_ref(&rule)), 10_000);
        assert_eq!(first, fired(&mut plan(std::slice::from_ref(&rule)), 10_000));
        let count = first.iter().filter(|fired| **fired).count();
        assert!((900..1_100).contains(&count), "{count} of 10,000");
        let other = FaultRule::always(FaultKind::CutBefore).with_probability(0.1, 43);
        assert_ne!(first, fired(&mut plan(&[other]), 10_000));
    }

    #[test]
    fn a_burst_spoils_calls_in_a_row() {
        let rule = FaultRule::always(FaultKind::CutBefore)
            .with_probability(0.05, 7)
            .in_bursts_of(3);
        let fired = fired(&mut plan(&[rule]), 2_000);
        let lengths: Vec<usize> = fired
            .chunk_by(|a, b| a == b)
            .filter(|run| run[0])
            .map(<[bool]>::len)
            .collect();
        assert!(lengths.len() > 20, "{lengths:?}");
        assert!(lengths.iter().all(|length| length % 3 == 0), "{lengths:?}");
    }

    #[test]
    fn probabilities_of_zero_and_one_never_and_always_fire() {
        let never = FaultRule::always(FaultKind::CutBefore).with_probability(0.0, 1);
        assert!(!fired(&mut plan(&[never]), 1_000).contains(&true));
        let always = FaultRule::always(FaultKind::CutBefore).with_probability(1.0, 1);
        assert!(!fired(&mut plan(&[always]), 1_000).contains(&false));
    }

    #[test]
    fn a_rule_for_one_endpoint_or_project_leaves_the_others_alone() {
        let mut plan = plan(&[
            FaultRule::always(FaultKind::CutAfter).on(Endpoint::MassUpdate),
            FaultRule::always(FaultKind::CutBefore).of("p"),
        ]);
        assert_eq!(plan.decide(Endpoint::MassUpdate, "p"), Some(FaultKind::CutAfter));
        assert_eq!(plan.decide(Endpoint::Update, "p"), Some(FaultKind::CutBefore));
        assert_eq!(plan.decide(Endpoint::Update, "q"), None);
        let counts: Vec<_> = plan
            .reports()
            .iter()
            .map(|report| (report.seen, report.fired))
            .collect();
        assert_eq!(counts, [(1, 1), (1, 1)]);
    }

    #[test]
    fn the_first_rule_that_fires_has_the_call() {
        let mut plan = plan(&[
            FaultRule::always(FaultKind::CutBefore).next(1),
            FaultRule::always(FaultKind::CutAfter),
        ]);
        assert_eq!(plan.decide(Endpoint::Update, "p"), Some(FaultKind::CutBefore));
        assert_eq!(plan.decide(Endpoint::Update, "p"), Some(FaultKind::CutAfter));
    }
}
