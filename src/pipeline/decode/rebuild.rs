//! One record back to a complete message: what a dead letter carries.

use crate::pipeline::message::{Encoding, Envelope};
use crate::pipeline::wire;

/// Appends a valid message of the original metadata and one record, each from its own original
/// bytes, in the encoding and with the framing that the envelope came in.
pub fn rebuild(envelope: &Envelope<'_>, raw: &[u8], out: &mut Vec<u8>) {
    let metadata = envelope.metadata.map(|metadata| metadata.raw);
    let metadata = metadata.unwrap_or_default();
    out.extend_from_slice(envelope.framing);
    match envelope.encoding {
        Encoding::Protobuf => {
            for occurrence in metadata {
                wire::push_bytes(out, 1, occurrence);
            }
            wire::push_bytes(out, 2, raw);
        }
        Encoding::Json => {
            out.push(b'{');
            for object in metadata {
                out.extend_from_slice(b"\"metadata\":");
                out.extend_from_slice(object);
                out.push(b',');
            }
            out.extend_from_slice(b"\"data\":[");
            out.extend_from_slice(raw);
            out.extend_from_slice(b"]}");
        }
    }
}
