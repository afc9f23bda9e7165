//! A whole tree as bytes, and back.
//!
//! ```text
//! image:    { record }+               in pieces of any size
//! record:   bytes u32 · tag u8 · fields
//! header:   1 · magic u32 · version u8 · last zxid i64
//! config:  20 · version i64 · reconfigured bool · members · pending bool
//!             [ · id i64 · members · server u8 · connection u64 · session i64 · identities ]
//!                                                             if there are members
//! replaced: 21 · restore u64 · zxid i64                     if that ever happened
//! arriving: 22 · restore u64 · heard_ms i64                 if there is one; then its pieces
//! piece:    23 · bytes
//! lane:     2 · server u8 · boot u64 · last number u64
//! acl:      3 · list                                      numbered from 1; 0 is the open list
//! session:  4 · id i64 · timeout_ms i32 · password · attached bool [ · server u8 · connection u64 ]
//! znode:    5 · depth u32 · name · czxid · mzxid · pzxid · ctime_ms · mtime_ms · owner (i64 each)
//!             · version · cversion · aversion i32 · acl u32 · data buffer
//! end:      6 · sessions u64 · znodes u64
//! ```
//!
//! Records stand in this order; lanes and sessions in order of their ids, lists in their own
//! order, znodes as a walk meets them, children in the order of `children`. So equal states make equal
//! bytes, and the digest of a tree is a hash of its image. What follows from the rest is left out:
//! ephemerals of a session, counters, active quotas, candidates of the reaper.
//!
//! Checksums are the business of who keeps the bytes. A loader still trusts nothing: a damaged
//! image is an error.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::{iter, vec};

use bytes::{BufMut, BytesMut};

use crate::proto::path::DEPTH_MAX;
use crate::proto::{
    Acl, ConnectionId, Malformed, PASSWORD_BYTES, Reader, ServerId, SessionId, Writer, Zxid,
    close_frame,
};
use crate::session::{Origin, Session};
use crate::tree::acl::AclId;
use crate::tree::replace::Arriving;
use crate::tree::znode::{Kind, Owner, Znode};
use crate::tree::{Configuration, Replaced, Tree};

/// Bytes after which a chunk ends. The last record of a chunk may reach over it.
const CHUNK_BYTES: usize = 1 << 20;
/// `ZWTR`
const MAGIC: u32 = 0x5a57_5452;
/// The first version had no configuration; it is read still.
const VERSION: u8 = 2;

const HEADER: u8 = 1;
const LANE: u8 = 2;
const ACL: u8 = 3;
const SESSION: u8 = 4;
const ZNODE: u8 = 5;
const END: u8 = 6;
/// Stands behind the header. A server that is alone has none.
const CONFIGURATION: u8 = 20;
/// Behind that, in this order, each if there is any.
const REPLACED: u8 = 21;
const ARRIVING: u8 = 22;
const PIECE: u8 = 23;

/// Bytes of a record's length.
const LENGTH_BYTES: usize = 4;

/// Children a walk takes from a znode at once.
const CHILDREN_AT_ONCE: usize = 128;

/// The image of a tree, piece by piece. Needs memory for a chunk, not for the image.
pub fn chunks(tree: Tree) -> impl Iterator<Item = Vec<u8>> + Send {
    let mut records = Records::new(&tree);
    iter::from_fn(move || {
        let mut out = BytesMut::new();
        while out.len() < CHUNK_BYTES && records.write_next(&tree, &mut out) {}
        (!out.is_empty()).then(|| out.into())
    })
}

/// A hash of the image.
pub(super) fn digest(tree: Tree) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |word: u64| {
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    };
    for chunk in chunks(tree) {
        let mut words = chunk.chunks_exact(8);
        for word in words.by_ref() {
            mix(word.try_into().map_or(0, u64::from_le_bytes));
        }
        words
            .remainder()
            .iter()
            .for_each(|byte| mix(u64::from(*byte)));
        mix(chunk.len() as u64);
    }
    hash
}

