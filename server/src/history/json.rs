//! The history as JSON: what the socket speaks, and what `--json` prints.
//!
//! ```text
//! change  {"path","zxid":"0x5","time_ms","session":"0x..","identities":["digest:joe"],"address",
//!          "operation","cause","before":SHAPE,"after":SHAPE}          null where there is none
//! SHAPE   {"kind","owner":"0x..","ttl_ms","version","aversion","czxid","mzxid","acl":[..],"value"}
//! value   null, or {"bytes":12,"whole":true,"text":".."} or "base64" where it is no text;
//!         {"hidden":true} for who may not READ the znode, and then "acl":null, too
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use zoowarden::history::{Change, Former, Gap, Moment, Page, Past};
use zoowarden::proto::{Acl, Id, Zxid};
use zoowarden::tree::{Kind, Shape, Value as Data};

use crate::shell::show::{parse_permissions, permissions};

/// Whether the hashes in lists are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// As `getAcl` shows them to everybody: `digest:joe:x`.
    Redacted,
    /// As they are stored, which restoring takes.
    Whole,
}

/// Whether somebody may read a path that has this list.
type MayRead<'a> = &'a dyn Fn(&str, &[Acl]) -> bool;

/// An answer for those who may read the data directory.
pub(crate) fn page(page: &Page) -> Value {
    page_for(page, &|_, _| true)
}

/// An answer for somebody who may not read everything.
pub(crate) fn page_for(page: &Page, may_read: MayRead<'_>) -> Value {
    let changes = page.changes.iter().map(|it| change(it, may_read));
    json!({
        "changes": changes.collect::<Vec<_>>(),
        "more": page.more,
        "gaps": page.gaps.iter().map(gap).collect::<Vec<_>>(),
        "begins": page.begins.map(moment),
    })
}

pub(crate) fn past(past: &Past) -> Value {
    json!({
        "znodes": past.znodes.iter().map(former).collect::<Vec<_>>(),
        "gaps": past.gaps.iter().map(gap).collect::<Vec<_>>(),
        "begins": past.begins.map(moment),
    })
}

fn former(former: &Former) -> Value {
    json!({
        "path": &*former.path,
        "until": former.until.to_string(),
        "shape": former.shape.as_ref().map(|it| shape(it, Lists::Whole)),
    })
}

fn moment(moment: Moment) -> Value {
    json!({ "zxid": moment.zxid.to_string(), "time_ms": moment.time_ms })
}

fn gap(gap: &Gap) -> Value {
    json!({
        "first": gap.first.to_string(),
        "last": gap.last.to_string(),
        "changes": gap.changes,
        "from_ms": gap.from_ms,
        "to_ms": gap.to_ms,
        "reason": gap.reason.name(),
    })
}

fn change(change: &Change, may_read: MayRead<'_>) -> Value {
    let shown = |it: &Option<Shape>| {
        let it = it.as_ref()?;
        let mut shown = shape(it, Lists::Redacted);
        if !may_read(&change.path, &it.acl) {
            shown["value"] = json!({ "hidden": true });
            shown["acl"] = Value::Null;
        }
        Some(shown)
    };
    let identities = change.identities.iter().map(|id| match &*id.id {
        "" => id.scheme.to_string(),
        name => format!("{}:{name}", id.scheme),
    });
    json!({
        "path": &*change.path,
        "zxid": change.zxid.to_string(),
        "time_ms": change.time_ms,
        "session": change.session.map(|session| session.to_string()),
        "identities": identities.collect::<Vec<_>>(),
        "address": change.address(),
        "operation": change.operation.name(),
        "cause": change.cause.name(),
        "before": shown(&change.before),
        "after": shown(&change.after),
    })
}

