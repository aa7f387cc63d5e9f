//! The subject of a certificate, as ZooKeeper's `x509` identities are written: RFC 2253.

use std::fmt::Write;

/// The subject of an X.509 certificate in DER, most specific part first: `CN=client,O=Example`;
/// `None` if the bytes are no certificate.
pub(crate) fn subject(certificate: &[u8]) -> Option<String> {
    let (_, body, _) = element(element(certificate)?.1)?;
    let mut rest = body;
    // version (optional), serial number, signature, issuer, validity
    if element(rest)?.0 == 0xa0 {
        rest = element(rest)?.2;
    }
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    let (tag, name, _) = element(rest)?;
    (tag == SEQUENCE).then_some(())?;
    let mut parts = elements(name)?.into_iter().map(part).collect::<Option<Vec<String>>>()?;
    parts.reverse();
    Some(parts.join(","))
}

const SEQUENCE: u8 = 0x30;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const TELETEX: u8 = 0x14;
const IA5: u8 = 0x16;
const OBJECT_ID: u8 = 0x06;

/// One relative name: attributes joined with `+`.
fn part(set: &[u8]) -> Option<String> {
    let attributes = elements(set)?.into_iter().map(attribute).collect::<Option<Vec<String>>>()?;
    Some(attributes.join("+"))
}

fn attribute(bytes: &[u8]) -> Option<String> {
    let (tag, oid, value) = element(bytes)?;
    (tag == OBJECT_ID).then_some(())?;
    let (tag, content, _) = element(value)?;
    let text = match tag {
        UTF8 | PRINTABLE | IA5 => std::str::from_utf8(content).ok().map(str::to_owned),
        TELETEX => Some(content.iter().map(|byte| char::from(*byte)).collect()),
        _ => None,
    };
    match (keyword(oid), text) {
        (Some(keyword), Some(text)) => Some(format!("{keyword}={}", escaped(&text))),
        (keyword, _) => {
            let keyword = keyword.map_or_else(|| dotted(oid), str::to_owned);
            Some(format!("{keyword}=#{}", hex(value)))
        }
    }
}

/// The keywords of RFC 2253 itself; other attributes are told by number.
fn keyword(oid: &[u8]) -> Option<&'static str> {
    const UID: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01];
    const DC: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19];
    match oid {
        [0x55, 4, 3] => Some("CN"),
        [0x55, 4, 6] => Some("C"),
        [0x55, 4, 7] => Some("L"),
        [0x55, 4, 8] => Some("ST"),
        [0x55, 4, 9] => Some("STREET"),
        [0x55, 4, 10] => Some("O"),
        [0x55, 4, 11] => Some("OU"),
        UID => Some("UID"),
        DC => Some("DC"),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    let last = text.chars().count().saturating_sub(1);
    for (at, char) in text.chars().enumerate() {
        let outer_space = char == ' ' && (at == 0 || at == last);
        if outer_space || ",+\"\\<>;".contains(char) || char == '#' && at == 0 {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

fn dotted(oid: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in oid {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let first = numbers.first().copied().unwrap_or_default();
    let head = (first / 40).min(2);
    let mut text = format!("{head}.{}", first - head * 40);
    for number in numbers.iter().skip(1) {
        write!(text, ".{number}").expect("a string takes everything");
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The contents of the elements in a row.
fn elements(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (_, content, rest) = element(bytes)?;
        found.push(content);
        bytes = rest;
    }
    Some(found)
}

/// The first element: its tag, its contents, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(attributes: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, text) in attributes {
            params.distinguished_name.push(kind.clone(), DnValue::Utf8String((*text).to_owned()));
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_most_specific_part_comes_first_and_is_escaped() {
        let bytes = certificate(&[
            (DnType::CountryName, "AT"),
            (DnType::OrganizationName, "A, B + C"),
            (DnType::CommonName, "#client "),
        ]);
        assert_eq!(subject(&bytes).as_deref(), Some("CN=\\#client\\ ,O=A\\, B \\+ C,C=AT"));
    }

    #[test]
    fn attributes_without_a_keyword_are_told_by_number() {
        let bytes = certificate(&[(DnType::CustomDnType(vec![2, 5, 4, 5]), "7")]);
        assert_eq!(subject(&bytes).as_deref(), Some("2.5.4.5=#0c0137"));
        assert_eq!(dotted(&[0x2a, 0x86, 0x48]), "1.2.840");
    }

    #[test]
    fn what_is_no_certificate_has_no_subject() {
        let bytes = certificate(&[(DnType::CommonName, "a")]);
        assert_eq!(subject(&bytes).as_deref(), Some("CN=a"));
        for length in 0..bytes.len().min(80) {
            assert_eq!(subject(&bytes[..length]), None, "{length} bytes");
        }
        assert_eq!(subject(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
