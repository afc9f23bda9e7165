//! Who may do what, and what a client may put into an ACL. Source: reference, section 10.

use zoowarden::proto::{Acl, Code, Id};

/// `Ok` when an entry of `list` grants a bit of `perm` to one of `identities`.
pub(crate) fn check(list: &[Acl], identities: &[Id], perm: i32, skip: bool) -> Result<(), Code> {
    if skip || list.is_empty() || identities.iter().any(|id| &*id.scheme == "super") {
        return Ok(());
    }
    let granted = list
        .iter()
        .filter(|acl| acl.perms & perm != 0)
        .any(|acl| is_anyone(&acl.id) || identities.iter().any(|id| matches(id, &acl.id)));
    if granted { Ok(()) } else { Err(Code::NoAuth) }
}

fn is_anyone(id: &Id) -> bool {
    &*id.scheme == "world" && &*id.id == "anyone"
}

fn matches(identity: &Id, entry: &Id) -> bool {
    match (&*identity.scheme, &*entry.scheme) {
        ("digest", "digest") => identity.id == entry.id,
        ("ip", "ip") => match (parse_ip(&identity.id), parse_ip(&entry.id)) {
            (Some((address, _)), Some((network, bits))) => {
                address.len() == network.len()
                    && (0..bits).all(|bit| bit_of(&address, bit) == bit_of(&network, bit))
            }
            _ => false,
        },
        _ => false,
    }
}

fn bit_of(bytes: &[u8], bit: usize) -> bool {
    bytes[bit / 8] & (0x80 >> (bit % 8)) != 0
}

/// The bytes of `address` or `address/bits`, and how many bits count.
fn parse_ip(text: &str) -> Option<(Vec<u8>, usize)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let bytes = match address.parse::<std::net::IpAddr>().ok()? {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(_) if address.contains('.') => return None,
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let bits = match bits {
        None => bytes.len() * 8,
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= bytes.len() * 8)?,
    };
    Some((bytes, bits))
}

/// What is stored for the list a client sent: without exact duplicates, `auth` expanded.
pub(crate) fn fixup(list: Option<&[Acl]>, identities: &[Id]) -> Result<Vec<Acl>, Code> {
    let list = list.ok_or(Code::InvalidAcl)?;
    let mut unique: Vec<&Acl> = Vec::new();
    for acl in list {
        if !unique.contains(&acl) {
            unique.push(acl);
        }
    }
    if unique.is_empty() {
        return Err(Code::InvalidAcl);
    }
    let mut fixed = Vec::new();
    for acl in unique {
        if &*acl.id.scheme == "auth" {
            let authenticated = identities.iter().filter(|id| &*id.scheme == "digest");
            let before = fixed.len();
            fixed.extend(authenticated.map(|id| Acl {
                perms: acl.perms,
                id: id.clone(),
            }));
            if fixed.len() == before {
                return Err(Code::InvalidAcl);
            }
        } else if is_acceptable(&acl.id) {
            fixed.push(acl.clone());
        } else {
            return Err(Code::InvalidAcl);
        }
    }
    Ok(fixed)
}

fn is_acceptable(id: &Id) -> bool {
    match &*id.scheme {
        "world" => &*id.id == "anyone",
        "ip" => parse_ip(&id.id).is_some(),
        // As Java's `split(":")`: parts that are empty at the end do not count.
        "digest" => {
            let mut parts = id.id.split(':').collect::<Vec<_>>();
            while parts.last() == Some(&"") {
                parts.pop();
            }
            parts.len() == 2
        }
        _ => false,
    }
}

/// What getACL tells somebody who may read but not administer.
pub(crate) fn redacted(list: &[Acl]) -> Vec<Acl> {
    let redact = |acl: &Acl| match acl.id.id.split_once(':') {
        Some((user, _)) if &*acl.id.scheme == "digest" => Acl {
            perms: acl.perms,
            id: Id::new("digest", &format!("{user}:x")),
        },
        _ => acl.clone(),
    };
    list.iter().map(redact).collect()
}
