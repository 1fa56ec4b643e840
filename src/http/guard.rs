//! Which addresses a receiver may have. Its URL comes from the operator, its name's addresses from whoever owns the name:
//! neither may point us at this machine, the network around it, or Azure's own services.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What one receiver may have beyond public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Policy {
    /// Networks named in the configuration.
    pub(super) allow_networks: Vec<IpNet>,
    /// Whether the URL says plainly that the receiver is on this machine. Then it is nowhere else.
    pub(super) loopback: bool,
}

/// A kind of address that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What it is.
    pub(super) kind: &'static str,
    /// Whether `allow_networks` may name it.
    pub(super) curable: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// What it is, and what to do if it is meant.
    pub(super) fn with_cure(self) -> String {
        let cure = if self.curable {
            "; if it is meant to be there, name its network in `allow_networks`"
        } else {
            ""
        };
        format!("{self}{cure}")
    }
}

impl Policy {
    /// Whether a connection to `ip` may be made.
    pub(super) fn check(&self, ip: IpAddr) -> Result<(), Refused> {
        // ::ffff:127.0.0.1 connects to 127.0.0.1.
        let ip = ip.to_canonical();
        let never = |kind| Err(Refused { kind, curable: false });
        if self.loopback {
            return if ip.is_loopback() {
                Ok(())
            } else {
                never("an address that is not loopback")
            };
        }
        if let Some(kind) = barred(ip).or(embedded(ip).and_then(|ip| barred(ip.into()))) {
            return never(kind);
        }
        match not_public(ip) {
            None => Ok(()),
            Some(_) if self.allow_networks.iter().any(|net| net.contains(&ip)) => Ok(()),
            Some(kind) => Err(Refused { kind, curable: true }),
        }
    }
}

/// What no receiver is ever reached by.
fn barred(ip: IpAddr) -> Option<&'static str> {
    match ip {
        _ if ip.is_loopback() => Some("a loopback address"),
        // 0.0.0.0 connects to this machine.
        IpAddr::V4(ip) if V4_THIS.contains(&ip) => Some("an unspecified address"),
        IpAddr::V6(ip) if ip.is_unspecified() => Some("an unspecified address"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("a broadcast address"),
        _ if ip.is_multicast() => Some("a multicast address"),
        // The second is public, but in Azure it is the host's wire server.
        IpAddr::V4(ip) if METADATA.contains(&ip) => Some("an address of Azure's own services"),
        _ => None,
    }
}

/// The IPv4 address that a NAT64 or 6to4 gateway would turn this one into.
fn embedded(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let [_, b, c, .., g, h] = ip.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if NAT64.contains(&ip) {
        Some(of(g, h))
    } else if SIX_TO_FOUR.contains(&ip) {
        Some(of(b, c))
    } else {
        None
    }
}

/// What kind of address this is, if it is none of the public Internet.
fn not_public(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => V4.iter().find(|(net, _)| net.contains(&ip)).map(|(_, kind)| *kind),
        IpAddr::V6(ip) => V6.iter().find(|(net, _)| net.contains(&ip)).map(|(_, kind)| *kind),
    }
}

const fn v4(a: u8, b: u8, c: u8, len: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), len)
}

const fn v6(a: u16, b: u16, c: u16, len: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), len)
}

const METADATA: [Ipv4Addr; 2] =
    [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(168, 63, 129, 16)];
const V4_THIS: Ipv4Net = v4(0, 0, 0, 8);
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

const V4: [(Ipv4Net, &str); 13] = [
    (v4(10, 0, 0, 8), "a private address"),
    (v4(172, 16, 0, 12), "a private address"),
    (v4(192, 168, 0, 16), "a private address"),
    (v4(169, 254, 0, 16), "a link-local address"),
    (v4(100, 64, 0, 10), "a carrier's shared address"),
    (v4(192, 0, 0, 24), "a reserved address"),
    (v4(192, 0, 2, 24), "a documentation address"),
    (v4(198, 51, 100, 24), "a documentation address"),
    (v4(203, 0, 113, 24), "a documentation address"),
    (v4(192, 88, 99, 24), "a 6to4 relay's address"),
    (v4(198, 18, 0, 15), "a benchmarking address"),
    (v4(224, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 4), "a reserved address"),
];

