//! Shows on stderr what is being done and how far it is: a line that redraws itself on a terminal, plain lines
//! elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal as _, stderr};
use std::pin::pin;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::number;
use crate::stats::float;

const REDRAW: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);

pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    pub fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:20} {msg}")
                .expect("the template is well-formed");
            ProgressBar::new(1).with_style(style)
        });
        Self {
            bar,
            started: Instant::now(),
        }
    }

    /// Says what begins now.
    pub fn say(&self, what: impl Display) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(0);
                bar.set_message(what.to_string());
                bar.tick();
            }
            None => eprintln!("bench: {:4} s  {what}", self.started.elapsed().as_secs()),
        }
    }

    /// Does `work` while showing how much of `total` is `done`.
    pub async fn during<T>(
        &self,
        what: impl Display,
        total: u64,
        done: impl Fn() -> u64,
        work: impl Future<Output = T>,
    ) -> T {
        self.say(&what);
        let mut work = pin!(work);
        let mut redraw = tokio::time::interval(REDRAW);
        let mut next_line = Instant::now() + LINE_EVERY;
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = redraw.tick() => {}
            }
            if let Some(bar) = &self.bar {
                bar.set_length(total.max(1));
                bar.set_position(done());
            } else if Instant::now() > next_line {
                next_line += LINE_EVERY;
                self.say(format!(
                    "{what}: {} of {}",
                    number(float(done())),
                    number(float(total))
                ));
            }
        }
    }

    /// Does `work` that takes about so long.
    pub async fn timed<T>(&self, what: impl Display, takes: Duration, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        self.during(what, takes.as_secs(), || started.elapsed().as_secs(), work)
            .await
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