fn shape(shape: &Shape, lists: Lists) -> Value {
    let (kind, owner, ttl_ms) = match shape.kind {
        Kind::Persistent => ("persistent", None, None),
        Kind::Ephemeral(session) => ("ephemeral", Some(session.to_string()), None),
        Kind::Container => ("container", None, None),
        Kind::Ttl(ms) => ("ttl", None, Some(ms)),
    };
    json!({
        "kind": kind,
        "owner": owner,
        "ttl_ms": ttl_ms,
        "version": shape.version,
        "aversion": shape.aversion,
        "czxid": shape.czxid.to_string(),
        "mzxid": shape.mzxid.to_string(),
        "ctime_ms": shape.ctime_ms,
        "mtime_ms": shape.mtime_ms,
        "acl": shape.acl.iter().map(|acl| entry(acl, lists)).collect::<Vec<_>>(),
        "value": data(&shape.value),
    })
}

fn entry(acl: &Acl, lists: Lists) -> Value {
    let id = match (lists, &*acl.id.scheme, acl.id.id.split_once(':')) {
        (Lists::Redacted, "digest", Some((user, _))) => format!("{user}:x"),
        _ => acl.id.id.to_string(),
    };
    json!({ "scheme": acl.id.scheme, "id": id, "perms": permissions(acl.perms) })
}

fn data(value: &Data) -> Value {
    let Some(kept) = &value.kept else {
        return Value::Null;
    };
    let mut fields = Map::new();
    fields.insert("bytes".to_owned(), value.bytes.into());
    fields.insert("whole".to_owned(), value.is_whole().into());
    match std::str::from_utf8(kept) {
        Ok(text) => fields.insert("text".to_owned(), text.into()),
        Err(_) => fields.insert("base64".to_owned(), STANDARD.encode(kept).into()),
    };
    fields.into()
}

/// The bytes of a value, and whether nothing of it is missing. Null is empty: a client cannot
/// write null either.
pub(crate) fn read_data(value: &Value) -> Option<(Vec<u8>, bool)> {
    if value.is_null() {
        return Some((Vec::new(), true));
    }
    let is_whole = value["whole"].as_bool()?;
    let bytes = match (&value["text"], &value["base64"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(text)) => STANDARD.decode(text).ok()?,
        _ => return None,
    };
    Some((bytes, is_whole))
}

/// A list as [`Lists::Whole`] writes it.
pub(crate) fn read_acl(list: &Value) -> Option<Vec<Acl>> {
    let entry = |entry: &Value| {
        let perms = parse_permissions(entry["perms"].as_str()?).ok()?;
        let id = Id::new(entry["scheme"].as_str()?, entry["id"].as_str()?);
        Some(Acl { perms, id })
    };
    list.as_array()?.iter().map(entry).collect()
}

/// A zxid as tools write it: `0x` and hexadecimal digits, or decimal ones.
pub(crate) fn read_zxid(text: &str) -> Option<Zxid> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.ok().filter(|number| *number >= 0).map(Zxid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_restoring_takes_survives_json() {
        let list = [
            Acl::open(),
            Acl {
                perms: 5,
                id: Id::new("digest", "joe:hash"),
            },
        ];
        let whole = list.iter().map(|acl| entry(acl, Lists::Whole));
        let whole = Value::from(whole.collect::<Vec<_>>());
        assert_eq!(read_acl(&whole).as_deref(), Some(&list[..]));
        assert_eq!(entry(&list[1], Lists::Redacted)["id"], "joe:x");
        for bytes in [&b""[..], b"text", &[0xff, 0, 1]] {
            let value = data(&Data::cut(Some(bytes), 100));
            assert_eq!(read_data(&value), Some((bytes.to_vec(), true)));
        }
        let cut = data(&Data::cut(Some(b"longer"), 3));
        assert_eq!(read_data(&cut), Some((b"lon".to_vec(), false)));
        assert_eq!(read_data(&data(&Data::cut(None, 3))), Some((vec![], true)));
        assert_eq!(read_data(&json!({ "whole": 1 })), None);
    }

    #[test]
    fn zxids_are_read_as_tools_write_them() {
        for (text, want) in [
            ("0x100000002", Some(0x1_0000_0002)),
            ("12", Some(12)),
            ("-1", None),
            ("0x", None),
            ("x", None),
        ] {
            assert_eq!(read_zxid(text), want.map(Zxid), "{text}");
        }
    }
}
