//! The journal, killed and failed on purpose: by strace at every system call, by a parent that does not know where it
//! strikes, by calls that fail, and by the power going off.
//!
//! After each of them the same is asked: the journal opens without complaint; it tells everything that was acknowledged,
//! unaltered, and at most the one step beyond that was under way, whole; and with the rest of the script it comes to the
//! very end that an undisturbed run comes to.
//!
//! Where tracing is forbidden (some containers) the tests are named `not_injected_…`, say so, and the parent kills
//! instead, more often. `JOURNAL_TORTURE_ROUNDS=20` makes what is drawn at random 20 times as much, and
//! `JOURNAL_TORTURE_SEED` draws it otherwise.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod disk;
mod errors;
mod kills;
mod lab;
mod parent;
mod power;
mod reference;
mod trace;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use lab::Lab;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each test keeps the processors busy by itself.
    arguments.test_threads = Some(1);
    let trial = |name: &str, test: fn(&Lab)| {
        Trial::test(name, move || {
            test(&Lab::open());
            Ok(())
        })
    };
    let always = [
        trial(
            "killed_by_the_parent_after_each_acknowledgement",
            parent::after_each_acknowledgement,
        ),
        trial("killed_by_the_parent_at_any_moment", parent::at_any_moment),
    ];
    let trials = if trace::is_permitted() {
        vec![
            trial("killed_at_every_syscall", kills::at_every_syscall),
            trial(
                "killed_at_syscalls_around_a_checkpoint",
                kills::around_a_checkpoint,
            ),
            trial("killed_at_every_syscall_of_a_recovery", kills::during_recovery),
            trial(
                "a_write_or_sync_that_fails_ends_the_process",
                errors::of_every_write_and_sync,
            ),
            trial(
                "a_checkpoint_that_fails_ends_the_process",
                errors::of_a_checkpoint,
            ),
            trial(
                "the_power_goes_off_at_every_write_and_sync",
                power::at_every_operation,
            ),
            trial(
                "the_power_goes_off_around_a_checkpoint",
                power::around_a_checkpoint,
            ),
        ]
    } else {
        eprintln!(
            "NOT INJECTED: strace is missing, or this machine forbids tracing. No process is killed at every system call, \
             no call fails and no power is cut; the parent kills at {} moments instead.",
            parent::INSTEAD_OF_INJECTION
        );
        vec![trial(
            "not_injected_killed_by_the_parent_at_many_moments",
            parent::instead_of_injection,
        )]
    };
    libtest_mimic::run(&arguments, trials.into_iter().chain(always).collect()).exit_code()
}
