//! The only way to the network: every request of this crate goes through a [`Client`].
//!
//! A [`Transport`] cannot be made offline, and nothing else opens a socket, so offline is a matter of
//! types and not of care. A client belongs to one origin, the server a person chose. Its token goes to
//! that origin and nowhere else. Redirects are followed here, one by one, under rules a stranger's
//! server cannot bend: five at most, never from https down to http, never into a private network that
//! the origin itself is not part of. Bodies are asked for and taken plain, and every read is bounded.

mod guard;

use std::{
    io::Read,
    ops::Range,
    time::{Duration, Instant},
};

use guard::Guard;
use serde::de::DeserializeOwned;
use ureq::{
    Agent, Proxy, ResponseExt as _,
    http::{HeaderMap, Method, Request},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};
use weights::shown;

use crate::{
    Access, Error, HubSettings, Limits, Token,
    error::TokenUse,
    url::{Origin, Url},
};

/// The right to use the network, and how.
#[derive(Debug)]
pub(crate) struct Transport {
    proxy: Option<Proxy>,
    roots: RootCerts,
    limits: Limits,
    idle: usize,
}

impl Transport {
    /// Fails when offline was promised: then there is no transport, and so no socket.
    pub(crate) fn new(settings: &HubSettings) -> Result<Transport, Error> {
        if settings.access == Access::Offline {
            return Err(Error::Offline { missing: "what was asked for".to_owned() });
        }
        let proxy =
            settings.proxy.as_deref().map(|text| proxy(text, &settings.no_proxy)).transpose()?;
        let roots = settings.authorities.as_deref().map_or(Ok(RootCerts::WebPki), |path| {
            let text =
                std::fs::read(path).map_err(Error::io("read the certificate authorities", path))?;
            let fault = |why: String| Error::Setting { what: "SSL_CERT_FILE", why };
            let mut found = Vec::new();
            for item in parse_pem(&text) {
                if let PemItem::Certificate(certificate) = item.map_err(|e| fault(e.to_string()))? {
                    found.push(certificate);
                }
            }
            if found.is_empty() {
                return Err(fault(format!("{} has no certificate", path.display())));
            }
            Ok(RootCerts::from(found))
        })?;
        Ok(Transport { proxy, roots, limits: settings.limits, idle: settings.connections.max(1) })
    }

    /// A client of one origin.
    pub(crate) fn client(&self, origin: &Origin, token: Option<Token>) -> Client {
        let limits = &self.limits;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(self.proxy.clone())
            .tls_config(TlsConfig::builder().root_certs(self.roots.clone()).build())
            .user_agent(concat!("freehold/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .max_response_header_size(limits.header_bytes)
            .input_buffer_size(128 << 10)
            .max_idle_connections(2 * self.idle)
            .max_idle_connections_per_host(self.idle)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.silence))
            .timeout_per_read(Some(limits.silence))
            .build();
        let guard = Guard::new(origin, self.proxy.as_ref().map(Proxy::host));
        let class = guard.class();
        let connector = ureq::unversioned::transport::DefaultConnector::default();
        let agent = Agent::with_parts(config, connector, guard);
        Client { agent, origin: origin.clone(), class, token, limits: *limits }
    }
}

fn proxy(text: &str, except: &[String]) -> Result<Proxy, Error> {
    let fault = |_| Error::Setting {
        what: "HTTPS_PROXY",
        why: "it is not the address of a proxy".to_owned(),
    };
    let plain = Proxy::new(text).map_err(fault)?;
    let mut builder = Proxy::builder(plain.protocol()).host(plain.host()).port(plain.port());
    if let Some(user) = plain.username() {
        builder = builder.username(user);
    }
    if let Some(password) = plain.password() {
        builder = builder.password(password);
    }
    for host in except {
        // A name stands for its subdomains too, as curl has it.
        builder = builder.no_proxy(host);
        if !host.starts_with(['.', '*']) {
            builder = builder.no_proxy(&format!(".{host}"));
        }
    }
    builder.build().map_err(fault)
}

