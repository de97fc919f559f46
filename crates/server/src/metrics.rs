//! Counts and durations of requests, for Prometheus. Labels never name a person or a room.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use parvis_wire::Route;

const REQUESTS: &str = "parvis_http_requests_total";
const DURATIONS: &str = "parvis_http_request_duration_seconds";

/// From half a millisecond to the longest wait of a sync.
const BUCKETS_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The process's metrics: a value like everything else, not the global recorder.
#[derive(Clone)]
pub(crate) struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, BuildError> {
        let durations = Matcher::Full(DURATIONS.to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, &BUCKETS_SECONDS)?;
        let recorder = builder.build_recorder();
        let requests = KeyName::from(REQUESTS);
        recorder.describe_counter(requests, None, "Requests answered, by method, route and status.".into());
        let durations = KeyName::from(DURATIONS);
        let text = "How long requests took until the answer began, by method and route.";
        recorder.describe_histogram(durations, Some(Unit::Seconds), text.into());
        Ok(Self { handle: recorder.handle(), recorder: Arc::new(recorder) })
    }

    /// The metrics in Prometheus' text form.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what was recorded. To be called now and then, or memory grows while nobody asks.
    pub(crate) fn fold(&self) {
        self.handle.run_upkeep();
    }

    fn record(&self, method: &'static str, route: String, status: u16, seconds: f64) {
        let mut labels = vec![Label::from_static_parts("method", method), Label::new("route", route)];
        let durations = Key::from_parts(DURATIONS, labels.clone());
        self.recorder.register_histogram(&durations, &METADATA).record(seconds);
        labels.push(Label::new("status", status.to_string()));
        let requests = Key::from_parts(REQUESTS, labels);
        self.recorder.register_counter(&requests, &METADATA).increment(1);
    }
}

/// Records each request.
#[expect(clippy::disallowed_methods, reason = "durations for metrics, on which nothing depends")]
pub(crate) async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let start = Instant::now();
    let response = next.run(request).await;
    let route = response.extensions().get::<Route>().map_or("unmatched", |route| &*route.0).to_owned();
    metrics.record(method, route, response.status().as_u16(), start.elapsed().as_secs_f64());
    response
}

/// Anyone can invent methods; labels must stay few.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
