//! Parameters in the path.

use crate::http::{
    document::{Findings, Probe},
    error::{Problem, Reply},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};
use utoipa::ToSchema;

/// The parameters of the path, in order; a single one is a tuple of one.
///
/// # Errors
/// 404 for a text that is no such parameter: there is nothing of that name.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Parameters> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Probe::is_asked(request, T::note);
        let path = web::Path::<T>::from_request(request, payload).into_inner().ok();
        // No name holds U+0000, and not every database could look for one that does.
        let path = path.filter(|_| !request.path().contains("%00"));
        let path = path.map(|path| Self(path.into_inner()));
        ready(path.ok_or_else(|| Problem::not_found("record: the path holds no valid id")))
    }
}

/// The parameters of a path: a tuple of up to four.
pub trait Parameters {
    #[doc(hidden)]
    fn note(findings: &mut Findings);
}

macro_rules! parameters {
    ($($name:ident)+) => {
        impl<$($name: ToSchema),+> Parameters for ($($name,)+) {
            fn note(findings: &mut Findings) {
                $(findings.schemas.push(($name::name().into_owned(), $name::schema()));)+
            }
        }
    };
}

parameters!(A);
parameters!(A B);
parameters!(A B C);
parameters!(A B C D);
