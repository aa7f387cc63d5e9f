//! Access control lists ("ZooKeeper access control using ACLs", Programmer's Guide).
//!
//! A list allows: whoever matches no entry with the permission is refused. Schemes are `world`
//! (everybody), `digest` (a user and the hash of the password), `x509` (the subject of a client's
//! certificate, as in RFC 2253), `ip` (an IPv4 address, or a range as address/bits). `auth` is a shorthand in a list that is set: it stands for the proved
//! identities of whoever sets it. The identity `super` may do everything.

use std::sync::Arc;

use wire::{Acl, ErrorCode, Identity, perms};

/// A list as it is stored: `None` is everything to everybody, as most have it.
pub(crate) type Stored = Option<Arc<[Acl]>>;

/// Whether a list gives one of these identities one of these permissions.
pub(crate) fn allows(list: &[Acl], perms: i32, who: &[Identity]) -> bool {
    who.iter().any(|identity| identity.scheme == "super")
        || list
            .iter()
            .filter(|acl| acl.perms & perms != 0)
            .any(|acl| acl.is_for_anyone() || who.iter().any(|identity| matches(acl, identity)))
}

/// What is stored of a list that holds everywhere: nothing, if it is everything to everybody.
pub(crate) fn stored(list: Vec<Acl>) -> Stored {
    (!is_open(&list)).then(|| list.into())
}

/// The list to store for one that a client with these identities sets: `auth` replaced,
/// duplicates taken out; or `InvalidACL`.
pub(crate) fn to_store(list: &[Acl], who: &[Identity]) -> Result<Stored, ErrorCode> {
    if is_open(list) { Ok(None) } else { resolved(list, who).map(stored) }
}

fn is_open(list: &[Acl]) -> bool {
    matches!(list, [only] if only.perms == perms::ALL && only.is_for_anyone())
}

fn resolved(list: &[Acl], who: &[Identity]) -> Result<Vec<Acl>, ErrorCode> {
    let mut stored = Vec::new();
    for (_, acl) in list.iter().enumerate().filter(|&(i, acl)| !list[..i].contains(acl)) {
        match acl.scheme.as_str() {
            "world" if acl.is_for_anyone() => stored.push(acl.clone()),
            "auth" => stored.append(&mut expanded(acl.perms, who)?),
            "digest" if is_digest(&acl.id) => stored.push(acl.clone()),
            "x509" if is_subject(&acl.id) => stored.push(acl.clone()),
            "ip" if range(&acl.id).is_some() => stored.push(acl.clone()),
            _ => return Err(ErrorCode::InvalidACL),
        }
    }
    if stored.is_empty() { Err(ErrorCode::InvalidACL) } else { Ok(stored) }
}

/// A list as those see it who may not change it: without the hashes of passwords.
pub(crate) fn masked(list: Vec<Acl>) -> Vec<Acl> {
    list.into_iter()
        .map(|acl| match acl.id.split_once(':') {
            Some((user, _)) if acl.scheme == "digest" => {
                Acl { id: format!("{user}:x").into(), ..acl }
            }
            _ => acl,
        })
        .collect()
}

/// An address is no proof of who somebody is: `auth` does not stand for it.
fn expanded(perms: i32, who: &[Identity]) -> Result<Vec<Acl>, ErrorCode> {
    let proved = who.iter().filter(|who| ["digest", "x509"].contains(&who.scheme.as_str()));
    let list: Vec<Acl> = proved
        .map(|Identity { scheme, id }| Acl { perms, scheme: scheme.clone(), id: id.clone() })
        .collect();
    if list.is_empty() { Err(ErrorCode::InvalidACL) } else { Ok(list) }
}

fn matches(acl: &Acl, identity: &Identity) -> bool {
    acl.scheme == identity.scheme
        && match acl.scheme.as_str() {
            "digest" | "x509" => acl.id == identity.id,
            "ip" => in_range(&acl.id, &identity.id),
            _ => false,
        }
}

/// `user:hash`, which ZooKeeper judges by Java's `split`: it drops empty parts at the end.
fn is_digest(id: &str) -> bool {
    let parts = id.trim_end_matches(':').split(':').count();
    parts == 2 && !id.is_empty()
}

/// `keyword=value` parts. ZooKeeper parses them; a subject that no certificate has is nobody's.
fn is_subject(id: &str) -> bool {
    id.split_once('=').is_some_and(|(keyword, _)| !keyword.is_empty())
}

fn in_range(expression: &str, address: &str) -> bool {
    let (Some((from, bits)), Some(address)) = (range(expression), v4(address)) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    from & mask == address & mask
}

