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
use parvis_outbound::{OutboundStatus, PushStatus, PusherCounts, QueueStatus};
use parvis_search::SearchStatus;
use parvis_wire::Route;

const REQUESTS: &str = "parvis_http_requests_total";
const DURATIONS: &str = "parvis_http_request_duration_seconds";

/// What other servers have not been told, all homeservers of the process together: name, and what it counts.
const OUTBOUND: [(&str, &str); 6] = [
    ("parvis_federation_servers_waiting", "Servers that are to be told something."),
    ("parvis_federation_servers_failing", "Those of them that did not answer at the last attempt."),
    ("parvis_federation_servers_lagging", "Those of them that missed so much that it is looked up."),
    ("parvis_federation_servers_sending", "Those of them to which something is on its way."),
    ("parvis_federation_events_waiting", "Events in the queues to other servers."),
    ("parvis_federation_changes_unread", "Changes of which it is not known yet whom they concern."),
];
/// What phones have not been told, likewise.
const PUSH: [(&str, &str); 4] = [
    ("parvis_push_pushers", "Pushers that are told news."),
    ("parvis_push_pushers_waiting", "Those of them that are to be told something."),
    ("parvis_push_pushers_failing", "Those of them whose gateways did not take the last notification."),
    ("parvis_push_changes_unread", "Changes of which it is not known yet whom they concern."),
];
const PUSHED: &str = "parvis_push_notifications_total";
const PUSH_FAILURES: &str = "parvis_push_failed_attempts_total";
const TRANSACTIONS: &str = "parvis_federation_transactions_total";
const FAILURES: &str = "parvis_federation_failed_attempts_total";

/// How the indexes of the search stand, all homeservers of the process together.
const SEARCH: [(&str, &str); 3] = [
    ("parvis_search_changes_unread", "Changes that the search has not looked at."),
    (
        "parvis_search_filled",
        "How much of what was there before is in the index, of the least filled one: 0 to 1.",
    ),
    ("parvis_search_failing", "Indexes that could not be brought up to date at the last attempt."),
];
const SEARCH_DOCUMENTS: &str = "parvis_search_documents_total";

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
        for (name, text) in OUTBOUND.into_iter().chain(SEARCH).chain(PUSH) {
            recorder.describe_gauge(KeyName::from(name), None, text.into());
        }
        let text = "Transactions made for other servers.";
        recorder.describe_counter(KeyName::from(TRANSACTIONS), None, text.into());
        let text = "Attempts to tell other servers that failed.";
        recorder.describe_counter(KeyName::from(FAILURES), None, text.into());
        let text = "Texts put into indexes of the search.";
        recorder.describe_counter(KeyName::from(SEARCH_DOCUMENTS), None, text.into());
        let text = "Notifications that push gateways have taken.";
        recorder.describe_counter(KeyName::from(PUSHED), None, text.into());
        let text = "Notifications that push gateways did not take.";
        recorder.describe_counter(KeyName::from(PUSH_FAILURES), None, text.into());
        Ok(Self { handle: recorder.handle(), recorder: Arc::new(recorder) })
    }

    /// The metrics in Prometheus' text form.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Notes what other servers have not been told.
    pub(crate) fn note_outbound(&self, statuses: impl Iterator<Item = OutboundStatus>) {
        let (mut gauges, mut transactions, mut failures) = ([0; OUTBOUND.len()], 0, 0);
        for OutboundStatus { queues, transactions: made, failures: failed, unread_changes } in statuses {
            let QueueStatus { servers, failing, lagging, sending, waiting_events } = queues;
            let unread = usize::try_from(unread_changes).unwrap_or(usize::MAX);
            let values = [servers, failing, lagging, sending, waiting_events, unread];
            gauges.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            transactions += made;
            failures += failed;
        }
        self.set_gauges(OUTBOUND.into_iter().zip(gauges));
        self.set_counters([(TRANSACTIONS, transactions), (FAILURES, failures)]);
    }

    /// Notes what phones have not been told.
    pub(crate) fn note_push(&self, statuses: impl Iterator<Item = PushStatus>) {
        let (mut gauges, mut told, mut failures) = ([0; PUSH.len()], 0, 0);
        for PushStatus { pushers: counts, told: taken, failures: failed, unread_changes } in statuses {
            let PusherCounts { pushers, waiting, failing } = counts;
            let unread = usize::try_from(unread_changes).unwrap_or(usize::MAX);
            gauges.iter_mut().zip([pushers, waiting, failing, unread]).for_each(|(sum, value)| *sum += value);
            told += taken;
            failures += failed;
        }
        self.set_gauges(PUSH.into_iter().zip(gauges));
        self.set_counters([(PUSHED, told), (PUSH_FAILURES, failures)]);
    }

    fn set_gauges(&self, gauges: impl Iterator<Item = ((&'static str, &'static str), usize)>) {
        for ((name, _), value) in gauges {
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            self.recorder.register_gauge(&Key::from_static_name(name), &METADATA).set(f64::from(value));
        }
    }

    fn set_counters(&self, counters: [(&'static str, u64); 2]) {
        for (name, value) in counters {
            self.recorder.register_counter(&Key::from_static_name(name), &METADATA).absolute(value);
        }
    }

    /// Notes how the search stands.
    pub(crate) fn note_search(&self, statuses: impl Iterator<Item = SearchStatus>) {
        let (mut unread, mut filled, mut failing, mut documents) = (0, 1.0_f64, 0_u32, 0);
        for status in statuses {
            unread += status.unread_changes;
            filled = filled.min(status.filled);
            failing += u32::from(status.is_failing);
            documents += status.documents;
        }
        let unread = f64::from(u32::try_from(unread).unwrap_or(u32::MAX));
        for ((name, _), value) in SEARCH.into_iter().zip([unread, filled, f64::from(failing)]) {
            self.recorder.register_gauge(&Key::from_static_name(name), &METADATA).set(value);
        }
        let documents_key = Key::from_static_name(SEARCH_DOCUMENTS);
        self.recorder.register_counter(&documents_key, &METADATA).absolute(documents);
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
