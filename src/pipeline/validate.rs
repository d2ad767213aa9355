//! What must be present and in bounds, at the level of the message.

use super::code::{Rejection, Warning, Warnings};
use super::message::{Envelope, Input, Metadata, RawMetadata, RawTime, Time};
use super::record::present;
use super::reject::Reject;

/// The data type of the contract, and a spelling of it that is in the wild.
const DATA_TYPES: [&str; 2] = ["network_connection", "network_conection"];

/// How far after "now" a message may be dated, in seconds.
const FUTURE_SECONDS: i64 = 24 * 60 * 60;

/// Judges a message's metadata.
///
/// # Errors
/// A rejection of the whole message: metadata, project, agent or timestamp are missing, or a
/// time is invalid. No time is ever replaced by another.
pub fn metadata<'a>(envelope: &Envelope<'a>, input: &Input<'_>) -> Result<Metadata<'a>, Reject> {
    let Some(raw) = envelope.metadata else {
        return Err(missing(Rejection::MissingMetadata, "metadata"));
    };
    let project = present(raw.project)
        .ok_or_else(|| missing(Rejection::MissingProject, "metadata.project"))?;
    let agent_id = present(raw.agent_id)
        .ok_or_else(|| missing(Rejection::MissingAgentId, "metadata.agent_id"))?;
    let observed_at = time(
        raw.timestamp,
        Rejection::InvalidTimestamp,
        "metadata.timestamp",
    )?
    .ok_or_else(|| missing(Rejection::MissingTimestamp, "metadata.timestamp"))?;
    let expires_at = time(
        raw.expiration,
        Rejection::InvalidExpiration,
        "metadata.expiration",
    )?;
    let mut warnings = warnings(&raw, observed_at, expires_at, input.timestamp_ms);
    if envelope.unknown_fields {
        warnings.add(Warning::UnknownFields);
    }
    Ok(Metadata {
        observed_at,
        expires_at,
        project,
        agent_id,
        agent_type: present(raw.agent_type),
        automated: raw.automated,
        source: present(raw.source),
        message_id: present(raw.message_id),
        data_type: present(raw.data_type),
        warnings,
    })
}

fn warnings(
    raw: &RawMetadata<'_>,
    observed_at: Time,
    expires_at: Option<Time>,
    now_ms: Option<i64>,
) -> Warnings {
    let mut warnings = Warnings::NONE;
    if present(raw.data_type).is_some_and(|data_type| !is_known(data_type)) {
        warnings.add(Warning::DataTypeMismatch);
    }
    if expires_at.is_none() {
        warnings.add(Warning::MissingExpiration);
    }
    if present(raw.agent_type).is_none() {
        warnings.add(Warning::MissingAgentType);
    }
    if let Some(now) = now_ms.map(from_ms) {
        let latest = Time {
            seconds: now.seconds.saturating_add(FUTURE_SECONDS),
            ..now
        };
        if expires_at.is_some_and(|expires_at| expires_at <= now) {
            warnings.add(Warning::Expired);
        }
        if observed_at > latest {
            warnings.add(Warning::TimestampInFuture);
        }
    }
    warnings
}

fn is_known(data_type: &str) -> bool {
    let data_type = data_type.trim_ascii();
    DATA_TYPES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(data_type))
}

/// A time as sent; nothing where it is absent or blank.
fn time(raw: RawTime<'_>, code: Rejection, field: &'static str) -> Result<Option<Time>, Reject> {
    match raw {
        RawTime::Absent => Ok(None),
        RawTime::Text(text) => match present(text) {
            None => Ok(None),
            Some(text) => Time::parse(text).map(Some).ok_or_else(|| {
                Reject::value(
                    code,
                    field,
                    "is not RFC 3339 or ISO 8601, or out of range",
                    text,
                )
            }),
        },
        RawTime::Parts { seconds, nanos } => {
            let time = Time::from_parts(seconds, nanos);
            time.map(Some).ok_or_else(|| {
                let value = format!("{seconds} s {nanos} ns");
                Reject::value(code, field, "is out of range", &value)
            })
        }
    }
}

