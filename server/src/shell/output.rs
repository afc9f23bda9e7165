//! Where answers and messages go, and what a terminal never sees.
//!
//! Answers go to stdout, messages to stderr, as zkCli has it. Whatever a server sends may hold
//! control characters, and a terminal obeys them; so everything meant for a terminal is made
//! harmless here, in one place. A pipe gets the bytes as they are.

use std::io::{self, IsTerminal, Write};

use parking_lot::Mutex;
use serde_json::Value;

use super::failure::Failure;

/// Stdout is collected up to this many bytes, so that a long listing is few writes.
const BUFFER_BYTES: usize = 64 << 10;

/// The two streams of the process.
pub(crate) struct Output {
    answers: Mutex<Stream>,
    messages: Mutex<Stream>,
}

struct Stream {
    sink: Box<dyn Write + Send>,
    is_terminal: bool,
}

impl Output {
    /// Stdout and stderr.
    pub(crate) fn of_process() -> Self {
        let answers = io::BufWriter::with_capacity(BUFFER_BYTES, io::stdout());
        Self::new(
            Box::new(answers),
            io::stdout().is_terminal(),
            Box::new(io::stderr()),
            io::stderr().is_terminal(),
        )
    }

    fn new(
        answers: Box<dyn Write + Send>,
        answers_on_terminal: bool,
        messages: Box<dyn Write + Send>,
        messages_on_terminal: bool,
    ) -> Self {
        let stream = |sink, is_terminal| Mutex::new(Stream { sink, is_terminal });
        Self {
            answers: stream(answers, answers_on_terminal),
            messages: stream(messages, messages_on_terminal),
        }
    }

    /// Whether a person reads the answers.
    pub(crate) fn is_terminal(&self) -> bool {
        self.answers.lock().is_terminal
    }

    /// One line of an answer, or several.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.answers.lock().line(text).map_err(Failure::from)
    }

    /// An answer as JSON, on one line.
    pub(crate) fn json(&self, value: &Value) -> Result<(), Failure> {
        self.line(&value.to_string())
    }

    /// Bytes as they are, and nothing else. Not for terminals.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.answers.lock().sink.write_all(bytes)?)
    }

    /// One line for the person at the keyboard, behind everything answered so far.
    pub(crate) fn message(&self, text: &str) {
        // Nobody is left to tell when stderr is closed.
        let _ = self.flush();
        let _ = self.messages.lock().line(text);
    }

    /// A line that overwrites itself: how far long work is. Only for a terminal.
    pub(crate) fn progress(&self, text: &str) {
        let mut messages = self.messages.lock();
        if messages.is_terminal {
            let _ = write!(messages.sink, "\r\x1b[K{}", harmless(text));
            let _ = messages.sink.flush();
        }
    }

    /// Brings out what is collected.
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        Ok(self.answers.lock().sink.flush()?)
    }
}

/// For what writes text piece by piece: stdout, made harmless if it is a terminal.
impl Write for &Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut answers = self.answers.lock();
        if answers.is_terminal {
            let text = harmless(&String::from_utf8_lossy(bytes));
            answers.sink.write_all(text.as_bytes())?;
        } else {
            answers.sink.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.answers.lock().sink.flush()
    }
}

impl Stream {
    fn line(&mut self, text: &str) -> io::Result<()> {
        if self.is_terminal {
            writeln!(self.sink, "{}", harmless(text))
        } else {
            writeln!(self.sink, "{text}")
        }
    }
}

/// A text that a terminal can be shown: control characters, and those that turn the direction of
/// writing around, become visible. Line ends and tabs stay.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            c if is_harmful(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Control characters, and the invisible ones that reorder what stands beside them.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;

    /// Collects what is written.
    #[derive(Clone, Default)]
    pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(is_terminal: bool) -> (Output, Page, Page) {
        let (answers, messages) = (Page::default(), Page::default());
        let output = Output::new(
            Box::new(answers.clone()),
            is_terminal,
            Box::new(messages.clone()),
            is_terminal,
        );
        (output, answers, messages)
    }

    #[test]
    fn a_terminal_never_sees_control_characters() {
        let (output, answers, messages) = output(true);
        output.line("a\u{1b}[2J\u{7}\tb\nc\u{202e}d\u{9b}").unwrap();
        output.message("\u{1b}]0;title\u{7}");
        assert_eq!(answers.text(), "a\\u{1b}[2J\\u{7}\tb\nc\\u{202e}d\\u{9b}\n");
        assert_eq!(messages.text(), "\\u{1b}]0;title\\u{7}\n");
    }

    #[test]
    fn a_pipe_gets_what_there_is() {
        let (output, answers, messages) = output(false);
        output.line("a\u{1b}b").unwrap();
        output.raw(&[0, 1, b'x']).unwrap();
        output.progress("never seen");
        assert_eq!(answers.text(), "a\u{1b}b\n\0\u{1}x");
        assert_eq!(messages.text(), "");
    }
}
