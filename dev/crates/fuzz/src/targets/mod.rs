//! The targets, one file each.

pub(crate) mod callback_body;
pub(crate) mod callback_url;
pub(crate) mod cursor;
pub(crate) mod money;
pub(crate) mod signature;
pub(crate) mod timestamp;
