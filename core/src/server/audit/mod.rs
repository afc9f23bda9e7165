//! The audit log (`audit.enable`): who wrote what, on the server that the client is connected to.
//!
//! What lives here: the witness that makes lines of what was applied, and the thread that writes
//! them: to the log stream's target `audit`, and to `zoowarden.audit.file` if there is one. What
//! does not: where the log stream goes, and when a file is rotated; a file that was moved away is
//! begun anew within a second.
//!
//! Invariant: apply never waits for a line. What there is no room for is counted, and the log says
//! so where the lines are missing.

mod line;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;

use crate::environment::Clock;
use crate::proto::{Code, EventKind, Id, OpCode, Zxid};
use crate::replica::{Seen, Witness};
use crate::server::config::AuditSettings;
use crate::tree::{self, Answering, Draft, SessionChange, Tracing};
use line::{Asker, Line, Outcome};

/// Lines on their way at most, and their bytes; a second of many writes. A line can be as long as a
/// request.
const LINES_MAX: usize = 1 << 16;
const LINES_BYTES_MAX: usize = 32 << 20;

/// How often a file is looked for that was moved away.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the end of a server waits for the last lines.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// The audit log of a running server.
#[derive(Debug)]
pub(crate) struct Audit {
    lines: Mutex<Option<SyncSender<Line>>>,
    /// Gives nothing, and ends with the thread.
    ended: Mutex<Receiver<()>>,
    lost: Arc<AtomicU64>,
    /// Bytes of lines on their way.
    waiting_bytes: Arc<AtomicUsize>,
    /// What is applied before is the log once more.
    is_started: AtomicBool,
    /// The account that the server runs as.
    user: String,
}

impl Audit {
    /// Opens the file and starts the thread.
    pub(crate) fn start(settings: &AuditSettings, clock: Arc<dyn Clock>) -> io::Result<Audit> {
        let file = settings.file.as_deref().map(AuditFile::open).transpose()?;
        let (lines, reading) = sync_channel(LINES_MAX);
        let (ending, ended) = sync_channel(0);
        let lost = Arc::new(AtomicU64::new(0));
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut writer = Writer {
            file,
            clock,
            lost: Arc::clone(&lost),
            waiting_bytes: Arc::clone(&waiting_bytes),
        };
        let thread = std::thread::Builder::new().name("zoowarden-audit".to_owned());
        thread.spawn(move || {
            writer.run(&reading);
            drop(ending);
        })?;
        Ok(Audit {
            lines: Mutex::new(Some(lines)),
            ended: Mutex::new(ended),
            lost,
            waiting_bytes,
            is_started: AtomicBool::new(false),
            user: account(),
        })
    }

    /// The server has started.
    pub(crate) fn started(&self) {
        let line = line::of_server(&self.user, "serverStart", Outcome::Success);
        self.send(line);
        self.is_started.store(true, Ordering::Relaxed);
    }

    /// Writes that the server stops, and everything before it. Blocks, for a few seconds at most.
    pub(crate) fn close(&self) {
        self.send(line::of_server(&self.user, "serverStop", Outcome::Invoked));
        *self.lines.lock() = None;
        if let Err(RecvTimeoutError::Timeout) = self.ended.lock().recv_timeout(CLOSE_LIMIT) {
            tracing::error!("the audit log did not end in time: its last lines are lost");
        }
    }

