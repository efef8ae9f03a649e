//! Defendable: the service and its command line in one binary.

#[actix_web::main]
async fn main() -> std::process::ExitCode {
    defendable::cli::run().await
}
