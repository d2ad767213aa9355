//! The application's protocol of an event, by the name that sensors give it.
//!
//! ECS wants the protocol of the application layer in `network.protocol`, "for example, http, dns,
//! or ssh". IANA names the services of ports, which is often the same word, and sometimes another
//! one. The tables here have those whose protocol goes by another name, mostly that of Packetbeat
//! or Zeek, as Elastic reads them, so that searches written for these find these events too. Where
//! the two differ, one was chosen: `dhcp` is Zeek's, whereas Packetbeat has `dhcpv4`, and `tls` is
//! Packetbeat's, whereas Zeek has `ssl`. A service is here only where its registration is for that
//! very protocol: what people are used to run on a port that is registered for something else is no
//! reason.

use super::Event;
use crate::pipeline::enrich::direction::Initiator;
use crate::pipeline::record::Kind;

/// IANA's services whose protocol has another name; sorted by the service. Sources: the
/// descriptions of IANA's Service Name and Transport Protocol Port Number Registry, and the values
/// of `network.protocol` in Elastic's Packetbeat and Zeek modules.
pub const PROTOCOLS: &[(&str, &str)] = &[
    ("bootpc", "dhcp"),
    ("bootps", "dhcp"),
    ("dhcpv6-client", "dhcpv6"),
    ("dhcpv6-server", "dhcpv6"),
    ("dnp", "dnp3"),
    ("domain", "dns"),
    ("epmap", "dce_rpc"),
    ("http-alt", "http"),
    ("ircu", "irc"),
    ("mbap", "modbus"),
    ("microsoft-ds", "smb"),
    ("ms-wbt-server", "rdp"),
    ("msft-gc", "ldap"),
    ("snmptrap", "snmp"),
    ("submission", "smtp"),
    ("wbem-http", "http"),
    ("wsman", "http"),
    ("xmpp-client", "xmpp"),
    ("xmpp-server", "xmpp"),
];

/// IANA's services that are a protocol of a standard inside TLS, of which TLS is all that is to be
/// seen on the wire; sorted. Those of single products are left out. Over UDP and DCCP they are not
/// TLS.
pub const OVER_TLS: &[&str] = &[
    "amqps",
    "coaps",
    "cops-tls",
    "dicom-tls",
    "docker-s",
    "domain-s",
    "ftps",
    "ftps-data",
    "https",
    "imaps",
    "ircs-u",
    "ldaps",
    "mbap-s",
    "msft-gc-ssl",
    "netconf-ch-tls",
    "netconf-tls",
    "nntps",
    "odette-ftps",
    "opcua-tls",
    "pcsync-https",
    "pop3s",
    "pt-tls",
    "radsec",
    "restconf-ch-tls",
    "rpki-rtr-tls",
    "rtsps",
    "secure-mqtt",
    "sips",
    "snmptls",
    "snmptls-trap",
    "stuns",
    "submissions",
    "syslog-tls",
    "telnets",
    "wbem-https",
    "wsmans",
];

/// How the protocol is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// The sender's stack has it above the transport.
    Stack,
    /// It is what the port of the end that serves is registered for.
    Port,
}

impl Basis {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Port => "port",
        }
    }
}

/// The protocol, and how it is known.
pub(super) fn protocol<'a>(event: &Event<'a>) -> Option<(&'a str, Basis)> {
    let record = event.record;
    let transport = record.transport?;
    let top = record.protocols.first().copied();
    if let Some(top) = top.filter(|top| *top != transport.name) {
        return Some((top, Basis::Stack));
    }
    // UDP, DCCP and UDP-Lite, over which it is DTLS (RFC 6347, RFC 5238) or QUIC.
    let is_datagram = matches!(transport.number, Some(17 | 33 | 136));
    let service = service(event)?;
    Some((of_service(service, is_datagram), Basis::Port))
}

/// The service of the end that serves.
fn service<'a>(event: &Event<'a>) -> Option<&'a str> {
    let facts = event.facts;
    match (facts.kind, facts.direction) {
        (Kind::Listener, _) => facts.local.service,
        (Kind::Connection | Kind::Idle, direction) => match direction?.initiator {
            Initiator::Local => facts.remote.service,
            Initiator::Remote => facts.local.service,
            Initiator::Unknown => None,
        },
    }
}

fn of_service(service: &str, is_datagram: bool) -> &str {
    if OVER_TLS.binary_search(&service).is_ok() {
        return match (service, is_datagram) {
            (_, false) => "tls",
            // HTTP/3, RFC 9114, section 3.1.2.
            ("https", true) => "quic",
            (_, true) => service,
        };
    }
    let found = PROTOCOLS.binary_search_by_key(&service, |(name, _)| *name);
    let protocol = found.ok().and_then(|at| PROTOCOLS.get(at));
    protocol.map_or(service, |(_, protocol)| *protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::normalize::services;

    #[test]
    fn every_service_of_the_tables_is_the_first_one_of_a_port() {
        assert!(PROTOCOLS.is_sorted_by(|one, next| one.0 < next.0));
        assert!(OVER_TLS.is_sorted_by(|one, next| one < next));
        let named = PROTOCOLS.iter().map(|(service, _)| *service);
        for service in named.chain(OVER_TLS.iter().copied()) {
            let mut all = services::all();
            let places = all.find(|(name, _)| *name == service).map(|of| of.1);
            let is_of_a_port = places.is_some_and(|mut of| of.any(|place| place.is_first));
            assert!(is_of_a_port, "{service}");
        }
    }

    #[test]
    fn names_by_service_and_transport() {
        for (service, stream, datagram) in [
            ("domain", "dns", "dns"),
            ("microsoft-ds", "smb", "smb"),
            ("https", "tls", "quic"),
            ("imaps", "tls", "imaps"),
            ("submissions", "tls", "submissions"),
            ("coaps", "tls", "coaps"),
            ("ssh", "ssh", "ssh"),
            ("bootpc", "dhcp", "dhcp"),
            ("xmpp-server", "xmpp", "xmpp"),
            ("wsmans", "tls", "wsmans"),
        ] {
            let found = [of_service(service, false), of_service(service, true)];
            assert_eq!(found, [stream, datagram], "{service}");
        }
    }
}
