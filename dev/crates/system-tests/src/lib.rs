//! The pair as users run it, and the attack on its promise: real processes, real Postgres, real HTTP.
//!
//! [`run`] plays a seeded [`plan`] against a [`cluster`]: a [`workload`] of operators, bettors and readers goes through
//! links that a [`proxy`] disturbs, while a [`nemesis`] kills, halts and cuts; every call is written into a
//! [`history`]. Then all is healed, comes to rest, the [`evidence`] is collected, and the [`judge`] says what is not as
//! promised. [`planted`] proves that the judge can see: it plants bugs in a copy of the tree, each of which must be
//! caught.

pub mod cluster;
pub mod drill;
pub mod evidence;
pub mod harm;
pub mod history;
pub mod judge;
pub mod nemesis;
pub mod plan;
pub mod planted;
pub mod progress;
pub mod proxy;
pub mod report;
pub mod run;
pub mod weather;
pub mod wire;
pub mod workload;