/// The address, and how many of its leading bits count.
fn range(expression: &str) -> Option<(u32, u32)> {
    match expression.split_once('/') {
        None => Some((v4(expression)?, 32)),
        Some((address, bits)) => {
            let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
            Some((v4(address)?, bits))
        }
    }
}

fn v4(text: &str) -> Option<u32> {
    let parts: Vec<u8> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    Some(u32::from_be_bytes(parts.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(scheme: &str, id: &str) -> Acl {
        Acl { perms: 1, scheme: scheme.into(), id: id.into() }
    }

    #[test]
    fn the_subject_of_a_certificate_is_an_identity() {
        let owner = [Identity::new("ip", "10.0.0.1"), Identity::new("x509", "CN=a,O=b")];
        let list = resolved(&[acl("auth", "")], &owner).unwrap();
        assert_eq!(list, [acl("x509", "CN=a,O=b")]);
        assert!(allows(&list, 1, &owner) && !allows(&list, 1, &owner[..1]));
        assert!(!allows(&list, 1, &[Identity::new("x509", "CN=a")]));
        assert!(!allows(&list, 1, &[Identity::new("digest", "CN=a,O=b")]));
        assert_eq!(resolved(&[acl("x509", "CN=a")], &[]).unwrap(), [acl("x509", "CN=a")]);
        assert!(resolved(&[acl("x509", "nobody")], &[]).is_err());
    }

    #[test]
    fn an_address_is_compared_bit_by_bit() {
        let allowed = |expression: &str, address: &str| {
            allows(&[acl("ip", expression)], 1, &[Identity::new("ip", address)])
        };
        assert!(allowed("10.1.2.3", "10.1.2.3") && !allowed("10.1.2.3", "10.1.2.4"));
        assert!(allowed("10.1.0.0/16", "10.1.2.4") && !allowed("10.1.0.0/16", "10.2.2.4"));
        assert!(allowed("10.1.2.3/0", "192.168.0.1"));
        assert!(!allowed("10.1.2.3/33", "10.1.2.3") && !allowed("10.1.2.3/32", "::1"));
    }

    #[test]
    fn a_permission_must_be_in_a_matching_entry() {
        let list = [acl("digest", "u:h"), Acl { perms: 2, ..acl("world", "anyone") }];
        let user = [Identity::new("ip", "1.2.3.4"), Identity::new("digest", "u:h")];
        assert!(allows(&list, 1, &user) && allows(&list, 2, &[]) && !allows(&list, 1, &user[..1]));
        assert!(!allows(&list, 4, &user) && allows(&list, 4, &[Identity::new("super", "")]));
        assert!(!allows(&[acl("digest", "u:x")], 1, &user));
    }

    #[test]
    fn only_well_formed_lists_are_stored() {
        let ok = |scheme: &str, id: &str| resolved(&[acl(scheme, id)], &[]).is_ok();
        assert!(ok("world", "anyone") && !ok("world", "someone"));
        assert!(ok("digest", "u:h") && ok("digest", ":h") && ok("digest", "u:h:"));
        assert!(!ok("digest", "u") && !ok("digest", "u:") && !ok("digest", "a:b:c"));
        assert!(!ok("digest", "") && !ok("digest", ":"));
        assert!(ok("ip", "1.2.3.4") && ok("ip", "1.2.3.4/0") && ok("ip", "1.2.3.4/32"));
        for id in ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1"] {
            assert!(!ok("ip", id), "{id}");
        }
        assert!(!ok("super", "") && !ok("sasl", "me") && !ok("", "") && !ok("auth", ""));
        assert_eq!(resolved(&[], &[]), Err(ErrorCode::InvalidACL));
    }

    #[test]
    fn auth_stands_for_what_was_proved_and_duplicates_go() {
        let who = [
            Identity::new("ip", "1.2.3.4"),
            Identity::new("digest", "a:1"),
            Identity::new("digest", "b:2"),
        ];
        let expected = [acl("digest", "a:1"), acl("digest", "b:2"), acl("world", "anyone")];
        let list = [acl("auth", ""), acl("world", "anyone"), acl("auth", "")];
        assert_eq!(resolved(&list, &who).expect("valid"), expected);
        assert_eq!(resolved(&list, &who[..1]), Err(ErrorCode::InvalidACL));
    }

    #[test]
    fn hashes_of_passwords_are_masked() {
        let list = vec![acl("digest", "u:h:h"), acl("ip", "1.2.3.4"), acl("world", "anyone")];
        let seen = [acl("digest", "u:x"), acl("ip", "1.2.3.4"), acl("world", "anyone")];
        assert_eq!(masked(list), seen);
    }
}