/// Requests to one origin, and to where it redirects.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    origin: Origin,
    class: guard::Seen,
    token: Option<Token>,
    limits: Limits,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) url: &'a Url,
    pub(crate) method: Method,
    pub(crate) accept: Option<&'a str>,
    pub(crate) range: Option<Range<u64>>,
    /// Only answer with a range if the file still has this tag.
    pub(crate) if_range: Option<&'a str>,
    /// Instead of the client's token; to the origin of `url` alone.
    pub(crate) authorization: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(crate) fn get(url: &'a Url) -> Ask<'a> {
        Ask {
            url,
            method: Method::GET,
            accept: None,
            range: None,
            if_range: None,
            authorization: None,
        }
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Headers of the first answer, which may be a redirect: the hub speaks there.
    pub(crate) first: HeaderMap,
    pub(crate) headers: HeaderMap,
    /// Who answered in the end.
    pub(crate) url: Url,
    pub(crate) token: TokenUse,
    /// What the server says about a failure, shown, without the token.
    pub(crate) said: String,
    body: ureq::Body,
    limits: Limits,
}

impl Client {
    /// Sends a request and follows redirects.
    pub(crate) fn send(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let mut url = ask.url.clone();
        let mut first = None;
        let mut token = TokenUse::None;
        self.permit(&url, &url)?;
        for _ in 0..=self.limits.redirects {
            let mut request = Request::builder().method(ask.method.clone()).uri(url.as_str());
            if let Some(accept) = ask.accept {
                request = request.header("accept", accept);
            }
            if let Some(range) = &ask.range {
                request = request.header(
                    "range",
                    format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
                );
                if let Some(tag) = ask.if_range {
                    request = request.header("if-range", tag);
                }
            }
            let authorization = match ask.authorization {
                Some(given) if url.origin() == ask.url.origin() => Some(given.to_owned()),
                None if *url.origin() == self.origin => self.token.as_ref().map(Token::bearer),
                _ => None,
            };
            if let Some(authorization) = authorization {
                if !url.origin().secure && !url.origin().is_loopback() {
                    let why = "a token would travel readable by all: use https, or no token";
                    return Err(Error::Insecure { url: url.to_string(), why });
                }
                token = TokenUse::Sent;
                request = request.header("authorization", authorization);
            }
            let request = request
                .body(())
                .map_err(|e| Error::Network { url: url.to_string(), why: e.to_string() })?;
            let response = self.agent.run(request).map_err(|error| self.failed(&url, error))?;
            debug_assert!(response.get_redirect_history().is_none_or(|history| history.len() <= 1));
            let (parts, body) = response.into_parts();
            let status = parts.status.as_u16();
            let headers = parts.headers;
            let next = matches!(status, 301 | 302 | 303 | 307 | 308)
                .then(|| header(&headers, "location"))
                .flatten();
            if let Some(next) = next {
                let to = url.join(next)?;
                self.permit(&url, &to)?;
                first.get_or_insert(headers);
                url = to;
                continue;
            }
            if let Some(encoding) =
                header(&headers, "content-encoding").filter(|e| !e.eq_ignore_ascii_case("identity"))
            {
                return Err(Error::Encoded { url: url.to_string(), encoding: shown(encoding) });
            }
            let said = self.said(&headers, ask.authorization);
            let first = first.unwrap_or_else(|| headers.clone());
            return Ok(Answer {
                status,
                first,
                headers,
                url,
                token,
                said,
                body,
                limits: self.limits,
            });
        }
        let why = "more redirects than are followed";
        Err(Error::Redirect { from: ask.url.to_string(), to: url.to_string(), why })
    }

    /// Whether `to` may be asked, coming from `from`.
    fn permit(&self, from: &Url, to: &Url) -> Result<(), Error> {
        let refuse = |why| Err(Error::Redirect { from: from.to_string(), to: to.to_string(), why });
        if *to.origin() == self.origin {
            return Ok(());
        }
        if !to.origin().secure && from.origin().secure {
            return refuse("it leads from https down to http");
        }
        if !to.origin().secure && self.origin.secure {
            return refuse("it is http, and the server that was chosen is https");
        }
        guard::permit_literal(&to.origin().host, &self.class)
    }

    fn failed(&self, url: &Url, error: ureq::Error) -> Error {
        match error {
            ureq::Error::Other(other) => match other.downcast::<guard::Refused>() {
                Ok(refused) => refused.into_error(),
                Err(other) => {
                    Error::Network { url: url.to_string(), why: shown(&other.to_string()) }
                }
            },
            ureq::Error::LargeResponseHeader(found, max) => Error::OverLimit {
                what: format!("bytes of headers from {url}"),
                found: found as u64,
                max: max as u64,
            },
            other => Error::Network {
                url: url.to_string(),
                why: shown(&self.redact(&other.to_string())),
            },
        }
    }

    fn said(&self, headers: &HeaderMap, given: Option<&str>) -> String {
        let mut text = self.redact(header(headers, "x-error-message").unwrap_or_default());
        if let Some(secret) =
            given.and_then(|given| given.split_once(' ')).map(|(_, secret)| secret)
        {
            text = text.replace(secret, "[token]");
        }
        shown(&text)
    }

    fn redact(&self, text: &str) -> String {
        self.token.as_ref().map_or_else(|| text.to_owned(), |token| token.redact(text))
    }
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// A header of the server that was asked, before it redirected.
    pub(crate) fn first_header(&self, name: &str) -> Option<&str> {
        header(&self.first, name)
    }

    /// The length of the body as announced.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Turns every status but success into an error about `what`.
    pub(crate) fn check(self, what: &str) -> Result<Answer, Error> {
        let Answer { status, token, .. } = self;
        let host = self.url.origin().host.clone();
        let said_by_server = self.said.clone();
        match status {
            200..=299 => Ok(self),
            401 | 403 => {
                Err(Error::Denied { host, what: what.to_owned(), status, token, said_by_server })
            }
            404 | 410 => {
                Err(Error::NotFound { what: what.to_owned(), place: self.url.to_string() })
            }
            429 => {
                let seconds = self.header("retry-after").and_then(|text| text.parse().ok());
                Err(Error::RateLimited { host, wait: seconds.map(Duration::from_secs) })
            }
            _ => Err(Error::Status { url: self.url.to_string(), status, said_by_server }),
        }
    }

    /// The whole body, of at most `max` bytes, within the time an answer may take.
    pub(crate) fn bytes(self, max: u64) -> Result<Vec<u8>, Error> {
        let url = self.url.to_string();
        let over = |found| Error::OverLimit { what: format!("bytes from {url}"), found, max };
        if let Some(length) = self.length().filter(|&length| length > max) {
            return Err(over(length));
        }
        let began = Instant::now();
        let limit = self.limits.answer;
        let mut reader = self.into_reader();
        let mut out = Vec::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            let count = reader
                .read(&mut piece)
                .map_err(|e| Error::Network { url: url.clone(), why: shown(&e.to_string()) })?;
            if count == 0 {
                return Ok(out);
            }
            out.extend_from_slice(&piece[..count]);
            if out.len() as u64 > max {
                return Err(over(out.len() as u64));
            }
            if began.elapsed() > limit {
                return Err(Error::Stalled { url, bytes: max, within: limit });
            }
        }
    }

    /// The body as JSON, bounded in size, depth and number of values; a repeated key is an error.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let url = self.url.to_string();
        let max = self.limits.json_bytes;
        let bytes = self.bytes(max)?;
        parse_json(&bytes, max).map_err(|why| Error::Answer { url, why })
    }

    /// The body as it comes. Bound what is read from it.
    pub(crate) fn into_reader(self) -> impl Read + Send + 'static {
        self.body.into_with_config().limit(u64::MAX).reader()
    }
}

