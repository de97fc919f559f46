//! Until when a certificate holds, read from it: for people, after its chain and name were checked by TLS.

/// One value of DER: its tag, its content, and what follows it.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

fn read(bytes: &[u8]) -> Option<Value<'_>> {
    let (tag, bytes) = bytes.split_first()?;
    let (first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(*first), bytes),
        0x81..=0x84 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some(Value { tag: *tag, content, rest })
}

const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of a certificate's time, as `2030-12-31`.
/// <https://www.rfc-editor.org/rfc/rfc5280#section-4.1>
pub(crate) fn not_after(certificate: &[u8]) -> Option<String> {
    let signed = read(read(certificate)?.content)?.content;
    let first = read(signed)?;
    let serial = if first.tag == VERSION { read(first.rest)? } else { first };
    let algorithm = read(serial.rest)?;
    let issuer = read(algorithm.rest)?;
    let validity = read(issuer.rest)?;
    let not_after = read(read(validity.content)?.rest)?;
    let text = std::str::from_utf8(not_after.content).ok().filter(|text| text.is_ascii())?;
    let digits = match not_after.tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some(format!("{}-{}-{}", digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn end_of_a_certificate_is_read() {
        for (year, expected) in [(2031, "2031-02-03"), (2050, "2050-02-03")] {
            let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 2, 3);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(certificate.der()).as_deref(), Some(expected));
            for length in 0..certificate.der().len() {
                not_after(&certificate.der()[..length]);
            }
        }
        assert_eq!(not_after(b"nonsense"), None);
    }
}
