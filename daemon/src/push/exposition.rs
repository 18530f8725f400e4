//! Prometheus' text format, read back: our own page, whoever has written it.

/// Shows each sample's metric, labels and value. Lines that are none are passed over.
pub(super) fn each(page: &str, mut visit: impl FnMut(&str, &[(&str, &str)], f64)) {
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((metric, labels, value)) = read(line) else { continue };
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visit(metric, &labels, value);
    }
}

/// `name{label="value",…} value`.
fn read(line: &str) -> Option<(&str, Vec<(&str, String)>, f64)> {
    let end = line.find(['{', ' '])?;
    let (metric, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start_matches(',');
        while !rest.starts_with('}') {
            let (name, after) = rest.split_once("=\"")?;
            let (value, after) = unquote(after)?;
            labels.push((name.trim_start_matches([',', ' ']), value));
            rest = after.trim_start_matches(',');
        }
        rest = &rest[1..];
    }
    let value = rest.split_ascii_whitespace().next()?;
    Some((metric, labels, value.parse().ok()?))
}

/// The text up to the quote that ends it, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_and_the_rest_passed_over() {
        let page = "# HELP a What it is.\n# TYPE a counter\na 3\n\
                    b{x=\"1\",y=\"a \\\"q\\\" \\\\ \\n}, z=\"} 4.5\n\
                    c_bucket{le=\"+Inf\",} 7 1700000000\nbroken{x=\"\nempty{} NaN\n";
        let mut seen = Vec::new();
        each(page, |metric, labels, value| seen.push(format!("{metric} {labels:?} {value}")));
        assert_eq!(
            seen,
            [
                "a [] 3",
                "b [(\"x\", \"1\"), (\"y\", \"a \\\"q\\\" \\\\ \\n}, z=\")] 4.5",
                "c_bucket [(\"le\", \"+Inf\")] 7",
                "empty [] NaN",
            ]
        );
    }
}
