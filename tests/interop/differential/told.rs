//! What a server said, in words that do not depend on the run.
//!
//! Times become `time`, zxids are counted from the one that created the sequence's root, session ids
//! become the numbers of their beginnings, passwords become `password`, the root becomes `~`. Everything else stays as it is,
//! every byte of it.

use super::wire::{Bytes, Known, hex, op};

/// Buffers that are longer are told by their length and a checksum.
const DATA_BYTES_TOLD: usize = 200;

/// Times further from now than this are told as they are.
const CLOCK_MS: i64 = 600_000;

/// Says what frames contain.
#[derive(Debug, Default)]
pub struct Teller {
    pub known: Known,
    /// Milliseconds since 1970 when the sequence began.
    pub now_ms: i64,
}

/// A record up to where it ends too early.
struct Telling<'a> {
    teller: &'a Teller,
    bytes: Bytes<'a>,
    text: String,
}

impl Teller {
    /// A zxid.
    pub fn zxid(&self, zxid: i64) -> String {
        match zxid {
            ..=0 => zxid.to_string(),
            _ if self.known.base == 0 => "zxid?".to_owned(),
            _ if zxid < self.known.base => "zxid-before".to_owned(),
            _ => format!("zxid+{}", zxid - self.known.base),
        }
    }

    /// The owner of an ephemeral.
    pub fn session(&self, id: i64) -> String {
        let number = self.known.opened.iter().position(|opened| *opened == id);
        match (id, number) {
            (0, _) => "0".to_owned(),
            (_, Some(number)) => format!("session#{number}"),
            _ => format!("session{id:#x}"),
        }
    }

    fn time(&self, ms: i64) -> String {
        match ms {
            _ if (ms - self.now_ms).abs() < CLOCK_MS => "time".to_owned(),
            // Since another sequence changed what all share.
            1_500_000_000_000..4_000_000_000_000 => "time".to_owned(),
            _ => ms.to_string(),
        }
    }

    fn text(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let text = match self.known.root.as_str() {
            "" => text.into_owned(),
            root => text.replace(root, "~"),
        };
        format!("{text:?}")
    }

    /// The record of a reply without an error.
    pub fn record(&self, operation: i32, bytes: &[u8]) -> String {
        let mut telling = Telling {
            teller: self,
            bytes: Bytes(bytes),
            text: String::new(),
        };
        if telling.record(operation).is_none() {
            telling.text += " torn";
        }
        telling.finish()
    }

    /// A notification.
    pub fn event(&self, bytes: &[u8]) -> String {
        let mut telling = Telling {
            teller: self,
            bytes: Bytes(bytes),
            text: String::new(),
        };
        let event = |telling: &mut Telling<'_>| {
            let kind = telling.bytes.int()?;
            let state = telling.bytes.int()?;
            telling.text = match kind {
                1 => "created".to_owned(),
                2 => "deleted".to_owned(),
                3 => "changed".to_owned(),
                4 => "children".to_owned(),
                other => other.to_string(),
            };
            if state != 3 {
                telling.say(&format!("state={state}"));
            }
            telling.string()
        };
        if event(&mut telling).is_none() {
            telling.text += " torn";
        }
        telling.finish()
    }
}

