//! Addresses of the link layer.

use super::{Address, Problem, Reading};
use crate::pipeline::record::Endpoint;

const NOT_A_MAC: Problem = "is not a MAC address";
const NOT_A_PACKET_ADDRESS: Problem = "is not a protocol and an interface (`arp:eth0`)";

/// `00-0D-3A-13-E3-69`, `00:0d:3a:13:e3:69` or `000d.3a13.e369`.
pub(crate) fn mac(text: &str) -> Reading<'static> {
    let bytes = text.as_bytes();
    let (group_bytes, separator) = match (bytes.len(), bytes.get(2), bytes.get(4)) {
        (17, Some(b'-'), _) => (2, b'-'),
        (17, Some(b':'), _) => (2, b':'),
        (14, _, Some(b'.')) => (4, b'.'),
        _ => return Err(NOT_A_MAC),
    };
    let mut number: u64 = 0;
    for (position, &byte) in bytes.iter().enumerate() {
        if position % (group_bytes + 1) == group_bytes {
            if byte != separator {
                return Err(NOT_A_MAC);
            }
            continue;
        }
        let digit = char::from(byte).to_digit(16).ok_or(NOT_A_MAC)?;
        number = (number << 4) | u64::from(digit);
    }
    let [0, 0, mac @ ..] = number.to_be_bytes() else {
        return Err(NOT_A_MAC);
    };
    Ok(Address {
        end: Endpoint {
            mac: Some(mac),
            ..Endpoint::default()
        },
        ..Address::default()
    })
}

/// `*:eth0`, `arp:eth0`: what a packet socket takes, and the interface it takes it from.
pub(crate) fn packet(text: &str) -> Reading<'_> {
    let (protocol, interface) = text.split_once(':').ok_or(NOT_A_PACKET_ADDRESS)?;
    let bad = |c: char| c.is_control() || c.is_whitespace();
    if protocol.is_empty() || protocol.contains(bad) {
        return Err(NOT_A_PACKET_ADDRESS);
    }
    if interface == "*" {
        return Ok(Address::default());
    }
    Address::default().with_zone(interface)
}
