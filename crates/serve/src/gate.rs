//! The one check every request passes: where it says it goes (Host), which page sent it (Origin),
//! who asks (key), and whether they may (scope, requests a minute).
//!
//! A page in a browser can make a name of its own point to 127.0.0.1 and then talk to us as its own
//! origin. It cannot forge the Host header, which still bears that name; so names we do not know are
//! refused. Addresses and `localhost` cannot be pointed elsewhere and are always known.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use sha2::{Digest, Sha256};

use crate::{
    fault::Fault,
    key::{Key, Keys, Scope},
    quota::Quotas,
};

/// Who may do what.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The keys there are, where any are kept.
    pub(crate) keys: Option<Keys>,
    /// Whether one is needed.
    pub(crate) need: Need,
    /// Names this server goes by, beside addresses and localhost; none: any, where a key is needed.
    pub(crate) hosts: Vec<String>,
    /// Origins of pages that may use it.
    pub(crate) origins: Vec<String>,
    /// What keys have used.
    pub(crate) quotas: Quotas,
}

/// Whether a key is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// On every route that is not open.
    Key,
    /// On none: only this machine can reach us.
    Nothing,
}

/// What a route asks of who calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: it tells nothing but whether we live.
    Open,
    /// A key of this scope.
    With(Scope),
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The id of their key, where one is known.
    pub(crate) key: Option<String>,
    /// The key.
    pub(crate) grant: Option<Key>,
    /// Whose prefixes they share: one number a key.
    pub(crate) tenant: u64,
    /// This request's id.
    pub(crate) request: String,
    /// The route's path.
    pub(crate) route: &'static str,
}

impl Caller {
    /// Whether they may use this model; one they may not looks like one that is not there.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.grant.as_ref().is_none_or(|key| key.grant.allows_model(model))
    }

    /// Whether they may do what only admins may. Without keys everybody is at this machine.
    pub(crate) fn is_admin(&self) -> bool {
        self.grant.as_ref().is_none_or(|key| key.grant.allows(Scope::Admin))
    }
}

impl Gate {
    /// Refuses names and pages that are not ours.
    pub(crate) fn comes_here(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Fault> {
        let stated = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        let host = uri.authority().map(axum::http::uri::Authority::as_str).or(stated);
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            return Err(Fault::invalid("the request names no host"));
        };
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Fault::invalid("the request names several hosts"));
        }
        if !self.knows(name_of(host)) {
            let message = "this server does not go by that name; start it with --allow-host NAME";
            return Err(Fault::forbidden(message)
                .with_status(StatusCode::MISDIRECTED_REQUEST)
                .with_code("unknown_host"));
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        if self.allowed_origin(origin).is_some() || is_same(origin, host) {
            return Ok(());
        }
        let message = "pages of that origin may not use this server; start it with --allow-origin";
        Err(Fault::forbidden(message).with_code("unknown_origin"))
    }

    fn knows(&self, name: &str) -> bool {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok();
        let name = name.trim_end_matches('.');
        let local = name.eq_ignore_ascii_case("localhost")
            || name.to_ascii_lowercase().ends_with(".localhost");
        let listed = self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        address || local || listed || (self.hosts.is_empty() && self.need == Need::Key)
    }

    /// The origin to name in an answer, where pages of it may read it.
    pub(crate) fn allowed_origin(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        let text = origin.to_str().ok()?;
        let listed =
            self.origins.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(text));
        (listed && text != "null").then(|| origin.clone())
    }

    /// Who asks, and whether they may.
    pub(crate) fn admit(
        &self,
        access: Access,
        headers: &HeaderMap,
        uri: &Uri,
        request: String,
        route: &'static str,
    ) -> Result<Caller, Fault> {
        let mut caller = Caller { key: None, grant: None, tenant: 0, request, route };
        let Access::With(scope) = access else { return Ok(caller) };
        let token = token(headers)?;
        let found = match (&self.keys, &token) {
            (Some(keys), Some(token)) => {
                keys.find(token).map_err(|_| Fault::ours("the keys cannot be read"))?
            }
            _ => None,
        };
        match found {
            Some(key) => {
                if !key.grant.allows(scope) {
                    let message = format!("this key lacks the scope {}", scope.name());
                    return Err(Fault::forbidden(message));
                }
                self.quotas.request(&key)?;
                caller.tenant = tenant(&key.id);
                caller.key = Some(key.id.clone());
                caller.grant = Some(key);
                Ok(caller)
            }
            None if self.need == Need::Nothing => Ok(caller),
            None if token.is_some() => Err(Fault::unauthorized("that is not a key of this server")),
            None if asks_in_query(uri) => Err(Fault::unauthorized(
                "keys are read from the headers Authorization and x-api-key, never from an address",
            )),
            None => Err(Fault::unauthorized(
                "a key is needed: Authorization: Bearer KEY, or x-api-key: KEY",
            )),
        }
    }
}

