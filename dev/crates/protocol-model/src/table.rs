//! A row of things that are counted by small numbers: what the model's states are made of.

use std::ops::{Index, IndexMut, Range};

/// Indexed from 0 by `u8`; an index that is not there is a flaw of the model, and panics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table<T>(Vec<T>);

const THERE: &str = "the model asks only for what is there";

impl<T> Table<T> {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn len(&self) -> u8 {
        u8::try_from(self.0.len()).expect("a model is small")
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn numbers(&self) -> Range<u8> {
        0..self.len()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    pub fn push(&mut self, value: T) {
        self.0.push(value);
    }

    pub fn remove(&mut self, number: u8) -> T {
        self.0.remove(number.into())
    }

    pub fn truncate(&mut self, length: u8) {
        self.0.truncate(length.into());
    }

    pub fn last(&self) -> Option<&T> {
        self.0.last()
    }

    /// The first `length` of them, or all where there are fewer.
    pub fn first(&self, length: u8) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.0.iter().take(length.into())
    }

    pub fn sort(&mut self)
    where
        T: Ord,
    {
        self.0.sort();
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<T> for Table<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T> Index<u8> for Table<T> {
    type Output = T;

    fn index(&self, number: u8) -> &T {
        self.0.get(usize::from(number)).expect(THERE)
    }
}

impl<T> IndexMut<u8> for Table<T> {
    fn index_mut(&mut self, number: u8) -> &mut T {
        self.0.get_mut(usize::from(number)).expect(THERE)
    }
}
