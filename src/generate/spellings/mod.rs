//! Sockets as the tools print them: each tool's spelling of a row, and beside it what the row
//! must be read as.

mod linux;
mod macos;
mod odd;
mod stacks;
mod windows;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::hosts::{Host, Socket};
use super::manifest::{End, Truth};
use super::rng::Rng;
use super::roles::System;
use crate::pipeline::record::{Kind, State};

/// A tool, or an agent, that prints sockets in a manner of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// `netstat -ano` on Windows.
    WindowsNetstat,
    /// `Get-NetTCPConnection` and `Get-NetUDPEndpoint`, states by name or number.
    PowerShell,
    /// Seatbelt's TcpConnections and UdpConnections, the stack hard-coded to IPv4.
    Seatbelt,
    /// `ss -tuna0w` on Linux.
    Ss,
    /// net-tools' `netstat -tunap`, with its columns of 23 characters.
    NetTools,
    /// net-tools' `netstat -tuap`: names in place of numbers.
    NetToolsNames,
    /// Raw rows of `/proc/net/tcp`, hexadecimal.
    ProcNet,
    /// osquery's `process_open_sockets`.
    Osquery,
    /// Velociraptor's `Linux.Network.Netstat`.
    Velociraptor,
    /// `netstat -an` on macOS, with its columns of 18 and 22 characters.
    MacNetstat,
    /// A sensor that sees the link layer and sends lists of addresses.
    LinkSensor,
    /// A custom agent that names other stacks: TLS, ICMP, SCTP, sockets that are not IP at all.
    CustomAgent,
}

impl Tool {
    /// Every tool.
    pub const ALL: &[Self] = &[
        Self::WindowsNetstat,
        Self::PowerShell,
        Self::Seatbelt,
        Self::Ss,
        Self::NetTools,
        Self::NetToolsNames,
        Self::ProcNet,
        Self::Osquery,
        Self::Velociraptor,
        Self::MacNetstat,
        Self::LinkSensor,
        Self::CustomAgent,
    ];

    /// The system that the tool runs on in the generated fleet.
    pub(super) fn system(self) -> System {
        match self {
            Self::WindowsNetstat | Self::PowerShell | Self::Seatbelt => System::Windows,
            Self::MacNetstat => System::MacOs,
            _ => System::Linux,
        }
    }

    /// The socket as the tool prints it.
    pub(super) fn spell(self, host: &Host, socket: &Socket, rng: &mut Rng) -> Spelled {
        if rng.chance(0.03) {
            return odd::row(host, rng);
        }
        match self {
            Self::WindowsNetstat => windows::netstat(socket, rng),
            Self::PowerShell => windows::powershell(socket, rng),
            Self::Seatbelt => windows::seatbelt(socket),
            Self::Ss => linux::ss(socket, rng),
            Self::NetTools => linux::net_tools(socket),
            Self::NetToolsNames => linux::net_tools_names(socket),
            Self::ProcNet => linux::proc_net(socket),
            Self::Osquery => linux::osquery(socket),
            Self::Velociraptor => linux::velociraptor(socket),
            Self::MacNetstat => macos::netstat(socket, rng),
            Self::LinkSensor => stacks::link_sensor(host, socket, rng),
            Self::CustomAgent => stacks::custom_agent(host, socket, rng),
        }
    }
}

/// A row as it is sent; empty text is an absent field.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) protocol: String,
    pub(super) state: String,
    pub(super) pid: Option<u32>,
    pub(super) process: String,
    pub(super) service: String,
}

/// A row and what it must be read as.
#[derive(Clone, Debug)]
pub(super) struct Spelled {
    pub(super) row: Row,
    pub(super) truth: Truth,
}

impl Spelled {
    /// Gives the process, where it has a name, arguments as those of a Java program: 1 to 16 KiB.
    pub(super) fn prolong_command(&mut self, rng: &mut Rng) {
        if self.row.process.is_empty() {
            return;
        }
        let entries = rng.between(25, 400);
        self.row.process.push_str(" -cp ");
        for number in 0..entries {
            let entry = format!(
                "/srv/app/lib/component-{number:03}-{:04x}.jar:",
                rng.below(1 << 16)
            );
            self.row.process.push_str(&entry);
        }
        self.truth.process = Some(self.row.process.clone());
    }
}

/// The socket in the contract's own notation, `tcp,ipv4` with `ip:port`: what every other
/// spelling starts from.
pub(super) fn plain(socket: &Socket) -> Spelled {
    let network = family(socket.local);
    let remote = socket.remote.map(|(ip, port)| End {
        ip: Some(ip),
        port: Some(port),
        ..End::default()
    });
    let truth = Truth {
        kind: Some(kind_of(socket)),
        transport: Some(socket.transport),
        network: Some(network),
        state: socket.state,
        local: End {
            ip: Some(socket.local),
            port: Some(socket.local_port),
            ..End::default()
        },
        remote,
        pid: socket.pid,
        process: (!socket.process.is_empty()).then(|| socket.process.to_owned()),
        ..Truth::default()
    };
    let row = Row {
        local: combined(socket.local, socket.local_port),
        remote: socket
            .remote
            .map_or_else(String::new, |(ip, port)| combined(ip, port)),
        protocol: format!("{},{network}", socket.transport),
        state: socket.state.map_or("", State::name).to_owned(),
        pid: socket.pid,
        process: socket.process.to_owned(),
        service: socket.service.to_owned(),
    };
    Spelled { row, truth }
}

fn kind_of(socket: &Socket) -> Kind {
    match (socket.state, socket.remote) {
        (Some(State::Listen), _) | (None, None) => Kind::Listener,
        (_, Some(_)) => Kind::Connection,
        (Some(_), None) => Kind::Idle,
    }
}

/// `ipv4` or `ipv6`.
fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ipv4" } else { "ipv6" }
}

/// `1.2.3.4:80` or `[::1]:80`.
fn combined(ip: IpAddr, port: u16) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}

/// The wildcard address of the socket's family.
fn wildcard(socket: &Socket) -> IpAddr {
    match socket.local {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The state in a tool's spelling, from the tool's list of those that differ from the
/// contract's.
fn state_as(state: Option<State>, differing: &[(State, &'static str)]) -> String {
    let Some(state) = state else {
        return String::new();
    };
    let own = differing.iter().find(|(theirs, _)| *theirs == state);
    own.map_or(state.name(), |(_, text)| text).to_owned()
}

/// A MAC address in upper-case pairs.
pub(super) fn mac_text(mac: [u8; 6], separator: char) -> String {
    let pairs = mac.map(|byte| format!("{byte:02X}"));
    pairs.join(&separator.to_string())
}
