//! Answers as C sees them: plain structs that point into what Rust owns.
//!
//! Invariant: every pointer of a view points into the `Owned` that holds the view, or is null.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::{CString, c_char};

use bytes::Bytes;
use zoowarden::client::{Acl, Answer, Code, Id, Outcome, ReadAnswer, Stat};

use crate::code::zoowarden_code;
use crate::failure::Failure;
use crate::input::c_text;
use crate::watch::zoowarden_watch;

/// A permission of an ACL entry: read data and list children.
pub const ZOOWARDEN_PERM_READ: i32 = 1;
/// A permission of an ACL entry: set data.
pub const ZOOWARDEN_PERM_WRITE: i32 = 2;
/// A permission of an ACL entry: create children.
pub const ZOOWARDEN_PERM_CREATE: i32 = 4;
/// A permission of an ACL entry: delete children.
pub const ZOOWARDEN_PERM_DELETE: i32 = 8;
/// A permission of an ACL entry: set the ACL.
pub const ZOOWARDEN_PERM_ADMIN: i32 = 16;
/// All five permissions.
pub const ZOOWARDEN_PERM_ALL: i32 = 31;

/// A znode's metadata.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct zoowarden_stat {
    /// The change that created the znode.
    pub czxid: i64,
    /// The last change of its data.
    pub mzxid: i64,
    /// The last creation or deletion of a child.
    pub pzxid: i64,
    /// Creation time, milliseconds since 1970.
    pub ctime: i64,
    /// Time of the last change of its data, milliseconds since 1970.
    pub mtime: i64,
    /// The owning session of an ephemeral, else 0.
    pub ephemeral_owner: i64,
    /// Number of data changes.
    pub version: i32,
    /// Number of children created and deleted.
    pub cversion: i32,
    /// Number of ACL changes.
    pub aversion: i32,
    /// Bytes of data.
    pub data_length: i32,
    /// Direct children.
    pub num_children: i32,
}

impl From<Stat> for zoowarden_stat {
    fn from(stat: Stat) -> Self {
        zoowarden_stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            ephemeral_owner: stat.ephemeral_owner,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            data_length: stat.data_length,
            num_children: stat.num_children,
        }
    }
}

/// One entry of an access control list, or one identity (then `perms` is 0).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_acl {
    /// Bits ZOOWARDEN_PERM_*.
    pub perms: i32,
    /// "world", "digest", "ip", "auth", ...
    pub scheme: *const c_char,
    /// Who, in that scheme.
    pub id: *const c_char,
}

/// What became of one operation of a transaction or of a multi_read.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_outcome {
    /// ZOOWARDEN_OK if it was done. In a transaction that failed nothing was done, and this is:
    /// the reason for the operation that failed, ZOOWARDEN_RUNTIME_INCONSISTENCY for those behind
    /// it, ZOOWARDEN_OK for those ahead of it.
    pub code: zoowarden_code,
    /// create: the path of the new znode. Else NULL.
    pub path: *const c_char,
    /// create, set, and reading data: the stat. Else zeros.
    pub stat: zoowarden_stat,
    /// Reading data: the data; NULL if the znode has none.
    pub data: *const u8,
    /// Bytes of `data`.
    pub data_length: usize,
    /// Reading children: their names.
    pub names: *const *const c_char,
    /// Number of `names`.
    pub names_count: usize,
}

/// What an operation gives; which fields it fills stands with each function, the others are zero.
/// Later versions add fields at the end, so a program never allocates or copies one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_answer {
    /// The znode's metadata.
    pub stat: zoowarden_stat,
    /// Data of a znode, not NUL-terminated; NULL if it has none, which differs from empty data.
    pub data: *const u8,
    /// Bytes of `data`.
    pub data_length: usize,
    /// A path, without the chroot.
    pub path: *const c_char,
    /// Names of children (not paths), or paths of ephemerals, in no particular order.
    pub names: *const *const c_char,
    /// Number of `names`.
    pub names_count: usize,
    /// An access control list, or the identities of this client.
    pub acl: *const zoowarden_acl,
    /// Number of `acl`.
    pub acl_count: usize,
    /// What became of each operation of a transaction or of a multi_read, in their order.
    pub outcomes: *const zoowarden_outcome,
    /// Number of `outcomes`.
    pub outcomes_count: usize,
    /// A number that was asked for.
    pub count: i32,
    /// The watch that was set; zeros if none was.
    pub watch: zoowarden_watch,
}

