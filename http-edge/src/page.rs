//! Lists: `?limit=` and `?cursor=` in, `{"items", "next_cursor"}` out.
//!
//! A cursor is the sort key of the last row shown, as base64url of JSON: opaque to clients, and stable while rows
//! are added, because the next page starts after a key and not after a count.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use paperclip::{
    actix::OperationModifier,
    v2::{
        models::{DataType, DefaultSchemaRaw},
        schema::Apiv2Schema,
    },
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use crate::{codes::Refusal, problem::Problem};

/// Rows per page: 1 to 500, 100 where it is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u16);

impl PageLimit {
    pub const MAX: u16 = 500;

    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> Deserialize<'de> for PageLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer)
            .ok()
            .filter(|limit| (1..=Self::MAX).contains(limit))
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("must be 1 to 500"))
    }
}

impl Apiv2Schema for PageLimit {
    fn raw_schema() -> DefaultSchemaRaw {
        DefaultSchemaRaw {
            title: Some("PageLimit".to_owned()),
            data_type: Some(DataType::Integer),
            description: Some("Rows per page, 100 where it is not given.".to_owned()),
            minimum: Some(1.0),
            maximum: Some(f32::from(Self::MAX)),
            ..DefaultSchemaRaw::default()
        }
    }
}

impl OperationModifier for PageLimit {}

/// Where the next page starts, as this server wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(String);

impl Cursor {
    pub fn encode(key: &impl Serialize) -> Self {
        let json = serde_json::to_vec(key).expect("a sort key is plain values");
        Self(URL_SAFE_NO_PAD.encode(json))
    }

    /// # Errors
    /// 400 `invalid_cursor` for what this route did not write.
    pub fn decode<K: DeserializeOwned>(&self) -> Result<K, Problem> {
        URL_SAFE_NO_PAD
            .decode(&self.0)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| Refusal::InvalidCursor.into())
    }
}

impl Apiv2Schema for Cursor {
    fn raw_schema() -> DefaultSchemaRaw {
        DefaultSchemaRaw {
            data_type: Some(DataType::String),
            description: Some("The next_cursor of the page before.".to_owned()),
            ..DefaultSchemaRaw::default()
        }
    }
}

impl OperationModifier for Cursor {}

/// One page of a list; `next_cursor` is null on the last.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` rows in order: the row beyond the limit only says that there are more.
    pub fn cut<K: Serialize>(mut rows: Vec<T>, limit: PageLimit, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::from(limit.get());
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|last| Cursor::encode(&key(last)));
        Self {
            items: rows,
            next_cursor,
        }
    }
}

impl<T: Apiv2Schema> Apiv2Schema for Page<T> {
    /// `EventPage` and not `Page<Event>`, which would be no legal name of a component.
    fn name() -> Option<String> {
        T::name().map(|item| format!("{item}Page"))
    }

    fn raw_schema() -> DefaultSchemaRaw {
        let mut next_cursor = Cursor::raw_schema();
        next_cursor.description = Some("Give it as cursor to read on; null on the last page.".to_owned());
        DefaultSchemaRaw {
            name: Self::name(),
            data_type: Some(DataType::Object),
            properties: [
                ("items".to_owned(), Box::new(Vec::<T>::raw_schema())),
                ("next_cursor".to_owned(), Box::new(next_cursor)),
            ]
            .into(),
            required: ["items".to_owned()].into(),
            ..DefaultSchemaRaw::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_its_key() {
        let key = ("2026-03-01T18:00:00Z".to_owned(), "final".to_owned());
        assert_eq!(Cursor::encode(&key).decode::<(String, String)>().unwrap(), key);
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for text in ["", "!", "bm90IGpzb24", "e30="] {
            assert!(Cursor(text.to_owned()).decode::<(u64,)>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_row_beyond_the_limit_makes_a_cursor_and_is_not_shown() {
        let full = Page::cut(vec![1, 2, 3], PageLimit(2), |row| *row);
        assert_eq!(
            (full.items, full.next_cursor),
            (vec![1, 2], Some(Cursor::encode(&2)))
        );
        let last = Page::cut(vec![1, 2], PageLimit(2), |row| *row);
        assert_eq!((last.items, last.next_cursor), (vec![1, 2], None));
    }
}
