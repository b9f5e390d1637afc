//! The CRC-32 that every row of the journal carries over its own columns.
//!
//! It is seeded with the table's name and the journal's instance, so that a row of another table or another
//! journal never passes; lengths go in before texts, so that columns cannot trade bytes.

use shared_types::Instance;

pub(super) struct Checksum(crc32fast::Hasher);

impl Checksum {
    pub(super) fn new(table: &str, instance: Instance) -> Self {
        Self(crc32fast::Hasher::new())
            .text(table)
            .bytes(instance.as_uuid().as_bytes())
    }

    pub(super) fn number(mut self, number: i64) -> Self {
        self.0.update(&number.to_be_bytes());
        self
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let length = i64::try_from(bytes.len()).expect("a column is far smaller than 2^63 bytes");
        let mut sum = self.number(length);
        sum.0.update(bytes);
        sum
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn optional(self, text: Option<&str>) -> Self {
        match text {
            None => self.number(-1),
            Some(text) => self.text(text),
        }
    }

    pub(super) fn finish(self) -> i64 {
        self.0.finalize().into()
    }
}