/// Strings in one piece of memory, and C's pointers to them.
#[derive(Default)]
struct Texts {
    #[expect(dead_code, reason = "it is what `pointers` point into")]
    bytes: Vec<u8>,
    pointers: Vec<*const c_char>,
}

impl Texts {
    fn new<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Texts {
        let length = texts.clone().map(|text| text.len() + 1).sum();
        let mut bytes = Vec::with_capacity(length);
        let mut starts = Vec::new();
        for text in texts {
            starts.push(bytes.len());
            let start = bytes.len();
            bytes.extend_from_slice(text.as_bytes());
            // No rule of ZooKeeper's lets a NUL into a name, but a server may be anything.
            bytes[start..]
                .iter_mut()
                .filter(|b| **b == 0)
                .for_each(|b| *b = b'?');
            bytes.push(0);
        }
        let base = bytes.as_ptr();
        let pointers = starts.iter().map(|start| base.wrapping_add(*start).cast());
        Texts {
            pointers: pointers.collect(),
            bytes,
        }
    }
}

/// What one outcome points to.
#[derive(Default)]
struct OwnedOutcome {
    path: Option<CString>,
    data: Option<Box<[u8]>>,
    names: Texts,
}

/// An answer and everything that it points to. The view comes first, so that a pointer to it is
/// one to all of it.
#[repr(C)]
pub(crate) struct Owned {
    view: zoowarden_answer,
    path: Option<CString>,
    data: Option<Bytes>,
    names: Texts,
    acl_texts: Texts,
    acl: Vec<zoowarden_acl>,
    owned_outcomes: Vec<OwnedOutcome>,
    outcomes: Vec<zoowarden_outcome>,
}

// SAFETY: the pointers point into the same value, which nobody changes once it is made.
unsafe impl Send for Owned {}

/// What came back from a server, on its way to C.
pub(crate) struct Reply {
    pub(crate) failure: Option<Failure>,
    pub(crate) answer: Answer,
    /// The watch that the request set.
    pub(crate) watch: zoowarden_watch,
}

impl Reply {
    pub(crate) fn failed(failure: Failure) -> Reply {
        Reply {
            failure: Some(failure),
            answer: Answer::Done,
            watch: zoowarden_watch::NONE,
        }
    }

    /// A failed multi is an answer with a failure in it.
    pub(crate) fn answered(answer: Answer, watch: zoowarden_watch) -> Reply {
        let failure = match &answer {
            Answer::Multi(outcomes) => failed_operation(outcomes),
            _ => None,
        };
        Reply {
            failure,
            answer,
            watch,
        }
    }

    /// Whether there is something to tell beside the code.
    pub(crate) fn tells(&self) -> bool {
        self.failure.is_none()
            || self.watch != zoowarden_watch::NONE
            || matches!(self.answer, Answer::Multi(_))
    }

    pub(crate) fn code(&self) -> zoowarden_code {
        let failure = self.failure.as_ref();
        failure.map_or(zoowarden_code::ZOOWARDEN_OK, |failure| failure.code.into())
    }
}

fn failed_operation(outcomes: &[Outcome]) -> Option<Failure> {
    let reason = |outcome: &Outcome| match outcome {
        Outcome::Failed(Some(code)) if *code != Code::RuntimeInconsistency => Some(*code),
        _ => None,
    };
    let (index, code) = outcomes
        .iter()
        .enumerate()
        .find_map(|(index, outcome)| reason(outcome).map(|code| (index, code)))?;
    let text = format!("operation {index} of the transaction: {code}; nothing was changed");
    Some(Failure::refused(code, text))
}

impl Owned {
    fn empty(watch: zoowarden_watch) -> Owned {
        Owned {
            // SAFETY: all fields are numbers and pointers, for which zeros are valid.
            view: unsafe { std::mem::zeroed() },
            path: None,
            data: None,
            names: Texts::default(),
            acl_texts: Texts::default(),
            acl: Vec::new(),
            owned_outcomes: Vec::new(),
            outcomes: Vec::new(),
        }
        .with_watch(watch)
    }

