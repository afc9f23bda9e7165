//! The login configuration file of Java (JAAS), as far as servers of ZooKeeper use it: who may
//! authenticate by SASL.
//!
//! ```text
//! Server {
//!     org.apache.zookeeper.server.auth.DigestLoginModule required
//!     user_super="adminsecret"
//!     user_bob="bobsecret";
//! };
//! ```
//!
//! Source: `sun.security.provider.ConfigFile` and `SaslServerCallbackHandler`. The whole file must
//! be right, as for Java, not only the section that is used.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::resolve::TextFile;
use crate::sasl::Password;

/// The setting that names the file.
pub(super) const JAAS_FILE: &str = "java.security.auth.login.config";

/// The one login module that there is here.
const DIGEST_MODULE: &str = "org.apache.zookeeper.server.auth.DigestLoginModule";

/// The start of the name of an option that makes a user.
const USER: &str = "user_";

/// One `Name { ... };`.
#[derive(Debug)]
pub(super) struct Section {
    name: String,
    modules: Vec<Module>,
}

/// One login module of a section.
#[derive(Debug)]
struct Module {
    class: String,
    line: u32,
    options: BTreeMap<String, Password>,
}

/// Reads a whole file.
pub(super) fn parse(file: &TextFile) -> Result<Vec<Section>, ConfigError> {
    let mut reader = Tokens::new(file);
    let mut sections: Vec<Section> = Vec::new();
    while let Some((name, line)) = reader.next()? {
        let name = reader.text(name, line, "the name of a section")?;
        if sections.iter().any(|known| known.name == name) {
            return Err(reader.error(line, format!("the section {name} stands here twice")));
        }
        sections.push(section(&mut reader, name)?);
    }
    Ok(sections)
}

fn section(reader: &mut Tokens<'_>, name: String) -> Result<Section, ConfigError> {
    reader.expect('{')?;
    let mut modules = Vec::new();
    loop {
        let (token, line) = reader.some("a login module, or } at the end of the section")?;
        if token == Token::Sign('}') {
            reader.expect(';')?;
            return Ok(Section { name, modules });
        }
        let class = reader.text(token, line, "the class of a login module")?;
        modules.push(module(reader, class, line)?);
    }
}

fn module(reader: &mut Tokens<'_>, class: String, line: u32) -> Result<Module, ConfigError> {
    const FLAGS: &str = "required, requisite, sufficient or optional";
    let (flag, at) = reader.some(FLAGS)?;
    let flag = reader.text(flag, at, FLAGS)?;
    let known = ["required", "requisite", "sufficient", "optional"];
    if !known.iter().any(|known| known.eq_ignore_ascii_case(&flag)) {
        return Err(reader.error(at, format!("expected {FLAGS} after {class}")));
    }
    let mut options = BTreeMap::new();
    loop {
        let (token, at) = reader.some("an option, or ; at the end of the login module")?;
        if token == Token::Sign(';') {
            return Ok(Module {
                class,
                line,
                options,
            });
        }
        let name = reader.text(token, at, "the name of an option, or ; before it")?;
        reader.expect('=')?;
        let (value, at) = reader.some("the value of an option")?;
        let value = reader.text(value, at, &format!("a value for {name}, in double quotes"))?;
        if value.contains("${") {
            let what = format!("{name}: ${{...}} is not replaced here, write the value itself");
            return Err(reader.error(at, what));
        }
        options.insert(name, Password::new(value));
    }
}

/// The users of the section `name`; `None` if there is no such section.
pub(super) fn users(
    file: &TextFile,
    sections: &[Section],
    name: &str,
) -> Result<Option<BTreeMap<String, Password>>, ConfigError> {
    let Some(section) = sections.iter().find(|section| section.name == name) else {
        return Ok(None);
    };
    let mut users = BTreeMap::new();
    for module in &section.modules {
        if module.class != DIGEST_MODULE {
            let hint = match module.class.contains("Krb5") {
                true => "; Kerberos (GSSAPI) is not supported",
                false => "",
            };
            let what = format!("{}: expected {DIGEST_MODULE}{hint}", module.class);
            return Err(ConfigError::of_file(&file.name, Some(module.line), what));
        }
        for (option, password) in &module.options {
            if let Some(user) = option.strip_prefix(USER) {
                if user.is_empty() {
                    let what = format!("{USER}: expected the name of a user behind it");
                    return Err(ConfigError::of_file(&file.name, Some(module.line), what));
                }
                users.insert(user.to_owned(), password.clone());
            }
        }
    }
    Ok(Some(users))
}

#[derive(Clone, PartialEq, Eq)]
enum Token {
    /// A bare word.
    Word(String),
    /// What stood between double quotes.
    Quoted(String),
    /// One of `{ } ; =`.
    Sign(char),
}

