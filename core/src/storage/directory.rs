//! The data directory: whose it is, and that one server at a time uses it.
//!
//! What lives here: [`DataDir`], the lock, and [`Identity`], the file that says which server of
//! which ensemble the data belongs to. What does not: the decision what to do about a mismatch.
//!
//! ```text
//!   <dir>/lock       the holder's process id, locked by flock while it runs
//!   <dir>/identity   key=value lines; replaced as a whole, never changed in place
//! ```

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Holding, OpenMode};

const LOCK_FILE: &str = "lock";
const IDENTITY_FILE: &str = "identity";
const IDENTITY_TMP_FILE: &str = "identity.tmp";
/// The format of the whole data directory, of which the identity file is the witness.
const FORMAT: u32 = 1;
/// An identity file is a few lines; anything longer is not one.
const IDENTITY_BYTES_MAX: u64 = 4096;

/// A data directory this server owns. Dropping it gives the lock back.
pub struct DataDir {
    path: PathBuf,
    /// On a real disk the operating system releases it with the process, however that ends.
    _lock: Box<dyn Send + Sync>,
}

impl fmt::Debug for DataDir {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DataDir({})", self.path.display())
    }
}

/// Why a data directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error(
        "the data directory {dir} is in use by another running server (process {owner}); \
         stop that one, or give this server a directory of its own"
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process id found in the lock file, as text.
        owner: String,
    },
    /// The disk failed.
    #[error("cannot lock the data directory {dir}: {error}")]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
}

impl DataDir {
    /// Takes the directory for this server, creating it if needed. Does not wait.
    pub fn lock(disk: &dyn Disk, dir: &Path) -> Result<DataDir, LockError> {
        let io = |error| LockError::Io {
            dir: dir.to_owned(),
            error,
        };
        disk.create_dir_all(dir).map_err(io)?;
        let me = std::process::id().to_string();
        match disk.hold(&dir.join(LOCK_FILE), &me).map_err(io)? {
            Holding::Ours(lock) => Ok(DataDir {
                path: dir.to_owned(),
                _lock: lock,
            }),
            Holding::Theirs(owner) => Err(LockError::InUse {
                dir: dir.to_owned(),
                owner: match owner.trim() {
                    "" => "unknown".into(),
                    id => id.chars().take(20).collect(),
                },
            }),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Which server of which ensemble a data directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The server's id in the ensemble; 0 alone.
    pub server_id: u8,
    /// Where the server stands with its ensemble.
    pub standing: Standing,
}

/// Where a server stands with its ensemble. A server that lost its log must not take itself for a
/// new one: it may have acknowledged what it no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has never belonged to an ensemble.
    New,
    /// It belongs, but has lost its log and has not caught up yet: it must not vote.
    Returning,
    /// It belongs. If its log is missing now, data is missing.
    Member,
    /// Somebody began to put data from elsewhere into the directory; it may not be whole.
    Importing,
    /// Data from elsewhere is in place, whole, and no ensemble has begun with it yet.
    Imported,
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Standing::New => "new",
            Standing::Returning => "returning",
            Standing::Member => "member",
            Standing::Importing => "importing",
            Standing::Imported => "imported",
        }
    }

    fn parse(text: &str) -> Option<Standing> {
        let all = [
            Standing::New,
            Standing::Returning,
            Standing::Member,
            Standing::Importing,
            Standing::Imported,
        ];
        all.into_iter().find(|standing| standing.as_str() == text)
    }
}

/// Why there is no identity to be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is not what this server writes.
    #[error("{file} is damaged: {what}; restore it, or move the data directory aside and rejoin")]
    Damaged {
        /// The identity file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Written by a newer version.
    #[error("{file} has format {found}, this build reads {FORMAT}: start a newer version")]
    Format {
        /// The identity file.
        file: PathBuf,
        /// The format found.
        found: u32,
    },
    /// The disk failed.
    #[error("cannot read {file}: {error}")]
    Io {
        /// The identity file.
        file: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
}

impl Identity {
    /// Reads the identity of a directory; `None` if it has none yet.
    pub fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<Identity>, IdentityError> {
        let file = dir.join(IDENTITY_FILE);
        let text = match read_text(disk, &file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(IdentityError::Damaged {
                    file,
                    what: error.to_string(),
                });
            }
            Err(error) => return Err(IdentityError::Io { file, error }),
        };
        let damaged = |what: String| IdentityError::Damaged {
            file: file.clone(),
            what,
        };
        let (body, checksum) = text
            .rsplit_once("checksum=")
            .ok_or_else(|| damaged("the checksum is missing".into()))?;
        if checksum.trim_end() != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
            return Err(damaged("the checksum does not fit".into()));
        }
        let found = value(body, "format").and_then(|text| text.parse().ok());
        match found {
            Some(FORMAT) => {}
            Some(found) => return Err(IdentityError::Format { file, found }),
            None => return Err(damaged("the format is missing".into())),
        }
        let identity = (|| {
            Some(Identity {
                server_id: value(body, "server_id")?.parse().ok()?,
                standing: Standing::parse(value(body, "standing")?)?,
            })
        })();
        identity
            .map(Some)
            .ok_or_else(|| damaged("a line is missing or malformed".into()))
    }

    /// Replaces the identity of a directory. Durable on return; at a crash the old or the new.
    pub fn store(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        disk.create_dir_all(dir)?;
        let tmp = dir.join(IDENTITY_TMP_FILE);
        let file = disk.open(&tmp, OpenMode::Create)?;
        file.write_at(self.to_string().as_bytes(), 0)?;
        file.sync_data()?;
        disk.rename(&tmp, &dir.join(IDENTITY_FILE))?;
        disk.sync_dir(dir)
    }
}

