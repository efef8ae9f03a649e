//! A file on its way in: streamed to the object store and hashed as it comes, never held whole.

use crate::{
    app::{
        App, Caller,
        runs::{NewFile, UPLOAD_LIMIT},
    },
    http::error::{Problem, Reply},
};
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{HttpRequest, web::Payload};
use aggregates::ids::{EvidenceId, RunId};
use futures::{StreamExt, TryStreamExt};
use utoipa::ToSchema;

/// The longest text of a form's field, in bytes.
const FIELD_LIMIT: usize = 2_048;
/// How much the form may hold around the file, in bytes.
const FRAME_LIMIT: u64 = 64 * 1024;

/// A file with its label.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it describes the form; `receive` reads it as a stream")]
pub struct UploadForm {
    /// The file, at most 25 MiB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// What it is called, 1 to 300 characters; the file's name unless said.
    #[schema(nullable = false)]
    label: Option<String>,
    /// Whether it is a customer's data, never to be trained on; true unless said.
    #[schema(nullable = false, default = true)]
    customer_provided: Option<bool>,
}

/// Receives a form with one file. Whatever breaks leaves no file behind.
pub async fn receive(
    app: &App,
    caller: &Caller,
    run: RunId,
    id: EvidenceId,
    request: &HttpRequest,
    payload: Payload,
) -> Reply<NewFile> {
    let declared = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > UPLOAD_LIMIT + FRAME_LIMIT) {
        return Err(Problem::too_large(UPLOAD_LIMIT as usize));
    }
    let media_type = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !media_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(Problem::unsupported_media_type("multipart/form-data"));
    }
    let received = read(app, caller, run, id, Multipart::new(request.headers(), payload)).await;
    if received.is_err() {
        app.discard_file(caller, run, id).await;
    }
    received
}

async fn read(app: &App, caller: &Caller, run: RunId, id: EvidenceId, mut form: Multipart) -> Reply<NewFile> {
    let (mut label, mut customer_provided, mut stored) = (None, true, None);
    while let Some(mut field) = form.try_next().await.map_err(broken)? {
        match field.name().unwrap_or_default() {
            "file" if stored.is_some() => return Err(Problem::invalid("file: one file is allowed").at("file")),
            "file" => {
                let name = field.content_disposition().and_then(|disposition| disposition.get_filename());
                let name = name.map(file_name).filter(|name| !name.trim().is_empty());
                let content_type = field
                    .content_type()
                    .map_or("application/octet-stream".to_owned(), |kind| kind.essence_str().to_owned());
                let bytes = field.by_ref().map_err(|error| error.to_string());
                stored = Some((app.store_file(caller, run, id, content_type, bytes).await?, name));
            }
            "label" => label = Some(text(&mut field, "label").await?),
            "customer_provided" => {
                customer_provided = match text(&mut field, "customer_provided").await?.as_str() {
                    "true" => true,
                    "false" => false,
                    _ => {
                        let allowed = "customer_provided: true and false are allowed";
                        return Err(Problem::invalid(allowed).at("customer_provided"));
                    }
                };
            }
            other => {
                let allowed = format!("`{other}` is no field of this form; file, label and customer_provided are");
                return Err(Problem::invalid(allowed).at(other.to_owned()));
            }
        }
    }
    let (file, name) = stored.ok_or_else(|| Problem::invalid("file: a file is required").at("file"))?;
    let label = label.filter(|label| !label.trim().is_empty()).or(name).unwrap_or_else(|| "file".to_owned());
    Ok(NewFile { label, file, customer_provided })
}

/// The last part of whatever path the client calls the file by: it labels the file and names nothing on disk.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    last.chars().filter(|character| !character.is_control()).take(300).collect()
}

async fn text(field: &mut Field, name: &'static str) -> Reply<String> {
    let mut bytes = Vec::new();
    while let Some(part) = field.try_next().await.map_err(broken)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > FIELD_LIMIT {
            return Err(Problem::invalid(format!("{name}: at most {FIELD_LIMIT} bytes are allowed")).at(name));
        }
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.ok_or_else(|| Problem::invalid(format!("{name}: UTF-8 without U+0000 is allowed")).at(name))
}

fn broken(error: MultipartError) -> Problem {
    Problem::bad_request(format!("the form cannot be read: {error}"))
}
