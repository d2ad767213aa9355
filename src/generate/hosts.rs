//! A fleet of hosts with stable identities, and the sockets that each has open.
//!
//! What a host is depends on the seed and on its number alone, so that its agent, its addresses
//! and its listeners are the same in every snapshot. Peers outside of the fleet have addresses
//! that are reserved for documentation, as they are or inside an IPv6 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rng::Rng;
use super::roles::{self, Bind, Peer, Role, Service};
use super::spellings::Tool;
use crate::pipeline::record::State;

/// How many hosts the fleet has.
pub(super) const FLEET: u32 = 60;

/// One host of the fleet and the agent on it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) agent_id: String,
    pub(super) agent_type: &'static str,
    pub(super) project: &'static str,
    pub(super) source: String,
    pub(super) tool: Tool,
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
    pub(super) link_local: Ipv6Addr,
    pub(super) mac: [u8; 6],
    role: &'static Role,
    pid_base: u32,
}

/// A socket as the host's kernel has it, before any tool prints it.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) transport: &'static str,
    pub(super) local: IpAddr,
    pub(super) local_port: u16,
    pub(super) remote: Option<(IpAddr, u16)>,
    /// Interface of a local address that is only meaningful with one.
    pub(super) zone: Option<&'static str>,
    pub(super) state: Option<State>,
    pub(super) pid: Option<u32>,
    pub(super) process: &'static str,
    pub(super) service: &'static str,
}

/// The states of connections that the host made, as often as they are seen.
const CALLING_STATES: &[State] = &[
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::TimeWait,
    State::TimeWait,
    State::CloseWait,
    State::SynSent,
    State::FinWait1,
    State::FinWait2,
    State::LastAck,
    State::Closing,
    State::Closed,
];

/// The states of connections that others made.
const SERVING_STATES: &[State] = &[
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::TimeWait,
    State::TimeWait,
    State::CloseWait,
    State::SynRecv,
    State::FinWait2,
];

impl Host {
    /// The host of that number.
    pub(super) fn new(seed: u64, number: u32) -> Self {
        let mut rng = Rng::at(seed ^ 0x0066_6C65_6574, u64::from(number));
        let tools = u32::try_from(Tool::ALL.len()).unwrap_or(1);
        let tool = *pick_at(Tool::ALL, number);
        let role = roles::of(tool, number / tools);
        let site = u16::try_from(number % 4).unwrap_or(0);
        let unit = u8::try_from(10 + number).unwrap_or(u8::MAX);
        let [a, b, c, d, ..] = rng.next().to_be_bytes();
        let interface = u16::from_be_bytes([a, b]);
        Self {
            agent_id: format!("{}{unit:03}", 3_394_000 + u32::from(d)),
            agent_type: role.agent_type,
            project: ["ASSESS-X", "HARBOR", "NIGHTFALL"][number as usize % 3],
            source: format!("{}{number:02}", role.prefix),
            tool,
            v4: Ipv4Addr::new(172, 16, 111 + u8::try_from(site).unwrap_or(0), unit),
            v6: Ipv6Addr::new(0xfd00, 0x5a, site, 1, 0, 0, interface, u16::from(unit)),
            link_local: Ipv6Addr::new(0xfe80, 0, 0, 0, 0x244e, 0x2f1e, interface, 0x62b2),
            mac: [0x00, 0x0D, 0x3A, a, b, c],
            role,
            pid_base: 600 + 40 * (number % 50),
        }
    }

    /// How many listeners the host has.
    pub(super) fn listeners(&self) -> u32 {
        u32::try_from(self.role.services.len()).unwrap_or(0)
    }

    /// The host's listener of that number, the same in every snapshot.
    pub(super) fn listening(&self, place: u32) -> Socket {
        let service = pick_at(self.role.services, place);
        let zone = match service.bind {
            Bind::Stub => Some("lo"),
            Bind::LinkLocal => Some(self.role.zone),
            _ => None,
        };
        Socket {
            transport: service.transport,
            local: self.bound(service.bind),
            local_port: service.port,
            remote: None,
            zone,
            state: (service.transport == "tcp").then_some(State::Listen),
            // The kernel's own sockets have no process.
            pid: (!service.process.is_empty()).then(|| self.pid_of(service.process)),
            process: service.process,
            service: service.name,
        }
    }

    fn bound(&self, bind: Bind) -> IpAddr {
        let [_, _, site, unit] = self.v4.octets();
        match bind {
            Bind::Any4 => Ipv4Addr::UNSPECIFIED.into(),
            Bind::Any6 => Ipv6Addr::UNSPECIFIED.into(),
            Bind::Loopback4 => Ipv4Addr::LOCALHOST.into(),
            Bind::Loopback6 => Ipv6Addr::LOCALHOST.into(),
            Bind::Stub => Ipv4Addr::new(127, 0, 0, 53).into(),
            Bind::Lan4 => self.v4.into(),
            Bind::Wan4 => Ipv4Addr::new(100, 64, site, unit).into(),
            Bind::As112 => Ipv4Addr::new(192, 175, 48, 1).into(),
            Bind::LinkLocal => self.link_local.into(),
        }
    }

    /// One or two sockets with a peer, which come and go: a connection within the host has both
    /// its ends there.
    pub(super) fn connected(&self, rng: &mut Rng) -> (Socket, Option<Socket>) {
        match rng.below(20) {
            0 | 1 => self.inner(rng),
            2..8 => (self.served(rng), None),
            _ => (self.calling(rng), None),
        }
    }

