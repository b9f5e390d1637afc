//! What strangers can send, read by functions that take any bytes and panic where a promise about them is broken.
//!
//! Each target says more than "does not panic": it reads the input a second time by code of its own or of somebody
//! else's, and compares. `cargo test` puts the kept inputs (`corpus/`) and mutations of them through the targets;
//! `./dev/fuzz` lets libFuzzer look for new ones.

mod targets;

/// A target takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is its corpus' folder too.
pub const TARGETS: [(&str, Target); 6] = [
    ("callback-body", targets::callback_body::check),
    ("callback-url", targets::callback_url::check),
    ("cursor", targets::cursor::check),
    ("money", targets::money::check),
    ("signature", targets::signature::check),
    ("timestamp", targets::timestamp::check),
];

/// The target of that name.
pub fn find(name: &str) -> Option<Target> {
    TARGETS
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, target)| target)
}
