//! The terminal itself: what is printed, and one line at the bottom that changes.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::{Paint, hint, plain};
use crate::cli::{Color, Global};
use crate::environment::Environment;
use crate::exit::Fault;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const CLEAR_LINE: &str = "\r\x1b[2K";

/// Standard output for results, standard error for everything else.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    pub(crate) json: bool,
    /// For standard output.
    pub(crate) out: Paint,
    /// For standard error.
    pub(crate) err: Paint,
    /// Whether a person can answer.
    pub(crate) asks: bool,
    live: Option<Arc<Mutex<Live>>>,
}

/// The line that changes.
#[derive(Debug, Default)]
struct Live {
    shown: bool,
    frame: usize,
}

impl Terminal {
    pub(crate) fn new(global: &Global, environment: &Environment) -> Self {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let paint = |terminal: bool| match global.color {
            Color::Auto => Paint::new(terminal && !environment.no_color),
            Color::Always => Paint::new(true),
            Color::Never => Paint::new(false),
        };
        Self {
            json: global.json,
            out: paint(out),
            err: paint(err),
            asks: std::io::stdin().is_terminal() && err,
            live: (err && global.color != Color::Never).then(Arc::default),
        }
    }

    /// A line of the result.
    pub(crate) fn result(&self, line: &str) {
        self.clear();
        let mut out = std::io::stdout().lock();
        // Whoever reads us may have stopped reading; that is no failure of ours.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    pub(crate) fn results(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.result(line));
    }

    /// The result as JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.result(&serde_json::to_string_pretty(value)?);
        Ok(())
    }

    /// The result as one line of JSON, one of many.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.result(&serde_json::to_string(value)?);
        Ok(())
    }

    /// A line beside the result.
    pub(crate) fn say(&self, line: &str) {
        self.clear();
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{} {}", self.err.yellow("warning:"), plain(text)));
    }

    /// Shows `text` in the line that changes, with a spinner. Nothing happens where standard error is no terminal.
    pub(crate) fn spin(&self, text: &str) {
        let Some(live) = &self.live else {
            return;
        };
        let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
        live.frame = (live.frame + 1) % FRAMES.len();
        live.shown = true;
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{CLEAR_LINE}{} {text}", self.err.cyan(FRAMES[live.frame]))
            .and_then(|()| err.flush());
    }

    /// Takes the line that changes away.
    pub(crate) fn clear(&self) {
        let Some(live) = &self.live else {
            return;
        };
        let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut live.shown) {
            let _ = write!(std::io::stderr().lock(), "{CLEAR_LINE}");
        }
    }

    /// The end of a command that did not work.
    pub(crate) fn fault(&self, fault: &Fault) {
        self.clear();
        if self.json {
            let error =
                serde_json::json!({ "code": fault.code, "message": fault.message, "hint": fault.hint });
            self.result(&serde_json::json!({ "error": error }).to_string());
            return;
        }
        self.say(&format!("{} {}", self.err.red("error:"), plain(&fault.message)));
        if let Some(text) = &fault.hint {
            self.say(&format!("{} {}", self.err.cyan("hint:"), hint(text)));
        }
    }

    /// Asks a question that is answered with yes or no; no by default.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        self.clear();
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{question} {} ", self.err.dim("[y/N]")).and_then(|()| err.flush());
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}
