//! As much of PromQL as it takes to find the metrics that a query names.

/// Words that stand where a metric could.
const WORDS: [&str; 10] =
    ["and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "inf"];
/// Words that a list of labels in parentheses follows.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The metrics that `expr` names, in order.
#[must_use]
pub fn metrics(expr: &str) -> Vec<String> {
    let bare = without_selectors(expr);
    let mut metrics = Vec::new();
    let mut rest = bare.as_str();
    while let Some(start) = rest.find(is_letter) {
        // A number's unit or exponent (`5m`, `1e6`) is no word.
        let is_suffix =
            rest[..start].ends_with(|before: char| before.is_ascii_digit() || before == '$');
        let end = rest[start..].find(|c| !is_letter(c) && !char::is_ascii_digit(&c));
        let end = end.map_or(rest.len(), |length| start + length);
        let (word, after) = (&rest[start..end], rest[end..].trim_start());
        rest = &rest[end..];
        if BEFORE_LABELS.contains(&word) && after.starts_with('(') {
            rest = after.split_once(')').map_or("", |(_, after)| after);
        } else if !is_suffix && !is_function(after) && !WORDS.contains(&word) {
            metrics.push(word.to_string());
        }
    }
    metrics
}

/// Does this come after the name of a function or an aggregation?
fn is_function(after: &str) -> bool {
    let is_grouped = |word: &str| {
        let rest = after.strip_prefix(word);
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    };
    after.starts_with('(') || is_grouped("by") || is_grouped("without")
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

/// Cuts out texts, `{…}` and `[…]`.
fn without_selectors(expr: &str) -> String {
    let mut out = String::with_capacity(expr.len());
    let (mut depth, mut quoted) = (0, false);
    for c in expr.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::metrics;

    #[test]
    fn names_are_found_and_nothing_else() {
        let expr = r#"sum by (worker) (rate(a_total{x="b{c", y=~"$d"}[5m])) / on (g, h) group_left () (e:f > bool 1e6) offset 5m"#;
        assert_eq!(metrics(expr), ["a_total", "e:f"]);
        assert_eq!(metrics("time() - up and a unless on (b) c or d"), ["up", "a", "c", "d"]);
        assert_eq!(metrics("sum(rate(flow_bits[1m])) by (router)"), ["flow_bits"]);
    }
}
