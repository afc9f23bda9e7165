//! The children of one znode, found by name.
//!
//! A persistent B+tree: a clone is O(1), and a change to one of two clones copies only the nodes on
//! its way. Most of a tree's memory is millions of small things, so the znodes bring their names
//! along, leaves hold 16 bytes for each, and small families stay small.
//!
//! Invariant: order is that of (hash of the name, name). Equal on every server, and no two names
//! are equal in it, so colliding hashes cost comparisons only. A lookup compares numbers that lie
//! side by side and touches a name at the end.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::tree::znode::Znode;

/// Most entries of a leaf and links of a branch. Wider is shallower; narrower copies less when a
/// clone shares the node.
const WIDTH: usize = 32;
/// Fewer than this, and a node is merged with a neighbour if both fit in one.
const NARROW: usize = WIDTH / 4;

/// Znodes by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    top: Node,
    count: usize,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<Entry>),
    Branch(Vec<Link>),
}

/// One child.
#[derive(Clone, Debug)]
struct Entry {
    hash: u64,
    znode: Arc<Znode>,
}

/// A node below a branch. `hash` and `name` are the least that may stand in it; those of a
/// branch's first link are not looked at.
#[derive(Clone, Debug)]
struct Link {
    hash: u64,
    name: Arc<str>,
    node: Arc<Node>,
}

/// What is looked for.
#[derive(Clone, Copy)]
struct Key<'a> {
    hash: u64,
    name: &'a str,
}

impl<'a> Key<'a> {
    fn new(name: &'a str) -> Key<'a> {
        Key {
            hash: hash(name.as_bytes()),
            name,
        }
    }

    fn cmp(self, hash: u64, name: impl FnOnce() -> &'a [u8]) -> Ordering {
        self.hash
            .cmp(&hash)
            .then_with(|| self.name.as_bytes().cmp(name()))
    }
}

/// Spreads names over 64 bits, the same on every machine.
fn hash(name: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = name.len() as u64;
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(ODD);
        hash ^= hash >> 32;
    }
    hash.wrapping_mul(ODD)
}

impl Children {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Znode>> {
        let key = Key::new(name);
        let mut node = &self.top;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let at = find(entries, key).ok()?;
                    return Some(&entries[at].znode);
                }
                Node::Branch(links) => node = &links[way(links, key)].node,
            }
        }
    }

    /// The child for change, copied first when a clone shares it. It must keep its name.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Znode> {
        let key = Key::new(name);
        let mut node = &mut self.top;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let at = find(entries, key).ok()?;
                    return Some(Arc::make_mut(&mut entries[at].znode));
                }
                Node::Branch(links) => {
                    let at = way(links, key);
                    node = Arc::make_mut(&mut links[at].node);
                }
            }
        }
    }

    /// Adds a child; `false`, and no change, when there is one of its name.
    pub(super) fn insert(&mut self, znode: Znode) -> bool {
        let znode = Arc::new(znode);
        let name = znode.clone();
        let key = Key::new(name.name());
        let entry = Entry {
            hash: key.hash,
            znode,
        };
        let Some(split) = self.top.insert(key, entry) else {
            return false;
        };
        self.count += 1;
        if let Split::Right(right) = split {
            let left = std::mem::take(&mut self.top);
            let first = Link {
                hash: 0,
                name: "".into(),
                node: Arc::new(left),
            };
            self.top = Node::Branch(vec![first, right]);
        }
        true
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<Znode>> {
        let removed = self.top.remove(Key::new(name))?;
        self.count -= 1;
        while let Node::Branch(links) = &mut self.top
            && links.len() == 1
        {
            let below = links.pop()?.node;
            self.top = Arc::unwrap_or_clone(below);
        }
        Some(removed)
    }

    /// All children, in the order of this structure.
    pub(super) fn iter(&self) -> Iter<'_> {
        let mut iter = Iter {
            leaf: [].iter(),
            open: Vec::new(),
        };
        iter.enter(&self.top);
        iter
    }

    /// The children behind a name, in the order of this structure.
    pub(super) fn after(&self, name: &str) -> Iter<'_> {
        let key = Key::new(name);
        let mut open = Vec::new();
        let mut node = &self.top;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let at = find(entries, key).map_or_else(|at| at, |at| at + 1);
                    let leaf = entries[at..].iter();
                    return Iter { leaf, open };
                }
                Node::Branch(links) => {
                    let at = way(links, key);
                    open.push(links[at + 1..].iter());
                    node = &links[at].node;
                }
            }
        }
    }
}

