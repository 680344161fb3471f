//! Which network a request comes from.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;

use crate::settings::Settings;

/// Carries the addresses that a request has come by, the newest last.
const FORWARDED: &str = "x-forwarded-for";

/// The client's address: the peer's, unless that is a proxy whose word is believed. Then
/// the newest address in `X-Forwarded-For` that is not such a proxy itself: whatever stands
/// before it was said by who knows whom. The header `Forwarded` (RFC 7239) is not read, for
/// most proxies pass on what a client writes there.
pub fn address(request: &HttpRequest, settings: &Settings) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let named = request.headers().get_all(FORWARDED).filter_map(|value| value.to_str().ok());
    let named: Vec<_> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    Some(client(peer, &named, |it| settings.trusted_proxies.iter().any(|net| net.contains(it))))
}

fn client(peer: IpAddr, named: &[&str], trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut client = peer;
    for text in named.iter().rev() {
        if !trusted(client) {
            break;
        }
        // What is no address says nothing, nor does anything before it.
        let Some(address) = read(text) else { break };
        client = address.to_canonical();
    }
    client
}

/// An address, with a port behind it or without.
fn read(text: &str) -> Option<IpAddr> {
    let alone = text.parse::<IpAddr>().ok();
    alone.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// A network: 4 or 6, and the first bytes of its addresses.
pub type Network = [u8; 9];

/// The network that an address is in, as one holder has it: /24 or /56.
pub fn network(address: IpAddr) -> Network {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            [4, a, b, c, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, ..] = v6.octets();
            [6, a, b, c, d, e, f, g, 0]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client_of(peer: &str, named: &[&str]) -> IpAddr {
        client(ip(peer), named, |it| it.to_string().starts_with("10."))
    }

    /// Goal: nobody chooses where he comes from.
    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_as_far_as_it_knows() {
        let table: [(&str, &[&str], &str); 10] = [
            ("203.0.113.7", &[], "203.0.113.7"),
            ("203.0.113.7", &["198.51.100.1"], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.66", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.66", "unknown"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ];
        for (peer, named, expected) in table {
            assert_eq!(client_of(peer, named), ip(expected), "{peer} {named:?}");
        }
        assert_eq!(client_of("10.0.0.1", &["::ffff:192.0.2.1"]), ip("192.0.2.1"));
    }

    #[test]
    fn a_network_is_what_one_holder_has() {
        let same = [("192.0.2.1", "192.0.2.254"), ("2001:db8:1:200::1", "2001:db8:1:2ff:9::1")];
        for (one, other) in same {
            assert_eq!(network(ip(one)), network(ip(other)));
        }
        let apart = [("192.0.2.1", "192.0.3.1"), ("2001:db8:1:200::1", "2001:db8:1:300::1")];
        for (one, other) in apart {
            assert_ne!(network(ip(one)), network(ip(other)));
        }
    }
}
