//! Every kept input, and mutations of all of them, through its target: what can be done without libFuzzer.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;

use fuzz::TARGETS;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};

const SEED: u64 = 1;
const MUTATIONS: u32 = 4000;
/// What the texts that targets read are made of.
const PIECES: [&str; 24] = [
    "0", "9", "-", "+", ".", ":", "/", "@", "#", "\\", "%", "\n", " ", "\"", "Z", "T", "e", ",", "now",
    "v1,", "null", "[", "00", "\0",
];

/// One change of an input; places are taken modulo its length.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Remove(Index),
    Insert(Index, &'static str),
    Repeat(Index, Index),
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    // The same order on every machine.
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn every_kept_input_passes_its_target() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(inputs.len() >= 5, "{name}: {} inputs are kept", inputs.len());
        for input in inputs {
            target(&input);
        }
    }
}

#[test]
fn mutations_of_the_kept_inputs_pass_their_targets() {
    for (name, target) in TARGETS {
        let config = Config {
            cases: MUTATIONS,
            rng_algorithm: RngAlgorithm::ChaCha,
            rng_seed: RngSeed::Fixed(SEED),
            failure_persistence: None,
            ..Config::default()
        };
        let mutated = (select(corpus(name)), prop::collection::vec(edit(), 1..6));
        let run = TestRunner::new(config).run(&mutated, |(mut input, edits)| {
            edits.iter().for_each(|edit| edit.apply(&mut input));
            target(&input);
            Ok(())
        });
        run.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..=u8::MAX).prop_map(|(at, bits)| Edit::Flip(at, bits)),
        at().prop_map(Edit::Remove),
        (at(), select(&PIECES[..])).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (at(), at()).prop_map(|(from, to)| Edit::Repeat(from, to)),
    ]
}

impl Edit {
    fn apply(&self, input: &mut Vec<u8>) {
        let place = |at: &Index, input: &[u8]| at.index(input.len() + 1);
        match self {
            Self::Flip(at, bits) => {
                if let Some(byte) = input.get_mut(at.index(1 << 16) % 4096) {
                    *byte ^= bits;
                }
            }
            Self::Remove(at) => drop(input.drain(place(at, input)..).next()),
            Self::Insert(at, piece) => {
                let at = place(at, input);
                input.splice(at..at, piece.bytes());
            }
            Self::Repeat(from, to) => {
                let (a, b) = (place(from, input), place(to, input));
                let part = input.get(a.min(b)..a.max(b)).unwrap().to_vec();
                input.splice(a..a, part);
            }
        }
    }
}