/// The tokens of a file, each with its line.
struct Tokens<'f> {
    file: &'f TextFile,
    rest: std::iter::Peekable<std::str::Chars<'f>>,
    line: u32,
}

impl<'f> Tokens<'f> {
    fn new(file: &'f TextFile) -> Tokens<'f> {
        Tokens {
            file,
            rest: file.text.chars().peekable(),
            line: 1,
        }
    }

    /// An error at a line. It shows no values: any of them may be a password.
    fn error(&self, line: u32, what: impl Into<String>) -> ConfigError {
        ConfigError::of_file(&self.file.name, Some(line), what)
    }

    fn expect(&mut self, sign: char) -> Result<(), ConfigError> {
        match self.next()? {
            Some((Token::Sign(found), _)) if found == sign => Ok(()),
            Some((_, line)) => Err(self.error(line, format!("expected {sign}"))),
            None => Err(self.error(self.line, format!("expected {sign}, the file ends"))),
        }
    }

    fn some(&mut self, what: &str) -> Result<(Token, u32), ConfigError> {
        let end = format!("expected {what}, the file ends");
        self.next()?.ok_or_else(|| self.error(self.line, end))
    }

    fn text(&self, token: Token, line: u32, what: &str) -> Result<String, ConfigError> {
        match token {
            Token::Word(text) | Token::Quoted(text) if !text.is_empty() => Ok(text),
            // An empty password is a value like another.
            Token::Quoted(text) if what.starts_with("a value") => Ok(text),
            _ => Err(self.error(line, format!("expected {what}"))),
        }
    }

    /// The next token and its line.
    fn next(&mut self) -> Result<Option<(Token, u32)>, ConfigError> {
        self.skip_blanks()?;
        let line = self.line;
        let Some(c) = self.rest.next() else {
            return Ok(None);
        };
        let token = match c {
            '{' | '}' | ';' | '=' => Token::Sign(c),
            '"' => Token::Quoted(self.quoted()?),
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = self.rest.next_if(|c| is_word(*c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
            _ => {
                let what = "expected a word, \"text in quotes\", or one of { } ; =";
                return Err(self.error(line, what));
            }
        };
        Ok(Some((token, line)))
    }

    /// Skips blanks and comments.
    fn skip_blanks(&mut self) -> Result<(), ConfigError> {
        loop {
            match self.rest.peek() {
                Some('\n') => self.line += 1,
                Some(c) if c.is_whitespace() => {}
                Some('/') => {
                    self.comment()?;
                    continue;
                }
                _ => return Ok(()),
            }
            self.rest.next();
        }
    }

    fn comment(&mut self) -> Result<(), ConfigError> {
        let begun = self.line;
        self.rest.next();
        match self.rest.next() {
            Some('/') => {
                while self.rest.next_if(|c| *c != '\n').is_some() {}
                Ok(())
            }
            Some('*') => {
                let mut last = ' ';
                for c in self.rest.by_ref() {
                    self.line += u32::from(c == '\n');
                    if (last, c) == ('*', '/') {
                        return Ok(());
                    }
                    last = c;
                }
                Err(self.error(begun, "the comment that begins here has no end"))
            }
            _ => Err(self.error(begun, "expected // or /* here: quote what holds a slash")),
        }
    }

    /// Up to the closing quote, with Java's escapes.
    fn quoted(&mut self) -> Result<String, ConfigError> {
        let mut text = String::new();
        let open = self.error(
            self.line,
            "the quote that opens on this line does not close on it",
        );
        loop {
            match self.rest.next() {
                None | Some('\n' | '\r') => return Err(open),
                Some('"') => return Ok(text),
                Some('\\') => text.push(match self.rest.next() {
                    None | Some('\n' | '\r') => return Err(open),
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some('a') => '\u{7}',
                    Some('v') => '\u{b}',
                    Some(c @ '0'..='7') => self.octal(c),
                    Some(c) => c,
                }),
                Some(c) => text.push(c),
            }
        }
    }

    /// `\0` to `\377`: two digits more at most, the third only below 4.
    fn octal(&mut self, first: char) -> char {
        let mut value = first.to_digit(8).unwrap_or_default();
        let more = if value < 4 { 2 } else { 1 };
        for _ in 0..more {
            let Some(digit) = self.rest.next_if(|c| c.is_digit(8)) else {
                break;
            };
            value = value * 8 + digit.to_digit(8).unwrap_or_default();
        }
        char::from_u32(value).unwrap_or_default()
    }
}

/// What Java takes into a word, and what people write without quotes for a class or an option.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '$' | '-' | '*' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> TextFile {
        TextFile {
            name: "jaas.conf".to_owned(),
            text: text.to_owned(),
        }
    }

    fn read(text: &str, section: &str) -> Result<Option<BTreeMap<String, Password>>, String> {
        let file = file(text);
        let sections = parse(&file).map_err(|error| error.to_string())?;
        users(&file, &sections, section).map_err(|error| error.to_string())
    }

    fn listed(pairs: &[(&str, &str)]) -> Result<Option<BTreeMap<String, Password>>, String> {
        let pairs = pairs.iter();
        Ok(Some(
            pairs
                .map(|(user, password)| ((*user).to_owned(), Password::new(*password)))
                .collect(),
        ))
    }

    const MODULE: &str = "org.apache.zookeeper.server.auth.DigestLoginModule";

    #[test]
    fn users_are_the_options_of_the_section() {
        let text = format!(
            "// the ensemble\nServer {{\n  {MODULE} required\n  user_super=\"admin\\\"s\"\n  \
             user_bob=bob2 /* not\n quoted */ debug=true;\n}};\n\
             Client {{ {MODULE} required username=\"bob\" password=\"bobsecret\"; }};\n\
             \"Quoted name\" {{ {MODULE} REQUIRED user_a=\"\"; {MODULE} optional user_b=\"\\101\"; }};"
        );
        let super_and_bob = [("super", "admin\"s"), ("bob", "bob2")];
        assert_eq!(read(&text, "Server"), listed(&super_and_bob));
        assert_eq!(read(&text, "Client"), listed(&[]));
        assert_eq!(read(&text, "Quoted name"), listed(&[("a", ""), ("b", "A")]));
        assert_eq!(read(&text, "server"), Ok(None));
        assert_eq!(read("", "Server"), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        for (text, want) in [
            ("Server", "jaas.conf:1: expected {, the file ends"),
            (
                "Server {\n nonsense",
                "jaas.conf:2: expected required, requisite, sufficient or optional, the file ends",
            ),
            (
                "\nServer {\n M maybe;};",
                "jaas.conf:3: expected required, requisite, sufficient or optional after M",
            ),
            (
                "Server {\n M required }",
                "jaas.conf:2: expected the name of an option, or ; before it",
            ),
            (
                "Server {\n M required; }",
                "jaas.conf:2: expected ;, the file ends",
            ),
            (
                "Server {\n M required user_a b;};",
                "jaas.conf:2: expected =",
            ),
            (
                "Server {\n M required user_a=\n;};",
                "jaas.conf:3: expected a value for user_a, in double quotes",
            ),
            (
                "Server {\n M required user_a=\"secret\nword\"; };",
                "jaas.conf:2: the quote that opens on this line does not close on it",
            ),
            (
                "Server {\n M required user_a='x'; };",
                "jaas.conf:2: expected a word, \"text in quotes\", or one of { } ; =",
            ),
            (
                "Server {\n\n M required user_a=\"${x}\"; };",
                "jaas.conf:3: user_a: ${...} is not replaced here, write the value itself",
            ),
            (
                "/* a\nb",
                "jaas.conf:1: the comment that begins here has no end",
            ),
            (
                "\n/a",
                "jaas.conf:2: expected // or /* here: quote what holds a slash",
            ),
            (
                "A { M required; };\nA { M required; };",
                "jaas.conf:2: the section A stands here twice",
            ),
            ("{ }", "jaas.conf:1: expected the name of a section"),
        ] {
            assert_eq!(read(text, "Server"), Err(want.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn only_the_digest_module_is_served() {
        let kerberos = "Server {\n com.sun.security.auth.module.Krb5LoginModule required\n \
                        useKeyTab=true;\n};";
        assert_eq!(
            read(kerberos, "Server"),
            Err(format!(
                "jaas.conf:2: com.sun.security.auth.module.Krb5LoginModule: expected {MODULE}; \
                 Kerberos (GSSAPI) is not supported"
            ))
        );
        assert_eq!(read(kerberos, "Client"), Ok(None));
        let nameless = format!("Server {{ {MODULE} required\n user_=\"x\"; }};");
        assert_eq!(
            read(&nameless, "Server"),
            Err("jaas.conf:1: user_: expected the name of a user behind it".to_owned())
        );
    }

    /// CVE-2026-24308: secrets of a configuration were logged.
    #[test]
    fn cve_2026_24308_no_error_and_no_debug_shows_a_password() {
        let text = format!("Server {{ {MODULE} required user_a=\"canary\" user_b=\"canary\" ;}};");
        for end in 0..text.len() {
            let cut = file(&text[..end]);
            let shown = match parse(&cut) {
                Ok(sections) => format!("{sections:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("canary"), "{shown}");
        }
        let users = read(&text, "Server").unwrap();
        assert!(!format!("{users:?}").contains("canary"));
    }
}
