//! The history for people: a table, the oldest change first.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Letters of a value that a row shows.
const VALUE_LETTERS: usize = 40;

const HEAD: [&str; 8] = [
    "TIME",
    "ZXID",
    "OPERATION",
    "VERSION",
    "SESSION",
    "WHO",
    "PATH",
    "VALUE",
];

/// The changes of an answer, its gaps where they fall, and where the history begins.
pub(super) fn table(answer: &Value, limit: usize) -> String {
    let empty = Vec::new();
    let list = |key: &str| answer[key].as_array().unwrap_or(&empty);
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(list("changes").iter().map(row));
    let widths = (0..HEAD.len()).map(|column| {
        let letters = rows.iter().map(|row| row[column].chars().count());
        letters.max().unwrap_or(0)
    });
    let widths = widths.collect::<Vec<_>>();
    let mut lines = rows.iter().map(|row| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    let mut text = vec![lines.next().unwrap_or_default()];
    let mut gaps = list("gaps").iter().peekable();
    for (change, line) in list("changes").iter().zip(lines) {
        while let Some(gap) = gaps.next_if(|gap| number(&gap["first"]) < number(&change["zxid"])) {
            text.push(gap_line(gap));
        }
        text.push(line);
    }
    text.extend(gaps.map(gap_line));
    if answer["more"] == true {
        text.push(format!(
            "There are older ones; --limit shows more than {limit}."
        ));
    } else if let Some(begins) = answer["begins"]["zxid"].as_str() {
        let when = time(&answer["begins"]["time_ms"]);
        text.push(format!("The history begins at {begins}, {when}."));
    } else {
        text.push("The history is empty.".to_owned());
    }
    text.join("\n")
}

fn number(zxid: &Value) -> i64 {
    let zxid = zxid.as_str().and_then(super::json::read_zxid);
    zxid.map_or(0, |zxid| zxid.0)
}

/// What is not known, in a line.
pub(super) fn gap_line(gap: &Value) -> String {
    let (first, last) = (text(&gap["first"]), text(&gap["last"]));
    let count = gap["changes"].as_u64();
    let what = count.map_or("changes".to_owned(), |count| format!("{count} changes"));
    let why = match text(&gap["reason"]) {
        "rate" => "more came than zoowarden.history.maxEntriesPerSecond",
        "behind" => "the history did not keep up",
        "storeFailed" => "the history could not be written",
        "snapshot" => "this server was behind and took a snapshot",
        "lost" => "the server ended before it kept them",
        other => other,
    };
    format!("-- {what} of the whole tree are missing from {first} to {last}: {why}")
}

fn row(change: &Value) -> [String; 8] {
    let (before, after) = (&change["before"], &change["after"]);
    let operation = match (text(&change["operation"]), text(&change["cause"])) {
        (operation, "request") => operation.to_owned(),
        (operation, cause) => format!("{operation} ({cause})"),
    };
    [
        time(&change["time_ms"]),
        text(&change["zxid"]).to_owned(),
        operation,
        versions(text(&change["operation"]), before, after),
        text(&change["session"]).to_owned(),
        who(change),
        escaped(text(&change["path"])),
        value(text(&change["operation"]), before, after),
    ]
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn escaped(text: &str) -> String {
    let letter = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(letter).collect()
}

/// The user of a digest and the address, or whatever there is.
fn who(change: &Value) -> String {
    let empty = Vec::new();
    let identities = change["identities"].as_array().unwrap_or(&empty).iter();
    let users = identities.filter_map(Value::as_str);
    let users = users.filter(|id| !id.starts_with("ip:"));
    let all = users.chain(change["address"].as_str());
    escaped(&all.collect::<Vec<_>>().join(" "))
}

fn versions(operation: &str, before: &Value, after: &Value) -> String {
    let key = if operation == "setACL" {
        "aversion"
    } else {
        "version"
    };
    let of = |shape: &Value| shape[key].as_i64().map(|version| version.to_string());
    match (of(before), of(after)) {
        (Some(before), Some(after)) => format!("{before}>{after}"),
        (Some(before), None) => format!("{before}>"),
        (None, Some(after)) => after,
        (None, None) => String::new(),
    }
}

/// What was written; of what was deleted, what it was.
fn value(operation: &str, before: &Value, after: &Value) -> String {
    if operation == "setACL" {
        return list(&after["acl"]);
    }
    let shape = if after.is_null() { before } else { after };
    let kind = match text(&shape["kind"]) {
        "persistent" | "" => String::new(),
        kind => format!("[{kind}] "),
    };
    let value = &shape["value"];
    let bytes = value["bytes"].as_u64().unwrap_or(0);
    let shown = match (&value["text"], &value["base64"]) {
        (Value::String(text), _) if text.chars().count() <= VALUE_LETTERS => {
            format!("{text:?}")
        }
        (Value::String(text), _) => {
            let start = text.chars().take(VALUE_LETTERS).collect::<String>();
            format!("{start:?}.. ({bytes} bytes)")
        }
        (_, Value::String(_)) => format!("({bytes} bytes)"),
        _ => "null".to_owned(),
    };
    format!("{kind}{shown}")
}

fn list(acl: &Value) -> String {
    let empty = Vec::new();
    let entries = acl.as_array().unwrap_or(&empty).iter().map(|entry| {
        let part = |key: &str| escaped(text(&entry[key]));
        format!("{}:{}:{}", part("scheme"), part("id"), part("perms"))
    });
    entries.collect::<Vec<_>>().join(",")
}

/// A time in the zone of the machine.
pub(super) fn time(ms: &Value) -> String {
    let stamp = ms
        .as_i64()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(String::new, |stamp| {
        let zoned = stamp.to_zoned(TimeZone::system());
        zoned.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn gaps_stand_where_changes_are_missing() {
        let change = |zxid: &str, operation: &str| {
            json!({
                "path": "/a", "zxid": zxid, "time_ms": 0, "session": "0x1",
                "identities": ["ip:1.2.3.4", "digest:joe"], "address": "1.2.3.4",
                "operation": operation, "cause": "request", "before": null,
                "after": { "kind": "persistent", "version": 3, "acl": [],
                    "value": { "bytes": 2, "whole": true, "text": "x\n" } },
            })
        };
        let answer = json!({
            "changes": [change("0x2", "create"), change("0x9", "setData")],
            "gaps": [{ "first": "0x3", "last": "0x8", "changes": 6, "reason": "rate" }],
            "more": false,
            "begins": { "zxid": "0x1", "time_ms": 0 },
        });
        let text = table(&answer, 100);
        let lines = text.lines().collect::<Vec<_>>();
        assert!(
            lines[0].starts_with("TIME") && lines[0].ends_with("VALUE"),
            "{text}"
        );
        assert!(
            lines[1].contains("0x2") && lines[1].contains("create"),
            "{text}"
        );
        assert!(lines[1].contains("digest:joe 1.2.3.4") && lines[1].ends_with(r#""x\n""#));
        assert!(lines[2].starts_with("-- 6 changes of the whole tree are missing from 0x3"));
        assert!(
            lines[3].contains("0x9") && lines[3].contains("setData"),
            "{text}"
        );
        assert!(lines[4].starts_with("The history begins at 0x1"), "{text}");
    }
}
