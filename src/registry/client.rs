//! The requests that are made of a registry, over Confluent's API, version 1.
//!
//! `POST /subjects/SUBJECT/versions` registers a schema, and gives the id that it has when it is
//! known already; `POST /subjects/SUBJECT` only looks it up, and
//! `POST /compatibility/subjects/SUBJECT/versions/latest` asks whether it could be registered.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
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

#[derive(Deserialize)]
struct Compatibility {
    is_compatible: bool,
}

/// What a registry says of an error.
#[derive(Deserialize)]
struct Complaint {
    error_code: Option<u32>,
    message: String,
}

/// Confluent's code of an error: there is no such subject.
const SUBJECT_NOT_FOUND: u32 = 40401;
/// The subject has no such schema.
const SCHEMA_NOT_FOUND: u32 = 40403;

const WRONG_API: &str = "check that it has Confluent's API there";
const HELD_OTHERWISE: &str =
    "see what the subject holds, or choose other subjects by outputs[].subject";

/// How a schema stands with its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there, with this id.
    Known(u32),
    /// There is no such subject yet.
    NewSubject,
    /// The subject is there, and takes it as a new version.
    NewVersion,
}

impl<'s> Client<'s> {
    pub(super) fn new(settings: &'s RegistrySettings) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
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
        let path = if self.settings.register {
            format!("subjects/{subject}/versions")
        } else {
            format!("subjects/{subject}")
        };
        let (status, answer) = self.ask(&path, subject, schema, self.settings.timeout)?;
        if !status.is_success() {
            return Err(self.refusal(subject, status, &answer));
        }
        self.read::<Registered>(subject, &answer, "id")
            .map(|of| of.id)
    }

    /// How a schema stands with a subject; nothing is registered. Each of up to two requests may
    /// take that long.
    pub(super) fn standing(
        &self,
        subject: &str,
        schema: &Schema,
        longest: Duration,
    ) -> Result<Standing, RegistryError> {
        let path = format!("subjects/{subject}");
        let (status, answer) = self.ask(&path, subject, schema, longest)?;
        if status.is_success() {
            let registered = self.read::<Registered>(subject, &answer, "id")?;
            return Ok(Standing::Known(registered.id));
        }
        let complaint: Option<Complaint> = serde_json::from_str(&answer).ok();
        match complaint.and_then(|of| of.error_code) {
            Some(SUBJECT_NOT_FOUND) if self.settings.register => Ok(Standing::NewSubject),
            Some(SCHEMA_NOT_FOUND) if self.settings.register => {
                self.new_version(subject, schema, longest)
            }
            _ => Err(self.refusal(subject, status, &answer)),
        }
    }

    /// Whether a subject takes a schema that it does not have.
    fn new_version(
        &self,
        subject: &str,
        schema: &Schema,
        longest: Duration,
    ) -> Result<Standing, RegistryError> {
        let path = format!("compatibility/subjects/{subject}/versions/latest");
        let (status, answer) = self.ask(&path, subject, schema, longest)?;
        if !status.is_success() {
            return Err(self.refusal(subject, status, &answer));
        }
        let found = self.read::<Compatibility>(subject, &answer, "is_compatible")?;
        if found.is_compatible {
            return Ok(Standing::NewVersion);
        }
        let why = "it is not compatible with the subject's latest one".to_owned();
        Err(self.refused(subject, why, HELD_OTHERWISE))
    }

    /// Sends a schema, and gives the answer that is for good.
    fn ask(
        &self,
        path: &str,
        subject: &str,
        schema: &Schema,
        longest: Duration,
    ) -> Result<(StatusCode, String), RegistryError> {
        let url = format!("{}/{path}", self.settings.url.trim_end_matches('/'));
        let body = serde_json::json!({"schemaType": schema.language, "schema": schema.text});
        let mut request = self.agent.post(&url);
        request = request.header("content-type", CONTENT_TYPE);
        request = request.header("accept", CONTENT_TYPE);
        if let Some((username, password)) = &self.settings.credentials {
            let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
            request = request.header("authorization", format!("Basic {pair}"));
        }
        let request = request.config().timeout_global(Some(longest)).build();
        let unreachable = |why: String| RegistryError::Unreachable {
            subject: subject.to_owned(),
            why,
            url: self.settings.url.clone(),
        };
        let failed = |error: ureq::Error| unreachable(error.to_string());
        let mut response = request.send(body.to_string()).map_err(failed)?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
        let answer = body.read_to_string().map_err(failed)?;
        if status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT
        {
            return Err(unreachable(told(status, &answer)));
        }
        Ok((status, answer))
    }

    fn read<T: DeserializeOwned>(
        &self,
        subject: &str,
        answer: &str,
        member: &str,
    ) -> Result<T, RegistryError> {
        serde_json::from_str(answer)
            .map_err(|_| self.refused(subject, format!("its answer has no {member}"), WRONG_API))
    }

    fn refusal(&self, subject: &str, status: StatusCode, answer: &str) -> RegistryError {
        let remedy = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "check schema_registry.username, its password and its rights"
            }
            StatusCode::NOT_FOUND if !self.settings.register => {
                "register the schema, or set schema_registry.register"
            }
            StatusCode::CONFLICT => HELD_OTHERWISE,
            _ => "check schema_registry.url and what the registry takes",
        };
        self.refused(subject, told(status, answer), remedy)
    }

    fn refused(&self, subject: &str, why: String, remedy: &'static str) -> RegistryError {
        RegistryError::Refused {
            subject: subject.to_owned(),
            why,
            url: self.settings.url.clone(),
            remedy,
        }
    }
}

/// A status with what the registry says to it.
fn told(status: StatusCode, answer: &str) -> String {
    let complaint: Option<Complaint> = serde_json::from_str(answer).ok();
    let Some(Complaint { message, .. }) = complaint else {
        return status.to_string();
    };
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let message = message.chars().take(MAX_QUOTED_CHARS).map(printable);
    format!("{status}: {}", message.collect::<String>())
}
