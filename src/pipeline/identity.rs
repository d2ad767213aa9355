//! The two ids of an event, both name-based UUIDs of version 5 (RFC 9562, section 5.5), that is
//! SHA-1 over a namespace and a name. The name is a self-delimiting encoding of what the id
//! stands for, so that two different things never have the same name.
//!
//! SHA-1 because processors do it in hardware and because a name has to be hard to forge by
//! accident or by an agent's owner; a checksum such as xxHash is neither.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;

use sha1::{Digest, Sha1};

use super::message::Metadata;
use super::record::{Endpoint, Record};

/// Namespace of `event_id`.
pub const EVENT_NAMESPACE: [u8; 16] = 0x6e65_7473_6965_5665_8000_0000_0000_0001_u128.to_be_bytes();
/// Namespace of `connection_key`.
pub const CONNECTION_NAMESPACE: [u8; 16] =
    0x6e65_7473_6965_5665_8000_0000_0000_0002_u128.to_be_bytes();

/// Bytes that SHA-1 takes at a time.
const BLOCK_LEN: usize = 64;

/// The ids of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Id of this observation.
    pub event_id: [u8; 16],
    /// Id of the socket.
    pub connection_key: [u8; 16],
    /// Ordinal among equal records of the message.
    pub ordinal: u32,
}

/// What the ids of one message's records have in common: both hashes, fed with it.
pub struct MessageIdentity {
    event: Sha1,
    connection: Sha1,
    first_ordinal: u32,
}

/// How often each content was seen in the message at hand, and room to write one; reused.
#[derive(Debug, Default)]
pub struct Seen {
    counts: HashMap<[u8; 20], u32, BuildHasherDefault<DigestHasher>>,
    name: Vec<u8>,
}

impl MessageIdentity {
    /// The common part of a message's ids. `first_ordinal` is where ordinals start: that of the
    /// source message's `netsieve.ordinal`, so that a replayed record keeps its id.
    pub fn new(metadata: &Metadata<'_>, first_ordinal: u32, seen: &mut Seen) -> Self {
        seen.counts.clear();
        let name = &mut seen.name;
        name.clear();
        name.extend_from_slice(&EVENT_NAMESPACE);
        push_text(name, Some(metadata.project));
        push_text(name, Some(metadata.agent_id));
        push_text(name, metadata.source);
        name.extend_from_slice(&metadata.observed_at.seconds.to_be_bytes());
        name.extend_from_slice(&metadata.observed_at.nanos.to_be_bytes());
        push_text(name, metadata.message_id);
        let event = hash_whole_blocks(name);

        name.clear();
        name.extend_from_slice(&CONNECTION_NAMESPACE);
        push_text(name, Some(metadata.project));
        push_text(name, metadata.source);
        if metadata.source.is_none() {
            push_text(name, Some(metadata.agent_id));
        }
        let connection = hash_whole_blocks(name);
        Self {
            event,
            connection,
            first_ordinal,
        }
    }

    /// The ids of a record.
    pub fn of(&self, record: &Record<'_>, seen: &mut Seen) -> Identity {
        seen.name.clear();
        push_content(&mut seen.name, record);
        let mut hash = self.event.clone();
        hash.update(&seen.name);
        let mut digest: [u8; 20] = hash.finalize().into();
        let ordinal = self.ordinal(digest, seen);
        if ordinal > 0 {
            let mut hash = self.event.clone();
            hash.update(&seen.name);
            hash.update(ordinal.to_be_bytes());
            digest = hash.finalize().into();
        }

        seen.name.clear();
        push_socket(&mut seen.name, record);
        let mut hash = self.connection.clone();
        hash.update(&seen.name);
        Identity {
            event_id: uuid_v5(digest),
            connection_key: uuid_v5(hash.finalize().into()),
            ordinal,
        }
    }

    /// The ordinal of a record that has no canonical content, among those with the same bytes.
    pub fn ordinal_of_bytes(&self, raw: &[u8], seen: &mut Seen) -> u32 {
        self.ordinal(Sha1::digest(raw).into(), seen)
    }

    fn ordinal(&self, digest: [u8; 20], seen: &mut Seen) -> u32 {
        let next = seen.counts.entry(digest).or_insert(self.first_ordinal);
        let ordinal = *next;
        *next = next.saturating_add(1);
        ordinal
    }
}

/// The hash fed with the name so far, filled up to whole blocks, so that each record's part
/// starts a new one and the common part is never hashed again.
fn hash_whole_blocks(name: &mut Vec<u8>) -> Sha1 {
    name.resize(name.len().next_multiple_of(BLOCK_LEN), 0);
    Sha1::new_with_prefix(name)
}

