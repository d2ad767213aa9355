//! Community ID v1: one id of a flow, whichever end it is seen from, as network monitors give it.
//!
//! <https://github.com/corelight/community-id-spec>

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::pipeline::record::{Endpoint, Kind, Record};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Length of the text: the version, a colon and the digest in base64.
const TEXT_LEN: usize = 2 + 28;
/// Most bytes that are hashed: seed, two addresses, protocol, padding, two ports.
const MAX_HASHED_LEN: usize = 2 + 16 + 16 + 1 + 1 + 2 + 2;

/// A Community ID in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommunityId([u8; TEXT_LEN]);

impl CommunityId {
    /// The text, all ASCII.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why a record has no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum NoFlow {
    /// It has no other end.
    NoPeer,
    /// The number of its protocol is not known.
    NoProtocol,
    /// Of ICMP the type and code would be needed.
    Icmp,
    /// An end has no concrete address.
    NoAddress,
    /// An end has no port, and the transport has ports.
    NoPort,
    /// The ends are of different families.
    Families,
}

/// The id of a record's flow: only with two concrete addresses and, where the transport has
/// ports, both ports. A listener has no flow.
pub(super) fn of(record: &Record<'_>, kind: Kind, seed: u16) -> Result<CommunityId, NoFlow> {
    let remote = record
        .remote
        .as_ref()
        .filter(|_| kind != Kind::Listener)
        .ok_or(NoFlow::NoPeer)?;
    let transport = record.transport.ok_or(NoFlow::NoProtocol)?;
    let number = transport.number.ok_or(NoFlow::NoProtocol)?;
    if number == ICMP || number == ICMPV6 {
        return Err(NoFlow::Icmp);
    }
    let end = |end: &Endpoint<'_>| {
        let ip = end
            .ip
            .filter(|ip| !ip.is_unspecified())
            .ok_or(NoFlow::NoAddress)?;
        let port = if transport.has_ports {
            Some(end.port.ok_or(NoFlow::NoPort)?)
        } else {
            None
        };
        Ok((ip, port))
    };
    let (local, remote) = (end(&record.local)?, end(remote)?);
    if local.0.is_ipv4() != remote.0.is_ipv4() {
        return Err(NoFlow::Families);
    }
    Ok(of_flow(local, remote, number, seed))
}

/// The id of a flow between two ends of one family; both or neither have a port.
fn of_flow(
    one: (IpAddr, Option<u16>),
    other: (IpAddr, Option<u16>),
    number: u8,
    seed: u16,
) -> CommunityId {
    let (low, high) = if one <= other {
        (one, other)
    } else {
        (other, one)
    };
    let mut hashed = Hashed {
        bytes: [0; MAX_HASHED_LEN],
        len: 0,
    };
    hashed.push(&seed.to_be_bytes());
    for (ip, _) in [low, high] {
        match ip {
            IpAddr::V4(ip) => hashed.push(&ip.octets()),
            IpAddr::V6(ip) => hashed.push(&ip.octets()),
        }
    }
    hashed.push(&[number, 0]);
    for port in [low.1, high.1].into_iter().flatten() {
        hashed.push(&port.to_be_bytes());
    }
    let digest = Sha1::digest(hashed.bytes());
    let mut text = *b"1:............................";
    if let Some((_, encoded)) = text.split_at_mut_checked(2) {
        // 20 bytes are 28 characters, exactly those that are there.
        let _ = STANDARD.encode_slice(digest, encoded);
    }
    CommunityId(text)
}

/// What is hashed, gathered on the stack so that it is hashed at one go.
struct Hashed {
    bytes: [u8; MAX_HASHED_LEN],
    len: usize,
}

impl Hashed {
    fn push(&mut self, part: &[u8]) {
        let end = self.len + part.len();
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(part);
            self.len = end;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{tcp, udp};
    use super::*;
    use crate::pipeline::record::{State, Transport};

    fn text(record: &Record<'_>, seed: u16) -> Option<String> {
        let id = of(record, record.kind(), seed).ok()?;
        Some(String::from_utf8(id.as_bytes().to_vec()).unwrap())
    }

    fn over(number: u8, has_ports: bool, local: &str, remote: &str) -> Record<'static> {
        Record {
            transport: Some(Transport {
                name: "x",
                number: Some(number),
                has_ports,
            }),
            ..tcp(local, remote, None)
        }
    }

    /// Published values of the specification's baseline, with seed 0 and, where given, seed 1.
    #[test]
    fn published_values() {
        for (number, one, other, seed_0, seed_1) in [
            (
                6,
                "128.232.110.120:34855",
                "66.35.250.204:80",
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
                "1:3V71V58M3Ksw/yuFALMcW0LAHvc=",
            ),
            (
                17,
                "192.168.1.52:54585",
                "8.8.8.8:53",
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
                "1:Q9We8WO3piVF8yEQBNJF4uiSVrI=",
            ),
            (
                132,
                "192.168.170.8:7",
                "192.168.170.56:7",
                "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=",
                "",
            ),
            (
                132,
                "192.168.170.8:7",
                "192.168.170.56:80",
                "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=",
                "",
            ),
            (
                6,
                "1.2.3.4:1122",
                "5.6.7.8:3344",
                "1:wCb3OG7yAFWelaUydu0D+125CLM=",
                "",
            ),
        ] {
            for (local, remote) in [(one, other), (other, one)] {
                let record = over(number, true, local, remote);
                assert_eq!(
                    text(&record, 0).as_deref(),
                    Some(seed_0),
                    "{local} {remote}"
                );
                if !seed_1.is_empty() {
                    assert_eq!(
                        text(&record, 1).as_deref(),
                        Some(seed_1),
                        "{local} {remote}"
                    );
                }
            }
        }
    }

    #[test]
    fn without_ports_they_are_left_out() {
        let with = |port: &str| {
            let (one, other) = (format!("10.0.0.1{port}"), format!("10.0.0.2{port}"));
            text(&over(47, false, &one, &other), 0)
        };
        assert_eq!(with(""), with(":7"));
        assert!(with("").is_some());
    }

    #[test]
    fn none_without_a_whole_flow() {
        let established = Some(State::Established);
        for record in [
            tcp("10.0.0.1:80", "", Some(State::Listen)),
            tcp("10.0.0.1:80", "10.0.0.2:5000", Some(State::Listen)),
            tcp("0.0.0.0:80", "10.0.0.2:5000", established),
            tcp("10.0.0.1", "10.0.0.2:5000", established),
            tcp("10.0.0.1:80", "10.0.0.2", established),
            tcp("10.0.0.1:80", "[2001:db8::1]:5000", established),
            tcp("10.0.0.1:80", "", None),
            udp("10.0.0.1:53", ""),
            over(ICMP, false, "10.0.0.1", "10.0.0.2"),
            over(ICMPV6, false, "::1", "::2"),
            Record {
                transport: None,
                ..tcp("10.0.0.1:80", "10.0.0.2:5000", established)
            },
        ] {
            assert_eq!(text(&record, 0), None, "{record:?}");
        }
    }
}
