//! IANA's name of a port on a transport.

use std::sync::LazyLock;

use crate::pipeline::record::{Endpoint, Record};

/// Service names and their ports; its first lines say its format.
const REGISTRY: &str = include_str!("../normalize/services.txt");

/// The letters of the transports in the registry's file.
const LETTERS: [char; 4] = ['t', 'u', 's', 'd'];

static SERVICES: LazyLock<Services> = LazyLock::new(|| Services::read(REGISTRY));

/// The first name that the registry has for each port, by transport.
struct Services {
    /// Names; a port without one has the first, which is empty.
    names: Vec<&'static str>,
    /// For each letter, by port up to the last one registered, the place in `names`.
    ports: [Vec<u16>; LETTERS.len()],
}

impl Services {
    fn read(registry: &'static str) -> Self {
        let mut services = Self {
            names: vec![""],
            ports: Default::default(),
        };
        for line in registry.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, places)) = line.split_once(' ') else {
                continue;
            };
            let Ok(place) = u16::try_from(services.names.len()) else {
                break;
            };
            services.names.push(name);
            // A port marked ~ has another name first.
            for ports in places.split(' ').filter(|ports| !ports.ends_with('~')) {
                services.add(ports, place);
            }
        }
        services
    }

    fn add(&mut self, ports: &str, place: u16) {
        let numbers = ports.trim_start_matches(LETTERS);
        let letters = ports.strip_suffix(numbers).unwrap_or_default();
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
            return;
        };
        let known = LETTERS.iter().zip(&mut self.ports);
        for (_, table) in known.filter(|(letter, _)| letters.contains(**letter)) {
            for port in first..=last {
                let port = usize::from(port);
                if table.len() <= port {
                    table.resize(port + 1, 0);
                }
                if let Some(slot) = table.get_mut(port) {
                    *slot = place;
                }
            }
        }
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
            (6, 465, Some("urd")),
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
        for line in REGISTRY.lines().filter(|line| !line.starts_with('#')) {
            let (service, places) = line.split_once(' ').unwrap();
            for place in places.split(' ').filter(|place| !place.ends_with('~')) {
                let digits = place.find(|c: char| c.is_ascii_digit()).unwrap();
                let (letters, numbers) = place.split_at(digits);
                let first = numbers.split('-').next().unwrap().parse().unwrap();
                for letter in letters.chars() {
                    let number = match letter {
                        't' => 6,
                        'u' => 17,
                        's' => 132,
                        'd' => 33,
                        _ => panic!("{line}"),
                    };
                    assert_eq!(name(number, first), Some(service), "{line}");
                    ports += 1;
                }
            }
        }
        assert!(ports > 10_000);
    }
}
