//! What a server answers to a request that succeeded.

use crate::proto::multi::terminator;
use crate::proto::{Acl, MultiOutcome, ReadOutcome, Stat, Text, Writer};

/// One identity of a connection as whoAmI tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo<'a> {
    /// The scheme: `ip`, `digest`, …
    pub scheme: &'a str,
    /// The user part only: what a digest hashes to is never told.
    pub user: &'a str,
}

/// The record of a reply. Borrows from the tree, so that data is copied once: into the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// No record: delete, ping, setWatches, checkWatches, removeWatches, auth, closeSession.
    Empty,
    /// create
    Created(Text<'a>),
    /// create2, createContainer, createTTL
    CreatedWithStat(Text<'a>, Stat),
    /// exists, setData, setACL
    Stat(Stat),
    /// getData
    Data(Option<&'a [u8]>, Stat),
    /// reconfig: the text of the new configuration
    Configured(Vec<u8>, Stat),
    /// getACL
    Acl(Vec<Acl>, Stat),
    /// getChildren
    Children(Vec<&'a str>),
    /// getChildren2
    ChildrenWithStat(Vec<&'a str>, Stat),
    /// sync echoes its path
    Synced(Text<'a>),
    /// multi, succeeded or not: its failure stands in the outcomes
    Multi(Vec<MultiOutcome>),
    /// multiRead
    MultiRead(Vec<ReadOutcome<'a>>),
    /// getEphemerals
    Ephemerals(Vec<&'a str>),
    /// getAllChildrenNumber
    Count(i32),
    /// addWatch answers with an error number of its own, always 0
    WatchAdded,
    /// whoAmI
    WhoAmI(Vec<ClientInfo<'a>>),
    /// sasl
    Token(Option<&'a [u8]>),
}

impl Reply<'_> {
    /// Appends the record.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Reply::Empty => {}
            Reply::Created(path) | Reply::Synced(path) => w.text(path),
            Reply::CreatedWithStat(path, stat) => {
                w.text(path);
                stat.encode(w);
            }
            Reply::Stat(stat) => stat.encode(w),
            Reply::Data(data, stat) => {
                w.buffer(*data);
                stat.encode(w);
            }
            Reply::Configured(text, stat) => {
                w.buffer(Some(text));
                stat.encode(w);
            }
            Reply::Acl(list, stat) => {
                Acl::encode_list(list, w);
                stat.encode(w);
            }
            Reply::Children(names) | Reply::Ephemerals(names) => w.texts(names),
            Reply::ChildrenWithStat(names, stat) => {
                w.texts(names);
                stat.encode(w);
            }
            Reply::Multi(outcomes) => {
                for outcome in outcomes {
                    outcome.encode(w);
                }
                terminator(w);
            }
            Reply::MultiRead(outcomes) => {
                for outcome in outcomes {
                    outcome.encode(w);
                }
                terminator(w);
            }
            Reply::Count(count) => w.i32(*count),
            Reply::WatchAdded => w.i32(0),
            Reply::WhoAmI(infos) => {
                w.length(infos.len());
                for info in infos {
                    w.text(info.scheme);
                    w.text(info.user);
                }
            }
            Reply::Token(token) => w.buffer(*token),
        }
    }
}
