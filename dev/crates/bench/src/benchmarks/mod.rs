//! The benchmarks, one file each: what is compared with what, in which order, and what must hold at the end.

pub mod delivering;
pub mod latency;
pub mod placing;
pub mod reading;
pub mod settling;
pub mod starting;
