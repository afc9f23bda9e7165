//! The tree beside the model: the only file that touches `zoowarden::tree::Tree`.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::BytesMut;
use zoowarden::proto::{Code, Id, OpCode, ReadOutcome, Reply, Request, SessionId, Writer, Zxid};
use zoowarden::tree::{Admission, Applied, Draft, Lane, SessionChange, Tree, image};

use crate::changes::{ModelEvent, ModelSessionChange, Outcome};
use crate::generator::Step;
use crate::znodes::{Model, ReaderOf};

/// Two trees and the model, fed the same.
pub(crate) struct Pair {
    pub(crate) model: Model,
    tree: Tree,
    /// Fed the same; at every checkpoint it is built anew from the first one's image.
    twin: Tree,
    /// The first tree as it was at the last checkpoint, and its digest then.
    view: (Tree, u64),
}

/// What differs: what was asked, the tree's answer, the model's answer.
pub(crate) type Difference = String;

impl Pair {
    pub(crate) fn new() -> Pair {
        Pair {
            model: Model::new(),
            tree: Tree::new(),
            twin: Tree::new(),
            view: (Tree::new(), Tree::new().digest()),
        }
    }

    /// Takes one step on both sides. `Ok` tells in a word what came of it.
    pub(crate) fn step(&mut self, step: &Step) -> Result<String, Difference> {
        let taken = catch_unwind(AssertUnwindSafe(|| match step {
            Step::Read { who, op, body } => self.read(who, *op, body),
            Step::Draft {
                term,
                stamp_ms,
                lane,
                number,
                draft,
            } => {
                let draft = Draft::decode(draft).expect("the generator encodes drafts");
                self.draft(*term, *stamp_ms, *lane, *number, &draft)
            }
        }));
        taken.unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(&*panic))))
    }

    fn read(&self, who: &ReaderOf, op: OpCode, body: &[u8]) -> Result<String, Difference> {
        let request = Request::decode(op, body).expect("the generator encodes requests");
        let answer = in_order(
            self.tree
                .read(who.session, &request, &who.identities, who.skip_acl),
        );
        same(
            &format!("{request:?}"),
            &answer,
            &self.model.read(who, &request),
        )?;
        Ok(format!("{op:?} {}", verdict(&answer)))
    }

    fn draft(
        &mut self,
        term: u64,
        stamp_ms: i64,
        lane: Lane,
        number: u64,
        draft: &Draft<'_>,
    ) -> Result<String, Difference> {
        let admission = self.tree.admit(lane, number);
        same("admit", &admission, &self.model.admit(lane, number))?;
        if admission != Admission::Next {
            return Ok(format!("Out of turn {admission:?}"));
        }
        let before = self.model.last_zxid;
        let applied = self.tree.apply(term, stamp_ms, lane, number, draft);
        let again = self.twin.apply(term, stamp_ms, lane, number, draft);
        let mut outcome = outcome_of(applied);
        same("apply on a tree fed the same", &outcome, &outcome_of(again))?;
        let expected = self.model.apply(term, stamp_ms, lane, number, draft);
        if matches!(draft, Draft::Expire { .. } | Draft::Reap { .. }) {
            // Nobody waits for the answer of these.
            outcome.result = expected.result.clone();
        }
        same("apply", &outcome, &expected)?;
        same(
            "last_zxid",
            &self.tree.last_zxid(),
            &Zxid(self.model.last_zxid),
        )?;
        let (what, verdict) = match draft {
            Draft::Request { op, .. } => (format!("{op:?}"), verdict(&outcome.result)),
            Draft::Open { .. } => ("Open".into(), verdict(&outcome.result)),
            Draft::Upgrade { .. } => ("Upgrade".into(), verdict(&outcome.result)),
            Draft::Attach { .. } => ("Attach".into(), verdict(&outcome.result)),
            Draft::Refused { .. } => ("Refused".into(), verdict(&outcome.result)),
            Draft::Expire { .. } => ("Expire".into(), took_effect(before, outcome.zxid)),
            Draft::Reap { .. } => ("Reap".into(), took_effect(before, outcome.zxid)),
            Draft::State { .. } => ("State".into(), took_effect(before, outcome.zxid)),
            Draft::Settle { .. } => ("Settle".into(), took_effect(before, outcome.zxid)),
            Draft::Piece { .. } => ("Piece".into(), verdict(&outcome.result)),
            Draft::Replace { .. } => ("Replace".into(), took_effect(before, outcome.zxid)),
        };
        Ok(format!("{what} {verdict}"))
    }

    /// Compares everything that can be asked, on the tree and on what its image gives.
    pub(crate) fn checkpoint(&mut self) -> Result<(), Difference> {
        let checked = catch_unwind(AssertUnwindSafe(|| {
            everything(&self.tree, &self.model)?;
            same(
                "digest of a tree fed the same",
                &self.tree.digest(),
                &self.twin.digest(),
            )?;
            same(
                "digest of an older view",
                &self.view.0.digest(),
                &self.view.1,
            )?;
            let loaded = round_trip(&self.tree)?;
            same("digest of the image", &loaded.digest(), &self.tree.digest())?;
            everything(&loaded, &self.model).map_err(|text| format!("from the image: {text}"))?;
            self.twin = loaded;
            self.view = (self.tree.clone(), self.tree.digest());
            Ok(())
        }));
        checked.unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(&*panic))))
    }
}

