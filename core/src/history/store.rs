//! The history's directory: a few generations, of which the oldest goes when there are too many
//! bytes or it is too old.
//!
//! ```text
//! dataDir/history/          0700
//!   1 2 3 …                 generations, the greatest is written
//!   mark                    the last zxid that is kept, for whoever feeds: "1 zxid time_ms"
//! dataDir/history.damaged   what was moved aside last
//! ```
//!
//! Invariant: deleting any of it is safe at any time; it costs what was in it.

use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::history::generation::{Generation, Item, Moment, StoreError};
use crate::proto::Zxid;

/// The directory within the data directory.
pub(super) const DIR: &str = "history";

/// Where a store goes that cannot be used.
const ASIDE: &str = "history.damaged";

const MARK: &str = "mark";

/// The layout of the mark.
const MARK_FORMAT: &str = "1";

/// Generations that share the room and the age of the history.
const GENERATIONS: u64 = 4;

/// Less free space than this, and the history leaves the disk to the log.
pub(super) const FREE_BYTES_MIN: u64 = 64 << 20;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes_max: u64,
    pub(super) age_ms_max: u64,
}

/// The store, open for writing.
pub(super) struct Store {
    dir: PathBuf,
    bounds: Bounds,
    /// Oldest first, never empty.
    generations: Vec<Arc<Generation>>,
}

impl Store {
    /// Opens or begins the store of a data directory.
    pub(super) fn open(data_dir: &Path, bounds: Bounds) -> Result<Store, StoreError> {
        let dir = data_dir.join(DIR);
        check_space(data_dir)?;
        let mut builder = std::fs::DirBuilder::new();
        match builder.mode(0o700).create(&dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let mut generations = open_generations(&dir)?;
        if generations.is_empty() {
            generations.push(Arc::new(Generation::open(&dir.join("1"), 1)?));
        }
        Ok(Store {
            dir,
            bounds,
            generations,
        })
    }

    /// Everything there is to read.
    pub(super) fn view(&self) -> Vec<Arc<Generation>> {
        self.generations.clone()
    }

    fn newest(&self) -> &Generation {
        self.generations.last().expect("there is always one")
    }

    /// The last change kept.
    pub(super) fn upto(&self) -> Result<Option<Moment>, StoreError> {
        for generation in self.generations.iter().rev() {
            if let Some(upto) = generation.upto()? {
                return Ok(Some(upto));
            }
        }
        Ok(None)
    }

    /// Keeps more.
    pub(super) fn write(&self, items: &[Item]) -> Result<(), StoreError> {
        self.newest().write(items)
    }

    /// Hands everything to the operating system, and says how far it got.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        check_space(&self.dir)?;
        self.newest().flush()?;
        if let Some(upto) = self.newest().upto()? {
            write_mark(&self.dir, upto)?;
        }
        Ok(())
    }

    /// Begins a new generation when it is time, and drops those that are beyond the bounds. `true`
    /// when there is something else to read now.
    pub(super) fn turn(&mut self, now_ms: i64) -> Result<bool, StoreError> {
        let share_ms = self.bounds.age_ms_max / GENERATIONS;
        let is_full = self.newest().bytes()? >= self.bounds.bytes_max / GENERATIONS;
        let is_old = self.newest().begun()?.is_some_and(|at| {
            now_ms.saturating_sub(at.time_ms) >= i64::try_from(share_ms).unwrap_or(i64::MAX)
        });
        if is_full || is_old {
            let number = self.newest().number + 1;
            let next = Generation::open(&self.dir.join(number.to_string()), number)?;
            self.generations.push(Arc::new(next));
        }
        let mut dropped = false;
        while self.has_too_much(now_ms)? {
            let oldest = self.generations.remove(0);
            let dir = oldest.dir.clone();
            // Readers that still hold it read on in files without a name.
            drop(oldest);
            std::fs::remove_dir_all(dir)?;
            dropped = true;
        }
        Ok(is_full || is_old || dropped)
    }

    fn has_too_much(&self, now_ms: i64) -> Result<bool, StoreError> {
        let [oldest, .., _] = &self.generations[..] else {
            return Ok(false);
        };
        if self.generations.len() as u64 > GENERATIONS {
            return Ok(true);
        }
        let age_ms = i64::try_from(self.bounds.age_ms_max).unwrap_or(i64::MAX);
        let newest = oldest.upto()?.map_or(i64::MIN, |upto| upto.time_ms);
        Ok(now_ms.saturating_sub(newest) >= age_ms)
    }
}

