//! What a server records about what it did, besides its log: the change history and the audit log.

use std::io;
use std::sync::Arc;

use crate::environment::Clock;
use crate::history::{History, Limits};
use crate::proto::Zxid;
use crate::replica::Replica;
use crate::server::audit::Audit;
use crate::server::config::Config;

/// Both, each if it is wanted.
#[derive(Debug, Default)]
pub(crate) struct Records {
    history: Option<History>,
    audit: Option<Arc<Audit>>,
}

impl Records {
    /// Starts what `config` asks for, for a tree that ends with `recovered`. A file of the audit
    /// log that cannot be opened is an error: who wants an audit does not want to do without.
    pub(crate) fn start(
        config: &Config,
        clock: &Arc<dyn Clock>,
        recovered: Zxid,
    ) -> io::Result<Records> {
        let audit = match config.audit.enabled {
            true => {
                let started = Audit::start(&config.audit, Arc::clone(clock));
                Some(Arc::new(
                    started.map_err(|error| audit_failed(config, &error))?,
                ))
            }
            false => None,
        };
        let settings = &config.history;
        let limits = Limits {
            entries_per_second_max: settings.entries_per_second_max,
            value_bytes_max: settings.value_bytes_max,
            bytes_max: u64::from(settings.size_mb_max) << 20,
            age_ms_max: settings.age_ms_max,
        };
        let history = match settings.enabled {
            true => {
                let clock = Arc::clone(clock);
                Some(History::start(&config.data_dir, limits, clock, recovered)?)
            }
            false => None,
        };
        Ok(Records { history, audit })
    }

    /// Lets both see what `replica` applies.
    pub(crate) fn watch(&self, mut replica: Replica) -> Replica {
        // First, since the history takes out what it keeps.
        if let Some(audit) = &self.audit {
            replica = replica.seen_by(Arc::clone(audit) as _);
        }
        if let Some(history) = &self.history {
            replica = replica.seen_by(history.witness());
        }
        replica
    }

    /// The server has started.
    pub(crate) fn started(&self) {
        if let Some(audit) = &self.audit {
            audit.started();
        }
    }

    pub(crate) fn history(&self) -> Option<History> {
        self.history.clone()
    }

    /// Ends both, within a few seconds. Blocks.
    pub(crate) fn close(&self) {
        if let Some(history) = &self.history {
            history.close();
        }
        if let Some(audit) = &self.audit {
            audit.close();
        }
    }
}

/// A server that did not come to serve is not closed.
impl Drop for Records {
    fn drop(&mut self) {
        if let Some(history) = &self.history {
            history.give_up();
        }
    }
}

fn audit_failed(config: &Config, error: &io::Error) -> io::Error {
    let file = config.audit.file.as_deref().unwrap_or("audit".as_ref());
    let what = format!("the audit log {} cannot be opened: {error}", file.display());
    io::Error::new(error.kind(), what)
}
