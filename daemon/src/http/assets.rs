//! The page's files, part of the binary.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One file.
struct Part {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! parts {
    ($($name:literal: $kind:expr,)+) => {
        &[$(Part { name: $name, kind: $kind, text: include_str!(concat!("page/", $name)) },)+]
    };
}

const PARTS: &[Part] = parts! {
    "index.html": HTML,
    "base.css": CSS,
    "panels.css": CSS,
    "icon.svg": SVG,
    "main.js": SCRIPT,
    "wire.js": SCRIPT,
    "element.js": SCRIPT,
    "format.js": SCRIPT,
    "words.js": SCRIPT,
    "series.js": SCRIPT,
    "curves.js": SCRIPT,
    "losses.js": SCRIPT,
    "pipeline.js": SCRIPT,
    "workers.js": SCRIPT,
    "bars.js": SCRIPT,
    "talkers.js": SCRIPT,
    "exporters.js": SCRIPT,
    "search.js": SCRIPT,
    "lookup.js": SCRIPT,
};

/// By the content, so that a browser asks once for each version of the page.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |part: &Part| {
        let mut hasher = DefaultHasher::new();
        part.text.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    };
    PARTS.iter().map(tag).collect()
});

pub(super) async fn serve_page(headers: HeaderMap) -> Response {
    serve("index.html", &headers)
}

pub(super) async fn serve_part(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&name, &headers)
}

fn serve(name: &str, headers: &HeaderMap) -> Response {
    let Some(index) = PARTS.iter().position(|part| part.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (part, tag) = (&PARTS[index], &TAGS[index]);
    // Kept, and asked for each time whether it is still right: the names have no version in them.
    let keep = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "private, no-cache")];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, keep).into_response();
    }
    (keep, [(header::CONTENT_TYPE, part.kind)], part.text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_whole() {
        let bytes: usize = PARTS.iter().map(|part| part.text.len()).sum();
        assert!(bytes < 100 << 10, "{bytes} bytes");
        let text = |name| PARTS.iter().find(|part| part.name == name).map(|part| part.text);
        for part in PARTS.iter().filter(|part| part.kind == SCRIPT) {
            assert!(!part.text.contains("innerHTML"), "{}: data is text", part.name);
            for line in part.text.lines().filter_map(|line| line.split_once(" from \"./")) {
                let name = line.1.trim_end_matches("\";");
                assert!(text(name).is_some(), "{} imports {name}", part.name);
            }
        }
        let page = text("index.html").unwrap_or_default();
        for name in page.split("=\"/page/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(text(name).is_some(), "index.html names {name}");
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        let first = serve("main.js", &headers);
        assert_eq!(first.status(), StatusCode::OK);
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(serve("main.js", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(serve("base.css", &headers).status(), StatusCode::OK);
        assert_eq!(serve("../mod.rs", &headers).status(), StatusCode::NOT_FOUND);
    }
}
