//! Pages of lists: keyset cursors, so that page 1,000 costs what page 1 does.

use crate::http::error::{Problem, Reply};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error},
};
use std::borrow::Cow;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type, schema::SchemaType},
};

/// How many records a page holds: 1 to 200, 50 unless said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The most that may be asked for.
    pub const MAX: u16 = 200;
    /// What is given unless asked otherwise.
    pub const DEFAULT: u16 = 50;

    /// The number.
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// How many rows to query: one more than the page holds, which shows whether another page follows.
    pub const fn to_fetch(self) -> i64 {
        self.0 as i64 + 1
    }

    /// Cuts the rows queried ([`Limit::to_fetch`]) to the page, with the cursor of the next one.
    /// `key` gives what the list is sorted by: all that the query needs to go on after a row.
    pub fn cut<T, K: Serialize>(self, mut rows: Vec<T>, key: impl FnOnce(&T) -> K) -> (Vec<T>, Option<Cursor>) {
        let more = rows.len() > self.get();
        rows.truncate(self.get());
        let next = if more { rows.last().and_then(|last| Cursor::after(&key(last))) } else { None };
        (rows, next)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let limit = text.parse().ok().filter(|limit| (1..=Self::MAX).contains(limit));
        limit.map(Self).ok_or_else(|| D::Error::custom(format!("`{text}` is not a whole number of 1 to {}", Self::MAX)))
    }
}

impl PartialSchema for Limit {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(Self::MAX))
            .default(Some(Self::DEFAULT.into()))
            .description(Some("How many records a page holds"))
            .into()
    }
}

impl ToSchema for Limit {}

/// Where a page begins: opaque to clients, made by the page before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// The cursor after the row with this key; nothing where the key cannot be written.
    pub fn after<K: Serialize>(key: &K) -> Option<Self> {
        serde_json::to_vec(key).ok().map(|json| Self(hex::encode(json)))
    }

    /// The key of the row after which the page begins.
    ///
    /// # Errors
    /// A validation error at `cursor` for a text that this list did not give.
    pub fn key<K: DeserializeOwned>(&self) -> Reply<K> {
        let json = hex::decode(&self.0).ok();
        let key = json.and_then(|json| proof::canonical::from_slice_strict(&json).ok());
        key.ok_or_else(|| {
            Problem::invalid("cursor: not one that this list gave; use `next_cursor` of its last page").at("cursor")
        })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl PartialSchema for Cursor {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Where the page begins: the `next_cursor` of the page before it"))
            .into()
    }
}

impl ToSchema for Cursor {}

/// Which page of a list without filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageOf {
    /// How many.
    #[serde(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// Where the page begins.
    #[param(inline, required = false)]
    pub cursor: Option<Cursor>,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    /// The records.
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// The page of the rows queried, as [`Limit::cut`] cuts it.
    pub fn of<K: Serialize>(rows: Vec<T>, limit: Limit, key: impl FnOnce(&T) -> K) -> Self {
        let (items, next_cursor) = limit.cut(rows, key);
        Self { items, next_cursor }
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let next = SchemaType::from_iter([Type::String, Type::Null]);
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .required("items")
            .property("next_cursor", ObjectBuilder::new().schema_type(next))
            .required("next_cursor")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(found: &mut Vec<(String, RefOr<Schema>)>) {
        found.push((T::name().into_owned(), T::schema()));
        T::schemas(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let page = Page::of((1..=4).collect(), Limit(3), |row: &i64| (*row, "id"));
        assert_eq!(page.items, [1, 2, 3]);
        assert_eq!(page.next_cursor.unwrap().key::<(i64, String)>().unwrap(), (3, "id".to_owned()));
        assert!(Page::of((1..=3).collect(), Limit(3), |row: &i64| *row).next_cursor.is_none());
    }

    proptest! {
        #[test]
        fn no_text_as_a_cursor_is_more_than_a_refusal(text in ".*") {
            let _ = Cursor(text).key::<(i64, String)>();
        }

        #[test]
        fn a_cursor_gives_back_its_key(at: i64, id: String) {
            let cursor = Cursor::after(&(at, &id)).unwrap();
            prop_assert_eq!(cursor.key::<(i64, String)>().unwrap(), (at, id));
        }
    }
}
