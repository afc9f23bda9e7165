//! Paths on their way to a server: checked, and put below the chroot.

use crate::client::Error;
use crate::proto::path::{self, PathError};
use crate::proto::{Code, Create, MultiOp, ReadOp, Request, SetWatches, Text};

/// Create modes whose server appends a number, so that the path may end with a slash.
const SEQUENTIAL: [i32; 3] = [2, 3, 6];

/// Refuses a request that names something no path may be, before it is sent.
pub(crate) fn check(request: &Request<'_>) -> Result<(), Error> {
    let refuse = |path: &str, error: PathError| {
        Err(Error::new(Code::BadArguments)
            .of(request.op(), path)
            .because(error))
    };
    let valid = |path: &str| path::validate(path).or_else(|error| refuse(path, error));
    match request {
        Request::Create(create) => {
            check_create(create).or_else(|error| refuse(&create.path, error))
        }
        Request::Multi(ops) => ops.iter().try_for_each(|op| match op {
            MultiOp::Create(create) => {
                check_create(create).or_else(|error| refuse(&create.path, error))
            }
            MultiOp::Delete { path, .. }
            | MultiOp::SetData { path, .. }
            | MultiOp::Check { path, .. } => valid(path),
        }),
        Request::MultiRead(ops) => ops.iter().try_for_each(|op| match op {
            ReadOp::GetChildren { path } | ReadOp::GetData { path } => valid(path),
        }),
        Request::GetEphemerals {
            prefix: Some(prefix),
        } => valid(prefix),
        Request::Ping | Request::SetWatches(_) => Err(Error::new(Code::BadArguments)
            .of(request.op(), "")
            .because("the client sends these by itself")),
        _ => first_path(request).map_or(Ok(()), valid),
    }
}

fn check_create(create: &Create<'_>) -> Result<(), PathError> {
    if SEQUENTIAL.contains(&create.flags) {
        path::validate(&format!("{}1", create.path))
    } else {
        path::validate(&create.path)
    }
}

/// The path of a request that has one.
pub(crate) fn first_path<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    match request {
        Request::Create(create) => Some(&create.path),
        Request::Delete { path, .. }
        | Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::SetData { path, .. }
        | Request::GetAcl { path }
        | Request::SetAcl { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::Sync { path }
        | Request::Check { path, .. }
        | Request::CheckWatches { path, .. }
        | Request::RemoveWatches { path, .. }
        | Request::GetAllChildrenNumber { path }
        | Request::AddWatch { path, .. } => Some(path),
        Request::GetEphemerals { prefix } => prefix.as_deref(),
        Request::Ping
        | Request::Multi(_)
        | Request::MultiRead(_)
        | Request::Reconfig { .. }
        | Request::Auth { .. }
        | Request::SetWatches(_)
        | Request::Sasl { .. }
        | Request::WhoAmI
        | Request::CloseSession => None,
    }
}

/// The same request, its paths below `chroot`.
pub(crate) fn put<'r>(chroot: &str, mut request: Request<'r>) -> Request<'r> {
    let below = |path: &mut Text<'r>| *path = Text::Owned(join(chroot, path));
    match &mut request {
        Request::Create(create) => below(&mut create.path),
        Request::Delete { path, .. }
        | Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::SetData { path, .. }
        | Request::GetAcl { path }
        | Request::SetAcl { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::Sync { path }
        | Request::Check { path, .. }
        | Request::CheckWatches { path, .. }
        | Request::RemoveWatches { path, .. }
        | Request::GetAllChildrenNumber { path }
        | Request::AddWatch { path, .. } => below(path),
        Request::Multi(ops) => ops.iter_mut().for_each(|op| match op {
            MultiOp::Create(create) => below(&mut create.path),
            MultiOp::Delete { path, .. }
            | MultiOp::SetData { path, .. }
            | MultiOp::Check { path, .. } => below(path),
        }),
        Request::MultiRead(ops) => ops.iter_mut().for_each(|op| match op {
            ReadOp::GetChildren { path } | ReadOp::GetData { path } => below(path),
        }),
        Request::GetEphemerals { prefix } => {
            below(prefix.get_or_insert(Text::Borrowed("/")));
        }
        Request::SetWatches(SetWatches {
            data,
            exist,
            child,
            persistent,
            persistent_recursive,
            ..
        }) => [data, exist, child, persistent, persistent_recursive]
            .into_iter()
            .for_each(|list| list.iter_mut().for_each(below)),
        Request::Ping
        | Request::Reconfig { .. }
        | Request::Auth { .. }
        | Request::Sasl { .. }
        | Request::WhoAmI
        | Request::CloseSession => {}
    }
    request
}

/// `/` below `/a` is `/a` itself.
fn join(chroot: &str, path: &str) -> String {
    if path == "/" {
        chroot.to_owned()
    } else {
        format!("{chroot}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::{check, put};
    use crate::proto::{Acl, Create, OpCode, Request};

    fn create(path: &str, flags: i32) -> Request<'_> {
        Request::Create(Create {
            op: OpCode::Create2,
            path: path.into(),
            data: None,
            acl: Some(vec![Acl::open()]),
            flags,
            ttl: None,
        })
    }

    #[test]
    fn only_a_sequential_znode_may_have_an_empty_name() {
        assert!(check(&create("/a/", 2)).is_ok());
        let error = check(&create("/a/", 0)).expect_err("a trailing slash");
        assert_eq!(
            error.to_string(),
            "create2 /a/: bad arguments (BadArguments): path ends with /"
        );
        assert!(check(&create("/a/../", 2)).is_err());
    }

    #[test]
    fn root_below_a_chroot_is_the_chroot() {
        let path_of = |path: &'static str| match put("/c", Request::Sync { path: path.into() }) {
            Request::Sync { path } => path.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(path_of("/"), "/c");
        assert_eq!(path_of("/a"), "/c/a");
    }
}