/// Which record comes next.
struct Records {
    header: bool,
    configuration: bool,
    replaced: bool,
    arriving: bool,
    pieces: vec::IntoIter<Arc<[u8]>>,
    lanes: vec::IntoIter<ServerId>,
    lists: vec::IntoIter<Arc<[Acl]>>,
    sessions: vec::IntoIter<SessionId>,
    znodes: Walk,
    end: bool,
    /// What the image calls a list that the tree calls something else.
    list_numbers: BTreeMap<AclId, u32>,
}

impl Records {
    fn new(tree: &Tree) -> Records {
        let lists = tree.acls.lists().map(|(_, list)| list.clone());
        let numbers = tree.acls.lists().map(|(id, _)| id).zip(1..);
        Records {
            header: true,
            configuration: !tree.configuration.members.is_empty(),
            replaced: tree.replaced != Replaced::default(),
            arriving: tree.arriving.is_some(),
            pieces: pieces(tree).into_iter(),
            lanes: tree.lanes.keys().copied().collect::<Vec<_>>().into_iter(),
            lists: lists.collect::<Vec<_>>().into_iter(),
            sessions: tree
                .sessions
                .iter()
                .map(|(id, _)| id)
                .collect::<Vec<_>>()
                .into_iter(),
            znodes: Walk::new(tree.root.clone()),
            end: true,
            list_numbers: numbers.collect(),
        }
    }

    /// Appends the next record; `false` when there is none.
    fn write_next(&mut self, tree: &Tree, out: &mut BytesMut) -> bool {
        put_record(out, |w| self.write_fields(tree, w))
    }

    fn write_fields(&mut self, tree: &Tree, w: &mut Writer<'_>) -> bool {
        if std::mem::take(&mut self.header) {
            w.u8(HEADER);
            w.u32(MAGIC);
            w.u8(VERSION);
            w.i64(tree.last_zxid.0);
        } else if std::mem::take(&mut self.configuration) {
            w.u8(CONFIGURATION);
            tree.configuration.encode(w);
        } else if std::mem::take(&mut self.replaced) {
            w.u8(REPLACED);
            w.u64(tree.replaced.restore);
            w.i64(tree.replaced.zxid.0);
        } else if std::mem::take(&mut self.arriving) {
            let arriving = tree.arriving.as_deref();
            w.u8(ARRIVING);
            w.u64(arriving.map_or(0, |arriving| arriving.restore));
            w.i64(arriving.map_or(0, |arriving| arriving.heard_ms));
        } else if let Some(piece) = self.pieces.next() {
            w.u8(PIECE);
            w.raw(&piece);
        } else if let Some(server) = self.lanes.next() {
            let (boot, last) = tree.lane(server).unwrap_or_default();
            w.u8(LANE);
            w.u8(server.0);
            w.u64(boot);
            w.u64(last);
        } else if let Some(list) = self.lists.next() {
            w.u8(ACL);
            Acl::encode_list(&list, w);
        } else if let Some(id) = self.sessions.next() {
            if let Some(session) = tree.sessions.get(&id) {
                write_session(id, session, w);
            }
        } else if let Some((depth, znode)) = self.znodes.next() {
            let list = self.list_numbers.get(&znode.acl).copied().unwrap_or(0);
            write_znode(depth, &znode, list, w);
        } else if std::mem::take(&mut self.end) {
            w.u8(END);
            w.u64(tree.sessions.len() as u64);
            w.u64(tree.znodes as u64);
        } else {
            return false;
        }
        true
    }
}

fn pieces(tree: &Tree) -> Vec<Arc<[u8]>> {
    let arriving = tree.arriving.as_deref();
    arriving.map_or_else(Vec::new, |arriving| {
        arriving.pieces.iter().cloned().collect()
    })
}

