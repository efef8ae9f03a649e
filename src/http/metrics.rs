//! Figures for Prometheus, on an address of their own.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder, core::Collector,
};
use std::time::Duration;

/// The figures of this process. Other parts register theirs in the registry.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    latency: HistogramVec,
    pub(crate) in_flight: IntGauge,
}

impl Metrics {
    /// Figures that start at zero.
    ///
    /// # Errors
    /// Never, as long as the names below are valid and differ.
    pub fn new() -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new("defendable_http_requests_total", "Requests answered, by route, method and status"),
            &["route", "method", "status"],
        )?;
        // From a read out of a warm cache to the slowest thing that anybody waits for.
        let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0].to_vec();
        let latency = HistogramVec::new(
            HistogramOpts::new("defendable_http_request_seconds", "Time from a request's head to its answer's head")
                .buckets(buckets),
            &["route", "method"],
        )?;
        let in_flight = IntGauge::new("defendable_http_requests_in_flight", "Requests being answered")?;
        let metrics = Self { registry: Registry::new(), requests, latency, in_flight };
        metrics.register(metrics.requests.clone())?;
        metrics.register(metrics.latency.clone())?;
        metrics.register(metrics.in_flight.clone())?;
        Ok(metrics)
    }

    /// Adds a figure of another part.
    ///
    /// # Errors
    /// The name is taken or not valid.
    pub fn register(&self, figure: impl Collector + 'static) -> prometheus::Result<()> {
        self.registry.register(Box::new(figure))
    }

    /// Notes an answer. `route` is the pattern, never the path: the number of series stays bounded.
    pub(crate) fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.latency.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }

    /// The figures in Prometheus's text format.
    ///
    /// # Errors
    /// A figure cannot be written as text.
    pub fn text(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
