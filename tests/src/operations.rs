//! The operations tests use, on a raw client: each sends one request, waits, and decodes.

use zoowarden::proto::{Acl, OpCode, Reader, Stat, Zxid};

use crate::client::{Answer, Client, Lost, Pending};

/// Create modes by their numbers.
pub mod mode {
    /// Stays until deleted.
    pub const PERSISTENT: i32 = 0;
    /// Goes with its session.
    pub const EPHEMERAL: i32 = 1;
    /// Gets a number behind its name.
    pub const SEQUENTIAL: i32 = 2;
}

/// What an operation failed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection ended before the answer.
    Lost,
    /// The server's error number.
    Code(i32),
}

impl From<Lost> for Failure {
    fn from(_: Lost) -> Self {
        Failure::Lost
    }
}

/// A result of an operation.
pub type Outcome<T> = Result<T, Failure>;

/// `Ok` when the header has no error.
pub fn accepted(answer: Answer) -> Outcome<Answer> {
    match answer.err {
        0 => Ok(answer),
        code => Err(Failure::Code(code)),
    }
}

fn decoded<'a, T>(answer: &'a Answer, decode: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> T {
    decode(&mut Reader::new(&answer.body)).expect("the record is what the operation answers")
}

impl Client {
    /// Sends a create with everything open.
    pub fn send_create(&self, path: &str, data: &[u8], mode: i32) -> Pending {
        self.send(OpCode::Create, |w| {
            w.text(path);
            w.buffer(Some(data));
            Acl::encode_list(&[Acl::open()], w);
            w.i32(mode);
        })
    }

    /// Creates a znode; gives its path back.
    pub async fn create(&self, path: &str, data: &[u8], mode: i32) -> Outcome<String> {
        let answer = accepted(self.send_create(path, data, mode).answer().await?)?;
        Ok(created_path(&answer))
    }

    /// Sends a setData; -1 is any version.
    pub fn send_set_data(&self, path: &str, data: &[u8], version: i32) -> Pending {
        self.send(OpCode::SetData, |w| {
            w.text(path);
            w.buffer(Some(data));
            w.i32(version);
        })
    }

    /// Sets data.
    pub async fn set_data(&self, path: &str, data: &[u8], version: i32) -> Outcome<Stat> {
        let answer = accepted(self.send_set_data(path, data, version).answer().await?)?;
        Ok(decoded(&answer, |r| Stat::decode(r).ok()))
    }

    /// Deletes a znode; -1 is any version.
    pub async fn delete(&self, path: &str, version: i32) -> Outcome<Zxid> {
        let pending = self.send(OpCode::Delete, |w| {
            w.text(path);
            w.i32(version);
        });
        Ok(accepted(pending.answer().await?)?.zxid)
    }

    /// Sends a getData.
    pub fn send_get_data(&self, path: &str, watch: bool) -> Pending {
        self.send(OpCode::GetData, |w| {
            w.text(path);
            w.bool(watch);
        })
    }

    /// Reads data.
    pub async fn get_data(&self, path: &str) -> Outcome<(Vec<u8>, Stat)> {
        let answer = accepted(self.send_get_data(path, false).answer().await?)?;
        Ok(data_and_stat(&answer))
    }

    /// Whether a znode exists; leaves a watch if asked.
    pub async fn exists(&self, path: &str, watch: bool) -> Outcome<Option<Stat>> {
        let pending = self.send(OpCode::Exists, |w| {
            w.text(path);
            w.bool(watch);
        });
        match accepted(pending.answer().await?) {
            Ok(answer) => Ok(Some(decoded(&answer, |r| Stat::decode(r).ok()))),
            Err(Failure::Code(code)) if code == NO_NODE => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a getChildren.
    pub fn send_children(&self, path: &str) -> Pending {
        self.send(OpCode::GetChildren, |w| {
            w.text(path);
            w.bool(false);
        })
    }

    /// Names of the children, sorted.
    pub async fn children(&self, path: &str) -> Outcome<Vec<String>> {
        let answer = accepted(self.send_children(path).answer().await?)?;
        Ok(sorted_names(&answer))
    }

    /// A sync: later reads show everything that was acknowledged before.
    pub async fn sync(&self) -> Outcome<()> {
        let pending = self.send(OpCode::Sync, |w| w.text("/"));
        accepted(pending.answer().await?)?;
        Ok(())
    }

    /// Sends a reconfig for whatever version there is: lines that join, ids that leave.
    pub fn send_reconfig(&self, joining: Option<&str>, leaving: Option<&str>) -> Pending {
        self.send(OpCode::Reconfig, |w| {
            w.text_or_null(joining);
            w.text_or_null(leaving);
            w.text_or_null(None);
            w.i64(-1);
        })
    }

    /// Changes the ensemble; gives the text of the new configuration.
    pub async fn reconfig(&self, joining: Option<&str>, leaving: Option<&str>) -> Outcome<String> {
        let answer = accepted(self.send_reconfig(joining, leaving).answer().await?)?;
        let (text, stat) = data_and_stat(&answer);
        let text = String::from_utf8(text).expect("a configuration is text");
        assert_eq!(
            stat.mzxid, answer.zxid.0,
            "the reply is at the version it tells"
        );
        assert!(
            text.ends_with(&format!("version={:x}", stat.mzxid)),
            "{text}"
        );
        Ok(text)
    }

    /// Ends the session.
    pub async fn close(&self) -> Outcome<Zxid> {
        let pending = self.send(OpCode::CloseSession, |_| {});
        Ok(accepted(pending.answer().await?)?.zxid)
    }
}

/// The number of NoNode.
pub const NO_NODE: i32 = -101;
/// The number of BadVersion.
pub const BAD_VERSION: i32 = -103;
/// The number of NewConfigNoQuorum.
pub const NEW_CONFIG_NO_QUORUM: i32 = -13;
/// The number of ReconfigInProgress.
pub const RECONFIG_IN_PROGRESS: i32 = -14;
/// The number of NodeExists.
pub const NODE_EXISTS: i32 = -110;

/// The record of a create.
pub fn created_path(answer: &Answer) -> String {
    decoded(answer, |r| r.text().ok()).into_owned()
}

/// The record of a getData; null reads as empty.
pub fn data_and_stat(answer: &Answer) -> (Vec<u8>, Stat) {
    decoded(answer, |r| {
        let data = r.buffer().ok()?.unwrap_or_default().to_vec();
        Some((data, Stat::decode(r).ok()?))
    })
}

/// The record of a getChildren, sorted.
pub fn sorted_names(answer: &Answer) -> Vec<String> {
    let mut names = decoded(answer, |r| r.vector(4, |r| Ok(r.text()?.into_owned())).ok());
    names.sort();
    names
}
