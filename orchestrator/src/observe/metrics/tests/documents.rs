//! What speaks of metrics outside the code — documentation, dashboard, alert rules — names metrics that exist, with the labels that they have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde_json::Value;

use crate::observe::metrics::names::{self, Kind, Metric};

const BEGIN: &str = "<!-- metrics: begin -->\n";
const END: &str = "<!-- metrics: end -->\n";

fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documentation() -> String {
    let mut text = String::from("| metric | type | labels | what it says |\n|---|---|---|---|\n");
    for Metric {
        name,
        kind,
        labels,
        help,
        ..
    } in names::ALL
    {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        text += &format!("| `{name}` | {} | {} | {help} |\n", kind.as_str(), labels.join(", "));
    }
    text
}

#[test]
fn the_documentation_lists_every_metric_as_it_is() {
    let page = file("docs/metrics.md");
    let (_, rest) = page.split_once(BEGIN).expect("the page has a list");
    let (list, _) = rest.split_once(END).expect("the list has an end");
    assert_eq!(list, documentation(), "put what is on the right between the marks");
}

/// An expression of PromQL, as far as it is of interest here.
struct Expression<'t>(&'t str);

impl<'t> Expression<'t> {
    fn words(&self) -> impl Iterator<Item = (usize, &'t str)> {
        let text = self.0;
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let mut at = 0;
        text.split(move |character| !is_word(character))
            .filter_map(move |word| {
                let begun = at;
                at += word.len() + 1;
                (!word.is_empty()).then_some((begun, word))
            })
    }

    /// The metrics that it names, each with the labels that it may be asked for, and where its name ends.
    fn metrics(&self) -> Vec<(usize, BTreeSet<&'static str>)> {
        let named = self.words().filter(|(_, word)| word.starts_with("longshore_"));
        let known = named.map(|(at, word)| {
            let labels = labels_of(word).unwrap_or_else(|| panic!("there is no metric {word}: {}", self.0));
            (at + word.len(), labels)
        });
        known.collect()
    }

    fn check(&self) -> BTreeSet<&'static str> {
        let metrics = self.metrics();
        assert!(!metrics.is_empty(), "no metric of ours in {}", self.0);
        for (end, labels) in &metrics {
            let Some(selectors) = self.0[*end..].strip_prefix('{') else {
                continue;
            };
            let selectors = selectors.split('}').next().unwrap();
            for selector in selectors.split(',').filter(|selector| !selector.is_empty()) {
                let label = selector.split(['=', '!']).next().unwrap().trim();
                assert!(labels.contains(label), "no label {label}: {}", self.0);
            }
        }
        let common = metrics.iter().map(|(_, labels)| labels.clone());
        let common: BTreeSet<_> = common.reduce(|one, other| &one & &other).unwrap();
        for keyword in ["by (", "on ("] {
            for grouped in self.0.split(keyword).skip(1) {
                for label in grouped.split(')').next().unwrap().split(',').map(str::trim) {
                    assert!(common.contains(label), "not all have a label {label}: {}", self.0);
                }
            }
        }
        common
    }
}

fn labels_of(word: &str) -> Option<BTreeSet<&'static str>> {
    names::ALL.iter().find_map(|metric| {
        let of_histogram = metric.kind == Kind::Histogram;
        let suffix = word.strip_prefix(metric.name)?;
        let matches = match suffix {
            "" => !of_histogram,
            "_bucket" | "_sum" | "_count" => of_histogram,
            _ => false,
        };
        let le = (suffix == "_bucket").then_some("le");
        matches.then(|| metric.labels.iter().copied().chain(le).collect())
    })
}

/// The names in `{{name}}` or `{{ $labels.name }}`.
fn placeholders(text: &str) -> Vec<&str> {
    let inside = text
        .split("{{")
        .skip(1)
        .map(|rest| rest.split("}}").next().unwrap().trim());
    let named = inside.filter_map(|inside| match inside.strip_prefix('$') {
        Some(variable) => variable.strip_prefix("labels."),
        None => Some(inside),
    });
    named.collect()
}

#[test]
fn every_panel_of_the_dashboard_shows_a_metric_that_exists_by_labels_that_it_has() {
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/longshore.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = String::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "two panels have one id: {panel}"
        );
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let labels = Expression(expression).check();
            for name in placeholders(target["legendFormat"].as_str().unwrap()) {
                assert!(labels.contains(name), "no label {name} for the legend of {expression}");
            }
            shown.push_str(expression);
        }
    }
    for metric in names::ALL {
        assert!(shown.contains(metric.name), "no panel shows {}", metric.name);
    }
    let variable = dashboard["templating"]["list"][1]["definition"].as_str().unwrap();
    let labels = Expression(variable).metrics().remove(0).1;
    assert!(labels.contains("sync"), "{variable}");
}

/// The scalars of the rules, by key; enough of YAML for a file of ours.
fn rules(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut rules: Vec<BTreeMap<String, String>> = Vec::new();
    let mut key = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let (indent, line) = (line.len() - line.trim_start().len(), line.trim());
        let entry = line.strip_prefix("- ").unwrap_or(line);
        if line.starts_with("- alert:") {
            rules.push(BTreeMap::new());
        }
        let Some(rule) = rules.last_mut() else { continue };
        if indent >= 10 && key == "expr" && !["summary:", "description:"].iter().any(|name| line.starts_with(name)) {
            let expression = rule.entry(key.clone()).or_default();
            expression.push(' ');
            expression.push_str(line);
        } else if let Some((name, value)) = entry.split_once(':') {
            name.clone_into(&mut key);
            let value = value.trim().trim_start_matches('|').to_owned();
            rule.insert(name.to_owned(), value);
        }
    }
    rules
}

#[test]
fn every_alert_rule_asks_for_metrics_that_exist_by_labels_that_they_have() {
    let text = file("deploy/prometheus/longshore.rules.yml");
    let rules = rules(&text);
    assert_eq!(rules.len(), text.matches("- alert:").count());
    for rule in &rules {
        let labels = Expression(&rule["expr"]).check();
        for text in ["summary", "description"].into_iter().filter_map(|name| rule.get(name)) {
            for name in placeholders(text) {
                assert!(labels.contains(name), "no label {name}: {rule:?}");
            }
        }
    }
}

#[test]
fn the_check_finds_what_is_wrong() {
    for wrong in [
        "rate(longshore_rows_writen_total[5m])",
        "longshore_run_duration_seconds",
        "longshore_lag_seconds_bucket",
        "longshore_lag_seconds{destination=\"x\"}",
        "sum by (destination) (longshore_lag_seconds)",
        "sum by (table) (longshore_lag_seconds / on (sync) longshore_runs_in_progress)",
        "up",
    ] {
        let checked = std::panic::catch_unwind(|| Expression(wrong).check());
        assert!(checked.is_err(), "{wrong}");
    }
    let right = "histogram_quantile(0.9, sum by (sync, le) (rate(longshore_run_duration_seconds_bucket{outcome!=\"failed\"}[1h])))";
    assert!(Expression(right).check().contains("le"));
}
