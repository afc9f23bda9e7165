//! ZooKeeper's values as text and as JSON: stats, ACLs, data, times.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use zoowarden::proto::{Acl, Id, Stat, perms};

use super::output::is_harmful;

/// The letters of permissions in the order in which they are written.
const PERMISSIONS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

const HEXDUMP_ROW: usize = 16;

/// A stat as zkCli prints it, eleven lines.
pub(crate) fn stat(stat: &Stat) -> String {
    format!(
        "cZxid = 0x{:x}\nctime = {}\nmZxid = 0x{:x}\nmtime = {}\npZxid = 0x{:x}\ncversion = {}\n\
         dataVersion = {}\naclVersion = {}\nephemeralOwner = 0x{:x}\ndataLength = {}\n\
         numChildren = {}",
        stat.czxid,
        time(stat.ctime),
        stat.mzxid,
        time(stat.mtime),
        stat.pzxid,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

/// A stat for programs: times in milliseconds since 1970; zxids and sessions as text, because they
/// have 64 bits and JSON's numbers do not.
pub(crate) fn stat_json(stat: &Stat) -> Value {
    json!({
        "czxid": hex(stat.czxid),
        "ctime": stat.ctime,
        "mzxid": hex(stat.mzxid),
        "mtime": stat.mtime,
        "pzxid": hex(stat.pzxid),
        "cversion": stat.cversion,
        "version": stat.version,
        "aversion": stat.aversion,
        "ephemeralOwner": hex(stat.ephemeral_owner),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

/// A 64-bit number as ZooKeeper's tools write it.
pub(crate) fn hex(number: i64) -> String {
    format!("0x{number:x}")
}

/// Milliseconds since 1970 as Java prints a date, in the zone of this machine.
pub(crate) fn time(ms: i64) -> String {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time
            .to_zoned(zone)
            .strftime("%a %b %d %H:%M:%S %Z %Y")
            .to_string(),
        Err(_) => format!("{ms} ms since 1970"),
    }
}

/// This moment, to the millisecond, in UTC.
pub(crate) fn now() -> String {
    Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

/// A list as Java prints it.
pub(crate) fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

/// Data for a pipe: the bytes, or the word `null`.
pub(crate) fn data_or_null(data: Option<&[u8]>) -> &[u8] {
    data.unwrap_or(b"null")
}

/// Whether data can be read as text.
pub(crate) fn is_text(data: &[u8]) -> bool {
    let harmless = |c| matches!(c, '\n' | '\t' | '\r') || !is_harmful(c);
    std::str::from_utf8(data).is_ok_and(|text| text.chars().all(harmless))
}

/// Data for programs: `data` when it is UTF-8, `data_base64` when it is not, `data: null` when the
/// znode has none.
pub(crate) fn put_data(object: &mut Map<String, Value>, data: Option<&[u8]>) {
    match data.map(|data| (data, std::str::from_utf8(data))) {
        None => object.insert("data".to_owned(), Value::Null),
        Some((_, Ok(text))) => object.insert("data".to_owned(), text.into()),
        Some((data, Err(_))) => object.insert("data_base64".to_owned(), base64(data).into()),
    };
}

/// Bytes as base64.
pub(crate) fn base64(data: &[u8]) -> String {
    BASE64.encode(data)
}

/// The bytes of a base64 text; blanks and line ends do not count.
pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let text: String = text.split_whitespace().collect();
    BASE64
        .decode(text)
        .map_err(|error| format!("not base64: {error}"))
}

/// Bytes as a table of hexadecimal numbers and letters, laid out as zkCli's `get -x`.
pub(crate) fn hexdump(data: &[u8]) -> String {
    const EDGE: &str =
        "+--------+-------------------------------------------------+----------------+";
    let mut rows = vec![
        "         +-------------------------------------------------+".to_owned(),
        "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |".to_owned(),
        EDGE.to_owned(),
    ];
    for (number, row) in data.chunks(HEXDUMP_ROW).enumerate() {
        let bytes: String = row.iter().map(|byte| format!(" {byte:02x}")).collect();
        let letter = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        };
        let letters: String = row.iter().map(letter).collect();
        let offset = number * HEXDUMP_ROW;
        rows.push(format!("|{offset:08x}|{bytes:<48} |{letters:<16}|"));
    }
    rows.push(EDGE.to_owned());
    rows.join("\n")
}

/// An ACL as zkCli prints it, two lines per entry.
pub(crate) fn acl(list: &[Acl]) -> String {
    let entry = |acl: &Acl| {
        let Id { scheme, id } = &acl.id;
        format!("'{scheme},'{id}\n: {}", permissions(acl.perms))
    };
    list.iter().map(entry).collect::<Vec<_>>().join("\n")
}

/// An ACL for programs.
pub(crate) fn acl_json(list: &[Acl]) -> Value {
    let entry = |acl: &Acl| json!({ "scheme": acl.id.scheme, "id": acl.id.id, "perms": permissions(acl.perms) });
    list.iter().map(entry).collect()
}

/// Permissions as letters.
pub(crate) fn permissions(bits: i32) -> String {
    let set = PERMISSIONS.iter().filter(|(_, bit)| bits & bit != 0);
    set.map(|(letter, _)| *letter).collect()
}

/// Permissions from letters, each of `cdrwa` at most.
pub(crate) fn parse_permissions(letters: &str) -> Result<i32, String> {
    letters.chars().try_fold(0, |bits, letter| {
        let known = PERMISSIONS.iter().find(|(known, _)| *known == letter);
        let unknown = || {
            format!("unknown permission {letter} in {letters}: c create, d delete, r read, w write, a admin")
        };
        known.map(|(_, bit)| bits | bit).ok_or_else(unknown)
    })
}

/// An ACL from `scheme:id:perms`, entries parted by commas. The id may hold colons.
pub(crate) fn parse_acl(text: &str) -> Result<Vec<Acl>, String> {
    let entry = |entry: &str| {
        let parts = entry.split_once(':');
        let parts = parts.and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once(':')?)));
        let Some((scheme, (id, letters))) = parts else {
            return Err(format!(
                "{entry} does not have the form scheme:id:perm, as in world:anyone:r or \
                 digest:user:hash:cdrwa"
            ));
        };
        let perms = parse_permissions(letters)?;
        Ok(Acl {
            perms,
            id: Id::new(scheme, id),
        })
    };
    text.split(',').map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_reads_as_in_zkcli() {
        let text = stat(&Stat {
            czxid: 0x1_0000_0022,
            ephemeral_owner: -1,
            aversion: -1,
            ..Stat::default()
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 11);
        assert_eq!(
            (lines[0], lines[7]),
            ("cZxid = 0x100000022", "aclVersion = -1")
        );
        assert_eq!(lines[8], "ephemeralOwner = 0xffffffffffffffff");
        // Midnight of 1970 is still 1969 west of Greenwich.
        assert!(
            lines[1].starts_with("ctime = ") && lines[1].contains(" 19"),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn acls_are_read_and_written_the_same_way() {
        let list = parse_acl("world:anyone:cdrwa,digest:a:b=:r,ip:::1/64:wr,auth::").unwrap();
        assert_eq!(acl(&list[1..3]), "'digest,'a:b=\n: r\n'ip,'::1/64\n: rw");
        assert_eq!((list[0].perms, list[3].perms), (perms::ALL, 0));
        for (text, part) in [
            ("foo", "foo does not have the form scheme:id:perm"),
            ("world:r", "does not have the form"),
            ("world:anyone:rx", "unknown permission x in rx"),
        ] {
            assert!(parse_acl(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn data_that_is_no_text_becomes_base64() {
        let shown = |data| {
            let mut object = Map::new();
            put_data(&mut object, data);
            Value::Object(object)
        };
        assert_eq!(shown(None), json!({ "data": null }));
        assert_eq!(shown(Some(b"")), json!({ "data": "" }));
        assert_eq!(shown(Some("ä".as_bytes())), json!({ "data": "ä" }));
        assert_eq!(shown(Some(&[0xff, 0])), json!({ "data_base64": "/wA=" }));
        assert_eq!(from_base64(" /w\nA= ").unwrap(), [0xff, 0]);
        assert!(is_text("a\tb\r\n".as_bytes()) && !is_text(b"a\x1b[2J") && !is_text(&[0xff]));
    }

    #[test]
    fn bytes_are_shown_in_rows_of_sixteen() {
        let table = hexdump(b"0123456789abcdef\x00\xffz");
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows.len(), 6);
        assert!(
            rows.iter().skip(2).all(|row| row.len() == rows[2].len()),
            "{table}"
        );
        assert_eq!(
            rows[4],
            "|00000010| 00 ff 7a                                        |..z             |"
        );
    }
}
