//! A short storm over the whole system, judged. `./dev/chaos` runs longer ones.

use std::time::Duration;

use system_tests::plan::Kind;
use system_tests::progress::Progress;
use system_tests::run::{Judged, Options, run};
use system_tests::workload::Crowd;

const LOAD: Duration = Duration::from_secs(80);
/// Another plan, in decimal digits; it is printed by every run.
const SEED: &str = "CHAOS_SEED";

#[actix_rt::test]
async fn the_promise_holds_through_a_storm() {
    let seed =
        std::env::var(SEED).map_or_else(|_| rand::random_range(0..1_000_000), |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        seed,
        load: LOAD,
        kinds: Kind::usual(),
        crowd: Crowd::default(),
        folder: folder.path().join("run"),
        binaries: None,
    };
    // Unless all is well, what the judge read stays for whoever looks into it.
    let kept = folder.keep();
    let judged = run(options, &Progress::new("chaos")).await;
    let Judged { verdict, figures } =
        judged.unwrap_or_else(|error| panic!("{SEED}={seed}, evidence in {}\n{error:#}", kept.display()));
    assert!(
        verdict.is_clean(),
        "{SEED}={seed}, evidence in {}\n{figures}{verdict}",
        kept.display()
    );
    std::fs::remove_dir_all(&kept).unwrap();
    println!("{figures}{verdict}");
    let vacuous: Vec<_> = verdict.vacuous().collect();
    assert!(
        vacuous.is_empty(),
        "these checks had nothing to look at: {vacuous:?}"
    );
    assert!(
        figures.harm.ends > 5 && figures.stored_bets > 200,
        "this was no storm:\n{figures}"
    );
}
