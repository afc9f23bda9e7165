//! Four-letter words: what an operator types into a bare TCP connection, and the exact answers.
//!
//! What lives here: the words, which of them are allowed ([`WordList`]), and the text of each
//! answer from plain status values ([`report`], [`listing`], [`metrics`]). What does not: sockets, counters,
//! clocks, the replica; whoever answers collects a status and closes the connection afterwards.
//!
//! Layouts are ZooKeeper's, since scripts and exporters parse them.

mod java;
pub mod listing;
pub mod metrics;
pub mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

/// The version that clients and tools read: they take `major.minor` from it, then ours follows.
pub const ZOOKEEPER_VERSION: &str = concat!(
    "3.9.3-zoowarden-",
    env!("CARGO_PKG_VERSION"),
    ", built on 2026-01-01 00:00 UTC"
);

/// The answer of every word that needs a serving server, when there is none.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// Every word that ZooKeeper knows. Other first four bytes are the length of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// The configuration.
    Conf,
    /// Every connection, in full.
    Cons,
    /// Resets the counters of connections.
    Crst,
    /// The sizes of the directories.
    Dirs,
    /// Sessions and their ephemerals.
    Dump,
    /// The environment.
    Envi,
    /// The trace mask.
    Gtmk,
    /// The digests of recent states.
    Hash,
    /// Whether writes are served.
    Isro,
    /// Metrics.
    Mntr,
    /// Whether the process runs.
    Ruok,
    /// Resets the counters of the server.
    Srst,
    /// A summary of the server.
    Srvr,
    /// The summary, and every connection in brief.
    Stat,
    /// Sets the trace mask; eight more bytes follow the word.
    Stmk,
    /// Watches by session.
    Wchc,
    /// Watches by path.
    Wchp,
    /// Watches, counted.
    Wchs,
}

impl Word {
    /// All of them, in the order of the alphabet.
    pub const ALL: [Self; 18] = [
        Self::Conf,
        Self::Cons,
        Self::Crst,
        Self::Dirs,
        Self::Dump,
        Self::Envi,
        Self::Gtmk,
        Self::Hash,
        Self::Isro,
        Self::Mntr,
        Self::Ruok,
        Self::Srst,
        Self::Srvr,
        Self::Stat,
        Self::Stmk,
        Self::Wchc,
        Self::Wchp,
        Self::Wchs,
    ];

    /// The word that a connection begins with, if it is one.
    pub fn from_bytes(bytes: [u8; 4]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|word| word.as_str().as_bytes() == bytes)
    }

    /// The word as it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conf => "conf",
            Self::Cons => "cons",
            Self::Crst => "crst",
            Self::Dirs => "dirs",
            Self::Dump => "dump",
            Self::Envi => "envi",
            Self::Gtmk => "gtmk",
            Self::Hash => "hash",
            Self::Isro => "isro",
            Self::Mntr => "mntr",
            Self::Ruok => "ruok",
            Self::Srst => "srst",
            Self::Srvr => "srvr",
            Self::Stat => "stat",
            Self::Stmk => "stmk",
            Self::Wchc => "wchc",
            Self::Wchp => "wchp",
            Self::Wchs => "wchs",
        }
    }

    /// Whether the word is answered with [`NOT_SERVING`] while the server does not serve.
    pub fn needs_serving_server(self) -> bool {
        !matches!(
            self,
            Self::Ruok | Self::Isro | Self::Envi | Self::Gtmk | Self::Stmk
        )
    }

    /// Whether the answer may be as long as the state, or has to look at the disk.
    pub(crate) fn takes_long(self) -> bool {
        matches!(
            self,
            Self::Conf | Self::Dirs | Self::Dump | Self::Wchs | Self::Wchc | Self::Wchp
        )
    }

    /// The answer to a word that the operator did not allow.
    pub fn refusal(self) -> String {
        format!("{self} is not executed because it is not in the whitelist.\n")
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which words are answered (`4lw.commands.whitelist`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WordList {
    /// `*`: every word.
    All,
    /// These, and the ones that ZooKeeper's own tools cannot do without.
    Only(BTreeSet<Word>),
}

impl Default for WordList {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

impl WordList {
    /// Parses a list separated by commas; the second part is what is no word.
    pub fn parse(list: &str) -> (Self, Vec<&str>) {
        let mut words = BTreeSet::new();
        let mut unknown = Vec::new();
        for name in list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if name == "*" {
                return (Self::All, Vec::new());
            }
            match Word::ALL.into_iter().find(|word| word.as_str() == name) {
                Some(word) => _ = words.insert(word),
                None => unknown.push(name),
            }
        }
        (Self::Only(words), unknown)
    }

    /// Whether `word` is answered. `srvr` always is, because `zkServer.sh status` asks it;
    /// `isro` too where clients look for a server that takes writes.
    pub fn allows(&self, word: Word, read_only_mode_enabled: bool) -> bool {
        match (self, word) {
            (Self::All, _) | (_, Word::Srvr) => true,
            (Self::Only(words), Word::Isro) => read_only_mode_enabled || words.contains(&word),
            (Self::Only(words), _) => words.contains(&word),
        }
    }
}
