//! `/metrics`, `/livez`, `/readyz` and `/status`.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use super::health::Health;
use super::metrics as names;

/// The paths that are served, and what for.
const PATHS: &str = "\
/metrics  metrics in Prometheus' text format
/livez    200 while the process runs
/readyz   200 while every worker does its work, else 503 and why not
/status   version, instance, workers, their partitions, and tables, in JSON
";

/// What is served.
#[derive(Clone)]
pub struct Pages(Arc<Inner>);

struct Inner {
    instance: String,
    started: Instant,
    metrics: PrometheusHandle,
    health: Box<dyn Fn() -> Health + Send + Sync>,
}

#[derive(Serialize)]
struct Status<'a> {
    version: &'static str,
    instance: &'a str,
    uptime_seconds: u64,
    ready: bool,
    #[serde(flatten)]
    health: Health,
}

impl Pages {
    /// Pages of a process that began now; `health` is asked at each request.
    pub fn new(
        instance: String,
        metrics: PrometheusHandle,
        health: impl Fn() -> Health + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            instance,
            started: Instant::now(),
            metrics,
            health: Box::new(health),
        }))
    }

    fn router(self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/status", get(status))
            .fallback(not_found)
            .with_state(self)
    }

    /// Forgets what metrics no longer need; to be called every few seconds.
    pub fn upkeep(&self) {
        self.0.metrics.run_upkeep();
    }
}

/// Why nothing can be served at an address.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot serve HTTP ({source}), http.listen {address}: end the process that has it or give this one another address"
)]
pub struct BindError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Takes an address: a second process of the same one fails here, before anything else.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|source| BindError { address, source })
}

/// Serves the pages for as long as it is polled. To be called within a tokio runtime.
pub async fn serve(listener: TcpListener, pages: Pages) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, pages.router()).await
}

async fn metrics(State(pages): State<Pages>) -> impl IntoResponse {
    let is_ready = (pages.0.health)().not_ready.is_none();
    gauge!(names::READY).set(f64::from(u8::from(is_ready)));
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (text, without_ended_series(&pages.0.metrics.render()))
}

/// Leaves out the series whose value is not a number.
///
/// The recorder cannot end a series, so its owner sets it to NaN. To Prometheus that is a value:
/// one of them makes a whole sum NaN, and an alert on it never fires.
fn without_ended_series(rendered: &str) -> String {
    let lines = rendered.split_inclusive('\n');
    lines
        .filter(|line| line.starts_with('#') || !line.trim_end().ends_with(" NaN"))
        .collect()
}

async fn ready(State(pages): State<Pages>) -> (StatusCode, String) {
    match (pages.0.health)().not_ready {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn status(State(pages): State<Pages>) -> impl IntoResponse {
    let health = (pages.0.health)();
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        instance: &pages.0.instance,
        uptime_seconds: pages.0.started.elapsed().as_secs(),
        ready: health.not_ready.is_none(),
        health,
    };
    match serde_json::to_string_pretty(&status) {
        Ok(body) => Ok(([(header::CONTENT_TYPE, "application/json")], body + "\n")),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

async fn not_found(uri: Uri) -> (StatusCode, String) {
    let body = format!("no page {}; there are:\n{PATHS}", uri.path());
    (StatusCode::NOT_FOUND, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::sync::Mutex;

    use metrics_exporter_prometheus::PrometheusBuilder;

    /// Serves pages on a free port while `check` asks for them: `(path) -> (head, body)`.
    fn with_server(
        not_ready: &Arc<Mutex<Option<String>>>,
        check: impl FnOnce(&dyn Fn(&str) -> (String, String)),
    ) {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_gauge!("lag", "ends in NaN");
            metrics::counter!("a_total").increment(7);
            metrics::gauge!("lag", "partition" => "0").set(f64::NAN);
            metrics::gauge!("lag", "partition" => "1").set(0.0);
        });
        let asked = Arc::clone(not_ready);
        let pages = Pages::new("host-1".to_owned(), recorder.handle(), move || Health {
            not_ready: asked.lock().unwrap().clone(),
            workers: Vec::new(),
            tables: Vec::new(),
        });
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            metrics::with_local_recorder(&recorder, || {
                runtime.block_on(async {
                    tokio::select! {
                        ended = serve(listener, pages) => ended.unwrap(),
                        stop = stopped => stop.unwrap(),
                    }
                });
            });
        });
        check(&|path| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head.to_owned(), body.to_owned())
        });
        stop.send(()).unwrap();
        server.join().unwrap();
    }

    #[test]
    fn every_page_answers() {
        let not_ready = Arc::default();
        with_server(&not_ready, |get| {
            let (head, body) = get("/metrics");
            assert!(head.starts_with("HTTP/1.1 200") && head.contains("version=0.0.4"));
            assert!(body.contains("a_total 7"));
            assert!(body.contains("# HELP lag ends in NaN"), "{body}");
            assert!(body.contains("lag{partition=\"1\"} 0"), "{body}");
            assert!(!body.contains("partition=\"0\""), "an ended series: {body}");
            let (head, body) = get("/livez");
            assert!(head.starts_with("HTTP/1.1 200") && body == "ok\n");
            let (head, body) = get("/readyz");
            assert!(head.starts_with("HTTP/1.1 200") && body == "ready\n");
            let (head, body) = get("/status");
            assert!(head.contains("application/json"));
            let status: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(status["instance"], "host-1");
            assert_eq!(status["ready"], true);
            assert_eq!(status["workers"], serde_json::json!([]));
            assert_eq!(status["tables"], serde_json::json!([]));
            let (head, body) = get("/metric");
            assert!(head.starts_with("HTTP/1.1 404"));
            assert!(body.contains("/metric;") && body.contains("/readyz"));
        });
    }

    #[test]
    fn what_is_not_ready_says_why_and_lives() {
        let reason = "worker 0: no progress for 60 s";
        let not_ready = Arc::new(Mutex::new(Some(reason.to_owned())));
        with_server(&not_ready, |get| {
            let (head, body) = get("/readyz");
            assert!(head.starts_with("HTTP/1.1 503"));
            assert_eq!(body, format!("{reason}\n"));
            assert!(get("/status").1.contains("\"ready\": false"));
            assert!(get("/metrics").1.contains("\nnetsieve_ready 0\n"));
            assert!(get("/livez").0.starts_with("HTTP/1.1 200"));
            *not_ready.lock().unwrap() = None;
            assert!(get("/readyz").0.starts_with("HTTP/1.1 200"));
            assert!(get("/metrics").1.contains("\nnetsieve_ready 1\n"));
        });
    }

    #[test]
    fn a_second_process_cannot_take_the_address() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot serve HTTP (Address already in use"),
            "{error}"
        );
        assert!(error.contains(&address.to_string()) && !error.contains('\n'));
    }
}
