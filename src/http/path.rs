//! Parameters in the path.

use crate::http::error::{Problem, Reply};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The parameters of the path, in order; a single one is a tuple of one.
///
/// # Errors
/// 404 for a text that is no such parameter: there is nothing of that name.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let path = web::Path::<T>::from_request(request, payload).into_inner();
        ready(
            path.map(|path| Self(path.into_inner()))
                .map_err(|_| Problem::not_found("record: the path holds no valid id")),
        )
    }
}
