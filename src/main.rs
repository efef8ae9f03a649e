//! Defendable: the service and its command line in one binary.

fn main() -> std::process::ExitCode {
    defendable::cli::run()
}