/// Appends a record with its length, or nothing when `fields` has none to write.
fn put_record(out: &mut BytesMut, fields: impl FnOnce(&mut Writer<'_>) -> bool) -> bool {
    let start = out.len();
    out.put_u32(0);
    if !fields(&mut Writer::new(out)) {
        out.truncate(start);
        return false;
    }
    close_frame(out, start);
    true
}

fn write_session(id: SessionId, session: &Session, w: &mut Writer<'_>) {
    w.u8(SESSION);
    w.i64(id.0);
    w.i32(session.timeout_ms);
    w.raw(&session.password);
    w.bool(session.origin.is_some());
    if let Some(origin) = session.origin {
        w.u8(origin.server.0);
        w.u64(origin.connection.0);
    }
}

fn write_znode(depth: usize, znode: &Znode, list: u32, w: &mut Writer<'_>) {
    w.u8(ZNODE);
    w.u32(depth as u32);
    w.text(znode.name());
    w.i64(znode.czxid.0);
    w.i64(znode.mzxid.0);
    w.i64(znode.pzxid().0);
    w.i64(znode.ctime_ms);
    w.i64(znode.mtime_ms);
    w.i64(znode.owner.0);
    w.i32(znode.version);
    w.i32(znode.created());
    w.i32(znode.aversion);
    w.u32(list);
    w.buffer(znode.data());
}

/// Every znode, parents before children, with its depth. Owns what it walks, so that a
/// thread of its own can write it out.
pub(super) struct Walk {
    root: Option<Arc<Znode>>,
    open: Vec<Frame>,
}

/// A znode whose children are being visited.
struct Frame {
    parent: Arc<Znode>,
    ahead: VecDeque<Arc<Znode>>,
}

impl Walk {
    pub(super) fn new(root: Arc<Znode>) -> Walk {
        Walk {
            root: Some(root),
            open: Vec::new(),
        }
    }

    fn enter(&mut self, znode: &Arc<Znode>) {
        if znode.children_count() > 0 {
            self.open.push(Frame {
                parent: znode.clone(),
                ahead: take(znode.children()),
            });
        }
    }
}

fn take<'t>(children: impl Iterator<Item = &'t Arc<Znode>>) -> VecDeque<Arc<Znode>> {
    children.take(CHILDREN_AT_ONCE).cloned().collect()
}

impl Iterator for Walk {
    type Item = (usize, Arc<Znode>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(root) = self.root.take() {
            self.enter(&root);
            return Some((0, root));
        }
        loop {
            let depth = self.open.len();
            let frame = self.open.last_mut()?;
            let Some(znode) = frame.ahead.pop_front() else {
                self.open.pop();
                continue;
            };
            if frame.ahead.is_empty() {
                frame.ahead = take(frame.parent.children_after(znode.name()));
            }
            self.enter(&znode);
            return Some((depth, znode));
        }
    }
}

/// Bytes of the record that `begun` begins with, its length included, as soon as that is known.
fn record_bytes(begun: &[u8]) -> Option<usize> {
    let length = begun.first_chunk::<LENGTH_BYTES>()?;
    Some(LENGTH_BYTES + u32::from_be_bytes(*length) as usize)
}

/// Bytes that must come before more of `begun` can be read: 0 when it has a whole record.
fn missing_bytes(begun: &[u8]) -> usize {
    let needed = record_bytes(begun).unwrap_or(LENGTH_BYTES);
    needed.saturating_sub(begun.len())
}

