//! Access control lists: who may do what, and which lists a client may set.
//!
//! Source: `ZooKeeperServer.checkACL`, `PrepRequestProcessor.fixupACL` and the authentication
//! providers. Schemes: world, ip, digest, sasl, x509; auth only in what a client sends; super
//! passes every check and stands in no list.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use imbl::OrdMap;

use crate::proto::{Acl, Code, Id, perms};

/// The scheme of an identity that every SASL user has when `letAnySaslUserDoX` names its id: it
/// matches entries of the scheme `sasl` with that id, and is in no list.
pub const ANY_SASL_USER: &str = "sasl-any";

/// Entries of a list that is set. Each check may compare every entry with every identity of the
/// client, on every server at once; and an entry of the scheme `auth` stands for many. Lists that
/// an import brings along may be longer.
pub(super) const ENTRIES_MAX: usize = 1000;

/// Which of the schemes that can be switched on and off an ACL that is set may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schemes {
    /// `digest`.
    pub digest: bool,
    /// `sasl`.
    pub sasl: bool,
    /// `x509`.
    pub x509: bool,
}

impl Default for Schemes {
    /// As ZooKeeper is without settings.
    fn default() -> Schemes {
        Schemes {
            digest: true,
            sasl: false,
            x509: false,
        }
    }
}

/// Whether `identities` may do what the bits of `perm` say. One bit of several is enough.
pub fn allows(list: &[Acl], identities: &[Id], perm: i32) -> bool {
    list.is_empty()
        || identities
            .iter()
            .any(|identity| &*identity.scheme == "super")
        || list
            .iter()
            .filter(|acl| acl.perms & perm != 0)
            .any(|acl| is_anyone(&acl.id) || identities.iter().any(|who| matches(who, &acl.id)))
}

/// Whether an entry is for whoever comes.
pub fn is_anyone(id: &Id) -> bool {
    &*id.scheme == "world" && &*id.id == "anyone"
}

fn matches(who: &Id, entry: &Id) -> bool {
    match (&*who.scheme, &*entry.scheme) {
        ("ip", "ip") => IpRange::parse(&entry.id).is_some_and(|range| range.contains(&who.id)),
        ("digest", "digest") | ("x509", "x509") => who.id == entry.id,
        ("sasl", "sasl") => who.id == entry.id || &*who.id == "super",
        (ANY_SASL_USER, "sasl") => who.id == entry.id,
        _ => false,
    }
}

/// The list that a create or a setACL of `list` stores: exact duplicates dropped, `auth` replaced
/// by who the client is. `None` is a list with a null part.
pub fn fixup(list: Option<&[Acl]>, identities: &[Id], schemes: Schemes) -> Result<Vec<Acl>, Code> {
    let list = list.ok_or(Code::InvalidAcl)?;
    let (mut fixed, mut seen) = (Vec::new(), BTreeSet::new());
    for acl in list {
        if !seen.insert(acl) {
            continue;
        }
        match &*acl.id.scheme {
            "auth" => expand(acl.perms, identities, &mut fixed)?,
            _ if is_anyone(&acl.id) || is_valid(&acl.id, schemes) => fixed.push(acl.clone()),
            _ => return Err(Code::InvalidAcl),
        }
        if fixed.len() > ENTRIES_MAX {
            return Err(Code::InvalidAcl);
        }
    }
    if fixed.is_empty() {
        return Err(Code::InvalidAcl);
    }
    Ok(fixed)
}

/// Appends one entry for every identity that somebody proved.
fn expand(perms: i32, identities: &[Id], fixed: &mut Vec<Acl>) -> Result<(), Code> {
    let before = fixed.len();
    fixed.extend(
        identities
            .iter()
            .filter(|who| matches!(&*who.scheme, "digest" | "sasl" | "x509"))
            .map(|who| Acl {
                perms,
                id: who.clone(),
            }),
    );
    if fixed.len() == before {
        return Err(Code::InvalidAcl);
    }
    Ok(())
}

