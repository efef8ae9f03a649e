//! The server: what listens, and how it ends.

use crate::{
    config::Serve,
    http::{Application, Routes, Wire, document::Document, edge, fallback, metrics::Metrics},
    web,
};
use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    middleware::from_fn,
    rt,
    web::{self as actix, Data},
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use utoipa_actix_web::AppExt;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection without a request stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long requests that were accepted may go on when the service is asked to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long answers may take to leave after the last handler is done.
const FLUSH: Duration = Duration::from_millis(100);

/// A service that listens.
pub struct Running {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    wire: Data<Wire>,
    servers: Vec<(ServerHandle, rt::task::JoinHandle<io::Result<()>>)>,
}

/// Binds the addresses and begins to answer.
///
/// # Errors
/// An address cannot be listened on, or the API description cannot be built.
pub async fn start<A: Application>(
    settings: &Serve,
    listener: TcpListener,
    application: Arc<A>,
    routes: Routes,
) -> io::Result<Running> {
    let document = Document::of(routes).await?;
    let wire = Data::new(Wire::new(settings, application.clone(), document).map_err(io::Error::other)?);
    let address = listener.local_addr()?;

    let shared = wire.clone();
    let handlers = Data::from(application);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(handlers.clone())
            .into_utoipa_app()
            .configure(|config| routes.mount(config))
            .into_app()
            .configure(web::pages)
            .default_service(actix::to(fallback::unmatched))
            .wrap(from_fn(edge::pass))
    })
    .workers(settings.workers.into())
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .disable_signals()
    .listen(listener)?
    .run();
    let mut servers = vec![run(server)];

    let mut metrics = None;
    if let Some(listener) = metrics_listener(settings)? {
        metrics = Some(listener.local_addr()?);
        servers.push(run(metrics_server(wire.metrics().clone(), listener)?));
    }
    let limits = wire.clone();
    rt::spawn(async move {
        while !limits.is_draining() {
            rt::time::sleep(Duration::from_secs(60)).await;
            limits.limits().forget_the_quiet();
        }
    });
    Ok(Running { address, metrics, wire, servers })
}

impl Running {
    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its figures are, when they are served.
    pub fn metrics_url(&self) -> Option<String> {
        self.metrics.map(|address| format!("http://{address}/metrics"))
    }

    /// Waits until the process is asked to end (SIGTERM or SIGINT) or `over` comes, then ends in good order.
    ///
    /// # Errors
    /// The signals cannot be listened for.
    pub async fn until_asked_to_end(self, over: impl Future<Output = ()>) -> io::Result<()> {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = term.recv() => {}
            () = over => {}
            outcome = tokio::signal::ctrl_c() => outcome?,
        }
        self.stop().await;
        Ok(())
    }

    /// Takes no more connections, finishes what was accepted, then closes the application.
    pub async fn stop(self) {
        tracing::info!("ending: finishing what was accepted");
        self.wire.drain();
        for (server, _) in &self.servers {
            server.pause().await;
        }
        let start = std::time::Instant::now();
        while self.wire.metrics().in_flight.get() > 0 && start.elapsed() < DRAIN {
            rt::time::sleep(Duration::from_millis(10)).await;
        }
        rt::time::sleep(FLUSH).await;
        for (server, task) in self.servers {
            // Not the framework's graceful stop: it would wait for idle connections too.
            server.stop(false).await;
            if let Ok(Err(error)) = task.await {
                tracing::warn!(%error, "a server did not end well");
            }
        }
        self.wire.application().close().await;
        tracing::info!("ended");
    }
}

fn run(server: Server) -> (ServerHandle, rt::task::JoinHandle<io::Result<()>>) {
    (server.handle(), rt::spawn(server))
}

/// Takes an address to listen on. Until the server starts, who connects waits.
///
/// # Errors
/// The address is taken or not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(explain)?;
    listener.set_nonblocking(true).map_err(explain)?;
    Ok(listener)
}

/// Nobody who starts a second service should have to know about the figures: only an address that was
/// asked for must be free.
fn metrics_listener(settings: &Serve) -> io::Result<Option<TcpListener>> {
    match settings.metrics_address() {
        None => Ok(None),
        Some((address, true)) => listen(address).map(Some),
        Some((address, false)) => Ok(listen(address)
            .inspect_err(|error| tracing::warn!(%error, "no /metrics; say where with --metrics-listen"))
            .ok()),
    }
}

fn metrics_server(metrics: Metrics, listener: TcpListener) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new().app_data(Data::new(metrics.clone())).route("/metrics", actix::get().to(figures))
    });
    Ok(server.workers(1).client_request_timeout(HEAD_TIMEOUT).disable_signals().listen(listener)?.run())
}

async fn figures(metrics: Data<Metrics>) -> HttpResponse {
    match metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}
