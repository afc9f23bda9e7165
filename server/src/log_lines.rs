//! What the log stream is written through: one event is one line, of a greatest length.
//!
//! Parts of an event come from outside: a refused request says what was wrong with it, a peer what
//! it could not do. So line ends and other control characters inside of an event are escaped, lest
//! somebody forge events or paint the terminal. Events have no colours, which would be escaped too.
//!
//! Invariant: whoever formats an event writes it whole, with the line's end behind it.

use std::io::{self, Write};

/// Bytes of one event.
const EVENT_BYTES_MAX: usize = 16 << 10;

/// Writes events as lines.
pub(crate) struct Lines<W>(pub(crate) W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(&line(event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn line(event: &[u8]) -> Vec<u8> {
    let whole = event.strip_suffix(b"\n").unwrap_or(event);
    let shown = whole.get(..EVENT_BYTES_MAX).unwrap_or(whole);
    let mut line = Vec::with_capacity(shown.len() + 1);
    for c in String::from_utf8_lossy(shown).chars() {
        match c {
            c if c.is_control() && c != '\t' => line.extend(c.escape_default().map(|c| c as u8)),
            c => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if shown.len() < whole.len() {
        let more = whole.len() - shown.len();
        line.extend_from_slice(format!("... and {more} bytes more").as_bytes());
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Memory(std::sync::Arc<parking_lot::Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Memory {
        type Writer = Lines<Memory>;

        fn make_writer(&'w self) -> Lines<Memory> {
            Lines(self.clone())
        }
    }

    #[test]
    fn nobody_forges_events_or_paints_the_terminal() {
        let memory = Memory::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(memory.clone())
            .finish();
        let hostile = "x\n2026-01-01T00:00:00Z  INFO forged\r\u{1b}[2J\u{9b}2J\u{7}";
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(why = %hostile, "as a field");
            tracing::warn!("in the message: {hostile}");
            tracing::warn!(target: "audit", "a=b\tc=d");
        });
        let text = String::from_utf8(memory.0.lock().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text:?}");
        assert!(lines.iter().all(|line| !line.starts_with("2026-01-01")));
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!text.contains(control), "{text:?}");
        assert!(lines[2].ends_with("a=b\tc=d"), "{text:?}");
    }

    #[test]
    fn an_event_has_a_greatest_length() {
        let event = [b"x".repeat(EVENT_BYTES_MAX), b"yy\n".to_vec()].concat();
        let written = line(&event);
        assert!(written.ends_with(b"x... and 2 bytes more\n"));
        assert_eq!(line(b"one\n"), b"one\n");
        assert_eq!(line(b"one"), b"one\n");
    }
}
