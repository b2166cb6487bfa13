//! The table and its likeness in the README.

use super::*;

const README: &str = include_str!("../../../README.md");
const BEGIN: &str = "<!-- the table of answers, as in src/answers/table.rs -->\n";
const END: &str = "<!-- end of the table -->";

fn what_happens(consequence: Consequence) -> [&'static str; 3] {
    match consequence {
        Consequence::Read => [
            "taken, but for those that the body names: they are rejected",
            "no",
            "0; 4 if unreadable",
        ],
        Consequence::Pause => [
            "not taken; everything for the project pauses",
            "the same request, then the run",
            "4 in the end",
        ],
        Consequence::Again { uncertain: false } => ["not taken", "the same request, then the run", "4 in the end"],
        Consequence::Again { uncertain: true } => [
            "perhaps taken: events count as `uncertain`, or are held",
            "the same request, then the run",
            "4 in the end",
        ],
        Consequence::Divide => [
            "halved until the row at fault stands alone; it is rejected, the others go",
            "in halves",
            "0, or 5 beyond `max_rejects`",
        ],
        Consequence::Stop => ["not taken; nothing is sent any more", "no", "4"],
    }
}

fn line(answer: &str, rule: &AnswerRule) -> String {
    let [rows, again, exit] = what_happens(rule.consequence);
    let sure = match rule.sure {
        Sure::Official => "documented",
        Sure::ByHttp => "by HTTP",
    };
    format!(
        "| {answer} | {rows} | {again} | `{}` | {exit} | {} | {sure} |\n",
        rule.code, rule.remedy
    )
}

fn table() -> String {
    let mut text =
        "| answer | rows | tried again | code | exit code | remedy | how sure |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for rule in &TABLE {
        let (first, last) = (*rule.statuses.start(), *rule.statuses.end());
        let answer = match (first, last) {
            (first, last) if first == last => first.to_string(),
            (404, 405) => "404, 405".to_owned(),
            (400, _) => "any other 4xx".to_owned(),
            (500, _) => "any other 5xx".to_owned(),
            (first, _) => format!("{}xx", first / 100),
        };
        text += &line(&answer, rule);
    }
    text += &line("no connection", &UNREACHABLE);
    text += &line("connection lost, or no answer in time", &LOST);
    text += &line("a status that HTTP does not have", &UNKNOWN);
    text
}

#[test]
fn the_readme_shows_the_table_as_it_is() {
    let (_, rest) = README.split_once(BEGIN).expect("the README has the table");
    let (shown, _) = rest.split_once(END).expect("the table ends");
    let table = table();
    assert!(
        shown == table,
        "the README's table is not that of the code, which is:\n{table}"
    );
}

#[test]
fn the_readme_names_the_bound_of_rows_refused_alone() {
    assert!(README.contains(&format!("{REFUSED_ALONE} rows refused alone in a row")));
}

#[test]
fn every_line_can_be_reached() {
    for (place, rule) in TABLE.iter().enumerate() {
        let earlier = &TABLE[..place];
        let is_free = |status: u16| !earlier.iter().any(|other| other.statuses.contains(&status));
        assert!(
            rule.statuses.clone().any(is_free),
            "{:?} is behind other lines",
            rule.statuses
        );
    }
}