/// The key a request brings.
fn token(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let text = |value: &HeaderValue| value.to_str().map(|text| text.trim().to_owned());
    let wrong = |_| Fault::unauthorized("the key is no text");
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = text(value).map_err(wrong)?;
        let bearer = value.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let token = bearer.map(|(_, token)| token.trim().to_owned()).unwrap_or_default();
        return Ok(Some(token));
    }
    headers.get("x-api-key").map(text).transpose().map_err(wrong)
}

fn asks_in_query(uri: &Uri) -> bool {
    let names = ["key=", "api_key=", "api-key=", "token=", "access_token="];
    uri.query()
        .is_some_and(|query| query.split('&').any(|part| names.iter().any(|n| part.starts_with(n))))
}

/// The host without its port.
fn name_of(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.split(':').next().unwrap_or(host)
}

fn is_same(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let bare = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    bare.is_some_and(|bare| bare.eq_ignore_ascii_case(host))
}

fn tenant(id: &str) -> u64 {
    let hash = Sha256::digest(id.as_bytes());
    let first: [u8; 8] = hash[..8].try_into().unwrap_or_default();
    u64::from_le_bytes(first).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(need: Need, hosts: &[&str], origins: &[&str]) -> Gate {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Gate {
            keys: None,
            need,
            hosts: owned(hosts),
            origins: owned(origins),
            quotas: Quotas::default(),
        }
    }

    fn check(gate: &Gate, host: &str, origin: Option<&str>) -> Option<u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        gate.comes_here(&headers, &Uri::from_static("/v1/models")).err().map(|f| f.status.as_u16())
    }

    #[test]
    fn r4_a_name_that_was_pointed_at_us_is_refused_and_so_is_a_page() {
        let local = gate(Need::Nothing, &[], &[]);
        for host in [
            "127.0.0.1:8000",
            "localhost:8000",
            "LOCALHOST",
            "[::1]:8000",
            "192.168.1.7",
            "a.localhost",
        ] {
            assert_eq!(check(&local, host, None), None, "{host}");
        }
        for host in [
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[evil]",
            "1.2.3.4.5",
        ] {
            assert_eq!(check(&local, host, None), Some(421), "{host}");
        }
        assert_eq!(check(&local, "localhost:8000", Some("http://localhost:8000")), None);
        for origin in
            ["http://evil.example", "null", "http://localhost:9000", "https://localhost.evil"]
        {
            assert_eq!(check(&local, "localhost:8000", Some(origin)), Some(403), "{origin}");
        }
        let named = gate(Need::Key, &["ai.example"], &["https://chat.example"]);
        assert_eq!(check(&named, "ai.example:443", Some("https://chat.example")), None);
        assert_eq!(check(&named, "other.example", None), Some(421));
        assert_eq!(check(&gate(Need::Key, &[], &[]), "any.example", None), None);
        assert!(local.comes_here(&HeaderMap::new(), &Uri::from_static("/")).is_err());
    }

    #[test]
    fn r1_empty_and_misplaced_keys_let_nobody_in() {
        let gate = gate(Need::Key, &[], &[]);
        let admit = |name: &'static str, value: &str, uri: &'static str| {
            let mut headers = HeaderMap::new();
            if !name.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
            let uri = Uri::from_static(uri);
            gate.admit(Access::With(Scope::Infer), &headers, &uri, String::new(), "/").map(drop)
        };
        for (name, value, uri) in [
            ("", "", "/"),
            ("", "", "/?api_key=fh-a-b"),
            ("authorization", "Bearer ", "/"),
            ("authorization", "Bearer", "/"),
            ("authorization", "Basic Zm9v", "/"),
            ("authorization", "fh-a-b", "/"),
            ("x-api-key", "", "/"),
            ("x-api-key", "wrong", "/"),
        ] {
            let fault = admit(name, value, uri).unwrap_err();
            assert_eq!(
                (fault.status.as_u16(), fault.code),
                (401, Some("invalid_api_key")),
                "{name} {value}"
            );
        }
    }
}
