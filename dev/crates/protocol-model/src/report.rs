//! What the model checker says while it looks, and what it found.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use protocol_model::model::{Protocol, Step};
use protocol_model::state::State;
use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, Expectation, Model, Path};

/// A line on stderr: over and over where it is a terminal, now and then elsewhere.
#[derive(Default)]
pub struct Progress {
    last: Option<Instant>,
    figures: Option<ReportData>,
}

const OFTEN: Duration = Duration::from_secs(1);
const NOW_AND_THEN: Duration = Duration::from_secs(30);

impl Reporter<Protocol> for Progress {
    fn report_checking(&mut self, figures: ReportData) {
        let (every, end) = if std::io::stderr().is_terminal() {
            (OFTEN, "\r")
        } else {
            (NOW_AND_THEN, "\n")
        };
        if self.last.is_none_or(|last| last.elapsed() >= every) && !figures.done {
            self.last = Some(Instant::now());
            let seconds = figures.duration.as_secs();
            let (states, depth) = (figures.unique_states, figures.max_depth);
            eprint!("  {states} states, depth {depth}, {seconds} s{end}");
            // A progress line that cannot be written is no reason to stop.
            let _ = std::io::stderr().flush();
        }
        if figures.done {
            println!(
                "  {} states, {} steps, depth {}, {:.1} s",
                figures.unique_states,
                figures.total_states,
                figures.max_depth,
                figures.duration.as_secs_f64()
            );
        }
        self.figures = Some(figures);
    }

    fn report_discoveries(&mut self, _: &Protocol, _: BTreeMap<&'static str, ReportDiscovery<Protocol>>)
    where
        Step: Debug + PartialEq,
        State: Debug + Hash + PartialEq,
    {
    }
}

/// What was found of every property.
pub struct Found {
    kept: usize,
    reached: usize,
    missed: Vec<&'static str>,
    broken: Vec<(&'static str, Path<State, Step>)>,
}

impl Found {
    pub fn by(checker: &impl Checker<Protocol>) -> Self {
        let mut found = Self {
            kept: 0,
            reached: 0,
            missed: Vec::new(),
            broken: Vec::new(),
        };
        for property in checker.model().properties() {
            let name = property.name;
            match (property.expectation, checker.discovery(name)) {
                (Expectation::Sometimes, Some(_)) => found.reached += 1,
                (Expectation::Sometimes, None) => found.missed.push(name),
                (Expectation::Always | Expectation::Eventually, None) => found.kept += 1,
                (Expectation::Always | Expectation::Eventually, Some(path)) => {
                    found.broken.push((name, path))
                }
            }
        }
        found
    }

    pub fn is_well(&self) -> bool {
        self.missed.is_empty() && self.broken.is_empty()
    }

    pub fn print(&self) {
        println!(
            "  {} properties kept, {} situations reached",
            self.kept, self.reached
        );
        for name in &self.missed {
            println!("  NOT REACHED: {name}");
        }
        for (name, path) in &self.broken {
            println!("  BROKEN: {name}");
            for (number, step) in path.clone().into_actions().iter().enumerate() {
                println!("    {}. {step:?}", number + 1);
            }
            println!("    {:?}", path.last_state());
        }
    }
}
