//! What a refused configuration says: where, which setting, which value, what is allowed.

use std::fmt;

/// A configuration that cannot be used. Its text is one line for the operator.
///
/// ```text
/// zoo.cfg:12: tickTime=abc: expected a whole number of milliseconds, 1 or more
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named, or where else the setting came from (`command line`,
    /// `SERVER_JVMFLAGS`).
    pub file: String,
    /// The line in that file, counted from 1.
    pub line: Option<u32>,
    /// The setting, spelled as the operator wrote it; `None` when the file itself is at fault.
    pub key: Option<String>,
    /// The refused value; `None` when the setting is missing or secret.
    pub value: Option<String>,
    /// What would have been accepted, as the end of the sentence.
    pub allowed: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(key) = &self.key {
            f.write_str(key)?;
            if let Some(value) = &self.value {
                write!(f, "={value}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.allowed)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// A file that cannot be read or understood as a whole.
    pub(super) fn of_file(file: &str, line: Option<u32>, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            key: None,
            value: None,
            allowed: what.into(),
        }
    }

    /// A setting that should be there and is not, or that contradicts another one.
    pub(super) fn of_key(file: &str, key: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: Some(key.to_owned()),
            value: None,
            allowed: what.into(),
        }
    }
}
