//! Progress of long work on standard error: one rewritten line on a terminal,
//! a line now and then in a log. A thread ticks, so that work that says nothing
//! still shows that time passes.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a terminal's line is rewritten.
const TERMINAL_EVERY: Duration = Duration::from_millis(250);
/// How often a log gets a line.
const LOG_EVERY: Duration = Duration::from_secs(20);

/// One piece of long work. Dropping it without [`Progress::done`] leaves the
/// last line standing.
pub struct Progress {
    what: String,
    begun: Instant,
    terminal: bool,
    ticker: Option<(Sender<String>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins work described by `what`.
    pub fn begin(what: impl Into<String>) -> Self {
        let (what, begun, terminal) = (what.into(), Instant::now(), std::io::stderr().is_terminal());
        let (details, incoming) = channel::<String>();
        let every = if terminal { TERMINAL_EVERY } else { LOG_EVERY };
        let title = what.clone();
        let ticking = std::thread::spawn(move || {
            let mut detail = String::new();
            loop {
                let line = format!("{title} … {detail}{}", elapsed(begun));
                say(&if terminal { format!("\r\x1b[2K{line}") } else { format!("{line}\n") });
                let due = Instant::now() + every;
                loop {
                    match incoming.recv_timeout(due.saturating_duration_since(Instant::now())) {
                        Ok(fresh) => detail = fresh + ", ",
                        Err(RecvTimeoutError::Timeout) => break,
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            }
        });
        Self { what, begun, terminal, ticker: Some((details, ticking)) }
    }

    /// Tells how far the work is.
    pub fn step(&self, detail: String) {
        if let Some((details, _)) = &self.ticker {
            let _ = details.send(detail);
        }
    }

    /// Ends the work.
    pub fn done(mut self) {
        self.stop();
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        say(&format!("{start}{}: done in {}\n", self.what, elapsed(self.begun)));
    }

    fn stop(&mut self) {
        if let Some((details, ticking)) = self.ticker.take() {
            drop(details);
            let _ = ticking.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let open = self.ticker.is_some();
        self.stop();
        if open && self.terminal {
            say("\n");
        }
    }
}

fn elapsed(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

/// One write, and no complaint when nobody reads: a reader that went away is no
/// reason to end the work.
pub fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
