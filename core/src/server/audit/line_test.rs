//! Lines as Apache ZooKeeper 3.8.0 wrote them, word for word, for the same requests.

use super::*;
use crate::proto::{Stat, Writer, Zxid};
use crate::tree::{Answering, SessionChange, Traces};
use bytes::BytesMut;

const SESSION: SessionId = SessionId(0x1000194029e0000);
const WHO: &str = "session=0x1000194029e0000\tuser=127.0.0.1\tip=127.0.0.1\t";

fn asker() -> Asker {
    let identities = [Id::new("ip", "127.0.0.1")];
    Asker::new(SESSION, &identities, "127.0.0.1".to_owned())
}

fn record(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut body = BytesMut::new();
    write(&mut Writer::new(&mut body));
    body.into()
}

fn create(op: OpCode, path: &str, flags: i32) -> Vec<u8> {
    record(|w| {
        w.text(path);
        w.buffer(None);
        Acl::encode_list(&[Acl::open()], w);
        w.i32(flags);
        if op == OpCode::CreateTtl {
            w.i64(1000);
        }
    })
}

fn applied(result: Result<Reply<'static>, Code>) -> Applied {
    Applied {
        zxid: Zxid(1),
        result,
        events: Vec::new(),
        session: SessionChange::None,
        traces: Traces::default(),
        answering: Answering::Asker,
    }
}

fn texts(op: OpCode, body: &[u8], result: Result<Reply<'static>, Code>) -> Vec<String> {
    let lines = of_request(&asker(), op, body, &applied(result));
    lines.into_iter().map(|line| line.text).collect()
}

fn created(path: &str) -> Result<Reply<'static>, Code> {
    Ok(Reply::Created(path.to_owned().into()))
}

#[test]
fn creates_have_the_path_that_came_of_them_and_their_mode() {
    use OpCode::{Create, CreateContainer, CreateTtl};
    for (op, asked, flags, result, want) in [
        (
            Create,
            "/a",
            0,
            created("/a"),
            "znode=/a\tznode_type=persistent\tresult=success",
        ),
        (
            Create,
            "/a",
            0,
            Err(Code::NodeExists),
            "znode=/a\tznode_type=persistent\tresult=failure",
        ),
        (
            Create,
            "/a/s-",
            2,
            created("/a/s-0000000000"),
            "znode=/a/s-0000000000\tznode_type=persistent_sequential\tresult=success",
        ),
        (
            Create,
            "/a/es-",
            3,
            created("/a/es-0000000002"),
            "znode=/a/es-0000000002\tznode_type=ephemeral_sequential\tresult=success",
        ),
        (
            Create,
            "/e",
            1,
            created("/e"),
            "znode=/e\tznode_type=ephemeral\tresult=success",
        ),
        (
            CreateContainer,
            "/cont",
            4,
            created("/cont"),
            "znode=/cont\tznode_type=container\tresult=success",
        ),
        // Ours: 3.8.0 writes nothing for createTTL.
        (
            CreateTtl,
            "/ttl",
            5,
            created("/ttl"),
            "znode=/ttl\tznode_type=persistent_with_ttl\tresult=success",
        ),
        (
            Create,
            "/a/eq=x y",
            0,
            created("/a/eq=x y"),
            "znode=/a/eq=x y\tznode_type=persistent\tresult=success",
        ),
    ] {
        let got = texts(op, &create(op, asked, flags), result);
        assert_eq!(got, [format!("{WHO}operation=create\t{want}")]);
    }
    let wrong = create(Create, "/badflags", 9);
    assert_eq!(texts(Create, &wrong, Err(Code::BadArguments)), [""; 0]);
    let cut = texts(Create, &[0, 0], Err(Code::MarshallingError));
    assert_eq!(cut, [""; 0]);
}

#[test]
fn other_writes_name_their_znode() {
    let versioned = |path: &str| {
        record(|w| {
            w.text(path);
            w.i32(-1);
        })
    };
    let set = record(|w| {
        w.text("/a");
        w.buffer(None);
        w.i32(99);
    });
    let done = || Ok(Reply::Stat(Stat::default()));
    assert_eq!(
        texts(OpCode::SetData, &set, done()),
        [format!("{WHO}operation=setData\tznode=/a\tresult=success")]
    );
    assert_eq!(
        texts(OpCode::SetData, &set, Err(Code::BadVersion)),
        [format!("{WHO}operation=setData\tznode=/a\tresult=failure")]
    );
    assert_eq!(
        texts(OpCode::Delete, &versioned("/none"), Err(Code::NoNode)),
        [format!(
            "{WHO}operation=delete\tznode=/none\tresult=failure"
        )]
    );
    assert_eq!(
        texts(OpCode::Delete, &versioned("/a"), Err(Code::SessionMoved)),
        [""; 0]
    );
}

