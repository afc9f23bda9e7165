//! What processes use, read from /proc while something else goes on.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often is read. The kernel counts processor time in ticks of 10 ms.
const EVERY: Duration = Duration::from_millis(20);

/// Clock ticks in a second: what the kernel shows to programs, whatever it uses itself.
const TICKS: f64 = 100.0;

/// Bytes of a page, on every processor that has a JVM of Debian's.
const PAGE_BYTES: f64 = 4096.0;

/// All processes together at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    unix_ms: f64,
    cpu_seconds: f64,
    rss_bytes: f64,
}

/// Reads until it is stopped.
pub(super) struct Meter {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Reading>>,
}

impl Meter {
    /// A process that ends meanwhile counts no more.
    pub(super) fn start(pids: Vec<u32>) -> Meter {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut readings = vec![read(&pids)];
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                readings.push(read(&pids));
            }
            readings.push(read(&pids));
            readings
        });
        Meter { stop, thread }
    }

    pub(super) fn stop(self) -> Usage {
        drop(self.stop);
        Usage(self.thread.join().expect("reading /proc does not panic"))
    }
}

/// What was used, over time.
pub(super) struct Usage(Vec<Reading>);

impl Usage {
    /// Seconds of a processor between two moments, in milliseconds of Unix time.
    pub(super) fn cpu_seconds_between(&self, begin: f64, end: f64) -> f64 {
        self.at(end, |reading| reading.cpu_seconds) - self.at(begin, |reading| reading.cpu_seconds)
    }

    /// Resident memory of all together.
    pub(super) fn rss_bytes_at(&self, moment: f64) -> f64 {
        self.at(moment, |reading| reading.rss_bytes)
    }

    /// In proportion between the readings before and after.
    fn at(&self, moment: f64, value: fn(&Reading) -> f64) -> f64 {
        let after = self.0.partition_point(|reading| reading.unix_ms < moment);
        let Some(next) = self.0.get(after) else {
            return self.0.last().map_or(0.0, value);
        };
        let Some(last) = after.checked_sub(1).map(|before| self.0[before]) else {
            return value(next);
        };
        let share = (moment - last.unix_ms) / (next.unix_ms - last.unix_ms);
        value(&last) + (value(next) - value(&last)) * share
    }
}

/// Resident memory of all processes now, bytes.
pub(super) fn rss_bytes(pids: &[u32]) -> f64 {
    read(pids).rss_bytes
}

fn read(pids: &[u32]) -> Reading {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut reading = Reading {
        unix_ms: now.map_or(0.0, |now| now.as_secs_f64() * 1000.0),
        cpu_seconds: 0.0,
        rss_bytes: 0.0,
    };
    for pid in pids {
        let stat = Path::new("/proc").join(pid.to_string()).join("stat");
        let Some((ticks, pages)) = std::fs::read_to_string(stat).ok().and_then(|s| parse(&s))
        else {
            continue;
        };
        reading.cpu_seconds += ticks / TICKS;
        reading.rss_bytes += pages * PAGE_BYTES;
    }
    reading
}

/// User and system ticks, and resident pages: fields 14, 15 and 24 of proc(5).
fn parse(stat: &str) -> Option<(f64, f64)> {
    // The name, field 2, may hold anything.
    let rest = &stat[stat.rfind(')')? + 1..];
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((number(14)? + number(15)?, number(24)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_behind_a_strange_name_are_found() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 5 0 0 0 250 50 0 0 20 0 9 0 100 999 321 184";
        assert_eq!(parse(stat), Some((300.0, 321.0)));
        assert_eq!(parse("7 (a) S 1"), None);
    }

    #[test]
    fn what_lies_between_two_readings_is_shared() {
        let reading = |unix_ms, cpu_seconds| Reading {
            unix_ms,
            cpu_seconds,
            rss_bytes: 0.0,
        };
        let usage = Usage(vec![
            reading(0.0, 1.0),
            reading(100.0, 3.0),
            reading(200.0, 3.5),
        ]);
        assert_eq!(usage.cpu_seconds_between(50.0, 100.0), 1.0);
        assert_eq!(usage.cpu_seconds_between(-10.0, 150.0), 2.25);
        assert_eq!(usage.cpu_seconds_between(0.0, 900.0), 2.5);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(rss_bytes(&[std::process::id()]) > 1e5);
        assert_eq!(rss_bytes(&[]), 0.0);
    }
}
