//! What servers answer, as values a caller can keep.

use bytes::Bytes;

use crate::proto::{Acl, Code, Id, Malformed, MultiOutcome, OpCode, ReadOutcome, Reader, Stat};

/// The record of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing to tell: delete, check, checkWatches, removeWatches, addWatch, auth, closeSession.
    Done,
    /// create, with the number of a sequential znode; sync echoes its path.
    Path(String),
    /// create2, createContainer, createTTL.
    Created(String, Stat),
    /// exists, setData, setACL.
    Stat(Stat),
    /// getData, reconfig. Null and empty data differ. The bytes share memory with neighbouring
    /// replies: copy what is kept for long.
    Data(Option<Bytes>, Stat),
    /// getACL.
    Acl(Vec<Acl>, Stat),
    /// getChildren without, getChildren2 with the parent's `Stat`. The order means nothing.
    Children(Vec<String>, Option<Stat>),
    /// multi, whether it succeeded or not: its failure stands in the outcomes.
    Multi(Vec<MultiOutcome>),
    /// multiRead; each read succeeds or fails alone.
    MultiRead(Vec<Result<ReadAnswer, Code>>),
    /// getEphemerals, paths.
    Ephemerals(Vec<String>),
    /// getAllChildrenNumber: znodes below the path, all levels.
    Count(i32),
    /// whoAmI: who this connection is, the secret part left out.
    WhoAmI(Vec<Id>),
    /// sasl.
    Token(Option<Bytes>),
}

/// One read of a multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadAnswer {
    /// getChildren.
    Children(Vec<String>),
    /// getData.
    Data(Option<Bytes>, Stat),
}

impl Answer {
    /// Reads the record of `op`'s reply; `record` is what follows the header in `frame`.
    pub(crate) fn decode(op: OpCode, frame: &Bytes, record: &[u8]) -> Result<Answer, Malformed> {
        let r = &mut Reader::new(record);
        Ok(match op {
            OpCode::Create | OpCode::Sync => Answer::Path(r.text()?.into_owned()),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Answer::Created(r.text()?.into_owned(), Stat::decode(r)?)
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Answer::Stat(Stat::decode(r)?),
            OpCode::GetData | OpCode::Reconfig => {
                Answer::Data(slice(frame, r.buffer()?), Stat::decode(r)?)
            }
            OpCode::GetAcl => {
                let list = Acl::decode_list(r)?.ok_or(Malformed("an ACL without a scheme"))?;
                Answer::Acl(list, Stat::decode(r)?)
            }
            OpCode::GetChildren => Answer::Children(names(r)?, None),
            OpCode::GetChildren2 => Answer::Children(names(r)?, Some(Stat::decode(r)?)),
            OpCode::Multi => Answer::Multi(MultiOutcome::decode_all(r)?),
            OpCode::MultiRead => Answer::MultiRead(
                ReadOutcome::decode_all(r)?
                    .into_iter()
                    .map(|outcome| read_answer(frame, outcome))
                    .collect(),
            ),
            OpCode::GetEphemerals => Answer::Ephemerals(names(r)?),
            OpCode::GetAllChildrenNumber => Answer::Count(r.i32()?),
            OpCode::WhoAmI => {
                // A scheme and a user, each at least its length.
                Answer::WhoAmI(r.vector(8, Id::decode)?)
            }
            OpCode::Sasl => Answer::Token(slice(frame, r.buffer()?)),
            OpCode::Delete
            | OpCode::Ping
            | OpCode::Check
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::AddWatch
            | OpCode::CloseSession => Answer::Done,
        })
    }

    /// Takes the chroot off the paths that are paths of znodes.
    pub(crate) fn below(self, chroot: &str) -> Answer {
        if chroot.is_empty() {
            return self;
        }
        let strip = |path: String| strip(chroot, &path).to_owned();
        match self {
            Answer::Path(path) => Answer::Path(strip(path)),
            Answer::Created(path, stat) => Answer::Created(strip(path), stat),
            // To the server the prefix is plain text: /app is the beginning of /apple too.
            Answer::Ephemerals(paths) => {
                let inside = |path: &String| strip_inside(chroot, path).is_some();
                Answer::Ephemerals(paths.into_iter().filter(inside).map(strip).collect())
            }
            Answer::Multi(outcomes) => Answer::Multi(
                outcomes
                    .into_iter()
                    .map(|outcome| match outcome {
                        MultiOutcome::Created(path) => MultiOutcome::Created(strip(path)),
                        MultiOutcome::CreatedWithStat(path, stat) => {
                            MultiOutcome::CreatedWithStat(strip(path), stat)
                        }
                        other => other,
                    })
                    .collect(),
            ),
            other => other,
        }
    }
}

/// A server's path as the client sees it. A path outside of the chroot, that of the ensemble's
/// configuration, stays as it is.
pub(crate) fn strip<'p>(chroot: &str, path: &'p str) -> &'p str {
    strip_inside(chroot, path).unwrap_or(path)
}

fn strip_inside<'p>(chroot: &str, path: &'p str) -> Option<&'p str> {
    match path.strip_prefix(chroot)? {
        "" => Some("/"),
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

fn slice(frame: &Bytes, part: Option<&[u8]>) -> Option<Bytes> {
    part.map(|part| frame.slice_ref(part))
}

fn names(r: &mut Reader<'_>) -> Result<Vec<String>, Malformed> {
    r.vector(4, |r| Ok(r.text()?.into_owned()))
}

fn read_answer(frame: &Bytes, outcome: ReadOutcome<'_>) -> Result<ReadAnswer, Code> {
    match outcome {
        ReadOutcome::Children(names) => Ok(ReadAnswer::Children(
            names.into_iter().map(|name| name.into_owned()).collect(),
        )),
        ReadOutcome::Data(data, stat) => Ok(ReadAnswer::Data(slice(frame, data), stat)),
        ReadOutcome::Failed(code) => Err(code),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, strip};

    #[test]
    fn ephemerals_beside_the_chroot_are_not_told() {
        let told = ["/app/in", "/apple/out", "/app"].map(str::to_owned);
        let below = Answer::Ephemerals(told.to_vec()).below("/app");
        let inside = ["/in", "/"].map(str::to_owned);
        assert_eq!(below, Answer::Ephemerals(inside.to_vec()));
    }

    #[test]
    fn chroot_is_taken_off_whole_components_only() {
        for (chroot, path, seen) in [
            ("", "/a", "/a"),
            ("/a", "/a", "/"),
            ("/a", "/a/b", "/b"),
            ("/a", "/ab", "/ab"),
            ("/a", "/zookeeper/config", "/zookeeper/config"),
        ] {
            assert_eq!(strip(chroot, path), seen, "{chroot} {path}");
        }
    }
}
