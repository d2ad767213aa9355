//! Brokers to begin with, as librdkafka reads them.

use std::net::Ipv6Addr;

/// Whether brokers are named: `[PROTOCOL://]HOST[:PORT]`, with commas between; as to librdkafka,
/// a comma too many is nothing. librdkafka itself accepts an empty list and then waits for ever, and
/// takes a port modulo 65,536.
pub fn are_brokers(text: &str) -> bool {
    let mut brokers = text
        .split(',')
        .map(str::trim)
        .filter(|broker| !broker.is_empty())
        .peekable();
    brokers.peek().is_some() && brokers.all(is_broker)
}

fn is_broker(text: &str) -> bool {
    const PROTOCOLS: &[&str] = &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    let (protocol, place) = text.split_once("://").unwrap_or(("plaintext", text));
    let is_known = PROTOCOLS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(protocol));
    is_known && is_place(place)
}

fn is_place(place: &str) -> bool {
    if let Some(bracketed) = place.strip_prefix('[') {
        let inside = bracketed.split_once(']');
        return inside.is_some_and(|(host, port)| {
            is_ipv6(host) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        });
    }
    match place.split_once(':') {
        None => is_name(place),
        // An IPv6 address with its own colons: only brackets set a port apart.
        Some((_, rest)) if rest.contains(':') => is_ipv6(place),
        Some((host, port)) => is_name(host) && is_port(port),
    }
}

/// An address, which may have its zone behind it (RFC 4007, section 11).
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// A host's name or IPv4 address; whether there is such a host only asking tells.
fn is_name(text: &str) -> bool {
    let is_odd = |of: char| of.is_whitespace() || "/[];".contains(of);
    !text.is_empty() && !text.contains(is_odd)
}

fn is_port(text: &str) -> bool {
    let is_number = text.bytes().all(|of| of.is_ascii_digit());
    is_number && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_hosts_with_ports_or_without() {
        for good in [
            "localhost:9092",
            "localhost",
            "a:1,b:2",
            "a:1, b:2",
            "10.0.0.1:9092",
            "[::1]:9092",
            "[::1]",
            "::1",
            "[fe80::1%eth0]:9092",
            "a:9092,",
            "a:1,,b:2",
            "SASL_SSL://kafka.example.org:9093",
        ] {
            assert!(are_brokers(good), "{good}");
        }
        for bad in [
            "",
            " ",
            ",",
            ", ,",
            ":9092",
            "a:",
            "a:port",
            "a:0",
            "a:99999",
            "a b:1",
            "a:1 b:2",
            "[::1]:x",
            "http://a:1",
            "ssl://",
            "a:1/b",
            "a:9092;b:9092",
            "a:1:2",
            "[::1",
            "[a]:1",
            "a]:1",
            "a:+1",
        ] {
            assert!(!are_brokers(bad), "{bad}");
        }
    }
}