/// Where a key stands in a leaf, or would.
fn find(entries: &[Entry], key: Key<'_>) -> Result<usize, usize> {
    entries.binary_search_by(|entry| key.cmp(entry.hash, || entry.znode.name_bytes()).reverse())
}

/// Which link of a branch leads to a key.
fn way(links: &[Link], key: Key<'_>) -> usize {
    links[1..].partition_point(|link| key.cmp(link.hash, || link.name.as_bytes()).is_ge())
}

/// What an insertion did to a node.
enum Split {
    Fits,
    /// It was full; the greater half stands here.
    Right(Link),
}

impl Default for Node {
    fn default() -> Node {
        Node::Leaf(Vec::new())
    }
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Branch(links) => links.len(),
        }
    }

    /// `None` when the name is taken.
    fn insert(&mut self, key: Key<'_>, entry: Entry) -> Option<Split> {
        match self {
            Node::Leaf(entries) => {
                let at = find(entries, key).err()?;
                entries.insert(at, entry);
                if entries.len() <= WIDTH {
                    return Some(Split::Fits);
                }
                let right = entries.split_off(WIDTH / 2);
                entries.shrink_to_fit();
                Some(Split::Right(Link {
                    hash: right[0].hash,
                    name: right[0].znode.name().into(),
                    node: Arc::new(Node::Leaf(right)),
                }))
            }
            Node::Branch(links) => {
                let at = way(links, key);
                let split = Arc::make_mut(&mut links[at].node).insert(key, entry)?;
                if let Split::Right(link) = split {
                    links.insert(at + 1, link);
                }
                if links.len() <= WIDTH {
                    return Some(Split::Fits);
                }
                let right = links.split_off(WIDTH / 2);
                Some(Split::Right(Link {
                    hash: right[0].hash,
                    name: right[0].name.clone(),
                    node: Arc::new(Node::Branch(right)),
                }))
            }
        }
    }

    fn remove(&mut self, key: Key<'_>) -> Option<Arc<Znode>> {
        match self {
            Node::Leaf(entries) => {
                let at = find(entries, key).ok()?;
                let removed = entries.remove(at).znode;
                if entries.len() < entries.capacity() / 4 {
                    entries.shrink_to(entries.len() * 2);
                }
                Some(removed)
            }
            Node::Branch(links) => {
                let at = way(links, key);
                let below = Arc::make_mut(&mut links[at].node);
                let removed = below.remove(key)?;
                if below.len() < NARROW {
                    merge(links, at);
                }
                Some(removed)
            }
        }
    }

    /// Takes over what stands in a right neighbour of the same kind, whose first key is `first`.
    fn append(&mut self, right: Node, hash: u64, name: Arc<str>) {
        match (self, right) {
            (Node::Leaf(left), Node::Leaf(mut right)) => left.append(&mut right),
            (Node::Branch(left), Node::Branch(mut right)) => {
                // A branch's first link has no key of its own; behind others it needs one.
                if let Some(first) = right.first_mut() {
                    (first.hash, first.name) = (hash, name);
                }
                left.append(&mut right);
            }
            _ => unreachable!("neighbours stand at one height"),
        }
    }
}

/// Merges a narrow node with a neighbour when both fit in one.
fn merge(links: &mut Vec<Link>, at: usize) {
    let left = at.saturating_sub(1);
    let Some([a, b]) = links.get(left..left + 2) else {
        return;
    };
    if a.node.len() + b.node.len() <= WIDTH {
        let right = links.remove(left + 1);
        let node = Arc::unwrap_or_clone(right.node);
        Arc::make_mut(&mut links[left].node).append(node, right.hash, right.name);
    }
}

