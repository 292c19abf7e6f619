//! What goes wrong: what happened, why, and the next command.

use std::fmt::Write;
use std::process::ExitCode;

use hashinsight_crds::text::{Language, Text, text};

use crate::output::paint;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Well.
    Ok,
    /// Refused, or a check failed.
    Refused,
    /// Wrong usage, or something missing or unreadable.
    Error,
    /// Not decided yet.
    Deferred,
    /// The cluster cannot be asked.
    Unreachable,
    /// Somebody interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Refused => 1,
            Exit::Error => 2,
            Exit::Deferred => 3,
            Exit::Unreachable => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// An end that is not an answer.
#[derive(Debug)]
pub struct Trouble {
    /// The code to end with.
    pub exit: Exit,
    /// What happened.
    pub what: Text,
    /// Why, with names and the words of whoever refused.
    pub why: String,
    /// What to type next; empty when there is nothing.
    pub next: String,
}

impl Trouble {
    pub fn new(exit: Exit, what: Text, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, what, why: why.into(), next: next.into() }
    }

    /// The system would not do something.
    pub fn system(error: std::io::Error) -> Self {
        Self::new(Exit::Error, text("the system refused", "系统拒绝了操作"), error.to_string(), "")
    }

    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, text("interrupted", "已中断"), "", "")
    }

    pub fn no_answer_within(seconds: u64) -> Self {
        Self::new(
            Exit::Unreachable,
            text("the cluster did not answer in time", "集群未在限定时间内应答"),
            format!("--timeout {seconds}"),
            "kubectl get --raw /readyz",
        )
    }

    /// Tells the person, on standard error.
    pub fn tell(&self, language: Language) {
        let labels = [text("error", "错误"), text("why", "原因"), text("next", "下一步")];
        let [error, why, next] = labels.map(|label| label.to(language));
        let mut told = format!("{}: {}\n", paint::bad(error), self.what.to(language));
        for (label, words) in [(why, &self.why), (next, &self.next)].into_iter().filter(|(_, words)| !words.is_empty())
        {
            let _ = writeln!(told, "  {label}: {words}");
        }
        let _ = std::io::Write::write_all(&mut anstream::stderr(), told.as_bytes());
    }
}
