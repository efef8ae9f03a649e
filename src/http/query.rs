//! Parameters in the query.

use crate::http::{
    body::quoted,
    document::Probe,
    error::{Problem, Reply},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};
use utoipa::{IntoParams, openapi::path::ParameterIn};

/// The parameters of the query. `T` refuses unknown ones (`#[serde(deny_unknown_fields)]`); a list
/// has a `limit: Limit` and a `cursor: Option<Cursor>` among them (see [`crate::http::page`]).
///
/// # Errors
/// A validation error that names the parameter and says what is allowed.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + IntoParams> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Probe::is_asked(request, |findings| {
            findings.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
        });
        ready(parse(request.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Reply<T> {
    let pairs = || form_urlencoded::parse(query.as_bytes());
    if pairs().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(Problem::invalid("the query holds the character U+0000; every other character is allowed"));
    }
    let deserializer = serde_urlencoded::Deserializer::new(pairs());
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let sentence = error.inner().to_string();
        match (quoted(&sentence), path.as_str()) {
            (Some(field), _) => {
                let field = field.to_owned();
                Problem::invalid(format!("query: {sentence}")).at(field)
            }
            (None, ".") => Problem::invalid(format!("query: {sentence}")),
            (None, _) => Problem::invalid(format!("{path}: {sentence}")).at(path),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::page::{Cursor, Limit};
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        #[serde(default)]
        limit: Limit,
        cursor: Option<Cursor>,
        year: Option<u16>,
    }

    #[test]
    fn a_list_has_its_defaults() {
        let list: List = parse("").unwrap();
        assert_eq!(list.limit.get(), 50);
        assert!(list.cursor.is_none() && list.year.is_none());
        assert_eq!(parse::<List>("limit=200&year=2026").unwrap().limit.get(), 200);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=-1", "limit"),
            ("limit=many", "limit"),
            ("limit=1&limit=2", "limit"),
            ("year=soon", "year"),
            ("page=2", "page"),
        ] {
            let problem = parse::<List>(query).unwrap_err();
            assert_eq!(problem.field(), Some(field), "{query}: {problem}");
        }
        assert!(parse::<List>("limit=201").unwrap_err().to_string().contains("1 to 200"));
        assert!(parse::<List>("cursor=%00").is_err());
    }
}