/// Walks children in order.
#[derive(Clone, Debug)]
pub(super) struct Iter<'t> {
    leaf: std::slice::Iter<'t, Entry>,
    open: Vec<std::slice::Iter<'t, Link>>,
}

impl<'t> Iter<'t> {
    fn enter(&mut self, mut node: &'t Node) {
        loop {
            match node {
                Node::Leaf(entries) => {
                    self.leaf = entries.iter();
                    return;
                }
                Node::Branch(links) => {
                    let mut rest = links.iter();
                    let Some(first) = rest.next() else { return };
                    self.open.push(rest);
                    node = &first.node;
                }
            }
        }
    }
}

impl<'t> Iterator for Iter<'t> {
    type Item = &'t Arc<Znode>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(&entry.znode);
            }
            match self.open.last_mut()?.next() {
                Some(link) => self.enter(&link.node),
                None => drop(self.open.pop()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::proto::Zxid;
    use crate::tree::acl::AclId;
    use crate::tree::znode::Kind;

    fn znode(name: &str) -> Znode {
        Znode::new(name, Zxid(1), 1, Kind::Persistent, None, AclId::OPEN)
    }

    /// Order, links, widths, and what the walk gives.
    fn check(children: &Children, expected: &BTreeSet<String>) {
        let walked = children.iter().map(|z| z.name()).collect::<Vec<_>>();
        assert_eq!(walked.len(), expected.len());
        assert_eq!(children.len(), expected.len());
        let keys = walked.iter().map(|name| (hash(name.as_bytes()), *name));
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(walked.iter().all(|name| expected.contains(*name)));
        check_node(&children.top, true);
    }

    fn check_node(node: &Node, is_top: bool) {
        assert!(node.len() <= WIDTH);
        assert!(is_top || node.len() > 0);
        if let Node::Branch(links) = node {
            assert!(!is_top || links.len() > 1);
            links.iter().for_each(|link| check_node(&link.node, false));
        }
    }

    #[test]
    fn children_are_those_inserted_and_not_removed() {
        let seed = 7;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut children = Children::default();
        let mut expected = BTreeSet::new();
        // Grows to some thousands, then shrinks to nothing.
        for step in 0..20_000 {
            let name = format!("n{}", random.u32(..4_000));
            if random.u32(..20_000) >= step {
                let inserted = children.insert(znode(&name));
                assert_eq!(inserted, expected.insert(name), "seed {seed}, step {step}");
            } else {
                let removed = children.remove(&name).is_some();
                assert_eq!(removed, expected.remove(&name), "seed {seed}, step {step}");
            }
            if step % 1_000 == 0 {
                check(&children, &expected);
            }
        }
        for name in std::mem::take(&mut expected) {
            assert_eq!(children.get(&name).map(|z| z.name()), Some(&*name));
            assert!(children.get_mut(&name).is_some());
            assert!(children.remove(&name).is_some());
            assert!(children.get(&name).is_none());
        }
        check(&children, &expected);
    }

    #[test]
    fn a_clone_is_not_touched_by_changes_to_the_other() {
        let names = (0..500).map(|i| i.to_string()).collect::<BTreeSet<_>>();
        let mut children = Children::default();
        for name in &names {
            children.insert(znode(name));
        }
        let view = children.clone();
        for name in names.iter().take(400) {
            children.remove(name);
        }
        children.get_mut("499").unwrap().version = 9;
        children.insert(znode("new"));
        check(&view, &names);
        assert_eq!(view.get("499").unwrap().version, 0);
        assert_eq!(children.get("499").unwrap().version, 9);
    }

    #[test]
    fn a_walk_goes_on_behind_any_name() {
        let mut children = Children::default();
        for i in 0..300 {
            children.insert(znode(&i.to_string()));
        }
        let all = children.iter().map(|z| z.name()).collect::<Vec<_>>();
        for (i, name) in all.iter().enumerate() {
            let rest = children.after(name).map(|z| z.name());
            assert!(rest.eq(all[i + 1..].iter().copied()), "behind {name}");
        }
        let name = "was here once";
        let rest = children.after(name).count();
        children.insert(znode(name));
        assert_eq!(children.after(name).count(), rest);
    }
}