    /// A connection that the host made.
    fn calling(&self, rng: &mut Rng) -> Socket {
        let client = rng.pick(self.role.clients);
        let v6 = rng.chance(0.3);
        let tcp = client.transport == "tcp";
        let state = tcp.then(|| *rng.pick(CALLING_STATES));
        let local = if v6 { self.v6.into() } else { self.v4.into() };
        let remote = peer(client.peer, v6, rng);
        Self::connection(
            client.transport,
            (local, self.client_port(rng)),
            (remote, client.port),
        )
        .owned(self, client.process, state)
    }

    /// A connection that a peer made to one of the host's services.
    fn served(&self, rng: &mut Rng) -> Socket {
        let services = self.role.services.iter();
        let called: Vec<&Service> = services
            .filter(|service| service.callers != Peer::Nobody)
            .collect();
        let service = *rng.pick(&called);
        // A socket of IPv6 takes both.
        let v6 = service.bind == Bind::Any6 && rng.chance(0.5);
        let local = match service.bind {
            Bind::Any4 | Bind::Any6 if v6 => self.v6.into(),
            Bind::Any4 | Bind::Any6 => self.v4.into(),
            bind => self.bound(bind),
        };
        let state = (service.transport == "tcp").then(|| *rng.pick(SERVING_STATES));
        let remote = (peer(service.callers, v6, rng), rng.between(32_768, 65_535));
        let mut socket = Self::connection(service.transport, (local, service.port), remote).owned(
            self,
            service.process,
            state,
        );
        socket.service = service.name;
        socket
    }

    /// Both ends of a connection over loopback.
    fn inner(&self, rng: &mut Rng) -> (Socket, Option<Socket>) {
        let inner = rng.pick(self.role.inner);
        let server = (Ipv4Addr::LOCALHOST.into(), inner.port);
        let caller = (Ipv4Addr::LOCALHOST.into(), self.client_port(rng));
        let state = Some(State::Established);
        let calling = Self::connection("tcp", caller, server);
        let serving = Self::connection("tcp", server, caller);
        (
            calling.owned(self, inner.caller, state),
            Some(serving.owned(self, inner.server, state)),
        )
    }

    fn connection(
        transport: &'static str,
        (local, local_port): (IpAddr, u16),
        remote: (IpAddr, u16),
    ) -> Socket {
        Socket {
            transport,
            local,
            local_port,
            remote: Some(remote),
            zone: None,
            state: None,
            pid: None,
            process: "",
            service: "",
        }
    }

    fn client_port(&self, rng: &mut Rng) -> u16 {
        let (first, last) = self.role.client_ports;
        rng.between(first, last)
    }

    /// A process has one id on a host, whatever it has open.
    fn pid_of(&self, process: &str) -> u32 {
        // The kernel's own sockets on Windows belong to the process 4.
        if process == "System" {
            return 4;
        }
        let sum = process.bytes().fold(0_u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(byte.into())
        });
        self.pid_base + 4 * (sum % 500)
    }
}

impl Socket {
    /// The socket with its process in that state. A kernel knows no process of a socket that
    /// its process has closed.
    fn owned(mut self, host: &Host, process: &'static str, state: Option<State>) -> Self {
        let is_known = !matches!(state, Some(State::TimeWait | State::SynRecv));
        self.state = state;
        if is_known {
            self.pid = Some(host.pid_of(process));
            self.process = process;
        }
        self
    }
}

fn pick_at<T>(choices: &[T], place: u32) -> &T {
    &choices[place as usize % choices.len()]
}

fn peer(peer: Peer, v6: bool, rng: &mut Rng) -> IpAddr {
    match peer {
        Peer::Inside | Peer::Nobody => peer_inside(v6, rng),
        Peer::Outside => peer_outside(v6, rng),
    }
}

fn peer_inside(v6: bool, rng: &mut Rng) -> IpAddr {
    let [site, ..] = rng.below(4).to_le_bytes();
    let [unit, ..] = rng.between(10, 250).to_le_bytes();
    let v4 = Ipv4Addr::new(172, 16, 111 + site, unit);
    let network = [0xfd00, 0x5a, u16::from(site), 2];
    match v6 {
        false => v4.into(),
        // An address that ISATAP makes of the one of IPv4 (RFC 5214).
        true if rng.chance(0.1) => with_v4(network, 0x5efe, v4),
        true => {
            let [a, b, c, d] = network;
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, u16::from(unit)).into()
        }
    }
}

/// An address of IPv6 with one of IPv4 at its end.
fn with_v4([a, b, c, d]: [u16; 4], before: u16, v4: Ipv4Addr) -> IpAddr {
    let (high, low) = halves(v4);
    Ipv6Addr::new(a, b, c, d, 0, before, high, low).into()
}

fn halves(v4: Ipv4Addr) -> (u16, u16) {
    let [a, b, c, d] = v4.octets();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

fn peer_outside(v6: bool, rng: &mut Rng) -> IpAddr {
    let [unit, ..] = rng.between(1, 254).to_le_bytes();
    let v4 = if rng.chance(0.5) {
        Ipv4Addr::new(203, 0, 113, unit)
    } else {
        Ipv4Addr::new(198, 51, 100, unit)
    };
    if !v6 {
        return v4.into();
    }
    let (high, low) = halves(v4);
    match rng.below(10) {
        // Behind the translator that an IPv6-only network reaches IPv4 by (RFC 6052).
        0 => with_v4([0x64, 0xff9b, 0, 0], 0, v4),
        // 6to4 (RFC 3056).
        1 => Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1).into(),
        // A Teredo client: server, flags, port and address, these two inverted (RFC 4380).
        2 => Ipv6Addr::new(0x2001, 0, 0xc000, 0x0201, 0, !40_000, !high, !low).into(),
        _ => Ipv6Addr::new(0x2001, 0xdb8, 0x4003, 0xc, 0, 0, 0, rng.between(1, 0xffff)).into(),
    }
}
