//! IANA's name of a port on a transport.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use crate::pipeline::normalize::services::{self, Registry};
use crate::pipeline::record::{Endpoint, Record};

static SERVICES: LazyLock<Services> = LazyLock::new(Services::read);

/// The name that stands first for each port, by transport.
struct Services {
    /// Names; a port without one has the first, which is empty.
    names: Vec<&'static str>,
    /// For each transport, by port up to the last one registered, the place in `names`.
    ports: [Vec<u16>; Registry::ALL.len()],
}

impl Services {
    fn read() -> Self {
        let mut services = Self {
            names: vec![""],
            ports: Default::default(),
        };
        for (name, places) in services::all() {
            let Ok(at) = u16::try_from(services.names.len()) else {
                break;
            };
            services.names.push(name);
            for place in places.filter(|place| place.is_first) {
                let tables = Registry::ALL.into_iter().zip(&mut services.ports);
                for (_, table) in tables.filter(|(registry, _)| place.is_of(*registry)) {
                    enter(table, place.ports.clone(), at);
                }
            }
        }
        services
    }
}

fn enter(table: &mut Vec<u16>, ports: RangeInclusive<u16>, at: u16) {
    let (first, last) = (usize::from(*ports.start()), usize::from(*ports.end()));
    if table.len() <= last {
        table.resize(last + 1, 0);
    }
    if let Some(slots) = table.get_mut(first..=last) {
        slots.fill(at);
    }
}

/// The name of a port on a transport, given by its IANA protocol number. MPTCP shares TCP's
/// number, and UDP-Lite, which has no registry of its own, UDP's names.
pub fn name(number: u8, port: u16) -> Option<&'static str> {
    let services = &*SERVICES;
    let [tcp, udp, sctp, dccp] = &services.ports;
    let table = match number {
        6 => tcp,
        17 | 136 => udp,
        132 => sctp,
        33 => dccp,
        _ => return None,
    };
    let place = table.get(usize::from(port))?;
    services
        .names
        .get(usize::from(*place))
        .copied()
        .filter(|name| !name.is_empty())
}

/// The name of an end's port on the record's transport.
pub(super) fn of(record: &Record<'_>, end: &Endpoint<'_>) -> Option<&'static str> {
    name(record.transport?.number?, end.port?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_names_by_transport() {
        for (number, port, expected) in [
            (6, 80, Some("http")),
            (17, 80, Some("http")),
            (6, 443, Some("https")),
            (6, 22, Some("ssh")),
            (132, 22, Some("ssh")),
            (33, 22, None),
            (6, 445, Some("microsoft-ds")),
            (17, 53, Some("domain")),
            (136, 53, Some("domain")),
            (6, 3389, Some("ms-wbt-server")),
            (6, 6000, Some("x11")),
            (6, 6063, Some("x11")),
            (6, 465, Some("submissions")),
            (6, 993, Some("imaps")),
            (17, 993, None),
            (6, 0, None),
            (6, 49_152, None),
            (6, u16::MAX, None),
            (1, 80, None),
        ] {
            assert_eq!(name(number, port), expected, "{number} {port}");
        }
    }

    #[test]
    fn every_port_of_the_registry_has_its_first_name() {
        let mut ports = 0;
        for (service, places) in services::all() {
            for place in places.filter(|place| place.is_first) {
                let numbers = Registry::ALL.into_iter().zip([6, 17, 132, 33]);
                for (_, number) in numbers.filter(|(registry, _)| place.is_of(*registry)) {
                    for port in [*place.ports.start(), *place.ports.end()] {
                        assert_eq!(name(number, port), Some(service), "{number} {port}");
                    }
                    ports += 1;
                }
            }
        }
        assert!(ports > 10_000);
    }
}
