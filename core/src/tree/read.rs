//! Reads: everything that leaves the state as it is.
//!
//! Source: `FinalRequestProcessor`. Nothing here checks a path's syntax: what is not the path of a
//! znode has none.

use crate::proto::{Code, Id, OpCode, ReadOp, ReadOutcome, Reply, Request, SessionId, Stat, Text};
use crate::tree::Tree;
use crate::tree::acl::shown;
use crate::tree::authorization::permit;
use crate::tree::znode::Znode;

/// Bytes the operations of a multiRead may answer together before the last of them.
const MULTI_READ_BYTES_MAX: usize = 64 << 20;

/// Who reads.
#[derive(Clone, Copy)]
struct Reading<'t, 'i> {
    tree: &'t Tree,
    identities: &'i [Id],
    skip_acl: bool,
}

impl Tree {
    /// Answers exists, getData, getACL, getChildren, getChildren2, getEphemerals,
    /// getAllChildrenNumber and multiRead; anything else is Unimplemented here.
    pub fn read<'t>(
        &'t self,
        session: SessionId,
        request: &Request<'_>,
        identities: &[Id],
        skip_acl: bool,
    ) -> Result<Reply<'t>, Code> {
        let reading = Reading {
            tree: self,
            identities,
            skip_acl,
        };
        Ok(match request {
            Request::Exists { path, .. } => Reply::Stat(reading.exists(path)?),
            Request::GetData { path, .. } => {
                let znode = reading.find(path, OpCode::GetData)?;
                Reply::Data(znode.data(), znode.stat())
            }
            Request::GetAcl { path } => {
                let znode = reading.find(path, OpCode::GetAcl)?;
                let list = self.acls.get(znode.acl);
                Reply::Acl(shown(list, identities, skip_acl), znode.stat())
            }
            Request::GetChildren { path, .. } => {
                Reply::Children(names(reading.find(path, OpCode::GetChildren)?))
            }
            Request::GetChildren2 { path, .. } => {
                let znode = reading.find(path, OpCode::GetChildren2)?;
                Reply::ChildrenWithStat(names(znode), znode.stat())
            }
            Request::GetEphemerals { prefix } => {
                Reply::Ephemerals(self.ephemerals_below(session, prefix.as_deref()))
            }
            Request::GetAllChildrenNumber { path } => Reply::Count(reading.descendants(path)?),
            Request::MultiRead(ops) => Reply::MultiRead(reading.outcomes(ops)?),
            // Writes go through the log, and the others name no znode whose contents they tell.
            Request::Create(_)
            | Request::Delete { .. }
            | Request::SetData { .. }
            | Request::SetAcl { .. }
            | Request::Check { .. }
            | Request::Multi(_)
            | Request::Reconfig { .. }
            | Request::CloseSession
            | Request::Sync { .. }
            | Request::Ping
            | Request::CheckWatches { .. }
            | Request::RemoveWatches { .. }
            | Request::Auth { .. }
            | Request::SetWatches(_)
            | Request::Sasl { .. }
            | Request::AddWatch { .. }
            | Request::WhoAmI => return Err(Code::Unimplemented),
        })
    }

    /// A session's ephemerals whose paths start with a prefix, which need not end at a name.
    fn ephemerals_below(&self, session: SessionId, prefix: Option<&str>) -> Vec<&str> {
        // As Java trims: control characters too, and no white space beyond ASCII.
        let shown = |prefix: &&str| !matches!(prefix.trim_matches(|c| c <= ' '), "" | "/");
        let prefix = prefix.filter(shown).unwrap_or_default();
        self.sessions
            .ephemerals(session)
            .filter(|path| path.starts_with(prefix))
            .collect()
    }
}

