//! Replaces everything by another tree: its image comes through the log piece by piece, and one last
//! proposal puts it into force on all servers at the same place.
//!
//! ```text
//! Piece    the next of its restore, or the first of a new one      takes no zxid
//!          anything else: BadArguments, and what has come is forgotten
//! Replace  all pieces have come and are an image: it is in force   takes a zxid
//!          anything else: BadArguments, and what has come is forgotten; takes none
//! ```
//!
//! Until `Replace` nothing can be seen of it, so whoever restores may die at any moment. What an
//! ensemble is stays: its members, the lanes of its servers, and the passwords of sessions that
//! both trees have. The zxid lies above those of both trees, so no client goes back in time.

use std::sync::Arc;

use imbl::Vector;

use crate::proto::{Code, Reply, Zxid};
use crate::tree::image::Loader;
use crate::tree::{Applied, CONFIG_PATH, SessionChange, Tree, digest};

/// Bytes of an image that may be on their way. Every server holds them in memory.
pub const IMAGE_BYTES_MAX: u64 = 4 << 30;

/// A restore that sends nothing for so long is forgotten with the next proposal, milliseconds.
const SILENCE_MS_MAX: i64 = 120_000;

/// The last zxid that a tree may come with: its epoch leaves some for terms to come.
pub const ZXID_MAX: Zxid = Zxid(0x7f00_0000_ffff_ffff);

/// Pieces of an image that are not in force yet.
#[derive(Clone, Debug)]
pub(super) struct Arriving {
    /// Which restore they are of.
    pub(super) restore: u64,
    /// When the last one came, by the leader's time.
    pub(super) heard_ms: i64,
    pub(super) bytes: u64,
    pub(super) pieces: Vector<Arc<[u8]>>,
}

impl Arriving {
    pub(super) fn new(restore: u64, heard_ms: i64) -> Arriving {
        Arriving {
            restore,
            heard_ms,
            bytes: 0,
            pieces: Vector::new(),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.pieces.push_back(piece.into());
    }

    fn load(&self) -> Option<Tree> {
        let mut loader = Loader::new();
        for piece in &self.pieces {
            loader.push(piece).ok()?;
        }
        loader.finish().ok()
    }
}

/// The last time that everything was replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// By which restore; 0 for none.
    pub restore: u64,
    /// At which zxid.
    pub zxid: Zxid,
}

impl Tree {
    /// The last time that everything was replaced; zeros for never.
    pub fn replaced(&self) -> Replaced {
        self.replaced
    }

    /// How many bytes of a restore have come; `None` when it is forgotten, or in force.
    pub fn arrived_bytes(&self, restore: u64) -> Option<u64> {
        let arriving = self.arriving.as_ref();
        let arriving = arriving.filter(|arriving| arriving.restore == restore);
        arriving.map(|arriving| arriving.bytes)
    }

    /// Forgets a restore whose server has fallen silent.
    pub(super) fn forget_silent_restore(&mut self, stamp_ms: i64) {
        let silent =
            |arriving: &Arc<Arriving>| stamp_ms.saturating_sub(arriving.heard_ms) > SILENCE_MS_MAX;
        if self.arriving.as_ref().is_some_and(silent) {
            self.arriving = None;
        }
    }