#[test]
fn lists_are_written_without_anything_between_their_entries() {
    let joe = "joe:VAXy9ajBTglP5dEFbkRFkF33wJ4=";
    let list = [
        Acl {
            perms: perms::READ,
            id: Id::new("digest", joe),
        },
        Acl::open(),
    ];
    let set = |list: &[Acl]| {
        record(|w| {
            w.text("/a");
            Acl::encode_list(list, w);
            w.i32(-1);
        })
    };
    let done = Ok(Reply::Stat(Stat::default()));
    let want = format!(
        "{WHO}operation=setAcl\tznode=/a\tacl=digest:{joe}:rworld:anyone:cdrwa\tresult=success"
    );
    assert_eq!(texts(OpCode::SetAcl, &set(&list), done), [want]);
    let want = format!("{WHO}operation=setAcl\tznode=/a\tacl=\tresult=failure");
    assert_eq!(
        texts(OpCode::SetAcl, &set(&[]), Err(Code::InvalidAcl)),
        [want]
    );
}

fn multi(parts: &[(OpCode, Vec<u8>)]) -> Vec<u8> {
    record(|w| {
        for (op, body) in parts {
            w.i32(op.number());
            w.bool(false);
            w.i32(-1);
            w.raw(body);
        }
        w.i32(-1);
        w.bool(true);
        w.i32(-1);
    })
}

#[test]
fn a_multi_is_a_line_per_change_or_one_that_says_it_failed() {
    let body = multi(&[
        (OpCode::Create, create(OpCode::Create, "/m", 0)),
        (OpCode::Create, create(OpCode::Create, "/m/s-", 2)),
        (OpCode::Create, create(OpCode::Create, "/mc", 4)),
    ]);
    let outcomes = vec![
        MultiOutcome::Created("/m".to_owned()),
        MultiOutcome::Created("/m/s-0000000001".to_owned()),
        MultiOutcome::CreatedWithStat("/mc".to_owned(), Stat::default()),
    ];
    let want = [
        format!("{WHO}operation=create\tznode=/m\tznode_type=persistent\tresult=success"),
        format!("{WHO}operation=create\tznode=/m/s-0000000001\tresult=success"),
        format!("{WHO}operation=create\tznode=/mc\tznode_type=container\tresult=success"),
    ];
    assert_eq!(
        texts(OpCode::Multi, &body, Ok(Reply::Multi(outcomes))),
        want
    );
    let failed = vec![
        MultiOutcome::Failed(None),
        MultiOutcome::Failed(Some(Code::NoNode)),
        MultiOutcome::Failed(Some(Code::RuntimeInconsistency)),
    ];
    assert_eq!(
        texts(OpCode::Multi, &body, Ok(Reply::Multi(failed))),
        [format!("{WHO}operation=multiOperation\tresult=failure")]
    );
    let nothing = texts(OpCode::Multi, &multi(&[]), Ok(Reply::Multi(vec![])));
    assert_eq!(nothing, [""; 0]);
}

#[test]
fn users_are_named_by_all_their_identities() {
    let identities = [Id::new("ip", "127.0.0.1"), Id::new("digest", "joe:hash")];
    let asker = Asker::new(SESSION, &identities, "127.0.0.1".to_owned());
    assert_eq!(
        of_reconfig(&asker, Outcome::Failure).text,
        "session=0x1000194029e0000\tuser=joe,127.0.0.1\tip=127.0.0.1\toperation=reconfig\t\
         result=failure"
    );
}

#[test]
fn the_servers_own_lines_have_its_account_as_user() {
    assert_eq!(
        of_server("root", "serverStart", Outcome::Success).text,
        "user=root\toperation=serverStart\tresult=success"
    );
    assert_eq!(
        of_server("root", "serverStop", Outcome::Invoked).text,
        "user=root\toperation=serverStop\tresult=invoked"
    );
    assert_eq!(
        of_ephemeral(SESSION, "root", "/a/e").text,
        "session=0x1000194029e0000\tuser=root\t\
         operation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=/a/e\tresult=success"
    );
}

#[test]
fn a_path_cannot_forge_a_field_or_a_line() {
    let body = create(OpCode::Create, "/bad\tresult=success\nuser=root", 0);
    let got = texts(OpCode::Create, &body, Err(Code::BadArguments));
    let path = "/bad\\tresult=success\\nuser=root";
    let want =
        format!("{WHO}operation=create\tznode={path}\tznode_type=persistent\tresult=failure");
    assert_eq!(got, [want]);
}
