//! Which addresses may be connected to when a stranger chose the name.
//!
//! Whoever can make this server call a place of their choice could have it call the machines beside it. So
//! addresses that are not on the public Internet are refused, wherever they come from: the answer of a name
//! server, a server name, a redirect. What is checked must be the very address that is then connected to, or a
//! name that changes its answer gets past.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

/// A range of addresses, written `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    prefix_bits: u32,
}

impl AddressRange {
    /// Whether `address` lies in this range. IPv4 addresses in IPv6 clothes count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, width) = bits(self.address);
        let (theirs, their_width) = bits(address);
        // A shift by the whole width means that every address of the family is in.
        let shift = width - self.prefix_bits;
        width == their_width && ours.checked_shr(shift) == theirs.checked_shr(shift)
    }
}

/// The address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address or a range; write for example \"10.0.0.0/8\"");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let address = address.to_canonical();
        let (_, width) = bits(address);
        let prefix_bits = prefix.map_or(Ok(width), |prefix| prefix.parse().map_err(|_| wrong()))?;
        if prefix_bits > width { Err(wrong()) } else { Ok(Self { address, prefix_bits }) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, width) = bits(self.address);
        if self.prefix_bits == width {
            write!(formatter, "{}", self.address)
        } else {
            write!(formatter, "{}/{}", self.address, self.prefix_bits)
        }
    }
}

/// Tells the addresses that may be connected to from those that may not. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AddressGuard {
    allowed: Arc<[AddressRange]>,
    /// Whether nothing else is permitted, not even the public Internet.
    only: bool,
}

impl AddressGuard {
    /// Permits the public Internet, and these ranges.
    pub fn new(allowed: impl IntoIterator<Item = AddressRange>) -> Self {
        Self { allowed: allowed.into_iter().collect(), only: false }
    }

    /// Permits these ranges, and nothing else.
    pub fn only(allowed: impl IntoIterator<Item = AddressRange>) -> Self {
        Self { allowed: allowed.into_iter().collect(), only: true }
    }

    /// Whether this address may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        let is_allowed = self.allowed.iter().any(|range| range.contains(address));
        is_allowed || (!self.only && is_public(address))
    }
}

/// IPv4 ranges that are not on the public Internet, after IANA's registry of special-purpose addresses.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    // "This network".
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared by a provider's customers (CGNAT).
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, where clouds keep their metadata.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation, with the two further below.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays from IPv6, abandoned.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// All public IPv6 addresses are in 2000::/3; these ranges of it are special.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    // Protocol assignments: Teredo, benchmarks, ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4, which holds an IPv4 address that may be anybody's.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// The last 32 bits are an IPv4 address behind a translator (NAT64): as public as that is.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether an address is one of the public Internet.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|range| in_v4(*range, address)),
        IpAddr::V6(address) if in_v6(NAT64, address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(address) => {
            in_v6(PUBLIC_V6, address) && !SPECIAL_V6.iter().any(|range| in_v6(*range, address))
        }
    }
}

fn in_v4((base, prefix): (Ipv4Addr, u32), address: Ipv4Addr) -> bool {
    (base.to_bits() ^ address.to_bits()).leading_zeros() >= prefix
}

fn in_v6((base, prefix): (Ipv6Addr, u32), address: Ipv6Addr) -> bool {
    (base.to_bits() ^ address.to_bits()).leading_zeros() >= prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_permitted() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "169.253.1.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ];
        let special = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        let guard = AddressGuard::default();
        for (addresses, permitted) in [(&public[..], true), (&special[..], false)] {
            for address in addresses {
                assert_eq!(guard.permits(address.parse().unwrap()), permitted, "{address}");
            }
        }
    }

    #[test]
    fn guard_of_a_network_of_ones_own_permits_nothing_else() {
        let guard = AddressGuard::only(["10.1.0.0/16"].map(|range| range.parse().unwrap()));
        for (address, permitted) in [("10.1.2.3", true), ("10.2.0.1", false), ("1.1.1.1", false)] {
            assert_eq!(guard.permits(address.parse().unwrap()), permitted, "{address}");
        }
    }

    #[test]
    fn ranges_that_were_allowed_are_permitted_besides() {
        let guard = AddressGuard::new(["10.1.0.0/16", "fd00::/8", "::1"].map(|range| range.parse().unwrap()));
        for (address, permitted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("fd12::1", true),
            ("fc00::1", false),
            ("::1", true),
            ("127.0.0.1", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(guard.permits(address.parse().unwrap()), permitted, "{address}");
        }
    }
}