    /// Takes the next piece of a restore.
    pub(super) fn take_piece(
        &mut self,
        stamp_ms: i64,
        restore: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Applied {
        if offset == 0 {
            self.arriving = Some(Arc::new(Arriving::new(restore, stamp_ms)));
        }
        let Some(arriving) = &mut self.arriving else {
            return self.nothing(Err(Code::BadArguments));
        };
        if arriving.restore != restore {
            // Of a restore that another one took the place of.
            return self.nothing(Err(Code::BadArguments));
        }
        let end = offset.saturating_add(bytes.len() as u64);
        if arriving.bytes != offset || end > IMAGE_BYTES_MAX {
            self.arriving = None;
            return self.nothing(Err(Code::BadArguments));
        }
        let arriving = Arc::make_mut(arriving);
        arriving.push(bytes);
        arriving.heard_ms = stamp_ms;
        self.nothing(Ok(Reply::Empty))
    }

    /// Puts the tree that has come into force.
    pub(super) fn replace(&mut self, term: u64, restore: u64, bytes: u64) -> Applied {
        let mine = |arriving: &Arc<Arriving>| arriving.restore == restore;
        let Some(arriving) = self.arriving.take_if(|arriving| mine(arriving)) else {
            return self.nothing(Err(Code::BadArguments));
        };
        let whole = (arriving.bytes == bytes).then(|| arriving.load()).flatten();
        let Some(mut tree) = whole.filter(|tree| tree.last_zxid <= ZXID_MAX) else {
            return self.nothing(Err(Code::BadArguments));
        };
        if !tree.adopt_configuration(self) {
            return self.nothing(Err(Code::BadArguments));
        }
        tree.sessions.succeed(&self.sessions);
        tree.lanes.clone_from(&self.lanes);
        let zxid = self.last_zxid.max(tree.last_zxid).next(term);
        tree.last_zxid = zxid;
        tree.replaced = Replaced { restore, zxid };
        *self = tree;
        Applied {
            session: SessionChange::Replaced,
            ..self.nothing(Ok(Reply::Empty))
        }
    }

    /// Keeps the members of the ensemble, and the znode that shows them, as `present` has them.
    /// `false` if this tree has no place for it.
    fn adopt_configuration(&mut self, present: &Tree) -> bool {
        self.configuration = Arc::clone(&present.configuration);
        let Some(shown) = present.root.find(CONFIG_PATH) else {
            return true;
        };
        let acl = self.acls.acquire(present.acls.get(shown.acl));
        let Some(znode) = Arc::make_mut(&mut self.root).find_mut(CONFIG_PATH) else {
            return false;
        };
        let (digest_before, bytes_before) = (digest::of(CONFIG_PATH, znode), znode.data_bytes());
        let acl_before = std::mem::replace(&mut znode.acl, acl);
        znode.set_data(shown.data());
        znode.version = shown.version;
        znode.aversion = shown.aversion;
        (znode.czxid, znode.mzxid) = (shown.czxid, shown.mzxid);
        (znode.ctime_ms, znode.mtime_ms) = (shown.ctime_ms, shown.mtime_ms);
        let digest = digest::of(CONFIG_PATH, znode);
        self.acls.release(acl_before);
        self.count_data(bytes_before, shown.data_bytes());
        self.sum = self.sum.wrapping_sub(digest_before).wrapping_add(digest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{OpCode, SessionId};
    use crate::tree::Draft;
    use crate::tree::image;
    use crate::tree::stage::{S1, S2, Stage, create, create_as, set};

    const RESTORE: u64 = 7;
    const PIECE_BYTES: usize = 100;

    fn bytes_of(tree: &Tree) -> Vec<u8> {
        image::chunks(tree.clone()).flatten().collect()
    }

    /// Sends an image, and not yet the word to put it into force.
    fn send(stage: &mut Stage, restore: u64, image: &[u8]) {
        let mut offset = 0;
        for bytes in image.chunks(PIECE_BYTES) {
            let sent = stage.draft(&Draft::Piece {
                restore,
                offset,
                bytes,
            });
            assert_eq!(sent.result, Ok(Reply::Empty));
            offset += bytes.len() as u64;
        }
    }

    fn replace(stage: &mut Stage, restore: u64, bytes: usize) -> Applied {
        let bytes = bytes as u64;
        stage.draft(&Draft::Replace { restore, bytes })
    }

    /// One tree, and another that is to take its place.
    fn trees() -> (Stage, Tree) {
        let mut other = Stage::new();
        other.ok(&create("/old", 0));
        other.ok(&create("/old/e", 1));
        other.ok(&set("/old", Some(b"what was"), -1));
        let mut stage = Stage::new();
        stage.ok(&create("/new", 0));
        stage.ok(&create_as(OpCode::CreateContainer, "/c", 4));
        for _ in 0..20 {
            stage.ok(&set("/new", Some(b"what is"), -1));
        }
        (stage, other.tree.clone())
    }

    #[test]
    fn a_tree_that_has_come_takes_the_place_of_the_present_one() {
        let (mut stage, other) = trees();
        let (before, bytes) = (stage.tree.clone(), bytes_of(&other));
        send(&mut stage, RESTORE, &bytes);
        assert!(
            stage.tree.stat("/new").is_some(),
            "nothing is to be seen of it yet"
        );
        assert_eq!(stage.tree.arrived_bytes(RESTORE), Some(bytes.len() as u64));
        let replaced = replace(&mut stage, RESTORE, bytes.len());
        assert_eq!(replaced.result, Ok(Reply::Empty));
        assert_eq!(replaced.session, SessionChange::Replaced);
        assert_eq!(stage.tree.stat("/new"), None);
        assert_eq!(stage.tree.stat("/old"), other.stat("/old"));
        assert_eq!(stage.tree.node_count(), other.node_count());
        assert_eq!(
            stage.tree.approximate_data_size(),
            other.approximate_data_size()
        );
        assert_eq!(stage.tree.zookeeper_digest(), other.zookeeper_digest());
        assert!(stage.tree.last_zxid() > before.last_zxid());
        assert_eq!(stage.tree.replaced().zxid, stage.tree.last_zxid());
        assert_eq!(stage.tree.arrived_bytes(RESTORE), None);
    }

    #[test]
    fn the_zxid_lies_above_both() {
        let (mut stage, _) = trees();
        let mut ahead = Tree::new();
        ahead.last_zxid = Zxid(0x0500_0000_0001);
        let bytes = bytes_of(&ahead);
        send(&mut stage, RESTORE, &bytes);
        replace(&mut stage, RESTORE, bytes.len());
        assert_eq!(stage.tree.last_zxid(), Zxid(0x0500_0000_0002));
        let mut spent = Tree::new();
        spent.last_zxid = Zxid(ZXID_MAX.0 + 1);
        let bytes = bytes_of(&spent);
        send(&mut stage, RESTORE, &bytes);
        let refused = replace(&mut stage, RESTORE, bytes.len());
        assert_eq!(refused.result, Err(Code::BadArguments));
    }

    #[test]
    fn sessions_of_both_keep_their_password_and_belong_to_nobody() {
        let (mut stage, mut other) = trees();
        let password = stage
            .tree
            .sessions()
            .get(&S1)
            .expect("it is there")
            .password;
        let mut renamed = other.sessions.remove(S1).expect("it is there");
        renamed.password = [9; 16];
        renamed.origin = None;
        other.sessions.insert(S1, renamed);
        other.sessions.remove(S2);
        let bytes = bytes_of(&other);
        send(&mut stage, RESTORE, &bytes);
        replace(&mut stage, RESTORE, bytes.len());
        let session = stage.tree.sessions().get(&S1).expect("it came along");
        assert_eq!((session.password, session.origin), (password, None));
        assert_eq!(session.ephemerals().collect::<Vec<_>>(), ["/old/e"]);
        assert_eq!(stage.tree.sessions().get(&S2), None);
        assert_eq!(stage.tree.sessions().get(&SessionId(0)), None);
    }

    #[test]
    fn what_is_no_image_changes_nothing() {
        let (mut stage, other) = trees();
        let bytes = bytes_of(&other);
        let mut damaged = bytes.clone();
        damaged[20] ^= 0xff;
        for (image, said) in [
            (&bytes[..bytes.len() - 1], bytes.len() - 1),
            (&bytes[..], bytes.len() - 1),
            (&damaged[..], bytes.len()),
            (&[][..], 0),
        ] {
            let zxid = stage.tree.last_zxid();
            send(&mut stage, RESTORE, image);
            let refused = replace(&mut stage, RESTORE, said);
            assert_eq!(refused.result, Err(Code::BadArguments));
            assert_eq!(refused.session, SessionChange::None);
            assert_eq!(stage.tree.last_zxid(), zxid);
            assert!(stage.tree.stat("/new").is_some());
            assert_eq!(stage.tree.arrived_bytes(RESTORE), None, "it is forgotten");
        }
    }

    #[test]
    fn a_piece_out_of_place_ends_its_restore_and_no_other() {
        let (mut stage, other) = trees();
        let bytes = bytes_of(&other);
        send(&mut stage, RESTORE, &bytes[..200]);
        let piece = |restore, offset| Draft::Piece {
            restore,
            offset,
            bytes: b"piece",
        };
        let refused = stage.draft(&piece(RESTORE + 1, 200));
        assert_eq!(refused.result, Err(Code::BadArguments));
        assert_eq!(stage.tree.arrived_bytes(RESTORE), Some(200));
        let refused = replace(&mut stage, RESTORE + 1, 200);
        assert_eq!(refused.result, Err(Code::BadArguments));
        assert_eq!(stage.tree.arrived_bytes(RESTORE), Some(200));
        let refused = stage.draft(&piece(RESTORE, 201));
        assert_eq!(refused.result, Err(Code::BadArguments));
        assert_eq!(stage.tree.arrived_bytes(RESTORE), None);
    }

    #[test]
    fn what_has_come_is_in_the_image_and_a_silent_restore_is_forgotten() {
        let (mut stage, other) = trees();
        let bytes = bytes_of(&other);
        send(&mut stage, RESTORE, &bytes);
        let mut loader = Loader::new();
        loader.push(&bytes_of(&stage.tree)).expect("it is an image");
        let mut copy = loader.finish().expect("it is whole");
        assert_eq!(copy.digest(), stage.tree.digest());
        assert_eq!(copy.arrived_bytes(RESTORE), Some(bytes.len() as u64));
        copy.forget_silent_restore(i64::MAX);
        assert_eq!(copy.arrived_bytes(RESTORE), None);
        replace(&mut stage, RESTORE, bytes.len());
        let mut loader = Loader::new();
        loader.push(&bytes_of(&stage.tree)).expect("it is an image");
        let copy = loader.finish().expect("it is whole");
        assert_eq!(copy.replaced(), stage.tree.replaced());
        assert_eq!(copy.digest(), stage.tree.digest());
    }
}