impl Telling<'_> {
    fn say(&mut self, what: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text += what;
    }

    fn finish(mut self) -> String {
        if !self.bytes.0.is_empty() {
            let rest = hex(self.bytes.0);
            self.say(&format!("rest={rest}"));
        }
        self.text
    }

    fn record(&mut self, operation: i32) -> Option<()> {
        match operation {
            op::CREATE | op::SYNC => self.string(),
            op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                self.string()?;
                self.stat()
            }
            op::EXISTS | op::SET_DATA | op::SET_ACL => self.stat(),
            op::GET_DATA => {
                self.data()?;
                self.stat()
            }
            op::GET_ACL => {
                self.acl()?;
                self.stat()
            }
            op::GET_CHILDREN | op::GET_EPHEMERALS => self.sorted(Self::one_string),
            op::GET_CHILDREN2 => {
                self.sorted(Self::one_string)?;
                self.stat()
            }
            op::WHO_AM_I => self.sorted(|telling| {
                let scheme = telling.one_string()?;
                Some(format!("{scheme}:{}", telling.one_string()?))
            }),
            op::GET_ALL_CHILDREN_NUMBER | op::ADD_WATCH => self.number(),
            op::MULTI | op::MULTI_READ => self.multi(),
            op::SASL => self.data(),
            _ => Some(()),
        }
    }

    fn number(&mut self) -> Option<()> {
        let number = self.bytes.int()?;
        self.say(&number.to_string());
        Some(())
    }

    fn one_string(&mut self) -> Option<String> {
        let bytes = self.bytes.buffer()?;
        Some(bytes.map_or_else(|| "null".to_owned(), |bytes| self.teller.text(bytes)))
    }

    fn string(&mut self) -> Option<()> {
        let text = self.one_string()?;
        self.say(&text);
        Some(())
    }

    fn data(&mut self) -> Option<()> {
        let text = match self.bytes.buffer()? {
            None => "null".to_owned(),
            Some(data) if data.len() <= DATA_BYTES_TOLD => format!("'{}'", data.escape_ascii()),
            Some(data) => format!("{} bytes {:#x}", data.len(), sum(data)),
        };
        self.say(&text);
        Some(())
    }

    /// A vector whose order says nothing.
    fn sorted(&mut self, mut one: impl FnMut(&mut Self) -> Option<String>) -> Option<()> {
        let count = self.bytes.int()?;
        if count < 0 {
            self.say(&format!("count={count}"));
            return Some(());
        }
        let mut all: Vec<String> = (0..count).map(|_| one(self)).collect::<Option<_>>()?;
        all.sort();
        self.say(&format!("[{}]", all.join(", ")));
        Some(())
    }

    fn acl(&mut self) -> Option<()> {
        let count = self.bytes.int()?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (perms, scheme) = (self.bytes.int()?, self.one_string()?);
            entries.push((perms, scheme, self.one_string()?));
        }
        // The identities that `auth` stands for come in an order of the server's own.
        let together = |one: &(i32, String, String), other: &(i32, String, String)| {
            one.0 == other.0 && one.1 == "\"digest\"" && one.1 == other.1
        };
        entries.chunk_by_mut(together).for_each(<[_]>::sort);
        self.say(&format!("acl={entries:?}"));
        Some(())
    }

    fn stat(&mut self) -> Option<()> {
        let (created, modified) = (self.bytes.long()?, self.bytes.long()?);
        let (ctime, mtime) = (self.bytes.long()?, self.bytes.long()?);
        let versions = [self.bytes.int()?, self.bytes.int()?, self.bytes.int()?];
        let owner = self.bytes.long()?;
        let (length, children) = (self.bytes.int()?, self.bytes.int()?);
        let changed = self.bytes.long()?;
        let teller = self.teller;
        let text = format!(
            "stat(c={} m={} p={} ctime={} mtime={} versions={versions:?} owner={} length={length} \
             children={children})",
            teller.zxid(created),
            teller.zxid(modified),
            teller.zxid(changed),
            teller.time(ctime),
            teller.time(mtime),
            teller.session(owner),
        );
        self.say(&text);
        Some(())
    }

    fn multi(&mut self) -> Option<()> {
        loop {
            let (kind, done, error) = (self.bytes.int()?, self.bytes.byte()?, self.bytes.int()?);
            if done != 0 {
                self.text += &format!("\nend {kind} {done} {error}");
                return Some(());
            }
            // A line for each, so that a difference in one is a difference of one.
            self.text += &format!("\nelement {kind} {error}");
            match kind {
                -1 => self.number()?,
                _ => self.record(kind)?,
            }
        }
    }
}

/// FNV-1a.
fn sum(data: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    data.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
