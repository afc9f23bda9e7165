//! The flags of all commands. Each has one meaning; where zkCli gives one letter two meanings, there
//! are two flags, and no command knows both.

use super::arguments::Flag;

pub(crate) const STAT: Flag = Flag {
    short: Some('s'),
    long: "stat",
    value: None,
    help: "the stat block, too",
};
pub(crate) const WATCH: Flag = Flag {
    short: Some('w'),
    long: "watch",
    value: None,
    help: "report the next change",
};
pub(crate) const RECURSIVE: Flag = Flag {
    short: Some('R'),
    long: "recursive",
    value: None,
    help: "everything below",
};
pub(crate) const BASE64_OUT: Flag = Flag {
    short: Some('b'),
    long: "base64",
    value: None,
    help: "the data as base64",
};
pub(crate) const HEXDUMP: Flag = Flag {
    short: Some('x'),
    long: "hexdump",
    value: None,
    help: "the data as hexadecimal numbers and letters",
};
pub(crate) const RAW: Flag = Flag {
    short: Some('r'),
    long: "raw",
    value: None,
    help: "the bytes as they are, without a line end",
};
pub(crate) const DEPTH: Flag = Flag {
    short: Some('d'),
    long: "depth",
    value: Some("levels"),
    help: "how far down; 1 is the children",
};
pub(crate) const LONG: Flag = Flag {
    short: Some('l'),
    long: "long",
    value: None,
    help: "size, version and owner of each",
};
pub(crate) const NAME: Flag = Flag {
    short: Some('n'),
    long: "name",
    value: Some("glob"),
    help: "names that fit: * is any characters, ? is one",
};
pub(crate) const TYPE: Flag = Flag {
    short: Some('t'),
    long: "type",
    value: Some("kind"),
    help: "e or p: ephemerals only, or all others",
};
pub(crate) const MIN_BYTES: Flag = Flag {
    short: Some('m'),
    long: "min-bytes",
    value: Some("bytes"),
    help: "at least so much data",
};
pub(crate) const IGNORE_CASE: Flag = Flag {
    short: Some('i'),
    long: "ignore-case",
    value: None,
    help: "capitals and small letters are the same",
};
pub(crate) const FIXED: Flag = Flag {
    short: Some('F'),
    long: "fixed",
    value: None,
    help: "the pattern is a text, not an expression",
};
pub(crate) const LIST: Flag = Flag {
    short: Some('l'),
    long: "list",
    value: None,
    help: "paths only",
};
pub(crate) const SEQUENTIAL: Flag = Flag {
    short: Some('s'),
    long: "sequential",
    value: None,
    help: "ten digits are put behind the name, counting up",
};
pub(crate) const EPHEMERAL: Flag = Flag {
    short: Some('e'),
    long: "ephemeral",
    value: None,
    help: "goes with this session",
};
pub(crate) const CONTAINER: Flag = Flag {
    short: Some('c'),
    long: "container",
    value: None,
    help: "goes some time after its last child",
};
pub(crate) const TTL: Flag = Flag {
    short: Some('t'),
    long: "ttl",
    value: Some("ms"),
    help: "goes when unchanged and childless for so many milliseconds",
};
pub(crate) const PARENTS: Flag = Flag {
    short: Some('p'),
    long: "parents",
    value: None,
    help: "make missing znodes above it, too",
};
pub(crate) const BASE64_IN: Flag = Flag {
    short: Some('b'),
    long: "base64",
    value: None,
    help: "data is base64",
};
pub(crate) const VERSION: Flag = Flag {
    short: Some('v'),
    long: "version",
    value: Some("version"),
    help: "only if the znode has this version",
};
pub(crate) const BATCH: Flag = Flag {
    short: Some('b'),
    long: "batch",
    value: Some("size"),
    help: "deletes per multi [1000]",
};
pub(crate) const ON_CONFLICT: Flag = Flag {
    short: None,
    long: "on-conflict",
    value: Some("policy"),
    help: "znodes that are there: fail, before anything is changed [this], skip or overwrite",
};
pub(crate) const EPHEMERALS: Flag = Flag {
    short: None,
    long: "ephemerals",
    value: Some("policy"),
    help: "ephemerals: skip [this], or make them persistent or ephemeral",
};
pub(crate) const MV_EPHEMERALS: Flag = Flag {
    short: None,
    long: "ephemerals",
    value: Some("policy"),
    help: "ephemerals become persistent or ephemeral; without it they forbid the move",
};
pub(crate) const NO_ACL: Flag = Flag {
    short: None,
    long: "no-acl",
    value: None,
    help: "leave the ACLs of the file aside: world:anyone:cdrwa",
};
pub(crate) const COUNT: Flag = Flag {
    short: Some('n'),
    long: "count",
    value: Some("count"),
    help: "soft limit, which servers log: znodes, the top included",
};
pub(crate) const BYTES: Flag = Flag {
    short: Some('b'),
    long: "bytes",
    value: Some("bytes"),
    help: "soft limit: data of all znodes",
};
pub(crate) const HARD_COUNT: Flag = Flag {
    short: Some('N'),
    long: "hard-count",
    value: Some("count"),
    help: "hard limit, which servers with enforceQuota enforce: znodes",
};
pub(crate) const HARD_BYTES: Flag = Flag {
    short: Some('B'),
    long: "hard-bytes",
    value: Some("bytes"),
    help: "hard limit: data",
};
pub(crate) const DEL_COUNT: Flag = Flag {
    short: Some('n'),
    long: "count",
    value: None,
    help: "only the soft limit of znodes",
};
pub(crate) const DEL_BYTES: Flag = Flag {
    short: Some('b'),
    long: "bytes",
    value: None,
    help: "only the soft limit of data",
};
pub(crate) const DEL_HARD_COUNT: Flag = Flag {
    short: Some('N'),
    long: "hard-count",
    value: None,
    help: "only the hard limit of znodes",
};
pub(crate) const DEL_HARD_BYTES: Flag = Flag {
    short: Some('B'),
    long: "hard-bytes",
    value: None,
    help: "only the hard limit of data",
};
pub(crate) const MODE: Flag = Flag {
    short: Some('m'),
    long: "mode",
    value: Some("mode"),
    help: "PERSISTENT, or PERSISTENT_RECURSIVE [this]",
};
pub(crate) const EVENTS: Flag = Flag {
    short: Some('c'),
    long: "count",
    value: Some("events"),
    help: "end after so many events",
};
pub(crate) const CHILDREN: Flag = Flag {
    short: Some('c'),
    long: "children",
    value: None,
    help: "watches of ls",
};
pub(crate) const DATA: Flag = Flag {
    short: Some('d'),
    long: "data",
    value: None,
    help: "watches of get and stat",
};
pub(crate) const PERSISTENT: Flag = Flag {
    short: Some('p'),
    long: "persistent",
    value: None,
    help: "watches of addWatch -m PERSISTENT",
};
pub(crate) const PERSISTENT_R: Flag = Flag {
    short: Some('r'),
    long: "recursive",
    value: None,
    help: "watches of addWatch -m PERSISTENT_RECURSIVE",
};
pub(crate) const ANY: Flag = Flag {
    short: Some('a'),
    long: "any",
    value: None,
    help: "all of them [this]",
};
pub(crate) const LOCAL: Flag = Flag {
    short: Some('l'),
    long: "local",
    value: None,
    help: "taken for zkCli's sake: removing needs no server",
};
pub(crate) const CLIENT: Flag = Flag {
    short: Some('c'),
    long: "client",
    value: None,
    help: "version and addresses for clients only",
};
pub(crate) const FILE: Flag = Flag {
    short: None,
    long: "file",
    value: Some("path"),
    help: "a file with a line server.N=... for each server",
};
pub(crate) const MEMBERS: Flag = Flag {
    short: None,
    long: "members",
    value: Some("list"),
    help: "all servers: server.N=host:port:port;port, parted by commas",
};
pub(crate) const ADD: Flag = Flag {
    short: None,
    long: "add",
    value: Some("list"),
    help: "servers to add or to change",
};
pub(crate) const REMOVE: Flag = Flag {
    short: None,
    long: "remove",
    value: Some("ids"),
    help: "ids of servers to remove",
};
