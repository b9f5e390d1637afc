//! Shows on stderr which phase a run is in and how far: a line that redraws itself on a terminal, plain lines
//! elsewhere.

use std::cell::RefCell;
use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, a long phase says this often that it goes on.
const REDRAW: Duration = Duration::from_millis(200);

pub struct Progress {
    name: String,
    started: Instant,
    bar: RefCell<Option<ProgressBar>>,
}

impl Progress {
    /// `name` stands before each line.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            started: Instant::now(),
            bar: RefCell::new(None),
        }
    }

    /// A new phase begins, which lasts so long where that is known.
    pub fn phase(&self, what: &str, lasts: Option<Duration>) {
        let lasting = lasts
            .map(|lasts| format!(" ({} s)", lasts.as_secs()))
            .unwrap_or_default();
        if !stderr().is_terminal() {
            let elapsed = self.started.elapsed().as_secs();
            eprintln!("{}: {elapsed:4} s  {what}{lasting}", self.name);
            return;
        }
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template("{prefix} {elapsed_precise} {spinner} {msg}");
        bar.set_style(style.expect("the template is well-formed"));
        bar.set_prefix(self.name.clone());
        bar.set_message(format!("{what}{lasting}"));
        bar.enable_steady_tick(REDRAW);
        *self.bar.borrow_mut() = Some(bar);
    }

    /// One line that stays.
    pub fn tell(&self, what: &str) {
        match &*self.bar.borrow() {
            Some(bar) => bar.println(format!("{}: {what}", self.name)),
            None => eprintln!("{}: {what}", self.name),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get_mut().take() {
            bar.finish_and_clear();
        }
    }
}
