//! Who a client is: what its address shows and what it proves ("Builtin ACL Schemes",
//! Programmer's Guide). Pure.

use std::net::IpAddr;

use wire::Identity;

use crate::tls;

/// What a connection is known as without proving anything: its address.
pub(crate) fn address(from: IpAddr) -> Identity {
    Identity::new("ip", from.to_canonical().to_string())
}

/// What a connection is known as by the certificate, in DER, that it has shown. The one with the
/// subject `super_user` is a superuser besides.
pub(crate) fn certificate(der: &[u8], super_user: Option<&str>) -> Vec<Identity> {
    let Some(subject) = tls::subject(der) else { return Vec::new() };
    let is_super = super_user == Some(subject.as_str());
    let superuser = is_super.then(|| Identity::new("super", ""));
    superuser.into_iter().chain([Identity::new("x509", subject)]).collect()
}

/// The identities that these credentials prove to a connection that is known as `who`; `None` if
/// they are of a scheme that this server does not have. `digest` takes any user and password: what they open is up to the lists. The
/// one with `super_digest` is a superuser besides.
pub(crate) fn prove(
    scheme: &str,
    credentials: &[u8],
    who: &[Identity],
    super_digest: Option<&str>,
) -> Option<Vec<Identity>> {
    match scheme {
        // What the connection itself shows needs no more proof.
        "ip" | "x509" => {
            let shown: Vec<_> = who.iter().filter(|who| who.scheme == scheme).cloned().collect();
            (!shown.is_empty()).then_some(shown)
        }
        "digest" => {
            let id = digest(&String::from_utf8_lossy(credentials));
            let is_super = super_digest == Some(id.as_str());
            let superuser = is_super.then(|| Identity::new("super", ""));
            Some(superuser.into_iter().chain([Identity::new("digest", id)]).collect())
        }
        _ => None,
    }
}

/// Identities as `whoAmI` tells them: users without the hashes of their passwords.
pub(crate) fn users(who: &[Identity]) -> Vec<Identity> {
    who.iter()
        .map(|Identity { scheme, id }| match scheme.as_str() {
            "digest" => Identity::new("digest", id.split(':').next().unwrap_or_default()),
            _ => Identity::new(scheme.clone(), id.clone()),
        })
        .collect()
}

/// `user:hash` of `user:password`, as it stands in access control lists.
fn digest(credentials: &str) -> String {
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{user}:{}", base64(&sha1(credentials.as_bytes())))
}

/// RFC 3174. ZooKeeper's lists hold this hash; it protects nothing else here.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let end = padded.len() - 8;
    padded[end..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    let start = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let state = padded.chunks_exact(64).fold(start, sha1_block);
    let mut hash = [0; 20];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

fn sha1_block(state: [u32; 5], block: &[u8]) -> [u32; 5] {
    let mut words = [0u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes(bytes.try_into().expect("chunks of four"));
    }
    for i in 16..80 {
        let mixed = words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16];
        words[i] = mixed.rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for (i, word) in words.into_iter().enumerate() {
        let (mix, constant) = match i / 20 {
            0 => ((b & c) | (!b & d), 0x5a82_7999),
            1 => (b ^ c ^ d, 0x6ed9_eba1),
            2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc_u32),
            _ => (b ^ c ^ d, 0xca62_c1d6),
        };
        let next = [a.rotate_left(5), mix, e, constant, word];
        (e, d, c, b) = (d, c, b.rotate_left(30), a);
        a = next.into_iter().fold(0, u32::wrapping_add);
    }
    let [s0, s1, s2, s3, s4] = state;
    [(s0, a), (s1, b), (s2, c), (s3, d), (s4, e)].map(|(old, new)| old.wrapping_add(new))
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn sha1_and_base64_are_those_of_the_rfcs() {
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&sha1(b"")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(&sha1(long)), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        let million = vec![b'a'; 1_000_000];
        assert_eq!(hex(&sha1(&million)), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    /// The documentation's own example, and the superuser of kazoo's test suite.
    #[test]
    fn digests_are_zookeepers() {
        assert_eq!(digest("super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert_eq!(digest("nobody"), format!("nobody:{}", base64(&sha1(b"nobody"))));
    }

    #[test]
    fn the_superuser_is_who_has_the_configured_digest() {
        let who = |super_digest| prove("digest", b"super:test", &[], super_digest);
        let user = Identity::new("digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert_eq!(who(None), Some(vec![user.clone()]));
        assert_eq!(who(Some("super:other")), Some(vec![user.clone()]));
        let both = vec![Identity::new("super", ""), user.clone()];
        assert_eq!(who(Some(&user.id)), Some(both.clone()));
        let shown = [Identity::new("super", ""), Identity::new("digest", "super")];
        assert_eq!(users(&both), shown);
    }

    #[test]
    fn schemes_that_prove_nothing_are_refused() {
        let here = [address(IpAddr::from([127, 0, 0, 1]))];
        for scheme in ["world", "auth", "super", "sasl", "x509", ""] {
            assert_eq!(prove(scheme, b"", &here, None), None, "{scheme}");
        }
        assert_eq!(prove("ip", b"1.2.3.4", &here, None), Some(here.to_vec()));
        let with_certificate = [here[0].clone(), Identity::new("x509", "CN=a")];
        assert_eq!(
            prove("x509", b"", &with_certificate, None),
            Some(with_certificate[1..].to_vec())
        );
    }
}