impl Model {
    fn admit(&self, lane: Lane, number: u64) -> Admission {
        match self.lanes.get(&lane.server) {
            Some((boot, _)) if lane.boot < *boot => Admission::Repeat,
            Some((boot, last)) if lane.boot == *boot && number <= *last => Admission::Repeat,
            Some((boot, last)) if lane.boot == *boot && number == last + 1 => Admission::Next,
            Some((boot, _)) if lane.boot == *boot => Admission::Gap,
            _ if number == 1 => Admission::Next,
            _ => Admission::Gap,
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

fn same<T: Debug + PartialEq>(what: &str, tree: &T, model: &T) -> Result<(), Difference> {
    if tree == model {
        return Ok(());
    }
    Err(format!("{what}\n  tree:  {tree:?}\n  model: {model:?}"))
}

/// A reply in a word, for counting which ones came up.
fn verdict(result: &Result<Reply<'_>, Code>) -> String {
    match result {
        Ok(Reply::Multi(outcomes)) => {
            let failure = outcomes.iter().find_map(|outcome| match outcome {
                zoowarden::proto::MultiOutcome::Failed(code) => *code,
                _ => None,
            });
            failure.map_or("ok".to_owned(), |code| format!("[{code:?}]"))
        }
        Ok(_) => "ok".to_owned(),
        Err(code) => format!("{code:?}"),
    }
}

fn took_effect(before: i64, after: i64) -> String {
    if after > before { "ok" } else { "refused" }.to_owned()
}

/// Names of children and ephemerals come in no particular order.
fn in_order(result: Result<Reply<'_>, Code>) -> Result<Reply<'_>, Code> {
    result.map(|mut reply| {
        match &mut reply {
            Reply::Children(names)
            | Reply::ChildrenWithStat(names, _)
            | Reply::Ephemerals(names) => names.sort_unstable(),
            Reply::MultiRead(outcomes) => outcomes.iter_mut().for_each(|outcome| {
                if let ReadOutcome::Children(names) = outcome {
                    names.sort_unstable();
                }
            }),
            _ => {}
        }
        reply
    })
}

fn outcome_of(applied: Applied) -> Outcome {
    let events = applied.events.iter().map(|event| ModelEvent {
        kind: event.kind,
        path: event.path.to_string(),
        acl: event.acl.to_vec(),
    });
    Outcome {
        zxid: applied.zxid.0,
        events: events.collect(),
        session: match applied.session {
            SessionChange::None => ModelSessionChange::None,
            SessionChange::Opened => ModelSessionChange::Opened,
            SessionChange::Attached { previous } => ModelSessionChange::Attached { previous },
            SessionChange::Closed { session, origin } => {
                ModelSessionChange::Closed { session, origin }
            }
            SessionChange::Replaced => unreachable!("nobody restores"),
        },
        result: applied.result,
    }
}

fn round_trip(tree: &Tree) -> Result<Tree, Difference> {
    let mut loader = image::Loader::new();
    for chunk in image::chunks(tree.clone()) {
        loader
            .push(&chunk)
            .map_err(|error| format!("image: {error:?}"))?;
    }
    loader.finish().map_err(|error| format!("image: {error:?}"))
}

/// All counters, sessions and reads.
fn everything(tree: &Tree, model: &Model) -> Result<(), Difference> {
    same("last_zxid", &tree.last_zxid(), &Zxid(model.last_zxid))?;
    same("node_count", &tree.node_count(), &model.node_count())?;
    same(
        "ephemerals_count",
        &tree.ephemerals_count(),
        &model.ephemerals_count(),
    )?;
    same(
        "data_size",
        &tree.approximate_data_size(),
        &model.data_size(),
    )?;
    for server in (0..5).map(zoowarden::proto::ServerId) {
        same(
            "lane",
            &tree.lane(server),
            &model.lanes.get(&server).copied(),
        )?;
    }
    for (now_ms, never_used_ms) in [(0, 0), (1_700_000_060_000, 0), (1_700_000_110_000, 30_000)] {
        let mut due = tree.reapable(now_ms, never_used_ms);
        due.sort_unstable();
        same("reapable", &due, &model.reapable(now_ms, never_used_ms))?;
    }
    sessions(tree, model)?;
    let absent = ["", "/absent", "/a/", "//", "/zookeeper/", "absent", "/a//b"];
    for path in model.znodes.keys().map(String::as_str).chain(absent) {
        reads(tree, model, path)?;
    }
    Ok(())
}

fn sessions(tree: &Tree, model: &Model) -> Result<(), Difference> {
    let table = tree.sessions();
    let ids = table.iter().map(|(id, _)| id).collect::<Vec<SessionId>>();
    same("sessions", &ids, &model.sessions.keys().copied().collect())?;
    same("number of sessions", &table.len(), &ids.len())?;
    for (id, expected) in &model.sessions {
        let session = table.get(id).ok_or("a session is listed but not found")?;
        same("timeout_ms", &session.timeout_ms, &expected.timeout_ms)?;
        same("password", &session.password, &expected.password)?;
        same("origin", &session.origin, &expected.origin)?;
        let ephemerals = table.ephemerals(*id).map(str::to_owned).collect::<Vec<_>>();
        let expected = model.ephemerals(*id);
        same(
            "ephemerals",
            &ephemerals,
            &expected.iter().map(|p| (*p).to_owned()).collect(),
        )?;
    }
    Ok(())
}

/// Every read of one path, by somebody who may do everything and by somebody who may do little.
fn reads(tree: &Tree, model: &Model, path: &str) -> Result<(), Difference> {
    same(
        &format!("stat of {path:?}"),
        &tree.stat(path),
        &model.stat(path).ok(),
    )?;
    let acl = tree.acl(path).map(|list| list.to_vec());
    let expected = model.znode(path).ok().map(|znode| znode.acl.clone());
    same(&format!("acl of {path:?}"), &acl, &expected)?;
    let bob = vec![Id::new("ip", "10.1.2.3"), Id::new("digest", "bob:x")];
    let session = model.sessions.keys().next().copied().unwrap_or_default();
    let ops = [
        OpCode::Exists,
        OpCode::GetData,
        OpCode::GetAcl,
        OpCode::GetChildren,
        OpCode::GetChildren2,
        OpCode::GetAllChildrenNumber,
        OpCode::GetEphemerals,
    ];
    for (identities, skip_acl) in [(bob, false), (Vec::new(), true)] {
        let who = ReaderOf {
            session,
            identities,
            skip_acl,
        };
        for op in ops {
            if path.is_empty() && op == OpCode::GetAllChildrenNumber {
                continue;
            }
            let mut body = BytesMut::new();
            let mut w = Writer::new(&mut body);
            w.text(path);
            w.bool(false);
            let request = Request::decode(op, &body).expect("a path and a flag");
            let answer = in_order(tree.read(session, &request, &who.identities, skip_acl));
            same(
                &format!("{request:?} by {who:?}"),
                &answer,
                &model.read(&who, &request),
            )?;
        }
    }
    Ok(())
}