fn is_valid(id: &Id, schemes: Schemes) -> bool {
    match &*id.scheme {
        "ip" => IpRange::parse(&id.id).is_some(),
        "digest" => schemes.digest && is_digest(&id.id),
        "sasl" => schemes.sasl && is_principal(&id.id),
        "x509" => schemes.x509 && is_distinguished_name(&id.id),
        _ => false,
    }
}

/// `user:hash`. Java's `split` drops empty parts at the end, so `user:hash:` passes and `user:`
/// does not.
fn is_digest(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

/// `name`, or `primary[/host]@realm`.
fn is_principal(id: &str) -> bool {
    match id.split_once('@') {
        None => true,
        Some((name, realm)) => name.matches('/').count() <= 1 && !realm.contains(['/', '@']),
    }
}

/// `CN=x, O=y`: attributes with values, split at commas, semicolons and plus signs that are
/// neither escaped nor quoted.
fn is_distinguished_name(id: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    let split = id.split(|c: char| {
        let separator = !quoted && !escaped && matches!(c, ',' | ';' | '+');
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        separator
    });
    let well_formed = split.map(is_attribute).fold(true, |all, one| all & one);
    id.is_empty() || (well_formed && !quoted && !escaped)
}

/// The names of attributes that Java knows; others are written as numbers.
const ATTRIBUTES: [&str; 21] = [
    "CN",
    "C",
    "L",
    "S",
    "ST",
    "O",
    "OU",
    "T",
    "IP",
    "STREET",
    "DC",
    "DNQUALIFIER",
    "DNQ",
    "SURNAME",
    "GIVENNAME",
    "INITIALS",
    "GENERATION",
    "EMAIL",
    "EMAILADDRESS",
    "UID",
    "SERIALNUMBER",
];

fn is_attribute(part: &str) -> bool {
    let Some((name, value)) = part.split_once('=') else {
        return false;
    };
    let (name, value) = (name.trim().to_ascii_uppercase(), value.trim());
    let is_known = ATTRIBUTES.contains(&&*name) || is_object_id(&name);
    let is_value = match value.strip_prefix('#') {
        Some(digits) => is_encoded(digits),
        None => has_no_bare_bracket(value),
    };
    is_known && is_value
}

/// `1.2.840` or `OID.1.2.840`.
fn is_object_id(name: &str) -> bool {
    let numbers = name.strip_prefix("OID.").unwrap_or(name).split('.');
    let numbers: Option<Vec<u32>> = numbers.map(number).collect();
    let numbers = numbers.as_deref();
    matches!(numbers, Some([0 | 1, 0..40, ..] | [2, _, ..]))
}

/// Hexadecimal digits of one value as certificates hold it: a tag, a length, so many bytes.
fn is_encoded(digits: &str) -> bool {
    let pair = |at: usize| {
        digits
            .get(at..at + 2)
            .and_then(|d| u8::from_str_radix(d, 16).ok())
    };
    let bytes = digits.len() / 2;
    let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let whole = match pair(2) {
        Some(length @ 0..=0x7f) => Some(2 + usize::from(length)),
        // That many bytes of length follow; only lengths that need them have them.
        Some(count @ 0x81..=0x84) => {
            let count = usize::from(count & 0x7f);
            let length = (0..count).try_fold(0_usize, |length, at| {
                Some(length << 8 | usize::from(pair(4 + 2 * at)?))
            });
            length
                .filter(|length| *length >= 0x80)
                .map(|length| 2 + count + length)
        }
        _ => None,
    };
    is_hex && whole == Some(bytes)
}

fn has_no_bare_bracket(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    value.chars().all(|c| {
        let is_bare = !quoted && !escaped && matches!(c, '<' | '>');
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        !is_bare
    })
}

/// `address` or `address/bits`.
struct IpRange {
    address: IpAddr,
    bits: u32,
}

impl IpRange {
    fn parse(text: &str) -> Option<IpRange> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(number(bits)?)),
            None => (text, None),
        };
        let address = parse_address(address)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(IpRange { address, bits })
    }

    fn contains(&self, peer: &str) -> bool {
        match (self.address, parse_address(peer)) {
            (IpAddr::V4(range), Some(IpAddr::V4(peer))) => {
                let differing = range.to_bits() ^ peer.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(range), Some(IpAddr::V6(peer))) => {
                let differing = range.to_bits() ^ peer.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// An address as ZooKeeper reads it: a number of IPv4's may have a sign and zeros in front, and an
/// IPv6 address has no IPv4 address in it.
fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let address: Ipv6Addr = text.parse().ok()?;
        return (!text.contains('.')).then_some(IpAddr::V6(address));
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(number(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then(|| IpAddr::from(octets))
}

/// A number as Java's `Integer.parseInt` reads it, if it is not negative.
fn number(text: &str) -> Option<u32> {
    u32::try_from(text.parse::<i32>().ok()?).ok()
}

/// What getACL shows: everything to who may set the list, and only user names of digests to
/// others.
pub(super) fn shown(list: &[Acl], identities: &[Id], skip_acl: bool) -> Vec<Acl> {
    if skip_acl || allows(list, identities, perms::ADMIN) {
        return list.to_vec();
    }
    list.iter().map(redact).collect()
}

/// An entry as it is shown to everybody: of a digest only the user.
pub fn redact(acl: &Acl) -> Acl {
    match acl.id.id.split_once(':') {
        Some((user, _)) if &*acl.id.scheme == "digest" => Acl {
            perms: acl.perms,
            id: Id::new("digest", &format!("{user}:x")),
        },
        _ => acl.clone(),
    }
}

/// Names one of a tree's distinct lists. Says nothing outside that tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AclId(u32);

impl AclId {
    /// `world:anyone:cdrwa`, which most znodes have; not counted.
    pub(super) const OPEN: AclId = AclId(0);
}

/// Every distinct list of a tree once. Persistent: a clone is O(1).
///
/// Invariant: a list's `uses` is the number of znodes that name it.
#[derive(Clone, Debug)]
pub(super) struct AclTable {
    open: Arc<[Acl]>,
    ids: OrdMap<Arc<[Acl]>, AclId>,
    lists: OrdMap<AclId, Shared>,
    last: u32,
}

#[derive(Clone, Debug)]
struct Shared {
    list: Arc<[Acl]>,
    uses: usize,
}

impl AclTable {
    pub(super) fn new() -> AclTable {
        AclTable {
            open: Arc::new([Acl::open()]),
            ids: OrdMap::new(),
            lists: OrdMap::new(),
            last: 0,
        }
    }

    /// The list of an id that a znode holds.
    pub(super) fn get(&self, id: AclId) -> &Arc<[Acl]> {
        self.lists
            .get(&id)
            .map_or(&self.open, |shared| &shared.list)
    }

    /// The id of a list, for one more znode.
    pub(super) fn acquire(&mut self, list: &[Acl]) -> AclId {
        if *list == *self.open {
            return AclId::OPEN;
        }
        if let Some(id) = self.ids.get(list).copied() {
            if let Some(shared) = self.lists.get_mut(&id) {
                shared.uses += 1;
            }
            return id;
        }
        let id = self.free_id();
        let list: Arc<[Acl]> = list.into();
        self.ids.insert(list.clone(), id);
        self.lists.insert(id, Shared { list, uses: 1 });
        id
    }

    /// Gives an id back when a znode lets go of it.
    pub(super) fn release(&mut self, id: AclId) {
        let Some(shared) = self.lists.get_mut(&id) else {
            return;
        };
        shared.uses -= 1;
        if shared.uses == 0 {
            self.ids.remove(&shared.list);
            self.lists.remove(&id);
        }
    }

    /// The distinct lists in use, without the open one, in an order that depends on them only.
    pub(super) fn lists(&self) -> impl Iterator<Item = (AclId, &Arc<[Acl]>)> {
        self.ids.iter().map(|(list, id)| (*id, list))
    }

    fn free_id(&mut self) -> AclId {
        loop {
            self.last = self.last.wrapping_add(1);
            let id = AclId(self.last);
            if id != AclId::OPEN && !self.lists.contains_key(&id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::perms::{ADMIN, ALL, READ, WRITE};

    const ALL_SCHEMES: Schemes = Schemes {
        digest: true,
        sasl: true,
        x509: true,
    };

    fn acl(perms: i32, scheme: &str, id: &str) -> Acl {
        Acl {
            perms,
            id: Id::new(scheme, id),
        }
    }

    #[test]
    fn the_first_entry_with_a_bit_and_a_match_allows() {
        let alice = [Id::new("ip", "10.1.2.3"), Id::new("digest", "alice:h")];
        let cases = [
            (vec![], READ, true),
            (vec![acl(READ, "world", "anyone")], READ, true),
            (vec![acl(READ, "world", "anyone")], WRITE, false),
            (vec![acl(READ, "world", "anyone")], READ | ADMIN, true),
            (vec![acl(READ, "world", "bob")], READ, false),
            (vec![acl(ALL, "digest", "alice:h")], WRITE, true),
            (vec![acl(ALL, "digest", "alice:x")], WRITE, false),
            (vec![acl(ALL, "sasl", "alice:h")], WRITE, false),
            (vec![acl(ALL, "ip", "10.1.2.3")], READ, true),
            (vec![acl(ALL, "ip", "10.1.0.0/16")], READ, true),
            (vec![acl(ALL, "ip", "10.2.0.0/16")], READ, false),
            (vec![acl(ALL, "ip", "010.01.002.+3")], READ, true),
            (vec![acl(ALL, "ip", "0.0.0.0/0")], READ, true),
            (vec![acl(ALL, "ip", "::/0")], READ, false),
            (
                vec![
                    acl(READ, "digest", "alice:h"),
                    acl(WRITE, "world", "anyone"),
                ],
                WRITE,
                true,
            ),
        ];
        for (list, perm, expected) in cases {
            assert_eq!(allows(&list, &alice, perm), expected, "{list:?} {perm}");
        }
    }

    #[test]
    fn super_passes_and_sasl_super_matches_sasl_entries() {
        let list = [acl(ALL, "sasl", "bob")];
        assert!(allows(&list, &[Id::new("super", "")], READ));
        assert!(allows(&list, &[Id::new("sasl", "super")], READ));
        assert!(allows(&list, &[Id::new("sasl", "bob")], READ));
        assert!(!allows(&list, &[Id::new("sasl", "eve")], READ));
        let list = [acl(ALL, "x509", "CN=bob")];
        assert!(allows(&list, &[Id::new("x509", "CN=bob")], READ));
        assert!(!allows(&list, &[Id::new("x509", "CN=super")], READ));
    }

    #[test]
    fn an_entry_for_any_sasl_user_matches_whoever_is_one() {
        let list = [acl(READ, "sasl", "everyone")];
        let bob = [Id::new("sasl", "bob"), Id::new(ANY_SASL_USER, "everyone")];
        assert!(allows(&list, &bob, READ));
        assert!(!allows(&list, &bob[..1], READ));
        assert!(!allows(&list, &[Id::new("digest", "everyone")], READ));
        assert!(!allows(&[acl(READ, ANY_SASL_USER, "everyone")], &bob, READ));
        let list = [acl(ALL, "auth", "")];
        assert_eq!(
            fixup(Some(&list), &bob, ALL_SCHEMES),
            Ok(vec![acl(ALL, "sasl", "bob")])
        );
        let list = [acl(READ, ANY_SASL_USER, "everyone")];
        assert_eq!(fixup(Some(&list), &bob, ALL_SCHEMES), Err(Code::InvalidAcl));
    }

    #[test]
    fn a_scheme_that_is_off_is_in_no_new_list() {
        let off = Schemes {
            digest: false,
            sasl: false,
            x509: false,
        };
        for id in [
            Id::new("digest", "a:b"),
            Id::new("sasl", "bob"),
            Id::new("x509", "CN=bob"),
        ] {
            let list = [Acl { perms: READ, id }];
            assert!(fixup(Some(&list), &[], ALL_SCHEMES).is_ok());
            assert_eq!(fixup(Some(&list), &[], off), Err(Code::InvalidAcl));
        }
        assert_eq!(
            Schemes::default(),
            Schemes {
                digest: true,
                sasl: false,
                x509: false
            }
        );
    }

    #[test]
    fn ipv6_ranges_compare_prefixes() {
        let peer = [Id::new("ip", "2001:db8:0:0:0:0:0:17")];
        for (range, expected) in [
            ("2001:db8::17", true),
            ("2001:db8::/32", true),
            ("2001:db9::/32", false),
            ("2001:db9::/31", true),
            ("::/0", true),
            ("0.0.0.0/0", false),
        ] {
            assert_eq!(
                allows(&[acl(READ, "ip", range)], &peer, READ),
                expected,
                "{range}"
            );
        }
    }

    #[test]
    fn ids_must_have_the_syntax_of_their_scheme() {
        let cases = [
            ("world", "anyone", true),
            ("world", "bob", false),
            ("ip", "10.0.0.1", true),
            ("ip", "10.0.0.1/0", true),
            ("ip", "10.0.0.1/32", true),
            ("ip", "10.0.0.1/33", false),
            ("ip", "10.0.0.1/-1", false),
            ("ip", "10.0.0.1/", false),
            ("ip", "10.0.0.1/-0", true),
            ("ip", "10.0.0.1/+8", true),
            ("ip", "10.0.0.1/ 8", false),
            ("ip", "10.0.0", false),
            ("ip", "10.0.0.1.", false),
            ("ip", "10.0.0.1.2", false),
            ("ip", "010.0.+0.-0", true),
            ("ip", "10.0.0.-1", false),
            ("ip", "10.0.0.256", false),
            ("ip", "0x7f.0.0.1", false),
            ("ip", "::1/128", true),
            ("ip", "::1/129", false),
            ("ip", "::ffff:10.0.0.1", false),
            ("ip", "localhost", false),
            ("digest", "a:b", true),
            ("digest", "a:b:", true),
            ("digest", ":b", true),
            ("digest", "a:", false),
            ("digest", "a", false),
            ("digest", "a:b:c", false),
            ("digest", ":", false),
            ("sasl", "bob", true),
            ("sasl", "bob/host@REALM", true),
            ("sasl", "bob@REALM", true),
            ("sasl", "a/b/c@REALM", false),
            ("sasl", "a@b@c", false),
            ("x509", "CN=bob, O=\"a, b\"", true),
            ("x509", "CN=a\\,b+OU=c", true),
            ("x509", "bob", false),
            ("x509", "CN=bob,", false),
            ("x509", "FOO=bob", false),
            ("x509", " emailAddress = x@y ", true),
            ("x509", "1.2.840=x, OID.2.999=y", true),
            ("x509", "1.2.=x", false),
            ("x509", "3.1=x", false),
            ("x509", "CN=#0c0161", true),
            ("x509", "CN=#0c01", false),
            ("x509", "CN=#xy", false),
            ("x509", "CN=#", false),
            ("x509", "CN=<a>", false),
            ("x509", "CN=\"<a>\"", true),
            ("x509", "CN=\\<a\\>", true),
            ("super", "", false),
            ("ensemble", "x", false),
            ("nobody", "x", false),
        ];
        for (scheme, id, valid) in cases {
            let list = [acl(READ, scheme, id)];
            let expected = if valid {
                Ok(list.to_vec())
            } else {
                Err(Code::InvalidAcl)
            };
            assert_eq!(
                fixup(Some(&list), &[], ALL_SCHEMES),
                expected,
                "{scheme}:{id}"
            );
        }
    }

    #[test]
    fn fixup_drops_duplicates_and_keeps_the_order() {
        let (a, b) = (acl(READ, "digest", "a:h"), acl(WRITE, "world", "anyone"));
        let list = [a.clone(), b.clone(), a.clone(), b.clone()];
        assert_eq!(fixup(Some(&list), &[], ALL_SCHEMES), Ok(vec![a, b]));
        assert_eq!(fixup(Some(&[]), &[], ALL_SCHEMES), Err(Code::InvalidAcl));
        assert_eq!(fixup(None, &[], ALL_SCHEMES), Err(Code::InvalidAcl));
    }

    #[test]
    fn auth_becomes_every_proven_identity() {
        let who = [
            Id::new("ip", "10.0.0.1"),
            Id::new("digest", "a:h"),
            Id::new("super", ""),
            Id::new("sasl", "a"),
        ];
        let list = [acl(READ, "world", "anyone"), acl(ALL, "auth", "ignored")];
        let fixed = vec![
            acl(READ, "world", "anyone"),
            acl(ALL, "digest", "a:h"),
            acl(ALL, "sasl", "a"),
        ];
        assert_eq!(fixup(Some(&list), &who, ALL_SCHEMES), Ok(fixed));
        assert_eq!(
            fixup(Some(&list), &who[..1], ALL_SCHEMES),
            Err(Code::InvalidAcl)
        );
    }

    /// However few bytes ask for it: nobody can make a list that takes long to check, or that is
    /// much longer than what was sent.
    #[test]
    fn a_list_has_a_greatest_length() {
        let numbered = |count: usize| {
            let entry = |n: usize| acl(READ, "digest", &format!("user{n}:h"));
            (0..count).map(entry).collect::<Vec<_>>()
        };
        let set = |list: &[Acl], who: &[Id]| fixup(Some(list), who, ALL_SCHEMES);
        let longest = numbered(ENTRIES_MAX);
        assert_eq!(set(&longest, &[]), Ok(longest.clone()));
        assert_eq!(set(&numbered(ENTRIES_MAX + 1), &[]), Err(Code::InvalidAcl));
        let twice = [longest.clone(), longest.clone()].concat();
        assert_eq!(set(&twice, &[]), Ok(longest));
        // Each stands for everybody whom the client has proven to be.
        let who: Vec<Id> = numbered(20).into_iter().map(|acl| acl.id).collect();
        let auth = |count: i32| (0..count).map(|n| acl(n, "auth", "")).collect::<Vec<_>>();
        assert_eq!(set(&auth(50), &who).map(|list| list.len()), Ok(ENTRIES_MAX));
        assert_eq!(set(&auth(51), &who), Err(Code::InvalidAcl));
    }

    #[test]
    fn digests_are_hidden_from_who_may_only_read() {
        let list = [
            acl(READ, "world", "anyone"),
            acl(ALL, "digest", "a:secret"),
            acl(ALL, "ip", "::1"),
        ];
        let hidden = [
            acl(READ, "world", "anyone"),
            acl(ALL, "digest", "a:x"),
            acl(ALL, "ip", "::1"),
        ];
        assert_eq!(shown(&list, &[], false), hidden);
        assert_eq!(shown(&list, &[Id::new("digest", "a:secret")], false), list);
        assert_eq!(shown(&list, &[Id::new("super", "")], false), list);
        assert_eq!(shown(&list, &[], true), list);
    }

    #[test]
    fn equal_lists_are_kept_once_and_unused_ones_go() {
        let mut table = AclTable::new();
        let list = [acl(READ, "digest", "a:h")];
        assert_eq!(table.acquire(&[Acl::open()]), AclId::OPEN);
        let id = table.acquire(&list);
        assert_eq!(table.acquire(&list), id);
        assert_eq!(**table.get(id), list);
        table.release(id);
        assert_eq!(table.lists().count(), 1);
        table.release(id);
        assert_eq!(table.lists().count(), 0);
        table.release(AclId::OPEN);
        assert_eq!(**table.get(AclId::OPEN), [Acl::open()]);
    }
}