/// The generations in a directory, oldest first. What is not one makes the store none of ours.
fn open_generations(dir: &Path) -> Result<Vec<Arc<Generation>>, StoreError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name == MARK || name.starts_with("mark.") {
            continue;
        }
        match name.parse::<u64>() {
            Ok(number) => numbers.push(number),
            Err(_) => {
                let what = format!("{name} in it is no part of a history");
                return Err(StoreError::Damaged(what));
            }
        }
    }
    numbers.sort_unstable();
    // A server that could not drop what is too old would hold ever more open.
    let surplus = numbers.len().saturating_sub(GENERATIONS as usize);
    for number in numbers.drain(..surplus) {
        std::fs::remove_dir_all(dir.join(number.to_string()))?;
    }
    let opened = numbers.into_iter().map(|number| {
        let generation = Generation::open(&dir.join(number.to_string()), number)?;
        Ok(Arc::new(generation))
    });
    opened.collect()
}

/// Opens the generations of a store that no server uses.
pub(super) fn open_to_read(dir: &Path) -> Result<Vec<Arc<Generation>>, StoreError> {
    open_generations(dir)
}

fn check_space(dir: &Path) -> Result<(), StoreError> {
    let stat = rustix::fs::statvfs(dir).map_err(io::Error::from)?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < FREE_BYTES_MIN {
        let what = format!("the disk has {} MiB left", free >> 20);
        return Err(StoreError::Unavailable(what));
    }
    Ok(())
}

/// The last change that is surely kept; the beginning of time without a mark that can be read.
pub(super) fn read_mark(data_dir: &Path) -> Moment {
    let text = std::fs::read_to_string(data_dir.join(DIR).join(MARK));
    text.ok()
        .and_then(|text| parse_mark(&text))
        .unwrap_or_default()
}

fn parse_mark(text: &str) -> Option<Moment> {
    let mut words = text.split_whitespace();
    if words.next()? != MARK_FORMAT {
        return None;
    }
    Some(Moment {
        zxid: Zxid(words.next()?.parse().ok()?),
        time_ms: words.next()?.parse().ok()?,
    })
}

