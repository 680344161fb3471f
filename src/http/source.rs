//! Where a request comes from, as far as that can be believed.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::HttpRequest;

use crate::settings::Settings;

/// The header in which proxies say whom they speak for, each behind the one before it.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the caller: the peer's, or what a trusted proxy says of it. Of IPv6 the
/// network (/64) alone, for whoever has one address of it has all.
pub fn of(request: &HttpRequest, settings: &Settings) -> IpAddr {
    let trusted = |address: IpAddr| settings.trusted_proxies.iter().any(|it| it.contains(address));
    let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let peer = request.peer_addr().map_or(unknown, |peer| peer.ip());
    if !trusted(peer) {
        return network(peer);
    }
    let said = request.headers().get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    // Only what a trusted proxy has put there counts: whatever is further left may be made up.
    let mut nearest = peer;
    for hop in hops.into_iter().rev() {
        let Ok(address) = hop.parse() else { break };
        nearest = address;
        if !trusted(address) {
            break;
        }
    }
    network(nearest)
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::settings::Flags;

    fn from(peer: &str, forwarded: &[&str]) -> String {
        let flags = Flags {
            data: Some("/srv/countersign".to_owned()),
            set: vec!["trusted_proxies=10.0.0.0/8,::1".to_owned()],
            ..Flags::default()
        };
        let settings = Settings::resolve(&flags, []).unwrap();
        let request = TestRequest::default().peer_addr(peer.parse().unwrap());
        let request = forwarded
            .iter()
            .fold(request, |request, value| request.append_header((FORWARDED_FOR, *value)));
        of(&request.to_http_request(), &settings).to_string()
    }

    #[test]
    fn a_stranger_cannot_say_where_he_comes_from() {
        assert_eq!(from("192.0.2.1:5", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(from("10.0.0.1:5", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn proxies_are_believed_about_each_other() {
        assert_eq!(from("10.0.0.1:5", &["198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(from("[::1]:5", &["198.51.100.7", "10.0.0.2"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1:5", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1:5", &["nonsense"]), "10.0.0.1");
    }

    #[test]
    fn all_addresses_of_a_network_are_one_source() {
        assert_eq!(from("[2001:db8:1:2:3:4:5:6]:5", &[]), "2001:db8:1:2::");
        assert_eq!(from("[::ffff:192.0.2.1]:5", &[]), "192.0.2.1");
    }
}
