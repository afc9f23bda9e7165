//! The prompt, on a terminal of its own: completion, history, events above the line, Ctrl-C.

use std::io::{Read, Write};
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use pty_process::blocking::{Command, Pty, open};

use super::support::{Place, SOON, binary};

/// A person who types only after having seen what there is to see.
struct Typist {
    child: Child,
    terminal: Arc<Pty>,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Typist {
    /// Sits down before a shell.
    fn at(place: &Place, history: &str) -> Typist {
        let (terminal, shell_side) = open().unwrap();
        let child = Command::new(binary())
            .args(["shell", "-s", &place.hosts])
            .env("TERM", "xterm")
            .env("ZOOWARDEN_HISTORY", history)
            .spawn(shell_side)
            .unwrap();
        let terminal = Arc::new(terminal);
        let (sender, screen) = channel();
        let shown = Arc::clone(&terminal);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Fails when the shell has left.
            while let Ok(bytes @ 1..) = (&*shown).read(&mut buffer) {
                // The typist may have left.
                let _ = sender.send(buffer[..bytes].to_vec());
            }
        });
        let seen = String::new();
        Typist {
            child,
            terminal,
            screen,
            seen,
        }
    }

    /// Waits until this is on the screen, below everything waited for before.
    fn sees(&mut self, part: &str) {
        loop {
            if let Some(at) = self.seen.find(part) {
                self.seen.drain(..at + part.len());
                return;
            }
            let Ok(bytes) = self.screen.recv_timeout(SOON) else {
                panic!("in vain for {part:?} after {:?}", self.seen);
            };
            self.seen += &String::from_utf8_lossy(&bytes);
        }
    }

    fn types(&self, keys: &str) {
        (&*self.terminal).write_all(keys.as_bytes()).unwrap();
    }
}

#[test]
fn a_prompt_completes_remembers_and_shows_events_above_the_line() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history");
    let mut typist = Typist::at(&place, &history.display().to_string());
    typist.sees("Tab completes");
    typist.sees("0] ");
    typist.types("cre\t");
    typist.sees("create ");
    typist.types("/application 'x y'\r");
    typist.sees("Created /application");
    typist.sees("1] ");
    typist.types("get -w /app\t");
    typist.sees("/application");
    typist.types("\r");
    typist.sees("x y");
    typist.sees("2] ");
    typist.types("half a li");
    typist.sees("half a li");
    place.ok(&["set", "/application", "z"]);
    typist.sees("type:NodeDataChanged path:/application");
    typist.types("ne\r");
    typist.sees("Command not found: half");
    typist.sees("3] ");
    typist.types("addauth digest joe:secret\r");
    typist.sees("4] ");
    typist.types("watch /\r");
    typist.sees("watching; Ctrl-C ends it");
    typist.types("\u{3}");
    typist.sees("5] ");
    typist.types("\u{4}");
    let status = typist.child.wait().unwrap();
    assert!(status.success(), "{status} after {:?}", typist.seen);
    let kept = std::fs::read_to_string(history).unwrap();
    assert!(kept.contains("create /application 'x y'"), "{kept}");
    assert!(!kept.contains("secret"), "{kept}");
}