    fn with_watch(mut self, watch: zoowarden_watch) -> Owned {
        self.view.watch = watch;
        self
    }

    pub(crate) fn new(answer: Answer, watch: zoowarden_watch) -> Owned {
        let mut owned = Owned::empty(watch);
        match answer {
            Answer::Done => {}
            Answer::Path(path) => owned.set_path(&path),
            Answer::Created(path, stat) => {
                owned.set_path(&path);
                owned.view.stat = stat.into();
            }
            Answer::Stat(stat) => owned.view.stat = stat.into(),
            Answer::Data(data, stat) => {
                owned.data = data;
                owned.view.stat = stat.into();
            }
            Answer::Token(token) => owned.data = token,
            Answer::Acl(acl, stat) => {
                owned.set_acl(&acl);
                owned.view.stat = stat.into();
            }
            Answer::Children(names, stat) => {
                owned.names = Texts::new(names.iter().map(String::as_str));
                owned.view.stat = stat.unwrap_or_default().into();
            }
            Answer::Ephemerals(paths) => {
                owned.names = Texts::new(paths.iter().map(String::as_str));
            }
            Answer::Count(count) => owned.view.count = count,
            Answer::WhoAmI(ids) => owned.set_identities(&ids),
            Answer::Multi(outcomes) => owned.set_outcomes(&outcomes),
            Answer::MultiRead(outcomes) => owned.set_read_outcomes(outcomes),
        }
        owned.point();
        owned
    }

    fn set_path(&mut self, path: &str) {
        self.path = Some(c_text(path));
    }

    fn set_acl(&mut self, acl: &[Acl]) {
        let entries = acl.iter().map(|entry| (entry.perms, &entry.id));
        self.set_entries(entries);
    }

    fn set_identities(&mut self, ids: &[Id]) {
        self.set_entries(ids.iter().map(|id| (0, id)));
    }

    fn set_entries<'a>(&mut self, entries: impl Iterator<Item = (i32, &'a Id)> + Clone) {
        let texts = entries.clone().flat_map(|(_, id)| [&*id.scheme, &*id.id]);
        self.acl_texts = Texts::new(texts);
        let pairs = self.acl_texts.pointers.chunks_exact(2);
        let entry = |((perms, _), pair): ((i32, &Id), &[*const c_char])| zoowarden_acl {
            perms,
            scheme: pair[0],
            id: pair[1],
        };
        self.acl = entries.zip(pairs).map(entry).collect();
    }

    fn set_outcomes(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let (code, path, stat) = match outcome {
                Outcome::Created(path) => (None, Some(path), None),
                Outcome::CreatedWithStat(path, stat) => (None, Some(path), Some(*stat)),
                Outcome::Set(stat) => (None, None, Some(*stat)),
                Outcome::Deleted | Outcome::Checked => (None, None, None),
                Outcome::Failed(code) => (*code, None, None),
            };
            let owned = OwnedOutcome {
                path: path.map(|path| c_text(path)),
                ..OwnedOutcome::default()
            };
            self.push_outcome(code, stat, owned);
        }
    }

    fn set_read_outcomes(&mut self, outcomes: Vec<Result<ReadAnswer, Code>>) {
        for outcome in outcomes {
            let mut owned = OwnedOutcome::default();
            match outcome {
                Ok(ReadAnswer::Children(names)) => {
                    owned.names = Texts::new(names.iter().map(String::as_str));
                    self.push_outcome(None, None, owned);
                }
                Ok(ReadAnswer::Data(data, stat)) => {
                    owned.data = data.map(|data| data[..].into());
                    self.push_outcome(None, Some(stat), owned);
                }
                Err(code) => self.push_outcome(Some(code), None, owned),
            }
        }
    }

    fn push_outcome(&mut self, code: Option<Code>, stat: Option<Stat>, owned: OwnedOutcome) {
        let path = owned.path.as_ref();
        let data = owned.data.as_ref();
        self.outcomes.push(zoowarden_outcome {
            code: code.map_or(zoowarden_code::ZOOWARDEN_OK, Into::into),
            path: path.map_or(std::ptr::null(), |path| path.as_ptr()),
            stat: stat.unwrap_or_default().into(),
            data: data.map_or(std::ptr::null(), |data| data.as_ptr()),
            data_length: data.map_or(0, |data| data.len()),
            names: owned.names.pointers.as_ptr(),
            names_count: owned.names.pointers.len(),
        });
        self.owned_outcomes.push(owned);
    }

    /// Points the view at what is owned; nothing owned changes after this.
    fn point(&mut self) {
        let view = &mut self.view;
        view.path = self
            .path
            .as_ref()
            .map_or(std::ptr::null(), |path| path.as_ptr());
        view.data = self
            .data
            .as_ref()
            .map_or(std::ptr::null(), |data| data.as_ptr());
        view.data_length = self.data.as_ref().map_or(0, |data| data.len());
        (view.names, view.names_count) = array(&self.names.pointers);
        (view.acl, view.acl_count) = array(&self.acl);
        (view.outcomes, view.outcomes_count) = array(&self.outcomes);
    }

    /// For a callback: good while `self` is.
    pub(crate) fn view(&self) -> *const zoowarden_answer {
        std::ptr::from_ref(self).cast()
    }

    /// For the caller of a blocking function, who gives it back to [`zoowarden_answer_free`].
    pub(crate) fn into_raw(self) -> *mut zoowarden_answer {
        Box::into_raw(Box::new(self)).cast()
    }
}