    fn send(&self, line: Line) {
        let lines = self.lines.lock();
        let Some(lines) = lines.as_ref() else {
            return;
        };
        let bytes = line.text.len();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let sent = match waiting + bytes <= LINES_BYTES_MAX {
            true => lines.try_send(line),
            false => Err(TrySendError::Full(line)),
        };
        if let Err(unsent) = sent {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            if let TrySendError::Full(_) = unsent {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn of_request(&self, seen: &Seen<'_>) {
        let (session, identities) = match seen.draft {
            Draft::Request {
                session,
                identities,
                ..
            } => (*session, &identities[..]),
            Draft::Refused { session, .. } => (*session, &[][..]),
            _ => return,
        };
        let ip = address(seen, identities);
        match seen.draft {
            Draft::Request { op, body, .. } if *op != OpCode::CloseSession => {
                let asker = Asker::new(session, identities, ip);
                for line in line::of_request(&asker, *op, body, seen.applied) {
                    self.send(line);
                }
            }
            Draft::Refused {
                // A server alone answers no other write so.
                code: Code::ReconfigDisabled | Code::Unimplemented,
                ..
            } => {
                // What is refused before the log carries nobody's names.
                let identities = match seen.client {
                    Some(client) => client.identities(),
                    None => [Id::new("ip", &ip)].into(),
                };
                let asker = Asker::new(session, &identities, ip);
                self.send(line::of_reconfig(&asker, Outcome::Failure));
            }
            _ => {}
        }
    }

    /// A reconfig is done or refused when its leader says so, long after it was asked for.
    fn of_decided(&self, seen: &Seen<'_>, decided: &tree::Asker) {
        let ip = address(seen, &decided.identities);
        let asker = Asker::new(decided.session, &decided.identities, ip);
        let outcome = match seen.applied.result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure,
        };
        self.send(line::of_reconfig(&asker, outcome));
    }
}

fn address(seen: &Seen<'_>, identities: &[Id]) -> String {
    if let Some(client) = seen.client {
        return client.peer().ip().to_canonical().to_string();
    }
    let known = identities.iter().find(|id| &*id.scheme == "ip");
    known.map_or_else(String::new, |id| id.id.to_string())
}

impl Witness for Audit {
    fn tracing(&self, _: u64, _: Zxid) -> Tracing {
        Tracing::OFF
    }

    fn saw(&self, seen: &mut Seen<'_>) {
        if !self.is_started.load(Ordering::Relaxed) {
            return;
        }
        if let SessionChange::Closed { session, origin } = seen.applied.session {
            let server = origin.map_or(seen.lane.server, |origin| origin.server);
            if server == seen.server {
                let events = seen.applied.events.iter();
                for event in events.filter(|event| event.kind == EventKind::Deleted) {
                    self.send(line::of_ephemeral(session, &self.user, &event.path));
                }
            }
        } else if let Answering::Earlier(asker) = &seen.applied.answering {
            if asker.origin.server == seen.server {
                self.of_decided(seen, asker);
            }
        } else if seen.lane.server == seen.server {
            self.of_request(seen);
        }
    }

    fn skipped(&self, _: Zxid, _: Zxid) {}
}

/// The name of the account that the process runs as, or its number.
fn account() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = accounts.lines().map(|line| line.split(':'));
    let own = lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    own.unwrap_or(uid)
}

/// The thread's half.
struct Writer {
    file: Option<AuditFile>,
    clock: Arc<dyn Clock>,
    lost: Arc<AtomicU64>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Writer {
    fn run(&mut self, lines: &Receiver<Line>) {
        let mut looked_ms = self.clock.monotonic_ms();
        loop {
            match lines.recv_timeout(LOOK_EVERY) {
                Ok(line) => self.write(&line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for line in lines.try_iter().take(LINES_MAX) {
                self.write(&line);
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::error!(
                    lost,
                    "lines of the audit log are missing here: \
                    there were more than could be written"
                );
            }
            let now_ms = self.clock.monotonic_ms();
            let looked = Duration::from_millis(now_ms.saturating_sub(looked_ms));
            let is_due = looked >= LOOK_EVERY;
            if let Some(file) = &mut self.file {
                file.settle(is_due, lost);
            }
            if is_due {
                looked_ms = now_ms;
            }
        }
    }

    fn write(&mut self, line: &Line) {
        let level = match line.outcome {
            Outcome::Failure => {
                tracing::error!(target: "audit", "{}", line.text);
                "ERROR"
            }
            Outcome::Success | Outcome::Invoked => {
                tracing::info!(target: "audit", "{}", line.text);
                "INFO"
            }
        };
        if let Some(file) = &mut self.file {
            file.put(&utc(self.clock.wall_ms()), level, &line.text);
        }
        self.waiting_bytes
            .fetch_sub(line.text.len(), Ordering::Relaxed);
    }
}

/// The file of the audit log.
struct AuditFile {
    path: PathBuf,
    file: File,
    unwritten: Vec<u8>,
    is_failing: bool,
}

impl AuditFile {
    fn open(path: &Path) -> io::Result<AuditFile> {
        Ok(AuditFile {
            file: append_to(path)?,
            path: path.to_owned(),
            unwritten: Vec::new(),
            is_failing: false,
        })
    }

    fn put(&mut self, time: &str, level: &str, text: &str) {
        // Writing to memory does not fail.
        let _ = writeln!(self.unwritten, "{time} {level} audit: {text}");
    }

    /// Writes what was put, in one piece, and notices that the file was moved away.
    fn settle(&mut self, look: bool, lost: u64) {
        if lost > 0 {
            // As above.
            let _ = writeln!(self.unwritten, "# {lost} lines are missing here");
        }
        let written = self.write_out(look);
        if let Err(error) = &written
            && !self.is_failing
        {
            let file = self.path.display();
            tracing::error!(%error, %file, "lines of the audit log cannot be written to its file");
        }
        self.is_failing = written.is_err();
        self.unwritten.clear();
    }

    fn write_out(&mut self, look: bool) -> io::Result<()> {
        if look {
            let there = std::fs::metadata(&self.path).ok();
            let ours = self.file.metadata()?;
            let is_ours = there.is_some_and(|it| (it.dev(), it.ino()) == (ours.dev(), ours.ino()));
            if !is_ours {
                self.file = append_to(&self.path)?;
            }
        }
        self.file.write_all(&self.unwritten)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).open(path)
}

/// A time as `2026-11-22T17:04:05.123Z`.
fn utc(wall_ms: i64) -> String {
    let (days, ms) = (
        wall_ms.div_euclid(86_400_000),
        wall_ms.rem_euclid(86_400_000),
    );
    // Years that begin in March: a leap day is the last one of its year.
    let since = days + 719_468;
    let (era, day_of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (era * 400 + year_of_era, month + 3),
        _ => (era * 400 + year_of_era + 1, month - 9),
    };
    let (s, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (s / 3600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
#[path = "audit_test.rs"]
mod tests;
