//! The server's own web page: static files, embedded as they are, so that a build needs no Node and
//! the page asks no other server for anything.
//!
//! The policy sent with it forbids what the page does not do: scripts and styles come from here only,
//! there is no inline code, nothing is framed, sent elsewhere or fetched from outside, and no text
//! can become markup (Trusted Types without a policy). A flaw in the page would find these shut.

mod assets;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use assets::ASSETS;

/// What the page may do (CSP level 3, Trusted Types).
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// Headers sent with every file, beside its type and tag.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), clipboard-read=()"),
    // Asked again each time, answered "unchanged" by the tag: a new program never meets old files.
    ("cache-control", "no-cache"),
];

/// A file of the page.
#[derive(Clone, Copy)]
struct Asset {
    /// Its path under `/page/`.
    path: &'static str,
    bytes: &'static [u8],
}

/// Answers for the file at `path` under `/page/`; none where there is no such file.
pub(crate) fn answer(path: &str, request: &HeaderMap) -> Option<Response<Body>> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    let tag = tag(asset.bytes);
    let unchanged = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let body = if unchanged { Body::empty() } else { Body::from(Bytes::from_static(asset.bytes)) };
    let mut response = Response::new(body);
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Some(response)
}

/// The first half of a file's SHA-256, as an entity tag.
fn tag(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let half = hash.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("\"{half:032x}\"")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    fn files(folder: &Path, under: &str, out: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{under}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                files(&entry.path(), &format!("{name}/"), out);
            } else {
                out.insert(name);
            }
        }
    }

    #[test]
    fn the_table_holds_every_file_of_the_folder_and_no_other() {
        let mut there = BTreeSet::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("page"), "", &mut there);
        let listed: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(listed, there);
        assert_eq!(listed.len(), ASSETS.len());
    }

    #[test]
    fn every_file_has_a_type_a_tag_and_the_policy() {
        for asset in ASSETS {
            let response = answer(asset.path, &HeaderMap::new()).unwrap();
            assert_eq!(response.status(), 200);
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            assert_ne!(header("content-type"), "application/octet-stream", "{}", asset.path);
            assert_eq!(header("content-security-policy"), POLICY);
            assert!(!POLICY.contains("unsafe"));
            let mut again = HeaderMap::new();
            again.insert("if-none-match", format!("\"x\", W/{}", header("etag")).parse().unwrap());
            assert_eq!(answer(asset.path, &again).unwrap().status(), 304, "{}", asset.path);
        }
        for path in ["", "nothing.js", "../page.rs", "index.html/", "style"] {
            assert!(answer(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn no_file_asks_for_anything_outside_or_makes_markup_of_text() {
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            let words = [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "DOMParser",
                "srcdoc",
                "style=\"",
                "onclick=",
                "@import",
                "url(",
                "src=\"http",
                "href=\"http",
            ];
            for word in words {
                assert!(!text.contains(word), "{} holds {word}", asset.path);
            }
        }
    }

    #[test]
    fn the_browser_is_told_of_every_file_at_once() {
        let index = ASSETS.iter().find(|asset| asset.path == "index.html").unwrap();
        let index = std::str::from_utf8(index.bytes).unwrap();
        for asset in ASSETS.iter().filter(|asset| asset.path != "index.html") {
            assert!(index.contains(&format!("\"page/{}\"", asset.path)), "{}", asset.path);
        }
    }

    #[test]
    fn the_page_stays_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
        assert!(bytes < 200_000, "the page has {bytes} bytes");
    }
}
