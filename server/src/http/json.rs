//! JSON as ZooKeeper's endpoint writes it, to the space: scripts look for `"error" : null`.

use std::fmt::Write as _;

use zoowarden::metrics::Number;

/// A value. Objects keep the order they were made in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Fields),
}

/// The fields of an object.
pub(crate) type Fields = Vec<(String, Json)>;

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

impl From<Number> for Json {
    fn from(number: Number) -> Json {
        Json::Number(number)
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Json {
        Json::Number(Number::Whole(number))
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Json {
        Json::Number(Number::from(number))
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Json {
        Json::Number(Number::from(number))
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Json {
        Json::from(i64::from(number))
    }
}

impl From<Fields> for Json {
    fn from(fields: Fields) -> Json {
        Json::Object(fields)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Json {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(value),
            serde_json::Value::Number(number) => {
                let whole = number.as_i64().map(Number::Whole);
                let decimal = || Number::Decimal(number.as_f64().unwrap_or_default());
                Json::Number(whole.unwrap_or_else(decimal))
            }
            serde_json::Value::String(text) => Json::Text(text),
            serde_json::Value::Array(items) => items.into_iter().collect(),
            serde_json::Value::Object(fields) => {
                let fields = fields.into_iter();
                Json::Object(fields.map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Json {
        Json::List(items.into_iter().map(Into::into).collect())
    }
}

/// A field, to be put into an object.
pub(crate) fn field(name: &str, value: impl Into<Json>) -> (String, Json) {
    (name.to_owned(), value.into())
}

impl Json {
    /// The text.
    pub(crate) fn write(&self) -> String {
        let mut out = String::new();
        self.write_to(&mut out, 0);
        out
    }

    fn write_to(&self, out: &mut String, depth: usize) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => _ = write!(out, "{value}"),
            Json::Number(number) => _ = write!(out, "{number}"),
            Json::Text(text) => put_text(out, text),
            Json::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { " " } else { ", " });
                    item.write_to(out, depth);
                }
                out.push_str(" ]");
            }
            Json::Object(fields) if fields.is_empty() => out.push_str("{ }"),
            Json::Object(fields) => {
                let indent = "  ".repeat(depth + 1);
                for (i, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if i == 0 { "{\n" } else { ",\n" });
                    out.push_str(&indent);
                    put_text(out, name);
                    out.push_str(" : ");
                    value.write_to(out, depth + 1);
                }
                let _ = write!(out, "\n{}}}", &indent[2..]);
            }
        }
    }
}

fn put_text(out: &mut String, text: &str) {
    let quoted = serde_json::to_string(text).expect("a text is always JSON");
    out.push_str(&quoted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_zookeepers_to_the_space() {
        let watches = vec![field("1", Json::from_iter(["/a", "/b\"\u{1}"]))];
        let body: Json = vec![
            field("watches", watches),
            field("none", Vec::new()),
            field("empty", Json::List(Vec::new())),
            field(
                "connections",
                Json::from_iter([vec![field("id", 1_i64)], vec![field("id", 2_i64)]]),
            ),
            field("average", Number::Decimal(0.0)),
            field("error", Json::Null),
        ]
        .into();
        let want = "{\n  \"watches\" : {\n    \"1\" : [ \"/a\", \"/b\\\"\\u0001\" ]\n  },\n  \
                    \"none\" : { },\n  \"empty\" : [ ],\n  \"connections\" : [ {\n    \
                    \"id\" : 1\n  }, {\n    \"id\" : 2\n  } ],\n  \"average\" : 0.0,\n  \
                    \"error\" : null\n}";
        assert_eq!(body.write(), want);
        let parsed: serde_json::Value = serde_json::from_str(want).expect("it is JSON");
        assert_eq!(parsed["connections"][1]["id"], 2);
    }
}
