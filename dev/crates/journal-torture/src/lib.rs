//! A scripted run of line-provider's journal, made to be killed: what it does ([`script`]), the process that does it
//! ([`run`]), and what a journal tells ([`told`]). The tests kill it at every system call, let system calls fail, and
//! cut the power; nothing of it is shipped.
//!
//! Invariant that makes it exact: one thread, the process's first, does everything that writes, in the same order each
//! time. So the n-th `pwrite64` of that thread is the same one in every run.

pub mod run;
pub mod script;
pub mod told;
