//! Warnings that the configuration makes rejections: the field and the value that each is about.

use super::code::{Reason, Warning};
use super::encode::push_time;
use super::message::{Metadata, Time};
use super::record::Record;
use super::reject::Reject;

/// The rejection of a whole message.
#[cold]
pub(super) fn of_message(warning: Warning, metadata: &Metadata<'_>) -> Reject {
    let (field, value) = match warning {
        Warning::DataTypeMismatch => ("metadata.data_type", metadata.data_type.map(str::to_owned)),
        Warning::Expired => ("metadata.expiration", metadata.expires_at.map(text)),
        Warning::MissingExpiration => ("metadata.expiration", None),
        Warning::MissingAgentType => ("metadata.agent_type", None),
        Warning::TimestampInFuture => ("metadata.timestamp", Some(text(metadata.observed_at))),
        _ => return reject(warning, None, None),
    };
    reject(warning, Some(field), value.as_deref())
}

/// The rejection of one record.
#[cold]
pub(super) fn of_record(warning: Warning, record: &Record<'_>) -> Reject {
    let row = &record.row;
    let (field, value) = match warning {
        Warning::UnrecognizedState => ("state", row.state),
        Warning::UnrecognizedProtocol => ("protocol", row.protocol),
        Warning::ListenWithRemote => ("remote_address", row.remote_address),
        Warning::ZeroLocalPort => ("local_address", row.local_address),
        // Either end may be the one; the local one is told where it is.
        Warning::AddressNotNumeric | Warning::AddressTruncated | Warning::AddressFamilyMismatch => {
            let (local, remote) = (row.local_address, row.remote_address);
            return Reject::new(
                Reason::Promoted(warning),
                None,
                &format!(
                    "{} local_address: \"{local}\", remote_address: \"{remote}\"",
                    warning.meaning()
                ),
            );
        }
        _ => return reject(warning, None, None),
    };
    reject(warning, Some(field), Some(value))
}

fn reject(warning: Warning, field: Option<&'static str>, value: Option<&str>) -> Reject {
    let meaning = warning.meaning();
    let sentence = match (field, value) {
        (Some(field), Some(value)) => format!("{meaning} {field}: \"{value}\""),
        _ => meaning.to_owned(),
    };
    Reject::new(Reason::Promoted(warning), field, &sentence)
}

fn text(time: Time) -> String {
    let mut text = Vec::new();
    push_time(&mut text, time);
    String::from_utf8_lossy(&text).into_owned()
}
