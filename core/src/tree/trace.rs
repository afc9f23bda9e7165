//! What a change did to each znode it met: enough to show it, and to undo it.
//!
//! What lives here: the shape of a znode before and after, collected while a change is made, for
//! whoever keeps a history. What does not: who keeps it. Nothing replicated depends on a trace, so
//! a server that collects none computes the same state.

use std::sync::Arc;

use crate::proto::{Acl, Zxid};
use crate::tree::acl::AclTable;
use crate::tree::znode::{Kind, Znode};

/// How much to collect from one change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tracing {
    /// Znodes of one change whose traces are kept; further ones are only counted.
    pub traces_max: usize,
    /// Bytes kept of a znode's data.
    pub value_bytes_max: usize,
}

impl Tracing {
    /// Only counts.
    pub const OFF: Tracing = Tracing {
        traces_max: 0,
        value_bytes_max: 0,
    };

    /// What contains all of both.
    pub fn max(self, other: Tracing) -> Tracing {
        Tracing {
            traces_max: self.traces_max.max(other.traces_max),
            value_bytes_max: self.value_bytes_max.max(other.value_bytes_max),
        }
    }
}

/// What one change did to one znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Which one.
    pub path: Arc<str>,
    /// What it was; `None`: it was not there.
    pub before: Option<Shape>,
    /// What it became; `None`: it is gone.
    pub after: Option<Shape>,
}

/// A znode at one moment, without its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What ends it.
    pub kind: Kind,
    /// Its data, cut at a limit.
    pub value: Value,
    /// Its access control list, as stored.
    pub acl: Arc<[Acl]>,
    /// The change that created it.
    pub czxid: Zxid,
    /// The change that last set its data.
    pub mzxid: Zxid,
    /// When it was created, milliseconds since 1970.
    pub ctime_ms: i64,
    /// When its data was last set, milliseconds since 1970.
    pub mtime_ms: i64,
    /// How often its data was set.
    pub version: i32,
    /// How often its list was set.
    pub aversion: i32,
}

/// A znode's data, cut at a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The first bytes; `None` for null, which is not the same as empty.
    pub kept: Option<Box<[u8]>>,
    /// How many there were.
    pub bytes: usize,
}

impl Value {
    /// Keeps up to `bytes_max` of `data`.
    pub fn cut(data: Option<&[u8]>, bytes_max: usize) -> Value {
        Value {
            kept: data.map(|data| data[..data.len().min(bytes_max)].into()),
            bytes: data.map_or(0, <[u8]>::len),
        }
    }

    /// Whether nothing was cut off.
    pub fn is_whole(&self) -> bool {
        self.kept.as_ref().map_or(0, |kept| kept.len()) == self.bytes
    }

    /// Bytes that are kept.
    pub fn kept_bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.len())
    }
}

/// The traces of one change, in the order in which it met the znodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    wanted: Tracing,
    /// Those that were kept.
    pub kept: Vec<Trace>,
    /// Znodes that changed and have no trace.
    pub missed: usize,
}

impl Traces {
    pub(super) fn new(wanted: Tracing) -> Traces {
        Traces {
            wanted,
            ..Traces::default()
        }
    }

    /// A znode as it is now, if the next trace is kept.
    pub(super) fn shape(&self, znode: &Znode, acls: &AclTable) -> Option<Shape> {
        (self.kept.len() < self.wanted.traces_max).then(|| Shape {
            kind: znode.kind(),
            value: Value::cut(znode.data(), self.wanted.value_bytes_max),
            acl: acls.get(znode.acl).clone(),
            czxid: znode.czxid,
            mzxid: znode.mzxid,
            ctime_ms: znode.ctime_ms,
            mtime_ms: znode.mtime_ms,
            version: znode.version,
            aversion: znode.aversion,
        })
    }

    /// Takes in what happened to a znode, by the shapes [`Traces::shape`] gave.
    pub(super) fn add(&mut self, path: &str, before: Option<Shape>, after: Option<Shape>) {
        if self.kept.len() < self.wanted.traces_max {
            let path = path.into();
            self.kept.push(Trace {
                path,
                before,
                after,
            });
        } else {
            self.missed += 1;
        }
    }

    /// Nothing happened after all.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.missed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{OpCode, Zxid};
    use crate::tree::stage::{
        Act, S1, Stage, acl, close, create, create_as, create_with, delete, multi, set, set_acl,
    };

    const ALL: Tracing = Tracing {
        traces_max: 100,
        value_bytes_max: 4,
    };

