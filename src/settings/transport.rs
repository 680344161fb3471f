//! How callers may reach a node: never in the clear across a network.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::layer::Layers;
use super::{SettingError, Settings, known};

/// A certificate chain and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl TlsFiles {
    pub(super) fn read(layers: &Layers) -> Result<Option<Self>, SettingError> {
        let [(cert_name, cert), (key_name, key)] = [
            (known::TLS_CERT.name, layers.text(&known::TLS_CERT)?),
            (known::TLS_KEY.name, layers.text(&known::TLS_KEY)?),
        ];
        match (cert, key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Ok(Some(Self { cert: cert.into(), key: key.into() })),
            (Some(_), None) => Err(SettingError::HalfTls { given: cert_name, missing: key_name }),
            (None, Some(_)) => Err(SettingError::HalfTls { given: key_name, missing: cert_name }),
        }
    }
}

/// Plaintext stays on loopback, or goes no further than a proxy that is named.
pub(super) fn check(settings: &Settings) -> Result<(), SettingError> {
    if settings.behind_proxy && settings.trusted_proxies.is_empty() {
        return Err(SettingError::ProxyUnnamed);
    }
    let listen = settings.listen;
    let local = listen.ip().to_canonical().is_loopback();
    if local || settings.tls.is_some() || settings.behind_proxy {
        Ok(())
    } else {
        Err(SettingError::Plaintext { listen })
    }
}

/// Where callers reach this node: scheme, host and port, without a path. `https`,
/// or `http` on loopback.
///
/// # Source
/// OpenID `AuthZEN` Authorization API 1.0, metadata: an `https` URL without query
/// or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text that is not a public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not https:// and a host, with a port or without (http:// on loopback only)")]
pub struct NotAPublicUrl;

impl PublicUrl {
    /// The URL without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;
    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = text.split_once("://").ok_or(NotAPublicUrl)?;
        let host = host(authority).ok_or(NotAPublicUrl)?;
        match scheme {
            "https" => Ok(Self(text.to_owned())),
            "http" if is_loopback(host) => Ok(Self(text.to_owned())),
            _ => Err(NotAPublicUrl),
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`; no user, no path.
fn host(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let port_fits = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        let fits = port_fits && address.parse::<std::net::Ipv6Addr>().is_ok();
        return fits.then_some(address);
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let fits = !host.is_empty() && host.len() <= 253 && host.bytes().all(named);
    (fits && port.is_none_or(is_port)).then_some(host)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A network in CIDR notation, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a network such as 10.0.0.0/8")]
pub struct NotANetwork;

impl Network {
    /// True if the address is in it. An IPv4 address mapped into IPv6 counts as what
    /// it stands for.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }

    /// True if the socket's address is in it, whatever its port.
    #[must_use]
    pub fn contains_peer(&self, peer: SocketAddr) -> bool {
        self.contains(peer.ip())
    }
}

impl FromStr for Network {
    type Err = NotANetwork;
    /// Reads `10.0.0.0/8`, `10.1.2.3`, `fd00::/8` or `::1`. Bits beyond the prefix
    /// must be zero: `10.1.2.3/8` is more likely a slip than a network.
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let (width, trailing) = match address {
            IpAddr::V4(v4) => (32, v4.to_bits().trailing_zeros()),
            IpAddr::V6(v6) => (128, v6.to_bits().trailing_zeros()),
        };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| NotANetwork)?,
            None => width,
        };
        if prefix > width || trailing < width - prefix {
            return Err(NotANetwork);
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
