//! The counter.

use crate::client::{Client, Code, CreateOptions, Error, ReadOptions, Stat, Version};
use crate::recipes::within::{Within, passes};

/// How often a change is tried against others' changes; each failure means that another succeeded.
const ATTEMPTS_MAX: u32 = 10_000;

/// How the number stands in the znode's data. Empty data is 0 in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CounterEncoding {
    /// Decimal digits: kazoo's `Counter` of integers.
    #[default]
    Decimal,
    /// Four bytes, the high one first: Curator's `SharedCount`, kazoo's with `support_curator`.
    Int32,
    /// Eight bytes, the high one first: Curator's `DistributedAtomicLong`.
    Int64,
}

/// A number that many change; no change is lost.
#[derive(Clone, Debug)]
pub struct Counter {
    client: Client,
    path: String,
    encoding: CounterEncoding,
}

impl CounterEncoding {
    fn decode(self, data: &[u8]) -> Option<i64> {
        if data.is_empty() {
            return Some(0);
        }
        match self {
            CounterEncoding::Decimal => std::str::from_utf8(data).ok()?.trim().parse().ok(),
            CounterEncoding::Int32 => Some(i32::from_be_bytes(data.try_into().ok()?).into()),
            CounterEncoding::Int64 => Some(i64::from_be_bytes(data.try_into().ok()?)),
        }
    }

    fn encode(self, value: i64) -> Option<Vec<u8>> {
        Some(match self {
            CounterEncoding::Decimal => value.to_string().into_bytes(),
            CounterEncoding::Int32 => i32::try_from(value).ok()?.to_be_bytes().to_vec(),
            CounterEncoding::Int64 => value.to_be_bytes().to_vec(),
        })
    }
}

impl Counter {
    /// The counter at `path`, which is created with 0 when it is needed. Nothing is sent yet.
    pub fn new(client: &Client, path: &str) -> Counter {
        Counter::with(client, path, CounterEncoding::default())
    }

    /// The same in another encoding.
    pub fn with(client: &Client, path: &str, encoding: CounterEncoding) -> Counter {
        Counter {
            client: client.clone(),
            path: path.to_owned(),
            encoding,
        }
    }

    /// Its value, with every change that was acknowledged to anybody before.
    pub async fn get(&self) -> Result<i64, Error> {
        let within = Within::begin(&self.client).await?;
        let current = ReadOptions { linearizable: true };
        self.look(&within, current).await.map(|(value, _)| value)
    }

    /// Adds `delta`; gives the value after that.
    ///
    /// `ConnectionLoss`: nobody can tell whether it was added (the counter has changed since, and
    /// the answer was lost); when it is certain that it was not, it is tried again. `BadArguments`:
    /// the sum does not fit, or the znode holds no number; nothing was changed.
    pub async fn add(&self, delta: i64) -> Result<i64, Error> {
        self.change(|value| value.checked_add(delta)).await
    }

    /// Sets `new` if the value is `expected`; gives the value before, which is `expected` if it was
    /// set. Errors as [`Counter::add`].
    pub async fn compare_and_set(&self, expected: i64, new: i64) -> Result<i64, Error> {
        let mut before = expected;
        let after = self
            .change(|value| {
                before = value;
                Some(if value == expected { new } else { value })
            })
            .await?;
        debug_assert!(after == new || before != expected);
        Ok(before)
    }

    /// Sets a value, whatever it was. Errors as [`Counter::add`].
    pub async fn set(&self, value: i64) -> Result<(), Error> {
        self.change(|_| Some(value)).await.map(drop)
    }

    /// Puts `next` of the value in its place, which stays if they are equal. Gives what is there
    /// then.
    async fn change(&self, mut next: impl FnMut(i64) -> Option<i64>) -> Result<i64, Error> {
        let within = Within::begin(&self.client).await?;
        let (mut value, mut stat) = self.look(&within, ReadOptions::default()).await?;
        for _ in 0..ATTEMPTS_MAX {
            let new = next(value).ok_or_else(|| self.unfit(value))?;
            if new == value {
                return Ok(value);
            }
            let data = self.encoding.encode(new).ok_or_else(|| self.unfit(new))?;
            let version = Version::Exactly(stat.version);
            let Err(error) = self.client.set(&self.path, &data, version).await else {
                return Ok(new);
            };
            if error.code() != Code::BadVersion && error.code() != Code::NoNode {
                self.settle(&within, error, &stat).await?;
            }
            // Behind a sync: this server may not have the change we lost against yet.
            let current = ReadOptions { linearizable: true };
            (value, stat) = self.look(&within, current).await?;
        }
        Err(Error::new(Code::BadVersion).because(format_args!(
            "{} was changed by others {ATTEMPTS_MAX} times in a row",
            self.path
        )))
    }

    /// After a set whose answer did not come: `Ok` if it changed nothing for certain.
    async fn settle(&self, within: &Within, error: Error, before: &Stat) -> Result<(), Error> {
        if !passes(&error) {
            return Err(error);
        }
        within.again(&error).await?;
        if error.nothing_changed() {
            return Ok(());
        }
        let current = ReadOptions { linearizable: true };
        let look = || self.client.exists_with(&self.path, current);
        match within.steady(look).await? {
            Some(now) if now.version == before.version && now.czxid == before.czxid => Ok(()),
            _ => Err(error),
        }
    }

    fn unfit(&self, value: i64) -> Error {
        Error::new(Code::BadArguments).because(format_args!(
            "the change of {} (now {value}) does not fit its encoding, {:?}",
            self.path, self.encoding
        ))
    }

    async fn look(&self, within: &Within, options: ReadOptions) -> Result<(i64, Stat), Error> {
        let (data, stat) = loop {
            match within
                .steady(|| self.client.get_with(&self.path, options))
                .await
            {
                Err(error) if error.code() == Code::NoNode => {
                    let new = CreateOptions {
                        parents: true,
                        ..CreateOptions::default()
                    };
                    // Empty, which all encodings read as 0.
                    within.ensure(&self.path, b"", &new).await?;
                }
                found => break found?,
            }
        };
        let value = self.encoding.decode(&data).ok_or_else(|| {
            Error::new(Code::BadArguments).because(format_args!(
                "{} holds no number in {:?}",
                self.path, self.encoding
            ))
        })?;
        Ok((value, stat))
    }
}

#[cfg(test)]
mod tests {
    use super::CounterEncoding::{Decimal, Int32, Int64};

    #[test]
    fn numbers_stand_as_kazoo_and_curator_write_them() {
        assert_eq!(Decimal.encode(-42).unwrap(), b"-42");
        assert_eq!(Int32.encode(258).unwrap(), [0, 0, 1, 2]);
        assert_eq!(Int64.encode(-1).unwrap(), [0xff; 8]);
        assert_eq!(Int32.encode(1 << 31), None);
        for encoding in [Decimal, Int32, Int64] {
            assert_eq!(encoding.decode(b""), Some(0));
            for value in [0, 1, -1, i64::from(i32::MIN), i64::from(i32::MAX)] {
                let data = encoding.encode(value).unwrap();
                assert_eq!(encoding.decode(&data), Some(value));
            }
        }
        assert_eq!(Decimal.decode(b"1.5"), None);
        assert_eq!(Int32.decode(b"12345"), None);
    }
}
