//! Values as people write them: `10 MiB`, `5m`, `127.0.0.1:8008`, `10.0.0.0/8`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use parvis_peers_http::AddressRange;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes, written `500 KiB` or as a bare number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// The units of sizes, from small to large.
const SIZES: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

impl ByteSize {
    /// This many mebibytes.
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// The size as a number for memory, at most what this machine can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = number_and_unit(text).ok_or_else(|| not_a_size(text))?;
        let unit = if unit.is_empty() { "B" } else { unit };
        let (_, factor) =
            SIZES.into_iter().find(|(name, _)| *name == unit).ok_or_else(|| not_a_size(text))?;
        number.checked_mul(factor).map(Self).ok_or_else(|| not_a_size(text))
    }
}

fn not_a_size(text: &str) -> String {
    format!("`{text}` is not a size; write for example \"50 MiB\" (units: B, KiB, MiB, GiB, TiB)")
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = |(_, factor): &(&str, u64)| self.0.is_multiple_of(*factor) && self.0 >= *factor;
        let (name, factor) = SIZES.into_iter().rev().find(fitting).unwrap_or(("B", 1));
        write!(formatter, "{} {name}", self.0 / factor)
    }
}

/// A length of time, written `30s`. `0` needs no unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

/// The units of durations in milliseconds, from short to long.
const DURATIONS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

impl HumanDuration {
    /// This many seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    /// The duration, or none where it is zero and zero means "never".
    pub fn unless_zero(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a length of time; write for example \"30s\" (units: ms, s, m, h, d, w)")
        };
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        if number == 0 {
            return Ok(Self(Duration::ZERO));
        }
        let (_, factor) = DURATIONS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        number.checked_mul(factor).map(|millis| Self(Duration::from_millis(millis))).ok_or_else(wrong)
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return formatter.write_str("0");
        }
        let fitting = |(_, factor): &(&str, u64)| millis.is_multiple_of(*factor);
        let (name, factor) = DURATIONS.into_iter().rev().find(fitting).unwrap_or(("ms", 1));
        write!(formatter, "{}{name}", millis / factor)
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

/// Where to listen: an address with a port, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let address = text.parse().map_err(|_| {
            format!(
                "`{text}` is not an address; write for example \"127.0.0.1:8008\", \"[::]:8008\" or \"off\""
            )
        })?;
        Ok(Self(Some(address)))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(formatter, "{address}"),
            None => formatter.write_str("off"),
        }
    }
}

/// A range of addresses, written `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub AddressRange);

impl Network {
    /// Whether `address` lies in this range. IPv4 addresses in IPv6 clothes count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Reads a value that people write as text or as a bare number.
struct TextOrNumber<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = String>> de::Visitor<'_> for TextOrNumber<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(TextOrNumber(std::marker::PhantomData))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

as_text!(ByteSize, HumanDuration, Listen, Network, VersionName);

/// The name of a room version, which may look like a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionName(pub String);

impl FromStr for VersionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_as_people_do() {
        for (text, bytes, written) in [
            ("50 MiB", 50 << 20, "50 MiB"),
            ("1024KiB", 1 << 20, "1 MiB"),
            ("100", 100, "100 B"),
            ("0", 0, "0 B"),
            ("3 GiB", 3 << 30, "3 GiB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.0, size.to_string()), (bytes, written.to_owned()));
        }
        for wrong in ["", "MiB", "5 MB", "-1", "1.5 MiB", "99999999999 TiB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_and_written_as_people_do() {
        for (text, millis, written) in
            [("30s", 30_000, "30s"), ("90 m", 5_400_000, "90m"), ("0", 0, "0"), ("7d", 604_800_000, "1w")]
        {
            let duration: HumanDuration = text.parse().unwrap();
            assert_eq!((duration.0.as_millis(), duration.to_string()), (millis, written.to_owned()));
        }
        for wrong in ["", "5", "s", "1 year", "-1s"] {
            assert!(wrong.parse::<HumanDuration>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn network_contains_the_addresses_of_its_range() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.200.3.4"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(contains("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("fd00::/8", "fd12::1"));
        assert!(contains("::/0", "fd12::1"));
        for wrong in ["10.0.0.0/33", "10.0.0", "::1/129", "localhost"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn listener_is_an_address_or_off() {
        assert_eq!("off".parse(), Ok(Listen(None)));
        assert_eq!("[::]:8008".parse::<Listen>().unwrap().to_string(), "[::]:8008");
        assert!("localhost:8008".parse::<Listen>().is_err());
        assert!("8008".parse::<Listen>().is_err());
    }
}
