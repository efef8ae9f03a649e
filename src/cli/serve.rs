//! `defendable serve`

use crate::{
    app::App,
    cli::{Failure, say},
    config::{LogFormat, Serve},
    http::{self, Application},
    store::Health,
};
use std::{io, sync::Arc};
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

/// Serves until it is asked to end.
pub(super) async fn run(settings: &Serve) -> Result<(), Failure> {
    start_log(settings)?;
    let found = settings.unsafe_settings();
    if settings.production && !found.is_empty() {
        return Err(format!("--production refuses to start on unsafe settings:\n  {}", found.join("\n  ")).into());
    }
    let listener = http::server::listen(settings.listen)?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Arc::new(App::open(settings.clone(), settings.public_url(&url)).await?);
    app.react();
    let running = http::server::start(settings, listener, app.clone(), http::ROUTES).await?;
    say(format_args!("Listening on {url}"));
    if !settings.production {
        if let Some(metrics) = running.metrics_url() {
            say(format_args!("Figures at {metrics}, the API at {url}/api/v1/docs"));
        }
        if let Some(greeting) = app.greeting(&app.public_url).await {
            say(greeting);
        }
    }
    let mut health = app.store.health();
    let outdated = async move {
        // The channel closes only with the store itself.
        let _ = health.wait_for(|health| *health == Health::Outdated).await;
    };
    running.until_asked_to_end(outdated).await?;
    if *app.store.health().borrow() == Health::Outdated {
        return Err("a newer version of the service has taken over the read models; this process has stopped".into());
    }
    Ok(())
}

/// Logs go to standard error; standard output is for people.
fn start_log(settings: &Serve) -> Result<(), Failure> {
    let filter = EnvFilter::builder().parse(&settings.log).map_err(|error| {
        Failure::usage(format_args!("DEFENDABLE_LOG: {error}; such as `info` or `warn,defendable::access=info`"))
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_span_events(FmtSpan::NONE);
    let outcome = match settings.log_format {
        LogFormat::Text => log.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    outcome.map_err(Failure::from)
}