fn from_ms(ms: i64) -> Time {
    // A remainder by 1000 fits.
    let nanos = u32::try_from(ms.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    Time {
        seconds: ms.div_euclid(1000),
        nanos,
    }
}

#[cold]
fn missing(code: Rejection, field: &'static str) -> Reject {
    Reject::new(code, Some(field), &format!("{field} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::message::Encoding;

    /// 2022-08-01T22:51:35Z.
    const SENT: i64 = 1_659_394_295;
    const SENT_TEXT: RawTime<'static> = RawTime::Text("2022-08-01T22:51:35");
    const LATER: RawTime<'static> = RawTime::Text("2123-08-01T22:51:35");

    const VALID: RawMetadata<'static> = RawMetadata {
        raw: &[],
        agent_id: "339429212",
        agent_type: "beacon",
        automated: true,
        data_type: "network_connection",
        source: "DC",
        project: "ASSESS-X",
        timestamp: SENT_TEXT,
        expiration: LATER,
        message_id: "m",
    };

    fn judge(
        raw: RawMetadata<'static>,
        unknown_fields: bool,
        timestamp_ms: Option<i64>,
    ) -> Result<Metadata<'static>, Reject> {
        let envelope = Envelope {
            encoding: Encoding::Json,
            framing: &[],
            metadata: Some(raw),
            unknown_fields,
            records: &[],
        };
        metadata(&envelope, &input(timestamp_ms))
    }

    fn input(timestamp_ms: Option<i64>) -> Input<'static> {
        Input {
            value: &[],
            key: None,
            headers: &[],
            topic: "t",
            partition: 0,
            offset: 0,
            timestamp_ms,
        }
    }

    fn warned(raw: RawMetadata<'static>, timestamp_ms: Option<i64>) -> Vec<&'static str> {
        let metadata = judge(raw, false, timestamp_ms).unwrap();
        metadata.warnings.iter().map(Warning::name).collect()
    }

    fn rejected(raw: RawMetadata<'static>) -> (&'static str, Option<&'static str>) {
        let reject = judge(raw, false, None).unwrap_err();
        (reject.reason.name(), reject.field)
    }

    #[test]
    fn valid_metadata_come_through() {
        let metadata = judge(VALID, false, Some(SENT * 1000)).unwrap();
        let observed_at = Time {
            seconds: SENT,
            nanos: 0,
        };
        assert_eq!(metadata.observed_at, observed_at);
        assert!(metadata.expires_at > Some(observed_at));
        assert_eq!(metadata.project, "ASSESS-X");
        assert_eq!(metadata.agent_id, "339429212");
        assert_eq!(metadata.agent_type, Some("beacon"));
        assert!(metadata.automated);
        assert_eq!(metadata.source, Some("DC"));
        assert_eq!(metadata.message_id, Some("m"));
        assert_eq!(metadata.data_type, Some("network_connection"));
        assert!(metadata.warnings.is_empty());
    }

    #[test]
    fn what_is_missing_is_told_in_order() {
        let mut raw = RawMetadata {
            expiration: RawTime::Text("never"),
            ..RawMetadata::default()
        };
        let missing = ("missing_project", Some("metadata.project"));
        assert_eq!(rejected(raw), missing);
        raw.project = " \t";
        assert_eq!(rejected(raw), missing);
        raw.project = "p";
        assert_eq!(
            rejected(raw),
            ("missing_agent_id", Some("metadata.agent_id"))
        );
        raw.agent_id = "a";
        let missing = ("missing_timestamp", Some("metadata.timestamp"));
        assert_eq!(rejected(raw), missing);
        raw.timestamp = RawTime::Text("  ");
        assert_eq!(rejected(raw), missing);
        raw.timestamp = RawTime::Text("yesterday");
        let invalid = ("invalid_timestamp", Some("metadata.timestamp"));
        assert_eq!(rejected(raw), invalid);
        let seconds = 253_402_300_800;
        raw.timestamp = RawTime::Parts { seconds, nanos: 0 };
        assert_eq!(rejected(raw), invalid);
        raw.timestamp = SENT_TEXT;
        let invalid = ("invalid_expiration", Some("metadata.expiration"));
        assert_eq!(rejected(raw), invalid);
        raw.expiration = RawTime::Parts {
            seconds: 0,
            nanos: -1,
        };
        assert_eq!(rejected(raw), invalid);
        let none = Envelope {
            encoding: Encoding::Protobuf,
            framing: &[],
            metadata: None,
            unknown_fields: false,
            records: &[],
        };
        let reject = metadata(&none, &input(None)).unwrap_err();
        assert_eq!(reject.reason.name(), "missing_metadata");
    }

    #[test]
    fn blank_text_is_absent() {
        let raw = RawMetadata {
            agent_type: "",
            source: " ",
            message_id: "\n",
            data_type: " ",
            expiration: RawTime::Text(" "),
            ..VALID
        };
        let metadata = judge(raw, false, None).unwrap();
        assert_eq!(metadata.agent_type, None);
        assert_eq!(metadata.source, None);
        assert_eq!(metadata.message_id, None);
        assert_eq!(metadata.data_type, None);
        assert_eq!(metadata.expires_at, None);
        assert_eq!(
            warned(raw, None),
            ["missing_expiration", "missing_agent_type"]
        );
    }

    #[test]
    fn data_types_compare_without_case_and_blanks() {
        for (data_type, warning) in [
            ("network_connection", &[][..]),
            (" Network_Connection\n", &[]),
            ("network_conection", &[]),
            ("", &[]),
            ("file_data", &["data_type_mismatch"]),
            ("network_connections", &["data_type_mismatch"]),
        ] {
            let raw = RawMetadata { data_type, ..VALID };
            assert_eq!(warned(raw, None), warning, "{data_type}");
        }
    }

    #[test]
    fn now_is_the_time_of_the_kafka_record_and_nothing_else() {
        let raw = RawMetadata {
            expiration: RawTime::Parts {
                seconds: SENT,
                nanos: 5_000_000,
            },
            ..VALID
        };
        let at = SENT * 1000 + 5;
        assert_eq!(warned(raw, Some(at - 1)), [""; 0]);
        assert_eq!(warned(raw, Some(at)), ["expired"]);
        assert_eq!(warned(raw, None), [""; 0]);
        let day = 24 * 60 * 60 * 1000;
        assert_eq!(warned(VALID, Some(SENT * 1000 - day)), [""; 0]);
        let future = warned(VALID, Some(SENT * 1000 - day - 1));
        assert_eq!(future, ["timestamp_in_future"]);
        assert_eq!(warned(VALID, Some(i64::MIN)), ["timestamp_in_future"]);
        assert_eq!(warned(VALID, Some(i64::MAX)), ["expired"]);
    }

    #[test]
    fn warnings_come_in_order() {
        let raw = RawMetadata {
            data_type: "file_data",
            expiration: RawTime::Absent,
            agent_type: "",
            ..VALID
        };
        let metadata = judge(raw, true, Some(0)).unwrap();
        let names: Vec<_> = metadata.warnings.iter().map(Warning::name).collect();
        let expected = [
            "data_type_mismatch",
            "missing_expiration",
            "missing_agent_type",
            "timestamp_in_future",
            "unknown_fields",
        ];
        assert_eq!(names, expected);
    }
}