/// JSON from strangers as a typed value.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8], max: u64) -> Result<T, String> {
    let bounds = weights::json::Bounds { bytes: max, depth: 32, nodes: 1_000_000 };
    let value = weights::json::parse(bytes, bounds)
        .map_err(|error| format!("not the JSON expected: {error}"))?;
    serde_json::from_value(value)
        .map_err(|error| format!("not the JSON expected: {}", shown(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(origin: &str) -> Client {
        let settings = HubSettings::new("/nonexistent", "/nonexistent");
        let url = Url::parse(origin).unwrap();
        Transport::new(&settings).unwrap().client(url.origin(), None)
    }

    #[test]
    fn h4_redirects_never_leave_https_and_never_go_inside() {
        let may = |origin: &str, from: &str, to: &str| {
            client(origin).permit(&Url::parse(from).unwrap(), &Url::parse(to).unwrap()).is_ok()
        };
        let hub = "https://hub.example/";
        assert!(may(hub, hub, "https://cdn.example/x"));
        assert!(!may(hub, hub, "http://cdn.example/x"), "from https down to http");
        assert!(!may(hub, hub, "http://127.0.0.1/x"), "not even to this computer");
        assert!(!may(hub, "https://cdn.example/", "http://hub.example/"), "not back either");
        assert!(!may(hub, hub, "https://127.0.0.1/x") && !may(hub, hub, "https://[::1]/x"));
        assert!(
            !may(hub, hub, "https://10.0.0.1/x") && !may(hub, hub, "https://169.254.169.254/x")
        );
        let local = "http://127.0.0.1:8080/";
        assert!(may(local, local, "http://127.0.0.1:9090/x"));
        assert!(
            !may(local, local, "http://10.0.0.1/x")
                && !may(local, local, "http://169.254.169.254/")
        );
        assert!(!may(local, "https://cdn.example/", "http://127.0.0.1:9090/x"));
    }

    #[test]
    fn h9_offline_there_is_no_transport_to_be_had() {
        let mut settings = HubSettings::new("/nonexistent", "/nonexistent");
        settings.access = Access::Offline;
        settings.proxy = Some("not a proxy".to_owned());
        assert!(matches!(Transport::new(&settings), Err(Error::Offline { .. })));
    }
}
