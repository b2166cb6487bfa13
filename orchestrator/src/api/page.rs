//! The page: files that are part of the program, from `orchestrator/web`.

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Shared, answer::Refusal};

/// Nothing but our own files, no scripts or styles in the markup, no frames, no forms that go anywhere.
pub(super) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

const INDEX: &str = include_str!("../../web/index.html");

/// The files under `/assets`, by name.
const ASSETS: &[(&str, &str)] = &[
    ("app.js", include_str!("../../web/app.js")),
    ("icon.svg", include_str!("../../web/icon.svg")),
    ("lib/api.js", include_str!("../../web/lib/api.js")),
    ("lib/dom.js", include_str!("../../web/lib/dom.js")),
    ("lib/format.js", include_str!("../../web/lib/format.js")),
    ("lib/live.js", include_str!("../../web/lib/live.js")),
    ("lib/theme.js", include_str!("../../web/lib/theme.js")),
    ("lib/voice.js", include_str!("../../web/lib/voice.js")),
    ("pages/run.js", include_str!("../../web/pages/run.js")),
    ("pages/sync.js", include_str!("../../web/pages/sync.js")),
    ("pages/syncs.js", include_str!("../../web/pages/syncs.js")),
    ("pages/token.js", include_str!("../../web/pages/token.js")),
    ("parts.css", include_str!("../../web/parts.css")),
    ("parts/badge.js", include_str!("../../web/parts/badge.js")),
    ("parts/buttons.js", include_str!("../../web/parts/buttons.js")),
    ("parts/error.js", include_str!("../../web/parts/error.js")),
    ("parts/facts.js", include_str!("../../web/parts/facts.js")),
    ("parts/logs.js", include_str!("../../web/parts/logs.js")),
    ("parts/progress.js", include_str!("../../web/parts/progress.js")),
    ("parts/rejects.js", include_str!("../../web/parts/rejects.js")),
    ("parts/runs.js", include_str!("../../web/parts/runs.js")),
    ("parts/sparkline.js", include_str!("../../web/parts/sparkline.js")),
    ("parts/table.js", include_str!("../../web/parts/table.js")),
    ("parts/time.js", include_str!("../../web/parts/time.js")),
    ("parts/turns.js", include_str!("../../web/parts/turns.js")),
    ("style.css", include_str!("../../web/style.css")),
];

/// The page's own addresses, and its files. The page holds no data: it asks the API, with the reader's token where one is needed.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(index))
        .route("/syncs/{sync}", get(index))
        .route("/runs/{run}", get(index))
        .route("/assets/{*name}", get(asset))
        .fallback(|| async { Refusal::path_unknown() })
}

async fn index() -> Response {
    file("text/html; charset=utf-8", INDEX)
}

async fn asset(Path(name): Path<String>) -> Response {
    let found = ASSETS.iter().find(|(known, _)| *known == name);
    match found {
        Some((name, text)) => file(media_type(name), text),
        None => Refusal::path_unknown().into_response(),
    }
}

/// Asked for again each time, so that a newer program's page is seen at once; it is small.
fn file(media_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], text).into_response()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path as FilePath};

    use super::*;

    fn files_below(folder: &FilePath, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => files_below(&entry.path(), &format!("{name}/"), found),
                false => {
                    found.insert(name);
                }
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let mut found = BTreeSet::new();
        files_below(&folder, "", &mut found);
        let served = ASSETS.iter().map(|(name, _)| (*name).to_owned());
        let served: BTreeSet<String> = served.chain(["index.html".to_owned()]).collect();
        assert_eq!(found, served);
    }

    #[test]
    fn the_page_refers_to_nothing_outside_of_it_and_parses_no_text_as_markup() {
        for (name, text) in ASSETS.iter().chain([&("index.html", INDEX)]) {
            let addresses = text.replace("http://www.w3.org/2000/svg", "");
            for word in [
                "http://",
                "https://",
                "url(",
                "@import",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!addresses.contains(word), "{name} has {word}");
            }
        }
        assert!(!INDEX.contains("style=") && !INDEX.contains(" onclick"));
    }
}
