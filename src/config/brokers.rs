//! Brokers to begin with, as librdkafka reads them.

/// Whether brokers are named: `[PROTOCOL://]HOST[:PORT]`, with commas between. librdkafka itself
/// accepts an empty list and then waits for ever, and takes a port modulo 65,536.
pub fn are_brokers(text: &str) -> bool {
    text.split(',').all(|broker| is_broker(broker.trim()))
}

fn is_broker(text: &str) -> bool {
    const PROTOCOLS: &[&str] = &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    let (protocol, place) = match text.split_once("://") {
        Some((protocol, place)) => (protocol, place),
        None => ("plaintext", text),
    };
    let is_known = PROTOCOLS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(protocol));
    let (host, port) = match place.rsplit_once(':') {
        // An IPv6 address with its own colons: only brackets set a port apart.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (place, None),
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host = !host.is_empty() && !host.contains(|of: char| of.is_whitespace() || of == '/');
    is_known && is_host && port.is_none_or(is_port)
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
            "SASL_SSL://kafka.example.org:9093",
        ] {
            assert!(are_brokers(good), "{good}");
        }
        for bad in [
            "",
            " ",
            ",",
            "a:1,,b:2",
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
        ] {
            assert!(!are_brokers(bad), "{bad}");
        }
    }
}