/// The text of the identity file.
impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = format!(
            "# Which server of which ensemble this data belongs to. Not to be edited.\n\
             format={FORMAT}\nserver_id={}\nstanding={}\n",
            self.server_id,
            self.standing.as_str()
        );
        writeln!(
            formatter,
            "{body}checksum={:08x}",
            crc32fast::hash(body.as_bytes())
        )
    }
}

fn value<'a>(body: &'a str, key: &str) -> Option<&'a str> {
    body.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

fn read_text(disk: &dyn Disk, path: &Path) -> io::Result<String> {
    let file = disk.open(path, OpenMode::Read)?;
    let mut bytes = vec![0; file.bytes()?.min(IDENTITY_BYTES_MAX) as usize];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not text"))
}

#[cfg(test)]
mod tests {
    use super::super::disk::RealDisk;
    use super::super::sim_disk::SimDisk;
    use super::*;

    const OLD: Identity = Identity {
        server_id: 3,
        standing: Standing::New,
    };
    const NEW: Identity = Identity {
        server_id: 3,
        standing: Standing::Member,
    };

    #[test]
    fn second_server_is_refused_and_told_who_holds_the_directory() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("data");
        let held = DataDir::lock(&RealDisk, &dir).unwrap();
        let error = DataDir::lock(&RealDisk, &dir).unwrap_err().to_string();
        assert!(error.contains("another running server"), "{error}");
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        assert_eq!(held.path(), dir);
        drop(held);
        DataDir::lock(&RealDisk, &dir).unwrap();
    }

    #[test]
    fn identity_reads_back_on_a_real_disk() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(Identity::load(&RealDisk, place.path()).unwrap(), None);
        OLD.store(&RealDisk, place.path()).unwrap();
        NEW.store(&RealDisk, place.path()).unwrap();
        assert_eq!(Identity::load(&RealDisk, place.path()).unwrap(), Some(NEW));
    }

    #[test]
    fn crash_while_storing_leaves_the_old_or_the_new_identity() {
        let dir = Path::new("data");
        for power in 0..10 {
            for seed in 0..50 {
                let disk = SimDisk::new();
                OLD.store(&disk, dir).unwrap();
                disk.power_off_after(power);
                let stored = NEW.store(&disk, dir);
                disk.crash(seed);
                let found = Identity::load(&disk, dir).unwrap().unwrap();
                assert!(
                    found == NEW || (found == OLD && stored.is_err()),
                    "{power} {seed}"
                );
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_an_identity_is_found() {
        let dir = Path::new("data");
        let disk = SimDisk::new();
        NEW.store(&disk, dir).unwrap();
        let path = dir.join(IDENTITY_FILE);
        for bit in 0..disk.contents(&path).unwrap().len() * 8 {
            disk.flip_bit(&path, bit / 8, (bit % 8) as u8);
            // The line end behind the checksum may turn into another blank.
            if let Ok(found) = Identity::load(&disk, dir) {
                assert_eq!(found, Some(NEW), "bit {bit}");
            }
            disk.flip_bit(&path, bit / 8, (bit % 8) as u8);
        }
    }

    #[test]
    fn newer_format_is_refused_as_such() {
        let disk = SimDisk::new();
        let body = "format=2\n";
        let text = format!("{body}checksum={:08x}\n", crc32fast::hash(body.as_bytes()));
        disk.replace(Path::new("data/identity"), text.into_bytes());
        let error = Identity::load(&disk, Path::new("data")).unwrap_err();
        assert!(matches!(error, IdentityError::Format { found: 2, .. }));
    }
}
