//! What an undisturbed run comes to after each of its steps, and the judgement of every other run by it.

use std::path::Path;
use std::process::Command;

use journal_torture::script::Script;
use journal_torture::told::Told;
use serde_json::Value;

use crate::lab::{End, Lab, Outcome, run};

pub struct Reference {
    pub script: Script,
    /// What the journal tells before the first step, and after each.
    states: Vec<Value>,
}

/// What is known of a journal from outside.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    pub acknowledged: usize,
    pub instance: Option<String>,
}

impl Witness {
    /// Hears what a further run on the same folder said.
    pub fn hear(&mut self, outcome: &Outcome) {
        self.acknowledged = self.acknowledged.max(outcome.acknowledged);
        if let Some((instance, _)) = &outcome.opened {
            let known = self.instance.get_or_insert_with(|| instance.clone());
            assert_eq!(known, instance, "the journal has another instance than before");
        }
    }
}

impl Reference {
    /// Carries out the script undisturbed, once for each of its steps.
    pub fn of(lab: &Lab, script: Script) -> Self {
        let steps = script.steps().len();
        let state = |after: usize| {
            let folder = lab.fresh();
            let mut program = Command::new(env!("CARGO_BIN_EXE_journal-script"));
            program.args([folder.to_str().unwrap(), script.as_str(), "0", &after.to_string()]);
            let status = program.output().unwrap().status;
            assert!(status.success(), "{status}");
            let told = Told::by(&folder).unwrap();
            lab.remove(&folder);
            told.content
        };
        let states: Vec<Value> = (0..=steps).map(state).collect();
        for (step, pair) in states.windows(2).enumerate() {
            assert!(pair[0] != pair[1], "step {} leaves no trace", step + 1);
        }
        Self { script, states }
    }

    /// Judges a journal whose run was cut off: recovers it, goes on to the end, and looks at the end.
    pub fn judge(&self, folder: &Path, witness: &Witness, what: &str) {
        let recovered = run(folder, self.script, witness.acknowledged);
        self.judge_opened(&recovered, witness, what);
        assert_eq!(recovered.end, End::Succeeded, "{what}: {}", recovered.message);
        let told = Told::by(folder).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let mut witness = witness.clone();
        witness.hear(&recovered);
        assert_eq!(witness.instance, Some(told.instance.to_string()), "{what}");
        assert!(
            Some(&told.content) == self.states.last(),
            "{what}: another end: {}",
            shortened(&told.content)
        );
    }

    /// Judges what a journal told when it was opened after its run had been cut off.
    pub fn judge_opened(&self, recovered: &Outcome, witness: &Witness, what: &str) {
        let Witness {
            acknowledged,
            instance,
        } = witness;
        let Some((now, told)) = &recovered.opened else {
            panic!(
                "{what}: it does not open after {acknowledged} steps: {}",
                recovered.message
            );
        };
        assert!(
            instance.as_ref().is_none_or(|before| before == now),
            "{what}: another instance, {now} instead of {instance:?}"
        );
        let under_way = acknowledged + 1;
        let allowed = &self.states[*acknowledged..=under_way.min(self.states.len() - 1)];
        assert!(
            allowed.contains(told),
            "{what}: after {acknowledged} acknowledged steps it tells {}, instead of {}",
            shortened(told),
            allowed.iter().map(shortened).collect::<Vec<_>>().join(", or "),
        );
    }
}

fn shortened(told: &Value) -> String {
    told.to_string().chars().take(4000).collect()
}
