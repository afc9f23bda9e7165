//! System properties: `-Dkey=value` from the arguments and from `SERVER_JVMFLAGS`.

use super::setting::{Origin, Setting};

/// The settings given as `-Dkey=value`, later ones winning. ZooKeeper's own scripts pass
/// `SERVER_JVMFLAGS`, then `JVMFLAGS`; the arguments come last.
#[derive(Clone, Default)]
pub struct SystemProperties {
    pub(super) settings: Vec<Setting>,
}

impl SystemProperties {
    /// Adds one `key=value` of the command line (the text after `-D`). A key alone is empty.
    pub fn push_argument(&mut self, definition: &str) {
        self.push(Origin::CommandLine, definition);
    }

    /// Adds the `-Dkey=value` words of an environment variable. Other words are flags for a Java
    /// virtual machine, of which there is none: they are dropped.
    pub fn push_environment(&mut self, variable: &'static str, flags: &str) {
        for word in words(flags) {
            if let Some(definition) = word.strip_prefix("-D") {
                self.push(Origin::Environment(variable), definition);
            }
        }
    }

    /// The value of `-Dkey`, if it is given.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        setting.map(|setting| setting.value.as_str())
    }

    fn push(&mut self, origin: Origin, definition: &str) {
        let (key, value) = definition.split_once('=').unwrap_or((definition, ""));
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        self.settings.retain(|earlier| earlier.key != key);
        self.settings.push(Setting { origin, key, value });
    }
}

/// Splits as a shell does: blanks part words, quotes and backslashes keep them together.
/// A quote that is never closed ends with the text.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, _) if c.is_whitespace() => out.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_split_as_in_a_shell() {
        for (text, want) in [
            ("", &[][..]),
            ("  -Xmx1g  -Da=b\t-Dc=d\n", &["-Xmx1g", "-Da=b", "-Dc=d"]),
            ("-Da='x y' \"-Db=z w\"", &["-Da=x y", "-Db=z w"]),
            ("-Da=x\\ y", &["-Da=x y"]),
            ("-Da=\"q\\\"q\" -Db='\\'", &["-Da=q\"q", "-Db=\\"]),
            ("-Da='' \"\"", &["-Da=", ""]),
            ("-Da='open end", &["-Da=open end"]),
            ("-Da=b\\", &["-Da=b"]),
        ] {
            assert_eq!(words(text), want, "{text:?}");
        }
    }

    #[test]
    fn only_definitions_count_and_the_last_one_wins() {
        let mut properties = SystemProperties::default();
        properties.push_environment(
            "SERVER_JVMFLAGS",
            "-Xmx2g -server -Djute.maxbuffer=1 -Dzookeeper.snapCount=10 -agentlib:jdwp=x",
        );
        properties.push_argument("jute.maxbuffer=2");
        properties.push_argument("zookeeper.skipACL");
        let got: Vec<_> = properties
            .settings
            .iter()
            .map(|s| (s.origin.to_string(), s.key.as_str(), s.value.as_str()))
            .collect();
        assert_eq!(
            got,
            [
                ("SERVER_JVMFLAGS".to_owned(), "zookeeper.snapCount", "10"),
                ("command line".to_owned(), "jute.maxbuffer", "2"),
                ("command line".to_owned(), "zookeeper.skipACL", ""),
            ]
        );
    }
}