/// Why bytes are not an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A record does not decode.
    #[error("the image is damaged: {0}")]
    Malformed(#[from] Malformed),
    /// Records contradict each other.
    #[error("the image is damaged: {0}")]
    Contradiction(&'static str),
    /// Another program or a newer version wrote it.
    #[error("not an image that this version reads")]
    Foreign,
    /// The end is missing.
    #[error("the image ends early")]
    Incomplete,
}

/// Builds a tree from an image, piece by piece in order. Pieces may end anywhere.
#[derive(Debug)]
pub struct Loader {
    tree: Tree,
    lists: Vec<Arc<[Acl]>>,
    /// The way from the root to the last znode, none of them in its parent yet.
    way: Vec<Znode>,
    path: String,
    znodes: u64,
    stage: u8,
    /// A record of which the end is still to come.
    begun: Vec<u8>,
}

impl Default for Loader {
    fn default() -> Loader {
        Loader::new()
    }
}

impl Loader {
    /// Expects the first chunk.
    pub fn new() -> Loader {
        Loader {
            tree: Tree::with_root(Znode::system("", AclId::OPEN)),
            lists: Vec::new(),
            way: Vec::new(),
            path: String::new(),
            znodes: 0,
            stage: 0,
            begun: Vec::new(),
        }
    }

    /// Takes the next piece. After an error the loader is of no use.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ImageError> {
        let mut rest = piece;
        while !self.begun.is_empty() && !rest.is_empty() {
            let (now, later) = rest.split_at(missing_bytes(&self.begun).min(rest.len()));
            self.begun.extend_from_slice(now);
            rest = later;
            if missing_bytes(&self.begun) == 0 {
                let record = std::mem::take(&mut self.begun);
                self.record(&record[LENGTH_BYTES..])?;
            }
        }
        while missing_bytes(rest) == 0 {
            let (record, later) = rest.split_at(record_bytes(rest).unwrap_or(rest.len()));
            self.record(&record[LENGTH_BYTES..])?;
            rest = later;
        }
        self.begun.extend_from_slice(rest);
        Ok(())
    }

    fn record(&mut self, record: &[u8]) -> Result<(), ImageError> {
        let r = &mut Reader::new(record);
        let tag = r.u8()?;
        self.advance(tag)?;
        match tag {
            HEADER => self.header(r)?,
            CONFIGURATION => self.tree.configuration = Arc::new(Configuration::decode(r)?),
            REPLACED => self.replaced(r)?,
            ARRIVING => {
                let arriving = Arriving::new(r.u64()?, r.i64()?);
                self.tree.arriving = Some(Arc::new(arriving));
            }
            PIECE => {
                self.piece(r.rest());
                return Ok(());
            }
            LANE => self.lane(r)?,
            ACL => self.list(r)?,
            SESSION => self.session(r)?,
            ZNODE => self.znode(r)?,
            _ => self.end(r)?,
        }
        match r.rest() {
            [] => Ok(()),
            _ => Err(ImageError::Contradiction("a record longer than its fields")),
        }
    }

    /// The tree, when the image was whole. Ephemerals of sessions that do not exist are left out,
    /// as ZooKeeper does.
    pub fn finish(mut self) -> Result<Tree, ImageError> {
        if self.stage != END || !self.begun.is_empty() {
            return Err(ImageError::Incomplete);
        }
        self.tree.measure_digest();
        Ok(self.tree)
    }

    /// Checks that records stand in order; header and end once.
    fn advance(&mut self, tag: u8) -> Result<(), ImageError> {
        match (self.stage, tag) {
            (0, HEADER) => {}
            (0, _) => return Err(ImageError::Foreign),
            (HEADER, CONFIGURATION..=ARRIVING) | (CONFIGURATION..=PIECE, LANE..=END) => {}
            (CONFIGURATION..=PIECE, REPLACED..=PIECE) if self.stage < tag => {}
            (PIECE, PIECE) => {}
            (stage, LANE..=END) if stage <= tag && stage != END => {}
            _ => return Err(ImageError::Contradiction("records out of order")),
        }
        self.stage = tag;
        Ok(())
    }

    fn header(&mut self, r: &mut Reader<'_>) -> Result<(), ImageError> {
        if r.u32()? != MAGIC || !(1..=VERSION).contains(&r.u8()?) {
            return Err(ImageError::Foreign);
        }
        self.tree.last_zxid = Zxid(r.i64()?);
        Ok(())
    }

    fn replaced(&mut self, r: &mut Reader<'_>) -> Result<(), ImageError> {
        self.tree.replaced = Replaced {
            restore: r.u64()?,
            zxid: Zxid(r.i64()?),
        };
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) {
        if let Some(arriving) = &mut self.tree.arriving {
            Arc::make_mut(arriving).push(bytes);
        }
    }

    fn lane(&mut self, r: &mut Reader<'_>) -> Result<(), ImageError> {
        let server = ServerId(r.u8()?);
        let lane = (r.u64()?, r.u64()?);
        match self.tree.lanes.insert(server, lane) {
            None => Ok(()),
            Some(_) => Err(ImageError::Contradiction("a lane twice")),
        }
    }

    fn list(&mut self, r: &mut Reader<'_>) -> Result<(), ImageError> {
        let list = Acl::decode_list(r)?.ok_or(Malformed("null in an ACL"))?;
        self.lists.push(list.into());
        Ok(())
    }

    fn session(&mut self, r: &mut Reader<'_>) -> Result<(), ImageError> {
        let id = SessionId(r.i64()?);
        let timeout_ms = r.i32()?;
        let mut password = [0; PASSWORD_BYTES];
        for byte in &mut password {
            *byte = r.u8()?;
        }
        let origin = match r.bool()? {
            false => None,
            true => Some(Origin {
                server: ServerId(r.u8()?),
                connection: ConnectionId(r.u64()?),
            }),
        };
        let session = Session::new(timeout_ms, password, origin);
        if Owner(id.0).kind() == Kind::Ephemeral(id) && self.tree.sessions.insert(id, session) {
            Ok(())
        } else {
            Err(ImageError::Contradiction(
                "a session twice, or of an impossible id",
            ))
        }
    }

    fn znode(&mut self, r: &mut Reader<'_>) -> Result<(), ImageError> {
        let depth = r.u32()? as usize;
        let name = r.text()?;
        let is_root = self.znodes == 0;
        let well_named = !matches!(&*name, "" | "." | "..") && !name.contains(['/', '\0']);
        if is_root != (depth == 0) || is_root != name.is_empty() || !(is_root || well_named) {
            return Err(ImageError::Contradiction("a znode of an impossible name"));
        }
        if depth > self.way.len() || depth > DEPTH_MAX {
            return Err(ImageError::Contradiction("a znode without its parent"));
        }
        let (mut znode, list) = read_znode(&name, r)?;
        while self.way.len() > depth {
            self.ascend()?;
        }
        self.znodes += 1;
        if let Kind::Ephemeral(session) = znode.kind()
            && self.tree.sessions.get(&session).is_none()
        {
            return Ok(());
        }
        znode.acl = match list {
            0 => AclId::OPEN,
            n => self.tree.acls.acquire(
                self.lists
                    .get(n as usize - 1)
                    .ok_or(ImageError::Contradiction("an ACL that is not there"))?,
            ),
        };
        if is_root {
            self.tree.count_data(0, znode.data_bytes());
        } else {
            self.path.push('/');
            self.path.push_str(&name);
            self.tree.count_in(&self.path, znode.data_bytes());
            self.tree.index(&self.path, znode.kind());
            self.tree.activate_quota(&self.path);
        }
        self.way.push(znode);
        Ok(())
    }

    /// Hands the last znode of the way to its parent.
    fn ascend(&mut self) -> Result<(), ImageError> {
        let Some(znode) = self.way.pop() else {
            return Ok(());
        };
        let Some(parent) = self.way.last_mut() else {
            self.tree.root = Arc::new(znode);
            return Ok(());
        };
        self.path.truncate(self.path.len() - znode.name().len() - 1);
        if matches!(parent.kind(), Kind::Ephemeral(_)) || !parent.adopt(znode) {
            return Err(ImageError::Contradiction("a child that cannot be"));
        }
        Ok(())
    }

    fn end(&mut self, r: &mut Reader<'_>) -> Result<(), ImageError> {
        let counts = (r.u64()?, r.u64()?);
        if self.znodes == 0 || counts != (self.tree.sessions.len() as u64, self.znodes) {
            return Err(ImageError::Contradiction("records are missing"));
        }
        while !self.way.is_empty() {
            self.ascend()?;
        }
        Ok(())
    }
}

