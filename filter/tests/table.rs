//! The table of answers: expression and flow, and what the documented semantics say, here and as
//! the suite had it.

mod flows;

use flows::rows_of;
use neckar_filter::{Filter, Options};

const CASES_MIN: usize = 200;

/// `y` or `n`; `e` for text that is no filter.
fn answer(text: &str, spec: &str, options: &Options) -> char {
    let rows = rows_of(spec);
    match Filter::parse(text, options) {
        Ok(filter) if filter.matches(&rows.as_slice()[0], &rows) => 'y',
        Ok(_) => 'n',
        Err(_) => 'e',
    }
}

#[test]
fn every_case_has_its_documented_answer() {
    let table = include_str!("cases.txt");
    let mut cases = 0;
    let mut wrong = Vec::new();
    for (index, line) in table.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [answers, text, spec] = parts[..] else {
            panic!("cases.txt:{}: not `answers | expression | flow`", index + 1);
        };
        let text = text.replace("\\n", "\n");
        let found =
            [Options::default(), Options::LEGACY].map(|options| answer(&text, spec, &options));
        let found: String = found.iter().collect();
        if found != answers {
            wrong.push(format!("cases.txt:{}: {found}, not {answers}: {line}", index + 1));
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= CASES_MIN, "{cases} cases");
}