impl<'t> Reading<'t, '_> {
    /// The znode that `op` names, if it may see it.
    fn find(self, path: &str, op: OpCode) -> Result<&'t Znode, Code> {
        let znode = self.tree.root.find(path).ok_or(Code::NoNode)?;
        let list = self.tree.acls.get(znode.acl);
        permit(op, list, self.identities, self.skip_acl)?;
        Ok(znode)
    }

    fn exists(self, path: &str) -> Result<Stat, Code> {
        if path.contains('\0') {
            return Err(Code::BadArguments);
        }
        self.find(path, OpCode::Exists).map(Znode::stat)
    }

    /// Everything below a znode, not only its children.
    fn descendants(self, path: &str) -> Result<i32, Code> {
        let znode = self.find(path, OpCode::GetAllChildrenNumber)?;
        let mut count = -1;
        if std::ptr::eq(znode, &raw const *self.tree.root) {
            count += self.tree.znodes as i32;
        } else {
            znode.descend(|_| count += 1);
        }
        Ok(count)
    }

    /// What became of each operation. One request can ask for the same znode thousands of times,
    /// so there is a limit to what they answer together; beyond it the request fails as a whole.
    fn outcomes(self, ops: &[ReadOp<'_>]) -> Result<Vec<ReadOutcome<'t>>, Code> {
        let (mut outcomes, mut bytes) = (Vec::new(), 0);
        for op in ops {
            if bytes > MULTI_READ_BYTES_MAX {
                return Err(Code::MarshallingError);
            }
            let outcome = self.outcome(op);
            bytes += bytes_of(&outcome);
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn outcome(self, op: &ReadOp<'_>) -> ReadOutcome<'t> {
        let outcome = match op {
            ReadOp::GetChildren { path } => self.find(path, OpCode::GetChildren).map(|znode| {
                ReadOutcome::Children(names(znode).into_iter().map(Text::Borrowed).collect())
            }),
            ReadOp::GetData { path } => self
                .find(path, OpCode::GetData)
                .map(|znode| ReadOutcome::Data(znode.data(), znode.stat())),
        };
        outcome.unwrap_or_else(ReadOutcome::Failed)
    }
}

/// Names of the children. Their order is no promise, here as in ZooKeeper.
/// About as many as the outcome takes in memory and on the wire.
fn bytes_of(outcome: &ReadOutcome<'_>) -> usize {
    match outcome {
        ReadOutcome::Children(names) => names.iter().map(|name| name.len() + 16).sum(),
        ReadOutcome::Data(data, _) => data.map_or(0, <[u8]>::len),
        ReadOutcome::Failed(_) => 0,
    }
}

fn names(znode: &Znode) -> Vec<&str> {
    let mut names = Vec::with_capacity(znode.children_count());
    names.extend(znode.children().map(|child| child.name()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Acl;
    use crate::tree::stage::{S1, S2, Stage, acl, create, create_with};

    /// Every read that looks a path up.
    fn reads(path: &str) -> [Request<'_>; 6] {
        let (text, watch) = (|| path.into(), false);
        [
            Request::Exists {
                path: text(),
                watch,
            },
            Request::GetData {
                path: text(),
                watch,
            },
            Request::GetChildren {
                path: text(),
                watch,
            },
            Request::GetChildren2 {
                path: text(),
                watch,
            },
            Request::GetAllChildrenNumber { path: text() },
            Request::GetAcl { path: text() },
        ]
    }

    fn read<'t>(stage: &'t Stage, request: &Request<'_>) -> Result<Reply<'t>, Code> {
        let (identities, skip_acl) = (&stage.identities, stage.rules.skip_acl);
        let mut reply = stage.tree.read(S1, request, identities, skip_acl);
        if let Ok(Reply::Children(names) | Reply::ChildrenWithStat(names, _)) = &mut reply {
            names.sort_unstable();
        }
        reply
    }

    fn stage() -> Stage {
        let mut stage = Stage::new();
        for path in ["/b", "/a", "/a/y", "/a/x", "/a/x/1"] {
            stage.ok(&create_with(path, path.as_bytes(), &[Acl::open()]));
        }
        stage
    }

    #[test]
    fn reads_answer_what_is_there() {
        let stage = stage();
        let stat = stage.stat("/a");
        let expected = [
            Reply::Stat(stat),
            Reply::Data(Some(b"/a"), stat),
            Reply::Children(vec!["x", "y"]),
            Reply::ChildrenWithStat(vec!["x", "y"], stat),
            Reply::Count(3),
            Reply::Acl(vec![Acl::open()], stat),
        ];
        for (request, reply) in reads("/a").iter().zip(expected) {
            assert_eq!(read(&stage, request), Ok(reply));
        }
    }

    #[test]
    fn only_exact_paths_name_a_znode() {
        let stage = stage();
        for path in ["/none", "/a/", "//a", "a", "/a//x", "/b/x"] {
            for request in &reads(path) {
                assert_eq!(read(&stage, request), Err(Code::NoNode), "{request:?}");
            }
        }
        let nul = &reads("/a\0");
        assert_eq!(read(&stage, &nul[0]), Err(Code::BadArguments));
        for request in &nul[1..] {
            assert_eq!(read(&stage, request), Err(Code::NoNode), "{request:?}");
        }
    }

    #[test]
    fn the_empty_path_reads_the_root() {
        let stage = stage();
        for (empty, root) in reads("").iter().zip(&reads("/")) {
            assert_eq!(read(&stage, empty), read(&stage, root));
        }
        let fresh = Tree::new();
        let count = fresh.read(S1, &reads("/")[4], &[], false);
        assert_eq!(count, Ok(Reply::Count(3)));
    }

    #[test]
    fn reads_need_read_and_get_acl_may_have_admin_instead() {
        let mut stage = stage();
        for (path, perms) in [("/none", 2 | 4 | 8), ("/admin", 16), ("/read", 1)] {
            stage.ok(&create_with(path, b"", &[acl(perms, "world", "anyone")]));
        }
        for (path, readable, acl_readable) in [
            ("/none", false, false),
            ("/admin", false, true),
            ("/read", true, true),
        ] {
            let allowed = reads(path).map(|request| match read(&stage, &request) {
                Ok(_) => true,
                Err(code) => {
                    assert_eq!(code, Code::NoAuth);
                    false
                }
            });
            assert_eq!(allowed[..5], [readable; 5], "{path}");
            assert_eq!(allowed[5], acl_readable, "{path}");
        }
        stage.rules.skip_acl = true;
        assert!(
            reads("/none")
                .iter()
                .all(|request| read(&stage, request).is_ok())
        );
    }

    #[test]
    fn a_reader_sees_digests_without_their_hash() {
        let mut stage = stage();
        let list = [acl(1, "world", "anyone"), acl(16, "digest", "alice:hash")];
        stage.ok(&create_with("/d", b"", &list));
        let request = &reads("/d")[5];
        let stat = stage.stat("/d");
        let hidden = vec![list[0].clone(), acl(16, "digest", "alice:x")];
        assert_eq!(read(&stage, request), Ok(Reply::Acl(hidden, stat)));
        stage.identities.push(Id::new("digest", "alice:hash"));
        assert_eq!(read(&stage, request), Ok(Reply::Acl(list.to_vec(), stat)));
    }

    #[test]
    fn ephemerals_are_those_of_the_caller_below_a_prefix() {
        let mut stage = stage();
        for path in ["/a/e2", "/a/e1", "/ab"] {
            stage.ok(&create(path, 1));
        }
        stage.play_as(S2, &create("/a/other", 1));
        for (prefix, expected) in [
            (None, &["/a/e1", "/a/e2", "/ab"][..]),
            (Some(""), &["/a/e1", "/a/e2", "/ab"]),
            (Some(" \t"), &["/a/e1", "/a/e2", "/ab"]),
            (Some("\0"), &["/a/e1", "/a/e2", "/ab"]),
            (Some("/"), &["/a/e1", "/a/e2", "/ab"]),
            (Some(" /\n"), &["/a/e1", "/a/e2", "/ab"]),
            (Some("\u{a0}"), &[]),
            (Some("/a"), &["/a/e1", "/a/e2", "/ab"]),
            (Some("/a/"), &["/a/e1", "/a/e2"]),
            (Some("/a/e2"), &["/a/e2"]),
            (Some("/none"), &[]),
        ] {
            let prefix = prefix.map(Into::into);
            let request = Request::GetEphemerals { prefix };
            let expected = Ok(Reply::Ephemerals(expected.to_vec()));
            assert_eq!(read(&stage, &request), expected);
        }
    }

    #[test]
    fn operations_of_a_multi_read_fail_alone() {
        let stage = stage();
        let ops = vec![
            ReadOp::GetData {
                path: "/none".into(),
            },
            ReadOp::GetChildren {
                path: "/a/x".into(),
            },
            ReadOp::GetData { path: "/a".into() },
        ];
        let outcomes = vec![
            ReadOutcome::Failed(Code::NoNode),
            ReadOutcome::Children(vec!["1".into()]),
            ReadOutcome::Data(Some(b"/a"), stage.stat("/a")),
        ];
        let reply = read(&stage, &Request::MultiRead(ops));
        assert_eq!(reply, Ok(Reply::MultiRead(outcomes)));
    }

    #[test]
    fn what_is_no_read_is_not_answered_here() {
        let stage = stage();
        for request in [Request::WhoAmI, Request::Ping, Request::CloseSession] {
            assert_eq!(read(&stage, &request), Err(Code::Unimplemented));
        }
    }

    #[test]
    fn a_fresh_tree_looks_like_zookeepers() {
        let tree = Tree::new();
        for (path, cversion, aversion, children) in [
            ("/", -1, 0, 1),
            ("/zookeeper", -2, 0, 2),
            ("/zookeeper/quota", 0, 0, 0),
            ("/zookeeper/config", 0, -1, 0),
        ] {
            let stat = Stat {
                cversion,
                aversion,
                num_children: children,
                ..Stat::default()
            };
            assert_eq!(tree.stat(path), Some(stat), "{path}");
        }
        let config = tree.acl("/zookeeper/config");
        assert_eq!(config.as_deref(), Some(&[acl(1, "world", "anyone")][..]));
        assert_eq!(tree.acl("/").as_deref(), Some(&[Acl::open()][..]));
    }
}
