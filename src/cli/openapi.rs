//! `defendable openapi`

use crate::{
    cli::{Failure, say},
    http,
};

/// Prints the document that the service serves.
pub(super) async fn run() -> Result<(), Failure> {
    let document = http::document::describe(http::ROUTES).await?;
    say(serde_json::to_string_pretty(&document)?);
    Ok(())
}
