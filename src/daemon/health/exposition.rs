//! `/metrics`: what each part of the program has counted, and its present state, in Prometheus' text format 0.0.4.
//! docs/monitoring.md explains each metric.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeGaugeValue, EncodeMetric, MetricEncoder, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{Health, ServiceState, is_subscribed};
use crate::worker::Services;

/// The prefix of every name.
const PREFIX: &str = "fn_exchange_online";

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// A gauge that may have no value: Prometheus then sees no sample.
#[derive(Debug)]
struct OptionalGauge<N>(Option<N>);

impl<N: EncodeGaugeValue> EncodeMetric for OptionalGauge<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| encoder.encode_gauge(value))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

impl Health {
    /// The text. It says whether the daemon is ready, so a check may have to run first.
    pub(super) async fn exposition(&self) -> String {
        let ready = self.ready().await.is_ok();
        let services = self.worker.services();
        let certificate_end = services.graph.certificate_end().await;
        // Made for each request, since much of it is the present state; the counters are shared.
        let mut registry = Registry::with_prefix(PREFIX);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which version this is; always 1", version);
        let started = unix_seconds(self.started);
        gauge(&mut registry, "start_time_seconds", "When the daemon started (Unix time)", started);
        gauge(&mut registry, "ready", "Whether it takes calls: 1 while /readyz says so", u64::from(ready));
        self.worker.metrics().register(&mut registry);
        register_services(&mut registry, &services);
        self.register_broker(&mut registry);
        services.graph.metrics().register(&mut registry);
        register_requests(&mut registry, *services.graph.requests().borrow());
        register_token(&mut registry, services.graph.token_life());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the certificate ends that signs in to Entra ID, where one does (Unix time)",
            OptionalGauge(certificate_end.map(|end| end.timestamp())),
        );
        let help = "Configurations that were read again, by whether they could be used";
        registry.register("config_reloads", help, self.reloads.clone());
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_text::encode(&mut text, &registry);
        text
    }

    fn register_broker(&self, registry: &mut Registry) {
        let subscribed = matches!(self.state(), ServiceState::Serving(session, _) if is_subscribed(&session));
        gauge(
            registry,
            "broker_subscribed",
            "Whether calls can arrive: 1 while the broker has confirmed every subscription",
            u64::from(subscribed),
        );
        self.broker.register(registry);
    }
}

fn register_services(registry: &mut Registry, services: &Services) {
    let workers = u64::from(services.settings.num_workers);
    gauge(registry, "workers", "Calls that are worked on at once at most (num_workers)", workers);
    services.trail.register(registry);
    gauge(
        registry,
        "audit_trail_writable",
        "Whether the audit trail could be written when it was last tried; nothing is changed while not",
        u64::from(!services.trail.is_failing()),
    );
    gauge(
        registry,
        "changes_on_hold",
        "Whether all changes are on hold, by the setting or by a signal",
        u64::from(services.policy.is_on_hold()),
    );
    gauge(
        registry,
        "audit_trail_lines_waiting",
        "Lines that could not be written to the audit trail yet",
        services.trail.waiting() as u64,
    );
}

fn gauge<N>(registry: &mut Registry, name: &str, help: &str, value: N)
where
    N: EncodeGaugeValue + fmt::Debug + Send + Sync + 'static,
{
    registry.register(name, help, ConstGauge::new(value));
}

fn register_requests(registry: &mut Registry, state: graph::RequestState) {
    let graph::RequestState { window, at_work, waiting, accepted: _, paused_until } = state;
    gauge(
        registry,
        "graph_request_window",
        "Requests that Graph may work on at once at present; it grows up to max_concurrent_requests",
        window as u64,
    );
    gauge(registry, "graph_requests_at_work", "Requests that Graph works on", at_work as u64);
    gauge(registry, "graph_queue_length", "Requests that wait for others to end", waiting as u64);
    let pause =
        paused_until.map_or(Duration::ZERO, |until| until.duration_since(tokio::time::Instant::now()));
    gauge(
        registry,
        "graph_pause_seconds",
        "For how long nothing is sent from now on, by Graph's word",
        pause.as_secs_f64(),
    );
}

fn register_token(registry: &mut Registry, life: Option<graph::TokenLife>) {
    gauge(
        registry,
        "token_valid",
        "Whether there is an access token that is good",
        u64::from(life.is_some()),
    );
    let (now, instant) = (SystemTime::now(), Instant::now());
    let fetched = life.map(|life| now - instant.saturating_duration_since(life.fetched_at));
    let expires = life.map(|life| now + life.expires_at.saturating_duration_since(instant));
    registry.register(
        "token_fetched_timestamp_seconds",
        "When it was fetched (Unix time)",
        OptionalGauge(fetched.map(unix_seconds)),
    );
    registry.register(
        "token_expiry_timestamp_seconds",
        "When it ends (Unix time)",
        OptionalGauge(expires.map(unix_seconds)),
    );
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
