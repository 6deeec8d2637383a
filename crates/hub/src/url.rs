//! Addresses: just enough of RFC 3986 to follow a redirect and to know whose address it is.

use std::{fmt, net::IpAddr};

use ureq::http::Uri;
use weights::shown;

use crate::Error;

/// Scheme, host and port: what a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// Whether the host is this computer by its very name.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// An absolute `http` or `https` address without user, password or fragment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    text: String,
    origin: Origin,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Url, Error> {
        let fault = |why: &str| Error::Answer {
            url: shown(text.split(['?', '#']).next().unwrap_or_default()),
            why: format!("not an address that can be used: {why}"),
        };
        let text = text.split('#').next().unwrap_or_default();
        if text.len() > 8192 {
            return Err(fault("longer than 8192 bytes"));
        }
        let uri: Uri = text.parse().map_err(|_| fault("it does not follow the grammar"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(fault("neither https nor http")),
        };
        let authority = uri.authority().ok_or_else(|| fault("no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("it has a user or password"));
        }
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        if host.is_empty() {
            return Err(fault("no host"));
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Url { text: uri.to_string(), origin: Origin { secure, host, port } })
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where a `Location` or a `Link` leads from here.
    pub(crate) fn join(&self, reference: &str) -> Result<Url, Error> {
        let reference = reference.split('#').next().unwrap_or_default();
        let scheme = if self.origin.secure { "https" } else { "http" };
        let authority = self
            .text
            .split("://")
            .nth(1)
            .and_then(|rest| rest.split(['/', '?']).next())
            .unwrap_or_default();
        if reference.contains("://")
            && reference
                .split("://")
                .next()
                .is_some_and(|s| s.bytes().all(|b| b.is_ascii_alphabetic()))
        {
            return Url::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Url::parse(&format!("{scheme}://{rest}"));
        }
        if reference.starts_with('/') {
            return Url::parse(&format!("{scheme}://{authority}{reference}"));
        }
        let path = self.text.split('?').next().unwrap_or_default();
        if reference.starts_with('?') {
            return Url::parse(&format!("{path}{reference}"));
        }
        let prefix = format!("{scheme}://{authority}");
        let folder =
            path[prefix.len().min(path.len())..].rsplit_once('/').map_or("", |(folder, _)| folder);
        Url::parse(&format!("{prefix}{folder}/{reference}"))
    }
}

/// Without the query, which may be a signature.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.text.split('?').next().unwrap_or_default()))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

/// `path` with everything escaped that is not plain in a path; `/` stays.
pub(crate) fn encode_path(path: &str) -> String {
    encode(path, b"-._~/")
}

/// `text` as the value of a query.
pub(crate) fn encode_query(text: &str) -> String {
    encode(text, b"-._~")
}

fn encode(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_whole() {
        let origin = |text: &str| Url::parse(text).unwrap().origin().clone();
        assert_eq!(origin("https://Hub.example/x"), origin("https://hub.example:443/y?z"));
        for other in [
            "http://hub.example/",
            "https://hub.example:444/",
            "https://hub.example.evil.org/",
            "https://xhub.example",
        ] {
            assert_ne!(origin("https://hub.example/"), origin(other), "{other}");
        }
        assert!(origin("http://127.0.0.1:9/x").is_loopback());
        assert!(!origin("http://127.0.0.1.evil.org/x").is_loopback());
    }

    #[test]
    fn h5_a_shown_address_has_no_query() {
        let url = Url::parse("https://cdn.example/x/y?Signature=secret").unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "https://cdn.example/x/y Url(https://cdn.example/x/y)"
        );
        for bad in ["ftp://x/y", "https://u:p@x/y", "https:///x", "x", "javascript://x"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_are_joined() {
        let base = Url::parse("https://a.example:8443/x/y?q=1").unwrap();
        for (reference, whole) in [
            ("https://b.example/z", "https://b.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("/z?u=http://v", "https://a.example:8443/z?u=http://v"),
            ("z", "https://a.example:8443/x/z"),
            ("?p=2", "https://a.example:8443/x/y?p=2"),
        ] {
            assert_eq!(base.join(reference).unwrap().as_str(), whole);
        }
        assert_eq!(encode_path("a b/ü#.gguf"), "a%20b/%C3%BC%23.gguf");
        assert_eq!(encode_query("a/b&c"), "a%2Fb%26c");
    }
}