fn write_mark(dir: &Path, upto: Moment) -> io::Result<()> {
    let text = format!("{MARK_FORMAT} {} {}\n", upto.zxid.0, upto.time_ms);
    let new = dir.join("mark.new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, dir.join(MARK))
}

/// Moves the store aside, in the place of what was moved there before. Gives where it is now.
pub(super) fn set_aside(data_dir: &Path) -> io::Result<PathBuf> {
    let (dir, aside) = (data_dir.join(DIR), data_dir.join(ASIDE));
    remove(&aside)?;
    match std::fs::rename(&dir, &aside) {
        // It was removed while it was used.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(_) => remove(&dir)?,
        Ok(()) => {}
    }
    Ok(aside)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::generation::guarded;
    use crate::history::record::tests::change;

    const BOUNDS: Bounds = Bounds {
        bytes_max: 16 << 20,
        age_ms_max: 4_000,
    };

    fn item(path: &str, zxid: i64) -> Item {
        Item::Change(Box::new(change(path, zxid, None, Some(b"x"))))
    }

    fn count(store: &Store) -> usize {
        let all = store.view();
        let all = all.iter().flat_map(|one| one.changes("/", true));
        all.filter(Result::is_ok).count()
    }

    #[test]
    fn what_is_kept_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_mark(dir.path()), Moment::default());
        let store = Store::open(dir.path(), BOUNDS).unwrap();
        assert_eq!(store.upto().unwrap(), None);
        store.write(&[item("/a", 1), item("/a/b", 2)]).unwrap();
        store.flush().unwrap();
        drop(store);
        let store = Store::open(dir.path(), BOUNDS).unwrap();
        assert_eq!(count(&store), 2);
        assert_eq!(store.upto().unwrap().unwrap().zxid, Zxid(2));
        assert_eq!(read_mark(dir.path()).zxid, Zxid(2));
    }

    #[test]
    fn what_is_too_old_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), BOUNDS).unwrap();
        let begin_ms = 1_700_000_000_000;
        for zxid in 1..=20 {
            // A change is kept at its own number of milliseconds; here each is half a second later.
            let Item::Change(mut one) = item("/a", zxid) else {
                panic!("a change");
            };
            one.time_ms = begin_ms + zxid * 500;
            store.write(&[Item::Change(one)]).unwrap();
            store.turn(begin_ms + zxid * 500).unwrap();
            assert!(store.generations.len() as u64 <= GENERATIONS);
        }
        let oldest = store.generations[0].begun().unwrap().unwrap();
        let age_ms = begin_ms + 20 * 500 - oldest.time_ms;
        assert!((2_000..=5_000).contains(&age_ms), "{age_ms}");
        assert!(count(&store) < 12, "{}", count(&store));
        let names = std::fs::read_dir(dir.path().join(DIR)).unwrap().count();
        assert_eq!(names, store.generations.len(), "and no file of it stays");
    }

    #[test]
    fn bytes_on_disk_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            bytes_max: 8 << 20,
            age_ms_max: u64::MAX,
        };
        let mut store = Store::open(dir.path(), bounds).unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut zxid = 0;
        for _ in 0..60 {
            let items = (0..10).map(|_| {
                zxid += 1;
                let data = std::iter::repeat_with(|| random.u8(..));
                let data = data.take(40_000).collect::<Vec<_>>();
                let mut one = change(&format!("/{zxid}"), zxid, None, Some(b""));
                if let Some(shape) = &mut one.after {
                    shape.value = crate::tree::Value::cut(Some(&data), 64 << 10);
                }
                Item::Change(Box::new(one))
            });
            store.write(&items.collect::<Vec<_>>()).unwrap();
            store.flush().unwrap();
            store.turn(0).unwrap();
        }
        let bytes = store.generations.iter().map(|one| one.bytes().unwrap());
        let bytes = bytes.sum::<u64>();
        // What one write adds comes on top before it is looked at.
        assert!(bytes < bounds.bytes_max * 2, "{bytes}");
        assert!(zxid > 2 * count(&store) as i64, "old ones went");
        assert!(store.generations[0].begun().unwrap().is_some());
    }

    fn fill(dir: &Path) {
        let store = Store::open(dir, BOUNDS).unwrap();
        for i in 0..50 {
            let items = (0..40).map(|n| item(&format!("/a/{i}-{n}"), i * 40 + n + 1));
            store.write(&items.collect::<Vec<_>>()).unwrap();
        }
        store.flush().unwrap();
    }

    /// Everything in a store, or that it cannot be used; never a hang and never a panic.
    fn read_all(dir: &Path) -> Result<usize, StoreError> {
        guarded(|| {
            let store = Store::open(dir, BOUNDS)?;
            let mut count = 0;
            for generation in store.view() {
                for entry in generation.changes("/", true) {
                    let (key, bytes) = entry?;
                    crate::history::record::decode(&key, &bytes)?;
                    count += 1;
                }
                for gap in generation.gaps() {
                    gap?;
                }
            }
            store.write(&[item("/new", i64::MAX)])?;
            store.flush()?;
            Ok(count)
        })
    }

    #[test]
    fn a_damaged_store_says_so_or_works_with_what_is_left() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let full = tempfile::tempdir().unwrap();
        fill(full.path());
        let source = full.path().join(DIR).join("1");
        let names = std::fs::read_dir(&source).unwrap();
        let names = names.map(|entry| entry.unwrap().path());
        let files = names.filter(|path| path.is_file()).collect::<Vec<_>>();
        let (mut sound, mut damaged) = (0, 0);
        for _ in 0..40 {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join(DIR).join("1");
            std::fs::create_dir_all(target.join("blobs")).unwrap();
            for file in &files {
                std::fs::copy(file, target.join(file.file_name().unwrap())).unwrap();
            }
            let victim = target.join(files[random.usize(..files.len())].file_name().unwrap());
            let mut bytes = std::fs::read(&victim).unwrap();
            match random.u8(..3) {
                _ if bytes.is_empty() => bytes.extend(b"foreign"),
                0 => bytes.truncate(random.usize(..bytes.len())),
                1 => {
                    for _ in 0..random.usize(1..200) {
                        let at = random.usize(..bytes.len());
                        bytes[at] ^= random.u8(1..);
                    }
                }
                _ => bytes.iter_mut().for_each(|byte| *byte = random.u8(..)),
            }
            std::fs::write(&victim, bytes).unwrap();
            match read_all(dir.path()) {
                Ok(_) => sound += 1,
                Err(_) => {
                    damaged += 1;
                    set_aside(dir.path()).unwrap();
                    assert_eq!(read_all(dir.path()).unwrap(), 0, "begun anew");
                }
            }
        }
        println!("{sound} usable, {damaged} moved aside");
    }

    #[test]
    fn what_is_none_of_ours_is_damage_and_can_be_moved_aside() {
        let makers: [fn(&Path); 3] = [
            |path| std::fs::write(path, "a file").unwrap(),
            |path| {
                std::fs::create_dir(path).unwrap();
                std::fs::write(path.join("photo.jpg"), "x").unwrap();
            },
            |path| {
                std::fs::create_dir(path).unwrap();
                std::fs::write(path.join("1"), "a file").unwrap();
            },
        ];
        for make in makers {
            let dir = tempfile::tempdir().unwrap();
            make(&dir.path().join(DIR));
            let refused = read_all(dir.path()).unwrap_err();
            assert!(matches!(refused, StoreError::Damaged(_)), "{refused}");
            for _ in 0..2 {
                let aside = set_aside(dir.path()).unwrap();
                assert!(aside.exists() || read_mark(dir.path()) == Moment::default());
            }
            assert_eq!(read_all(dir.path()).unwrap(), 0);
        }
    }
}