    fn play(stage: &mut Stage, wanted: Tracing, act: &Act) -> Traces {
        stage.tracing = wanted;
        let traces = stage.play(act).traces;
        stage.tracing = Tracing::OFF;
        traces
    }

    fn only(stage: &mut Stage, act: &Act) -> Trace {
        let mut traces = play(stage, ALL, act);
        assert_eq!((traces.kept.len(), traces.missed), (1, 0), "{act:?}");
        traces.kept.remove(0)
    }

    #[test]
    fn a_trace_has_the_znode_before_and_after() {
        let mut stage = Stage::new();
        let created = only(&mut stage, &create_with("/a", b"one", &[Acl::open()]));
        assert_eq!((&*created.path, &created.before), ("/a", &None));
        let first = created.after.unwrap();
        assert_eq!(first.value, Value::cut(Some(b"one"), 4));
        assert_eq!((first.version, first.kind), (0, Kind::Persistent));

        let was_set = only(&mut stage, &set("/a", Some(b"second"), -1));
        assert_eq!(was_set.before.as_ref(), Some(&first));
        let second = was_set.after.unwrap();
        assert_eq!(second.value.kept.as_deref(), Some(&b"seco"[..]));
        assert!(!second.value.is_whole() && second.value.bytes == 6);
        assert_eq!((second.version, second.czxid), (1, first.czxid));
        assert_eq!(second.mzxid, Zxid(first.mzxid.0 + 1));

        let list = [acl(1, "world", "anyone")];
        let protected = only(&mut stage, &set_acl("/a", &list, -1));
        assert_eq!(protected.before.as_ref(), Some(&second));
        let third = protected.after.unwrap();
        assert_eq!((&*third.acl, third.aversion), (&list[..], 1));

        let deleted = only(&mut stage, &delete("/a", -1));
        assert_eq!((deleted.before, deleted.after), (Some(third), None));
    }

    #[test]
    fn every_znode_of_a_multi_and_of_a_session_has_its_trace() {
        let mut stage = Stage::new();
        stage.rules.extended_types = true;
        let act = multi(&[
            create("/a", 0),
            create("/a/e", 1),
            create_as(OpCode::CreateContainer, "/a/c", 4),
            set("/a", None, 0),
        ]);
        let traces = play(&mut stage, ALL, &act);
        let paths = traces.kept.iter().map(|trace| &*trace.path);
        assert_eq!(paths.collect::<Vec<_>>(), ["/a", "/a/e", "/a/c", "/a"]);
        let kind = |i: usize| traces.kept[i].after.as_ref().unwrap().kind;
        assert_eq!((kind(1), kind(2)), (Kind::Ephemeral(S1), Kind::Container));
        assert_eq!(traces.kept[3].before, traces.kept[0].after);
        let closed = play(&mut stage, ALL, &close());
        assert_eq!(&*closed.kept[0].path, "/a/e");
        assert_eq!(closed.kept[0].after, None);
    }

    #[test]
    fn what_failed_leaves_no_trace() {
        let mut stage = Stage::new();
        stage.ok(&create("/a", 0));
        for act in [
            create("/a", 0),
            multi(&[set("/a", None, 0), create("/b", 0), delete("/none", -1)]),
            multi(&[delete("/none", -1), create("/b", 0)]),
            set("/a", None, 9),
        ] {
            assert_eq!(play(&mut stage, ALL, &act).kept, []);
            let counted = play(&mut stage, Tracing::OFF, &act);
            assert_eq!((counted.kept.len(), counted.missed), (0, 0), "{act:?}");
        }
    }

    #[test]
    fn traces_beyond_the_limit_are_counted() {
        let mut stage = Stage::new();
        let act = multi(&[create("/a", 0), create("/b", 0), create("/c", 0)]);
        let two = Tracing {
            traces_max: 2,
            ..ALL
        };
        let traces = play(&mut stage, two, &act);
        assert_eq!((traces.kept.len(), traces.missed), (2, 1));
        let act = delete("/a", -1);
        assert_eq!(play(&mut stage, Tracing::OFF, &act).missed, 1);
    }

    #[test]
    fn tracing_changes_nothing_that_is_replicated() {
        let end = |wanted: Tracing| {
            let mut stage = Stage::new();
            stage.tracing = wanted;
            stage.ok(&create_with("/a", b"x", &[acl(31, "ip", "127.0.0.1")]));
            stage.ok(&multi(&[set("/a", None, 0), create("/e", 1)]));
            stage.ok(&close());
            stage.tree.digest()
        };
        assert_eq!(end(Tracing::OFF), end(ALL));
    }
}
