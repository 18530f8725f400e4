//! Answers of the page's interface: JSON, and errors that say where.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use neckar_filter::ParseError;
use serde_json::{Value, json};

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    /// In a filter: the character where it goes wrong, from 0, and what might be meant there.
    at: Option<usize>,
    help: Option<String>,
}

/// What a handler of the interface gives.
pub(super) type Answer = Result<Json<Value>, Refusal>;

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), at: None, help: None }
    }

    /// A parameter that is none.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A filter that cannot be read.
    pub(super) fn filter(text: &str, error: &ParseError) -> Self {
        let at = text.get(..error.offset()).unwrap_or(text).chars().count();
        let help = match error.suggestion() {
            Some(meant) => Some(format!("did you mean {meant}?")),
            None if error.expected().is_empty() => None,
            None => {
                let listed = &error.expected()[..error.expected().len().min(EXPECTED_MAX)];
                let more = if listed.len() < error.expected().len() { ", …" } else { "" };
                Some(format!("expected {}{more}", listed.join(", ")))
            }
        };
        Self { at: Some(at), help, ..Self::bad(error.message()) }
    }
}

/// Words that could stand there, as many as one likes to read.
const EXPECTED_MAX: usize = 8;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": {"message": self.message, "at": self.at, "help": self.help}});
        (self.status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use neckar_filter::{Filter, Options};

    use super::*;

    #[test]
    fn a_filters_error_says_at_which_character() {
        let text = "src iface name \"ä\" and prot udp";
        let error = Filter::parse(text, &Options::default()).expect_err("prot is no word");
        let refusal = Refusal::filter(text, &error);
        assert_eq!((refusal.at, refusal.help.as_deref()), (Some(23), Some("did you mean proto?")));
    }
}
