//! A model of the pair's protocol, for a model checker that looks at every order of steps at a stated size.
//!
//! The steps are what the services do between two things that others can see: a command decided, a journal synced, a
//! page sent, a fence taken, a transaction committed. The rules (of events, news, placement, settlement) are not
//! modelled but called. See `docs/model.md` for what stands for what, and what was left out.

pub mod faults;
pub mod feed;
pub mod flaw;
pub mod history;
pub mod model;
pub mod placing;
pub mod properties;
pub mod provider;
pub mod reached;
pub mod rules;
pub mod settling;
pub mod size;
pub mod state;
pub mod table;
