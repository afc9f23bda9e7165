//! multi and multiRead: several operations in one request, several outcomes in one reply.
//!
//! ```text
//! request:  { type int, done 0, err -1, record of the type }*  { -1, done 1, -1 }
//! reply:    { type int, done 0, err,    record of the type }*  { -1, done 1, -1 }
//! an outcome that is an error: { -1, done 0, code, code int }
//! ```

use crate::proto::{Code, Create, Malformed, OpCode, Reader, Stat, Text, Writer};

/// The type of an outcome that is an error.
const ERROR: i32 = -1;

/// One operation of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the variants and fields carry ZooKeeper's names"
)]
pub enum MultiOp<'a> {
    Create(Create<'a>),
    Delete {
        path: Text<'a>,
        version: i32,
    },
    SetData {
        path: Text<'a>,
        data: Option<&'a [u8]>,
        version: i32,
    },
    Check {
        path: Text<'a>,
        version: i32,
    },
}

impl<'a> MultiOp<'a> {
    pub(crate) fn encode_all(ops: &[MultiOp<'_>], w: &mut Writer<'_>) {
        for op in ops {
            op.encode(w);
        }
        terminator(w);
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let op = match self {
            MultiOp::Create(create) => create.op,
            MultiOp::Delete { .. } => OpCode::Delete,
            MultiOp::SetData { .. } => OpCode::SetData,
            MultiOp::Check { .. } => OpCode::Check,
        };
        header(w, op.number(), false, -1);
        match self {
            MultiOp::Create(create) => create.encode(w),
            MultiOp::Delete { path, version } | MultiOp::Check { path, version } => {
                w.text(path);
                w.i32(*version);
            }
            MultiOp::SetData {
                path,
                data,
                version,
            } => {
                w.text(path);
                w.buffer(*data);
                w.i32(*version);
            }
        }
    }

    /// Reads all operations up to the terminator. Any other kind of operation is malformed.
    pub(crate) fn decode_all(r: &mut Reader<'a>) -> Result<Vec<MultiOp<'a>>, Malformed> {
        decode_until_done(r, |op, r| {
            Ok(match op {
                OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                    MultiOp::Create(Create::decode(op, r)?)
                }
                OpCode::Delete => MultiOp::Delete {
                    path: r.text()?,
                    version: r.i32()?,
                },
                OpCode::SetData => MultiOp::SetData {
                    path: r.text()?,
                    data: r.buffer()?,
                    version: r.i32()?,
                },
                OpCode::Check => MultiOp::Check {
                    path: r.text()?,
                    version: r.i32()?,
                },
                _ => return Err(Malformed("not an operation of a multi")),
            })
        })
    }
}

/// One operation of a multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the variants and fields carry ZooKeeper's names"
)]
pub enum ReadOp<'a> {
    GetChildren { path: Text<'a> },
    GetData { path: Text<'a> },
}

impl<'a> ReadOp<'a> {
    pub(crate) fn encode_all(ops: &[ReadOp<'_>], w: &mut Writer<'_>) {
        for op in ops {
            let (op, path) = match op {
                ReadOp::GetChildren { path } => (OpCode::GetChildren, path),
                ReadOp::GetData { path } => (OpCode::GetData, path),
            };
            header(w, op.number(), false, -1);
            w.text(path);
            w.bool(false);
        }
        terminator(w);
    }

    /// Reads all operations up to the terminator; their watch flags are ignored.
    pub(crate) fn decode_all(r: &mut Reader<'a>) -> Result<Vec<ReadOp<'a>>, Malformed> {
        decode_until_done(r, |op, r| {
            let path = r.text()?;
            let _watch = r.bool()?;
            match op {
                OpCode::GetChildren => Ok(ReadOp::GetChildren { path }),
                OpCode::GetData => Ok(ReadOp::GetData { path }),
                _ => Err(Malformed("not an operation of a multiRead")),
            }
        })
    }
}

fn decode_until_done<'a, T>(
    r: &mut Reader<'a>,
    mut decode: impl FnMut(OpCode, &mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut ops = Vec::new();
    loop {
        let (number, done, _err) = (r.i32()?, r.bool()?, r.i32()?);
        if done {
            return Ok(ops);
        }
        let op = OpCode::from_number(number).ok_or(Malformed("unknown operation in a multi"))?;
        ops.push(decode(op, r)?);
    }
}

/// What became of one operation of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiOutcome {
    /// create
    Created(String),
    /// create2, createContainer, createTTL
    CreatedWithStat(String, Stat),
    /// delete
    Deleted,
    /// setData
    Set(Stat),
    /// check
    Checked,
    /// The multi failed: `None` for an operation before the one that failed, its code for that
    /// one, RuntimeInconsistency for those behind it.
    Failed(Option<Code>),
}

impl MultiOutcome {
    /// Reads all outcomes up to the terminator. A code ZooKeeper does not have reads as
    /// SystemError.
    pub fn decode_all(r: &mut Reader<'_>) -> Result<Vec<MultiOutcome>, Malformed> {
        decode_outcomes(r, |number, r| {
            Ok(match number {
                ERROR => MultiOutcome::Failed(decode_error(r)?),
                number => match OpCode::from_number(number) {
                    Some(OpCode::Create) => MultiOutcome::Created(r.text()?.into_owned()),
                    Some(OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl) => {
                        MultiOutcome::CreatedWithStat(r.text()?.into_owned(), Stat::decode(r)?)
                    }
                    Some(OpCode::Delete) => MultiOutcome::Deleted,
                    Some(OpCode::SetData) => MultiOutcome::Set(Stat::decode(r)?),
                    Some(OpCode::Check) => MultiOutcome::Checked,
                    _ => return Err(Malformed("not an outcome of a multi")),
                },
            })
        })
    }

    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match self {
            MultiOutcome::Created(path) => {
                header(w, OpCode::Create.number(), false, 0);
                w.text(path);
            }
            MultiOutcome::CreatedWithStat(path, stat) => {
                header(w, OpCode::Create2.number(), false, 0);
                w.text(path);
                stat.encode(w);
            }
            MultiOutcome::Deleted => header(w, OpCode::Delete.number(), false, 0),
            MultiOutcome::Set(stat) => {
                header(w, OpCode::SetData.number(), false, 0);
                stat.encode(w);
            }
            MultiOutcome::Checked => header(w, OpCode::Check.number(), false, 0),
            MultiOutcome::Failed(code) => error(w, code.map_or(0, Code::number)),
        }
    }
}

/// What became of one operation of a multiRead; each succeeds or fails alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOutcome<'a> {
    /// getChildren
    Children(Vec<Text<'a>>),
    /// getData
    Data(Option<&'a [u8]>, Stat),
    /// The operation failed.
    Failed(Code),
}

impl<'a> ReadOutcome<'a> {
    /// Reads all outcomes up to the terminator.
    pub fn decode_all(r: &mut Reader<'a>) -> Result<Vec<ReadOutcome<'a>>, Malformed> {
        decode_outcomes(r, |number, r| {
            Ok(match number {
                ERROR => {
                    ReadOutcome::Failed(decode_error(r)?.unwrap_or(Code::RuntimeInconsistency))
                }
                number => match OpCode::from_number(number) {
                    Some(OpCode::GetChildren) => ReadOutcome::Children(r.vector(4, Reader::text)?),
                    Some(OpCode::GetData) => ReadOutcome::Data(r.buffer()?, Stat::decode(r)?),
                    _ => return Err(Malformed("not an outcome of a multiRead")),
                },
            })
        })
    }

    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match self {
            ReadOutcome::Children(names) => {
                header(w, OpCode::GetChildren.number(), false, 0);
                w.texts(names);
            }
            ReadOutcome::Data(data, stat) => {
                header(w, OpCode::GetData.number(), false, 0);
                w.buffer(*data);
                stat.encode(w);
            }
            ReadOutcome::Failed(code) => error(w, code.number()),
        }
    }
}

fn header(w: &mut Writer<'_>, number: i32, done: bool, err: i32) {
    w.i32(number);
    w.bool(done);
    w.i32(err);
}

fn decode_outcomes<'a, T>(
    r: &mut Reader<'a>,
    mut decode: impl FnMut(i32, &mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut outcomes = Vec::new();
    loop {
        let (number, done, _err) = (r.i32()?, r.bool()?, r.i32()?);
        if done {
            return Ok(outcomes);
        }
        outcomes.push(decode(number, r)?);
    }
}

fn decode_error(r: &mut Reader<'_>) -> Result<Option<Code>, Malformed> {
    Ok(match r.i32()? {
        0 => None,
        number => Some(Code::from_number(number).unwrap_or(Code::SystemError)),
    })
}

fn error(w: &mut Writer<'_>, code: i32) {
    header(w, ERROR, false, code);
    w.i32(code);
}

/// The header that ends a multi.
pub(crate) fn terminator(w: &mut Writer<'_>) {
    header(w, -1, true, -1);
}