fn array<T>(elements: &[T]) -> (*const T, usize) {
    if elements.is_empty() {
        (std::ptr::null(), 0)
    } else {
        (elements.as_ptr(), elements.len())
    }
}

/// Frees what a blocking function gave through its `answer` and sets `*answer` to NULL, so that
/// freeing the same variable twice does nothing. NULL and a pointer to NULL are allowed.
///
/// # Safety
/// `*answer` is NULL or came from a blocking function, and was not freed through a copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_answer_free(answer: *mut *mut zoowarden_answer) {
    if answer.is_null() {
        return;
    }
    // SAFETY: `answer` points to a variable of the caller's, as promised.
    let owned = unsafe { answer.replace(std::ptr::null_mut()) };
    if !owned.is_null() {
        // SAFETY: it was made by `Owned::into_raw` and is freed once, as promised.
        drop(unsafe { Box::from_raw(owned.cast::<Owned>()) });
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use bytes::Bytes;
    use zoowarden::client::{Answer, Code, Outcome, Stat};

    use super::{Owned, Reply, zoowarden_answer_free};
    use crate::watch::zoowarden_watch;

    #[test]
    fn null_and_empty_data_differ() {
        let answer = |data| Owned::new(Answer::Data(data, Stat::default()), zoowarden_watch::NONE);
        let null = answer(None);
        assert!(null.view.data.is_null());
        let empty = answer(Some(Bytes::new()));
        assert!(!empty.view.data.is_null());
        assert_eq!(empty.view.data_length, 0);
    }

    #[test]
    fn names_survive_the_way_to_c() {
        let names = vec!["a".to_owned(), "\u{e4}\u{20ac}".to_owned(), String::new()];
        let owned = Owned::new(Answer::Children(names.clone(), None), zoowarden_watch::NONE);
        let mut raw = owned.into_raw();
        // SAFETY: made just now.
        let view = unsafe { &*raw };
        for (index, name) in names.iter().enumerate() {
            // SAFETY: there are as many pointers as names.
            let text = unsafe { CStr::from_ptr(*view.names.add(index)) };
            assert_eq!(text.to_str(), Ok(name.as_str()));
        }
        // SAFETY: the second time the variable is null.
        unsafe {
            zoowarden_answer_free(&raw mut raw);
            zoowarden_answer_free(&raw mut raw);
        }
        assert!(raw.is_null());
    }

    #[test]
    fn a_failed_transaction_has_the_code_of_the_operation_that_failed() {
        let outcomes = vec![
            Outcome::Failed(None),
            Outcome::Failed(Some(Code::BadVersion)),
            Outcome::Failed(Some(Code::RuntimeInconsistency)),
        ];
        let reply = Reply::answered(Answer::Multi(outcomes), zoowarden_watch::NONE);
        assert_eq!(reply.code() as i32, Code::BadVersion.number());
        assert!(reply.tells());
    }
}