/// A znode without its ACL, and the number of that.
fn read_znode(name: &str, r: &mut Reader<'_>) -> Result<(Znode, u32), ImageError> {
    let (czxid, mzxid, pzxid) = (Zxid(r.i64()?), Zxid(r.i64()?), Zxid(r.i64()?));
    let (ctime_ms, mtime_ms) = (r.i64()?, r.i64()?);
    let owner = Owner(r.i64()?);
    let (version, created, aversion) = (r.i32()?, r.i32()?, r.i32()?);
    let list = r.u32()?;
    let data = r.buffer()?;
    let mut znode = Znode::new(name, czxid, ctime_ms, owner.kind(), data, AclId::OPEN);
    znode.owner = owner;
    znode.mzxid = mzxid;
    znode.mtime_ms = mtime_ms;
    znode.version = version;
    znode.aversion = aversion;
    znode.remember(created, pzxid);
    Ok((znode, list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{OpCode, Request};
    use crate::tree::stage::{
        LANE, S1, S2, Stage, acl, create, create_as, create_ttl, create_with, delete, set,
    };

    fn load(chunks: &[Vec<u8>]) -> Result<Tree, ImageError> {
        let mut loader = Loader::new();
        for chunk in chunks {
            loader.push(chunk)?;
        }
        loader.finish()
    }

    fn image(tree: &Tree) -> Vec<Vec<u8>> {
        chunks(tree.clone()).collect()
    }

    /// A little of everything.
    fn stage() -> Stage {
        let mut stage = Stage::new();
        stage.rules.extended_types = true;
        stage.ok(&create_with("/a", b"data", &[acl(31, "ip", "127.0.0.1")]));
        stage.ok(&create_with("/a/b", b"", &[acl(1, "world", "anyone")]));
        stage.ok(&create("/a/s-", 2));
        stage.ok(&delete("/a/s-0000000001", -1));
        stage.ok(&create("/e", 1));
        stage.play_as(S2, &create("/a/e", 1));
        stage.ok(&create_as(OpCode::CreateContainer, "/c", 4));
        stage.ok(&create("/c/x", 0));
        stage.ok(&delete("/c/x", -1));
        stage.ok(&create_ttl("/t", 5, 100));
        stage.ok(&set("/a", None, 0));
        stage.ok(&create("/zookeeper/quota/a", 0));
        stage.ok(&create("/zookeeper/quota/a/zookeeper_limits", 0));
        stage.ok(&create("/zookeeper/quota/a/zookeeper_stats", 0));
        stage
    }

    #[test]
    fn a_tree_comes_back_from_its_image() {
        for tree in [Tree::new(), stage().tree] {
            let back = load(&image(&tree)).unwrap();
            assert_eq!(back.digest(), tree.digest());
            assert_eq!(back.node_count(), tree.node_count());
            assert_eq!(back.approximate_data_size(), tree.approximate_data_size());
            assert_eq!(back.sessions(), tree.sessions());
            assert_eq!(back.last_zxid(), tree.last_zxid());
            assert_eq!(back.lane(LANE.server), tree.lane(LANE.server));
            assert_eq!(back.quotas, tree.quotas);
            assert_eq!(back.reapables, tree.reapables);
            for path in ["/", "/a", "/a/b", "/e", "/a/e", "/c", "/t", "/zookeeper"] {
                assert_eq!(back.stat(path), tree.stat(path), "{path}");
                assert_eq!(back.acl(path), tree.acl(path), "{path}");
                let watch = false;
                let path = path.into();
                let request = Request::GetChildren { path, watch };
                let read =
                    |tree: &Tree| tree.read(S1, &request, &[], true).map(|r| format!("{r:?}"));
                assert_eq!(read(&back), read(&tree));
            }
        }
    }

    #[test]
    fn a_loaded_tree_goes_on_as_the_first() {
        let mut one = stage();
        let mut two = one.clone();
        two.tree = load(&image(&one.tree)).unwrap();
        let acts = [
            create("/a/s-", 2),
            create_with("/new", b"x", &[acl(31, "ip", "127.0.0.1")]),
            delete("/a/b", -1),
            crate::tree::stage::close(),
        ];
        for act in &acts {
            assert_eq!(one.play(act), two.play(act));
            assert_eq!(one.tree.digest(), two.tree.digest());
        }
    }

    #[test]
    fn a_view_stays_what_it_was_while_the_tree_goes_on() {
        let mut stage = stage();
        let before = stage.tree.digest();
        let view = stage.tree.clone();
        stage.ok(&create("/later", 0));
        stage.ok(&set("/a", Some(b"later"), -1));
        stage.ok(&crate::tree::stage::close());
        assert_eq!(view.digest(), before);
        assert_ne!(stage.tree.digest(), before);
    }

    #[test]
    fn chunks_are_about_a_mebibyte_and_split_between_records() {
        let mut stage = Stage::new();
        let data = vec![7; 300_000];
        for i in 0..9 {
            stage.ok(&create_with(&format!("/n{i}"), &data, &[Acl::open()]));
        }
        let image = image(&stage.tree);
        assert_eq!(image.len(), 3);
        assert!(
            image
                .iter()
                .all(|chunk| chunk.len() < CHUNK_BYTES + 301_000)
        );
        assert_eq!(load(&image).unwrap().digest(), stage.tree.digest());
        assert_eq!(load(&image[..2]).err(), Some(ImageError::Incomplete));
        let swapped = [&image[0], &image[2], &image[1]].map(Vec::clone);
        assert!(load(&swapped).is_err());
    }

    #[test]
    fn wide_directories_are_walked_whole() {
        let mut stage = Stage::new();
        stage.ok(&create("/w", 0));
        for _ in 0..CHILDREN_AT_ONCE * 3 + 1 {
            stage.ok(&create("/w/n", 2));
        }
        let back = load(&image(&stage.tree)).unwrap();
        assert_eq!(back.digest(), stage.tree.digest());
        assert_eq!(back.node_count(), stage.tree.node_count());
    }

    #[test]
    fn the_digest_sees_every_field() {
        let base = stage().tree;
        let changes: [fn(&mut Tree); 12] = [
            |tree| tree.last_zxid = Zxid(tree.last_zxid.0 + 1),
            |tree| _ = tree.lanes.insert(ServerId(9), (1, 1)),
            |tree| _ = tree.sessions.remove(S2),
            |tree| _ = tree.sessions.attach(S2, Stage::origin(), 1),
            |tree| znode(tree).mzxid = Zxid(0),
            |tree| znode(tree).ctime_ms = 0,
            |tree| znode(tree).mtime_ms = 0,
            |tree| znode(tree).version = 7,
            |tree| znode(tree).aversion = 7,
            |tree| znode(tree).owner = Owner(7),
            |tree| znode(tree).acl = AclId::OPEN,
            |tree| znode(tree).set_data(Some(&[])),
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut tree = base.clone();
            change(&mut tree);
            assert_ne!(tree.digest(), base.digest(), "change {i}");
        }
    }

    fn znode(tree: &mut Tree) -> &mut Znode {
        Arc::make_mut(&mut tree.root).find_mut("/a").unwrap()
    }

    #[test]
    fn ephemerals_without_a_session_are_left_out() {
        let mut tree = stage().tree;
        tree.sessions.remove(S2);
        let back = load(&image(&tree)).unwrap();
        assert!(back.stat("/a/e").is_none());
        assert!(back.stat("/e").is_some());
        assert_eq!(back.node_count(), tree.node_count() - 1);
    }

    #[test]
    fn an_image_cut_anywhere_is_an_error() {
        let whole = image(&stage().tree).concat();
        for cut in 0..whole.len() {
            let part = vec![whole[..cut].to_vec()];
            assert!(load(&part).is_err(), "cut at {cut}");
        }
        assert!(load(&[whole]).is_ok());
    }

    #[test]
    fn a_damaged_image_never_panics() {
        let whole = image(&stage().tree).concat();
        let seed = 0x2a;
        let mut random = fastrand::Rng::with_seed(seed);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= random.u8(1..);
            // What it loads, if anything, is a tree that can be walked.
            if let Ok(tree) = load(&[damaged]) {
                tree.digest();
            }
        }
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let tree = stage().tree;
        let whole = image(&tree).concat();
        for size in [1, 2, 3, 5, 7, 64, whole.len()] {
            let pieces = whole.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
            let back = load(&pieces).unwrap();
            assert_eq!(back.digest(), tree.digest(), "pieces of {size}");
        }
    }

    /// An image with nothing but its header.
    fn begin() -> BytesMut {
        let mut out = BytesMut::new();
        put_record(&mut out, |w| {
            w.u8(HEADER);
            w.u32(MAGIC);
            w.u8(VERSION);
            w.i64(1);
            true
        });
        out
    }

    fn put_znode(out: &mut BytesMut, depth: usize, name: &str, list: u32) {
        put_record(out, |w| {
            write_znode(depth, &Znode::system(name, AclId::OPEN), list, w);
            true
        });
    }

    fn put_end(out: &mut BytesMut, znodes: u64) {
        put_record(out, |w| {
            w.u8(END);
            w.u64(0);
            w.u64(znodes);
            true
        });
    }

    #[test]
    fn contradictions_are_errors() {
        let outcome = |znodes: &[(usize, &str, u32)], count: u64| {
            let mut out = begin();
            for (depth, name, list) in znodes {
                put_znode(&mut out, *depth, name, *list);
            }
            put_end(&mut out, count);
            load(&[out.into()]).is_ok()
        };
        assert!(outcome(
            &[(0, "", 0), (1, "a", 0), (2, "b", 0), (1, "c", 0)],
            4
        ));
        assert!(!outcome(&[], 0), "no root");
        assert!(!outcome(&[(0, "", 0)], 2), "a znode is missing");
        assert!(!outcome(&[(0, "", 0), (0, "", 0)], 2), "two roots");
        assert!(!outcome(&[(1, "a", 0)], 1), "no root");
        assert!(!outcome(&[(0, "", 0), (2, "a", 0)], 2), "no parent");
        assert!(
            !outcome(&[(0, "", 0), (1, "a", 0), (1, "a", 0)], 3),
            "twice"
        );
        assert!(!outcome(&[(0, "", 0), (1, "", 0)], 2), "no name");
        assert!(
            !outcome(&[(0, "", 0), (1, "a/b", 0)], 2),
            "a path for a name"
        );
        assert!(!outcome(&[(0, "", 1)], 1), "no such ACL");
    }

    #[test]
    fn the_deepest_path_fits_and_a_deeper_one_does_not() {
        let chain = |depth: usize| {
            let mut out = begin();
            for at in 0..=depth {
                put_znode(&mut out, at, if at == 0 { "" } else { "a" }, 0);
            }
            put_end(&mut out, depth as u64 + 1);
            load(&[out.into()])
        };
        let tree = chain(DEPTH_MAX).unwrap();
        assert!(tree.stat(&"/a".repeat(DEPTH_MAX)).is_some());
        assert!(chain(DEPTH_MAX + 1).is_err());
    }
}