const V6: [(Ipv6Net, &str); 15] = [
    (v6(0xfc00, 0, 0, 7), "a private address"),
    (v6(0xfe80, 0, 0, 10), "a link-local address"),
    (v6(0xfec0, 0, 0, 10), "a site-local address"),
    (v6(0xff00, 0, 0, 8), "a multicast address"),
    (v6(0x2001, 0xdb8, 0, 32), "a documentation address"),
    (v6(0x3fff, 0, 0, 20), "a documentation address"),
    // Teredo, ORCHID, benchmarking.
    (v6(0x2001, 0, 0, 23), "a reserved address"),
    (v6(0x100, 0, 0, 64), "a discard address"),
    (SIX_TO_FOUR, "a 6to4 address"),
    (NAT64, "a NAT64 address"),
    (v6(0x64, 0xff9b, 1, 48), "a NAT64 address"),
    (v6(0x5f00, 0, 0, 16), "a segment-routing address"),
    // IPv4 in IPv6 of the oldest kind.
    (v6(0, 0, 0, 96), "a reserved address"),
    (v6(0x4000, 0, 0, 2), "a reserved address"),
    (v6(0x8000, 0, 0, 1), "a reserved address"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_public_addresses_by_default() {
        let policy = Policy::default();
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "168.63.129.15",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(policy.check(ip(public)), Ok(()), "{public}");
        }
        for (address, kind, curable) in [
            ("127.0.0.1", "a loopback address", false),
            ("127.255.255.254", "a loopback address", false),
            ("::1", "a loopback address", false),
            ("::ffff:127.0.0.1", "a loopback address", false),
            ("0.0.0.0", "an unspecified address", false),
            ("0.1.2.3", "an unspecified address", false),
            ("::", "an unspecified address", false),
            ("::ffff:0.0.0.0", "an unspecified address", false),
            ("169.254.169.254", "an address of Azure's own services", false),
            ("168.63.129.16", "an address of Azure's own services", false),
            ("::ffff:168.63.129.16", "an address of Azure's own services", false),
            ("64:ff9b::169.254.169.254", "an address of Azure's own services", false),
            ("64:ff9b::7f00:1", "a loopback address", false),
            ("2002:7f00:1::", "a loopback address", false),
            ("224.0.0.1", "a multicast address", false),
            ("ff02::1", "a multicast address", false),
            ("255.255.255.255", "a broadcast address", false),
            ("10.0.0.1", "a private address", true),
            ("172.16.0.1", "a private address", true),
            ("172.31.255.255", "a private address", true),
            ("192.168.1.1", "a private address", true),
            ("::ffff:10.0.0.1", "a private address", true),
            ("fd00::1", "a private address", true),
            ("169.254.1.1", "a link-local address", true),
            ("fe80::1", "a link-local address", true),
            ("fec0::1", "a site-local address", true),
            ("100.64.0.1", "a carrier's shared address", true),
            ("192.0.0.8", "a reserved address", true),
            ("192.0.2.1", "a documentation address", true),
            ("198.51.100.1", "a documentation address", true),
            ("203.0.113.1", "a documentation address", true),
            ("2001:db8::1", "a documentation address", true),
            ("3fff:fff::1", "a documentation address", true),
            ("192.88.99.1", "a 6to4 relay's address", true),
            ("198.19.255.255", "a benchmarking address", true),
            ("240.0.0.1", "a reserved address", true),
            ("100::1", "a discard address", true),
            ("2002:808:808::1", "a 6to4 address", true),
            ("64:ff9b::808:808", "a NAT64 address", true),
            ("64:ff9b:1::1", "a NAT64 address", true),
            ("5f00::1", "a segment-routing address", true),
            ("2001::1", "a reserved address", true),
            ("::8.8.8.8", "a reserved address", true),
        ] {
            assert_eq!(policy.check(ip(address)), Err(Refused { kind, curable }), "{address}");
        }
    }

    #[test]
    fn networks_named_in_the_configuration_are_let_through_but_not_everything() {
        let nets = ["10.20.0.0/16", "fd00::/8", "64:ff9b::/96", "127.0.0.0/8", "0.0.0.0/0"];
        let policy = |nets: &[&str]| Policy {
            allow_networks: nets.iter().map(|n| n.parse().unwrap()).collect(),
            loopback: false,
        };
        let some = policy(nets.get(..3).unwrap());
        for address in ["10.20.255.1", "::ffff:10.20.0.1", "fd12::1", "64:ff9b::808:808", "8.8.8.8"]
        {
            assert_eq!(some.check(ip(address)), Ok(()), "{address}");
        }
        assert!(some.check(ip("10.21.0.1")).is_err());
        let all = policy(&nets);
        assert_eq!(all.check(ip("192.168.0.1")), Ok(()));
        for address in
            ["127.0.0.1", "169.254.169.254", "168.63.129.16", "0.0.0.0", "64:ff9b::7f00:1"]
        {
            assert!(all.check(ip(address)).is_err(), "{address}");
        }
    }

    #[test]
    fn a_receiver_on_this_machine_is_nowhere_else() {
        let policy = Policy { loopback: true, ..Policy::default() };
        assert_eq!(policy.check(ip("127.0.0.1")), Ok(()));
        assert_eq!(policy.check(ip("::1")), Ok(()));
        assert!(policy.check(ip("8.8.8.8")).is_err());
        assert!(policy.check(ip("10.0.0.1")).is_err());
    }

    proptest! {
        /// What the standard library knows to be private or local is never let through.
        #[test]
        fn agrees_with_the_standard_library(a: [u8; 4]) {
            let v4 = Ipv4Addr::from(a);
            let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
            let refused = Policy::default().check(v4.into()).is_err();
            prop_assert!(!local || refused);
            prop_assert_eq!(refused, Policy::default().check(v4.to_ipv6_mapped().into()).is_err());
        }
    }
}
