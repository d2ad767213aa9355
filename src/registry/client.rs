//! The two requests that are made of a registry, over Confluent's API, version 1.
//!
//! `POST /subjects/SUBJECT/versions` registers a schema, and gives the id that it has when it is
//! known already; `POST /subjects/SUBJECT` only looks it up.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::schema::Schema;
use super::{RegistryError, RegistrySettings};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Longest answer that is read, in bytes: a look-up repeats the schema.
const MAX_ANSWER_BYTES: u64 = 4 << 20;
/// Longest text of a registry's own that is repeated, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// A client of one registry.
pub(super) struct Client<'s> {
    agent: Agent,
    settings: &'s RegistrySettings,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

/// What a registry says of an error.
#[derive(Deserialize)]
struct Complaint {
    message: String,
}

impl<'s> Client<'s> {
    pub(super) fn new(settings: &'s RegistrySettings) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            // It would take the credentials along.
            .max_redirects(0)
            .tls_config(tls)
            .user_agent(concat!("netsieve/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.into(),
            settings,
        }
    }

    /// The id of a schema under a subject.
    pub(super) fn id(&self, subject: &str, schema: &Schema) -> Result<u32, RegistryError> {
        let base = self.settings.url.trim_end_matches('/');
        let url = if self.settings.register {
            format!("{base}/subjects/{subject}/versions")
        } else {
            format!("{base}/subjects/{subject}")
        };
        let body = serde_json::json!({"schemaType": schema.language, "schema": schema.text});
        let mut request = self.agent.post(&url);
        request = request.header("content-type", CONTENT_TYPE);
        request = request.header("accept", CONTENT_TYPE);
        if let Some((username, password)) = &self.settings.credentials {
            let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
            request = request.header("authorization", format!("Basic {pair}"));
        }
        let unreachable = |error: ureq::Error| RegistryError::Unreachable {
            subject: subject.to_owned(),
            why: error.to_string(),
            url: self.settings.url.clone(),
        };
        let mut response = request.send(body.to_string()).map_err(unreachable)?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
        let answer = body.read_to_string().map_err(unreachable)?;
        self.read(subject, status, &answer)
    }

    fn read(&self, subject: &str, status: StatusCode, answer: &str) -> Result<u32, RegistryError> {
        let url = self.settings.url.clone();
        let subject = subject.to_owned();
        if status.is_success() {
            let registered: Result<Registered, _> = serde_json::from_str(answer);
            return registered
                .map(|of| of.id)
                .map_err(|_| RegistryError::Refused {
                    subject,
                    why: "its answer has no id".to_owned(),
                    url,
                    remedy: "check that it has Confluent's API there",
                });
        }
        let complaint: Option<Complaint> = serde_json::from_str(answer).ok();
        let why = match complaint {
            Some(Complaint { message }) => {
                let printable = |c: char| if c.is_control() { ' ' } else { c };
                let message = message.chars().take(MAX_QUOTED_CHARS).map(printable);
                format!("{status}: {}", message.collect::<String>())
            }
            None => status.to_string(),
        };
        if status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT
        {
            return Err(RegistryError::Unreachable { subject, why, url });
        }
        let remedy = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "check schema_registry.username, its password and its rights"
            }
            StatusCode::NOT_FOUND if !self.settings.register => {
                "register the schema, or set schema_registry.register"
            }
            StatusCode::CONFLICT => {
                "see what the subject holds, or name another by outputs[].subject"
            }
            _ => "check schema_registry.url and what the registry takes",
        };
        Err(RegistryError::Refused {
            subject,
            why,
            url,
            remedy,
        })
    }
}
