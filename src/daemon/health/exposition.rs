//! `/metrics`: what each room has counted, and how things stand, in one text. docs/monitoring.md explains each metric.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

use super::{Health, ServiceState, is_subscribed};
use crate::worker;
use net::metrics::{Exposition, Kind};

impl Health {
    /// The text. Who reads it is told as well whether it is ready, so that has to be found out.
    pub(super) async fn exposition(&self) -> String {
        let ready = self.ready().await.is_ok();
        let mut text = Exposition::default();
        text.family(Kind::Gauge, "build_info", "Which version this is; always 1.")
            .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        let started = since_epoch(self.started);
        text.single(Kind::Gauge, "start_time_seconds", "When the daemon started (Unix time).", started);
        let help = "Whether it takes calls: 1 while /readyz says so.";
        text.single(Kind::Gauge, "ready", help, u8::from(ready));
        calls(&mut text, self.worker.meters());
        let services = self.worker.services();
        text.single(
            Kind::Gauge,
            "workers",
            "Calls that are worked on at once at most (num_workers).",
            services.settings.num_workers,
        );
        let help = "Acts on record: lines of the audit trail.";
        text.single(Kind::Counter, "audited_acts_total", help, self.acts.get());
        let help =
            "Whether the audit trail could be written when it was last tried; nothing is changed while not.";
        text.single(Kind::Gauge, "audit_trail_writable", help, u8::from(!services.trail.is_failing()));
        let help = "Lines that could not be written to the audit trail yet.";
        text.single(Kind::Gauge, "audit_trail_lines_waiting", help, services.trail.waiting());
        broker(&mut text, &self.broker, &self.state());
        requests(&mut text, services.graph.metrics());
        batches(&mut text, *services.graph.batches().borrow());
        tokens(&mut text, &services.graph, services.graph.certificate_end().await);
        self.reloads(&mut text);
        text.into_text()
    }

    fn reloads(&self, text: &mut Exposition) {
        let mut family = text.family(
            Kind::Counter,
            "config_reloads_total",
            "Configurations that were read again, by whether they could be used.",
        );
        family.sample(&[("outcome", "taken_up")], self.reloads.applied.get());
        family.sample(&[("outcome", "refused")], self.reloads.refused.get());
    }
}

fn calls(text: &mut Exposition, meters: &worker::Meters) {
    let help = "Messages the broker handed out, by what was to be done with them.";
    text.by("deliveries_total", help, "action", &meters.deliveries);
    text.single(
        Kind::Counter,
        "redeliveries_total",
        "Messages that the broker marked as handed out before, to us or another worker.",
        meters.redelivered.get(),
    );
    let help = "Calls that ended, by function and how; of messages that are no call of ours, the function is unknown.";
    let mut family = text.family(Kind::Counter, "calls_total", help);
    for (function, by_end) in meters.calls.iter() {
        for (outcome, calls) in by_end.iter() {
            family.sample(&[("function", function), ("outcome", outcome)], calls.get());
        }
    }
    let help = "How long calls took, from their beginning to their result.";
    let mut family = text.family(Kind::Histogram, "call_duration_seconds", help);
    for (function, durations) in meters.durations.iter().filter(|(function, _)| *function != "unknown") {
        family.histogram(&[("function", function)], durations);
    }
    let help = "Calls that are worked on.";
    text.single(Kind::Gauge, "calls_in_flight", help, meters.in_flight.get());
    let help = "Final replies that were sent, every try, by what became of it.";
    text.by("replies_total", help, "outcome", &meters.replies);
}

fn broker(text: &mut Exposition, meters: &stomp::Meters, view: &ServiceState) {
    let subscribed = matches!(view, ServiceState::Serving(session, _) if is_subscribed(session));
    let help = "Whether calls can arrive: 1 while the broker has confirmed every subscription.";
    text.single(Kind::Gauge, "broker_subscribed", help, u8::from(subscribed));
    let help = "Connections to the broker that were subscribed; all after the first are reconnects.";
    text.single(Kind::Counter, "broker_connections_total", help, meters.subscribed.get());
    let help = "Connections to the broker that were not made, or that broke.";
    text.single(Kind::Counter, "broker_failures_total", help, meters.failures.get());
}

fn requests(text: &mut Exposition, meters: &graph::Metrics) {
    let help = "Requests to Graph, every try, by how they were sent and the HTTP status of the answer.";
    let mut family = text.family(Kind::Counter, "graph_requests_total", help);
    for (sent, by_status) in meters.requests.iter() {
        for (status, requests) in by_status.iter() {
            family.sample(&[("sent", sent), ("status", status)], requests.get());
        }
    }
    text.family(
        Kind::Histogram,
        "graph_request_duration_seconds",
        "How long HTTP requests to Graph took until their answer began.",
    )
    .histogram(&[], &meters.durations);
    let help = "Answers of Graph that ask for less or later, by how the request was sent.";
    text.by("graph_throttled_total", help, "sent", &meters.throttled);
    let help = "Requests to Graph and for tokens that were repeated, by why.";
    text.by("graph_retries_total", help, "reason", &meters.retries);
    let help = "How long they waited before that, all together, by why.";
    let mut family = text.family(Kind::Counter, "graph_retry_wait_seconds_total", help);
    for (reason, wait) in meters.retry_wait.iter() {
        family.sample(&[("reason", reason)], wait.get().as_secs_f64());
    }
}

fn batches(text: &mut Exposition, state: graph::BatchState) {
    let graph::BatchState { window, under_way, waiting, paused_until } = state;
    let help =
        "Batches that may be under way at once at present; less than max_concurrent_batches while throttled.";
    text.single(Kind::Gauge, "graph_batch_window", help, window);
    text.single(Kind::Gauge, "graph_batches_in_flight", "Batches that are under way.", under_way);
    let help = "Requests that wait for a place in a batch.";
    text.single(Kind::Gauge, "graph_batch_queue_length", help, waiting);
    let pause =
        paused_until.map_or(Duration::ZERO, |until| until.duration_since(tokio::time::Instant::now()));
    let help = "For how long no batch is sent from now on, by Graph's word.";
    text.single(Kind::Gauge, "graph_batch_pause_seconds", help, pause.as_secs_f64());
}

fn tokens(text: &mut Exposition, graph: &graph::Client, certificate_end: Option<DateTime<Utc>>) {
    let help = "Requests for an access token, every try, by what came of it.";
    text.by("token_requests_total", help, "outcome", &graph.metrics().token_requests);
    let life = graph.token_life();
    let help = "Whether there is an access token that is good.";
    text.single(Kind::Gauge, "token_valid", help, u8::from(life.is_some()));
    // Without a token they have no sample, which is how Prometheus says that there is nothing.
    let mut fetched =
        text.family(Kind::Gauge, "token_fetched_timestamp_seconds", "When it was fetched (Unix time).");
    if let Some(life) = life {
        let age = Instant::now().saturating_duration_since(life.fetched_at);
        fetched.sample(&[], since_epoch(SystemTime::now() - age));
    }
    let mut expires = text.family(Kind::Gauge, "token_expiry_timestamp_seconds", "When it ends (Unix time).");
    if let Some(life) = life {
        let left = life.expires_at.saturating_duration_since(Instant::now());
        expires.sample(&[], since_epoch(SystemTime::now() + left));
    }
    let mut certificate = text.family(
        Kind::Gauge,
        "certificate_expiry_timestamp_seconds",
        "When the certificate ends that signs in to Entra ID, where one does (Unix time).",
    );
    if let Some(end) = certificate_end {
        certificate.sample(&[], end.timestamp());
    }
}

/// In seconds.
fn since_epoch(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