fn uuid_v5(digest: [u8; 20]) -> [u8; 16] {
    let [id @ .., _, _, _, _] = digest;
    let mut number = u128::from_be_bytes(id);
    number &= !(0xF << 76 | 0x3 << 62);
    number |= 0x5 << 76 | 0x2 << 62;
    number.to_be_bytes()
}

/// The canonical content of a record: all that the event says of it, and nothing of how it was
/// spelled.
fn push_content(name: &mut Vec<u8>, record: &Record<'_>) {
    push_stack(name, record);
    name.push(record.state.map_or(0, |state| state as u8));
    name.push(record.both_families.into());
    push_endpoint(name, &record.local);
    push_mac(name, record.local.mac);
    push_remote(name, record);
    push_mac(name, record.remote.and_then(|remote| remote.mac));
    push_number(name, record.process_id());
    push_text(name, record.process_name());
    push_text(name, record.service());
}

/// What makes a socket the same socket in the next snapshot.
fn push_socket(name: &mut Vec<u8>, record: &Record<'_>) {
    match record.transport.and_then(|transport| transport.number) {
        Some(number) => name.extend_from_slice(&[1, number]),
        None => push_stack(name, record),
    }
    push_endpoint(name, &record.local);
    push_remote(name, record);
    // Two processes can bind one port; a connection that closes loses its process.
    if record.remote.is_none() {
        push_number(name, record.process_id());
    }
    // A link-layer socket has nothing but its MAC addresses to be told by.
    if record.local.ip.is_none() && record.local.name.is_none() {
        push_mac(name, record.local.mac);
        push_mac(name, record.remote.and_then(|remote| remote.mac));
    }
}

/// The protocol stack: two bytes for the common ones, so that the content of an ordinary record
/// fits one block of the hash, and the names for the rest.
fn push_stack(name: &mut Vec<u8>, record: &Record<'_>) {
    let common = match record.protocols {
        ["tcp", "ipv4"] => Some([1, 4]),
        ["tcp", "ipv6"] => Some([1, 6]),
        ["udp", "ipv4"] => Some([2, 4]),
        ["udp", "ipv6"] => Some([2, 6]),
        _ => None,
    };
    if let Some(code) = common {
        return name.extend_from_slice(&code);
    }
    name.push(0);
    push_len(name, record.protocols.len());
    for protocol in record.protocols {
        push_text(name, Some(protocol));
    }
    push_number(
        name,
        record
            .transport
            .and_then(|transport| transport.number)
            .map(u32::from),
    );
}

fn push_remote(name: &mut Vec<u8>, record: &Record<'_>) {
    match &record.remote {
        Some(remote) => push_endpoint(name, remote),
        None => name.push(0xFF),
    }
}

fn push_endpoint(name: &mut Vec<u8>, endpoint: &Endpoint<'_>) {
    match endpoint.ip {
        None => name.push(0),
        Some(IpAddr::V4(ip)) => {
            name.push(4);
            name.extend_from_slice(&ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            name.push(6);
            name.extend_from_slice(&ip.octets());
        }
    }
    match endpoint.port {
        None => name.push(0),
        Some(port) => {
            name.push(1);
            name.extend_from_slice(&port.to_be_bytes());
        }
    }
    push_text(name, endpoint.zone);
    push_text(name, endpoint.name);
}

fn push_mac(name: &mut Vec<u8>, mac: Option<[u8; 6]>) {
    name.push(mac.is_some().into());
    if let Some(mac) = mac {
        name.extend_from_slice(&mac);
    }
}

fn push_number(name: &mut Vec<u8>, number: Option<u32>) {
    name.push(number.is_some().into());
    if let Some(number) = number {
        name.extend_from_slice(&number.to_be_bytes());
    }
}

/// A text's length, then the text; an absent one has the length 0, which no present one has.
fn push_text(name: &mut Vec<u8>, text: Option<&str>) {
    let text = text.unwrap_or_default();
    push_len(name, text.len());
    name.extend_from_slice(text.as_bytes());
}

/// A length in one byte, or in nine where it does not fit.
fn push_len(name: &mut Vec<u8>, len: usize) {
    match u8::try_from(len) {
        Ok(short) if short < u8::MAX => name.push(short),
        _ => {
            name.push(u8::MAX);
            name.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// A digest is as good a hash as any: its first bytes are taken.
#[derive(Debug, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
