//! Which addresses a server may send us to (server-side request forgery, turned around).
//!
//! A redirect of a public hub to `169.254.169.254` or `localhost` would make this program knock on
//! doors that are open only from inside. So every name other than the one a person chose is resolved
//! here, and its addresses have to be public, or of the same kind as those of the chosen one. The
//! connection goes to the very addresses that were judged: a name cannot change its mind in between.

use std::{
    error, fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, OnceLock},
};

use ureq::{
    Error as Fault,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

use crate::{Error, url::Origin};

/// What kind of network an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Public,
    Private,
    Loopback,
    /// Link-local, multicast, unspecified and the like: no hub is there.
    Never,
}

impl Class {
    fn of(address: IpAddr) -> Class {
        match address {
            IpAddr::V4(address) => Class::of_v4(address),
            IpAddr::V6(address) => Class::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Class {
        let [a, b, c, _] = address.octets();
        if address.is_loopback() {
            Class::Loopback
        } else if address.is_private() || (a == 100 && (64..128).contains(&b)) {
            Class::Private
        } else if a == 0
            || a >= 224
            || address.is_link_local()
            || address.is_documentation()
            || (a == 192 && b == 0 && c == 0)
            || (a == 198 && (b & 0xfe) == 18)
        {
            Class::Never
        } else {
            Class::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Class {
        let parts = address.segments();
        let embedded = |high: u16, low: u16| {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            Class::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        if let Some(address) = address.to_ipv4_mapped() {
            return Class::of_v4(address);
        }
        match parts {
            [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
            // NAT64 and 6to4 carry an IPv4 address.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
            [0, ..] => Class::Never,
            [first, ..] if first & 0xfe00 == 0xfc00 => Class::Private,
            [first, ..] if first & 0xe000 != 0x2000 => Class::Never,
            [0x2001, 0xdb8, ..] => Class::Never,
            _ => Class::Public,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Class::Public => "public",
            Class::Private => "in a private network",
            Class::Loopback => "this computer itself",
            Class::Never => "link-local or reserved",
        }
    }
}

/// The kind of network of the chosen host, once it was resolved.
pub(super) type Seen = Arc<OnceLock<Class>>;

/// A resolver that refuses.
#[derive(Debug)]
pub(super) struct Guard {
    chosen: String,
    proxy: Option<String>,
    class: Seen,
    inner: DefaultResolver,
}

impl Guard {
    pub(super) fn new(origin: &Origin, proxy: Option<&str>) -> Guard {
        let class = Seen::default();
        if let Some(address) = literal(&origin.host) {
            _ = class.set(Class::of(address));
        }
        let proxy = proxy.map(str::to_ascii_lowercase);
        Guard { chosen: origin.host.clone(), proxy, class, inner: DefaultResolver::default() }
    }

    pub(super) fn class(&self) -> Seen {
        self.class.clone()
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Fault> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        if self.proxy.as_ref() == Some(&host) {
            return Ok(found);
        }
        if host == self.chosen {
            if let Some(first) = found.iter().next() {
                _ = self.class.set(Class::of(first.ip()));
            }
            return Ok(found);
        }
        for address in &*found {
            judge(&host, address.ip(), &self.class)
                .map_err(|refused| Fault::Other(Box::new(refused)))?;
        }
        Ok(found)
    }
}

/// Judges a host that is an address, which a proxy would resolve without asking the guard.
pub(super) fn permit_literal(host: &str, class: &Seen) -> Result<(), Error> {
    match literal(host) {
        Some(address) => judge(host, address, class).map_err(Refused::into_error),
        None => Ok(()),
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn judge(host: &str, address: IpAddr, chosen: &Seen) -> Result<(), Refused> {
    let class = Class::of(address);
    let same = class != Class::Never && chosen.get() == Some(&class);
    if class == Class::Public || same {
        Ok(())
    } else {
        Err(Refused { host: host.to_owned(), address, class })
    }
}

/// Why an address is not connected to.
#[derive(Debug)]
pub(super) struct Refused {
    host: String,
    address: IpAddr,
    class: Class,
}

impl Refused {
    pub(super) fn into_error(self) -> Error {
        Error::Address {
            host: weights::shown(&self.host),
            address: self.address.to_string(),
            class: self.class.name(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.address, self.class.name())
    }
}

impl error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h4_addresses_are_told_apart() {
        for (text, class) in [
            ("1.1.1.1", Class::Public),
            ("2606:4700::1111", Class::Public),
            ("10.1.2.3", Class::Private),
            ("172.31.0.1", Class::Private),
            ("172.32.0.1", Class::Public),
            ("192.168.1.1", Class::Private),
            ("100.64.0.1", Class::Private),
            ("fd00::1", Class::Private),
            ("127.0.0.1", Class::Loopback),
            ("127.9.9.9", Class::Loopback),
            ("::1", Class::Loopback),
            ("::ffff:127.0.0.1", Class::Loopback),
            ("64:ff9b::7f00:1", Class::Loopback),
            ("2002:7f00:1::", Class::Loopback),
            ("::ffff:169.254.169.254", Class::Never),
            ("169.254.169.254", Class::Never),
            ("fe80::1", Class::Never),
            ("0.0.0.0", Class::Never),
            ("::", Class::Never),
            ("224.0.0.1", Class::Never),
            ("255.255.255.255", Class::Never),
        ] {
            assert_eq!(Class::of(text.parse().unwrap()), class, "{text}");
        }
    }

    #[test]
    fn h4_a_public_hub_cannot_send_us_inside_and_a_local_one_stays_local() {
        let seen = |class| Seen::from(OnceLock::from(class));
        let may = |host: &str, class: Class| permit_literal(host, &seen(class)).is_ok();
        for inside in ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[fe80::1]"] {
            assert!(!may(inside, Class::Public), "{inside}");
        }
        assert!(
            may("1.1.1.1", Class::Public)
                && may("1.1.1.1", Class::Private)
                && may("1.1.1.1", Class::Loopback)
        );
        assert!(may("10.0.0.9", Class::Private) && !may("127.0.0.1", Class::Private));
        assert!(may("127.0.0.2", Class::Loopback) && !may("10.0.0.9", Class::Loopback));
        assert!(!may("169.254.169.254", Class::Never));
        assert!(
            permit_literal("10.0.0.1", &Seen::default()).is_err(),
            "nothing is known yet: only public"
        );
    }
}
