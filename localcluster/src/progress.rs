//! Progress of long work on standard error: one rewritten line on a terminal,
//! a line now and then in a log.

#![allow(clippy::print_stderr, reason = "this module is the one that talks to the person")]

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a log gets a line.
const LOG_EVERY: Duration = Duration::from_secs(20);

/// One piece of long work.
pub struct Progress {
    what: String,
    begun: Instant,
    last: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Begins work described by `what`.
    pub fn begin(what: impl Into<String>) -> Self {
        let mut progress =
            Self { what: what.into(), begun: Instant::now(), last: None, terminal: std::io::stderr().is_terminal() };
        progress.step("");
        progress
    }

    /// Tells how far the work is.
    pub fn step(&mut self, detail: &str) {
        let pause = if self.terminal { Duration::from_millis(200) } else { LOG_EVERY };
        if self.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.last = Some(Instant::now());
        let line = format!("{} … {detail} {}", self.what, self.elapsed());
        if self.terminal {
            eprint!("\r\x1b[2K{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    /// Ends the work.
    pub fn done(self) {
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{start}{}: done in {}", self.what, self.elapsed());
    }

    fn elapsed(&self) -> String {
        let seconds = self.begun.elapsed().as_secs();
        if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
    }
}
