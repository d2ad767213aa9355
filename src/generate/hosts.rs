//! A fleet of hosts with stable identities, and the sockets that each has open.
//!
//! What a host is depends on the seed and on its number alone, so that its agent, its addresses
//! and its listeners are the same in every snapshot. Peers outside of the fleet have addresses
//! that are reserved for documentation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rng::Rng;
use super::spellings::Tool;
use crate::pipeline::record::State;

/// How many hosts the fleet has.
pub(super) const FLEET: u32 = 60;

/// A kind of operating system, which decides what runs on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Windows,
    Linux,
    MacOs,
}

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
    pub(super) zone: &'static str,
    pub(super) mac: [u8; 6],
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

/// Where a service listens.
#[derive(Clone, Copy)]
enum Bind {
    Any4,
    Any6,
    Loopback4,
    Loopback6,
    /// The stub resolver's 127.0.0.53 on the interface lo.
    Stub,
    Lan4,
    LinkLocal,
}

struct Service {
    transport: &'static str,
    port: u16,
    bind: Bind,
    process: &'static str,
    /// The service's name, as Windows and inetd have one.
    name: &'static str,
}

struct Client {
    transport: &'static str,
    port: u16,
    inside: bool,
    process: &'static str,
}

macro_rules! services {
    ($($transport:literal $port:literal $bind:ident $process:literal $name:literal)*) => {
        &[$(Service {
            transport: $transport, port: $port, bind: Bind::$bind,
            process: $process, name: $name,
        }),*]
    };
}

macro_rules! clients {
    ($($transport:literal $port:literal $inside:literal $process:literal)*) => {
        &[$(Client { transport: $transport, port: $port, inside: $inside, process: $process }),*]
    };
}

const WINDOWS_SERVICES: &[Service] = services! {
    "tcp" 135 Any4 "svchost.exe" "RpcSs"
    "tcp" 445 Any6 "System" ""
    "tcp" 3389 Any4 "C:\\Windows\\System32\\svchost.exe -k NetworkService -s TermService" "TermService"
    "tcp" 5985 Any6 "System" ""
    "tcp" 49664 Any4 "lsass.exe" ""
    "tcp" 139 Lan4 "System" ""
    "tcp" 1433 Any4 "\"C:\\Program Files\\Microsoft SQL Server\\MSSQL16\\MSSQL\\Binn\\sqlservr.exe\" -sMSSQLSERVER" "MSSQLSERVER"
    "udp" 123 Any4 "svchost.exe" "W32Time"
    "udp" 500 Any6 "svchost.exe" "IKEEXT"
    "udp" 5353 Any4 "svchost.exe" "Dnscache"
    "udp" 1900 LinkLocal "svchost.exe" "SSDPSRV"
    "udp" 137 Lan4 "System" ""
};

const LINUX_SERVICES: &[Service] = services! {
    "tcp" 22 Any4 "sshd" "ssh"
    "tcp" 22 Any6 "sshd" "ssh"
    "tcp" 443 Any6 "nginx: master process /usr/sbin/nginx" ""
    "tcp" 5432 Loopback4 "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main" "postgresql"
    "tcp" 25 Loopback6 "master" ""
    "tcp" 9100 Any6 "/usr/bin/node_exporter" ""
    "udp" 53 Stub "systemd-resolve" ""
    "udp" 68 Lan4 "dhclient" ""
    "udp" 323 Loopback4 "chronyd" ""
    "udp" 5353 Any4 "avahi-daemon" ""
    "udp" 123 LinkLocal "ntpd" ""
};

const MACOS_SERVICES: &[Service] = services! {
    "tcp" 22 Any6 "launchd" ""
    "tcp" 631 Loopback4 "/usr/sbin/cupsd" "ipp"
    "tcp" 631 Loopback6 "/usr/sbin/cupsd" "ipp"
    "tcp" 5000 Any4 "/System/Library/CoreServices/ControlCenter.app/Contents/MacOS/ControlCenter" ""
    "tcp" 88 Any6 "kdc" ""
    "udp" 137 Any4 "netbiosd" ""
    "udp" 5353 Any4 "mDNSResponder" ""
    "udp" 123 Lan4 "timed" ""
};

const WINDOWS_CLIENTS: &[Client] = clients! {
    "tcp" 443 false "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"
    "tcp" 443 false "msedge.exe"
    "tcp" 445 true "System"
    "tcp" 389 true "lsass.exe"
    "tcp" 88 true "lsass.exe"
    "tcp" 3389 true "mstsc.exe"
    "tcp" 5985 true "powershell.exe"
    "tcp" 8443 false "rundll32.exe"
    "udp" 53 true "svchost.exe"
};

const LINUX_CLIENTS: &[Client] = clients! {
    "tcp" 22 true "/usr/bin/ssh -N db01"
    "tcp" 443 false "curl"
    "tcp" 5432 true "python3 /srv/app/worker.py"
    "tcp" 6379 true "gunicorn: worker [app]"
    "tcp" 80 false "/usr/lib/apt/methods/http"
    "tcp" 2049 true "[kworker/u8:3]"
    "udp" 123 false "chronyd"
    "udp" 53 true "systemd-resolve"
};

const MACOS_CLIENTS: &[Client] = clients! {
    "tcp" 443 false "/Applications/Safari.app/Contents/MacOS/Safari"
    "tcp" 993 false "Mail"
    "tcp" 5223 false "apsd"
    "tcp" 445 true "/System/Library/Filesystems/NetFSPlugins/smb.bundle/Contents/MacOS/smb"
    "udp" 443 false "Google Chrome Helper"
    "udp" 53 true "mDNSResponder"
};

/// The states of connections, as often as they are seen.
const STATES: &[State] = &[
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
    State::SynRecv,
    State::FinWait1,
    State::FinWait2,
    State::LastAck,
    State::Closing,
    State::Closed,
];

impl Host {
    /// The host of that number.
    pub(super) fn new(seed: u64, number: u32) -> Self {
        let mut rng = Rng::at(seed ^ 0x0066_6C65_6574, u64::from(number));
        let tool = *pick_at(Tool::ALL, number);
        let site = u16::try_from(number % 4).unwrap_or(0);
        let unit = u8::try_from(10 + number).unwrap_or(u8::MAX);
        let [a, b, c, d, ..] = rng.next().to_be_bytes();
        let mac = [0x00, 0x0D, 0x3A, a, b, c];
        let interface = u16::from_be_bytes([a, b]);
        let (agent_type, prefix, zone) = match tool.system() {
            System::Windows => ("beacon", "WS", "9"),
            System::Linux => ("osquery", "srv", "eth0"),
            System::MacOs => ("collector", "mac", "en0"),
        };
        Self {
            agent_id: format!("{}{unit:03}", 3_394_000 + u32::from(d)),
            agent_type,
            project: ["ASSESS-X", "HARBOR", "NIGHTFALL"][number as usize % 3],
            source: format!("{prefix}{number:02}"),
            tool,
            v4: Ipv4Addr::new(172, 16, 111 + u8::try_from(site).unwrap_or(0), unit),
            v6: Ipv6Addr::new(0xfd00, 0x5a, site, 1, 0, 0, interface, u16::from(unit)),
            link_local: Ipv6Addr::new(0xfe80, 0, 0, 0, 0x244e, 0x2f1e, interface, 0x62b2),
            zone,
            mac,
            pid_base: 600 + 40 * (number % 50),
        }
    }

    /// The host's socket for that place in a snapshot: its listeners first, the same each time,
    /// then connections that come and go.
    pub(super) fn socket(&self, place: u32, listeners: u32, rng: &mut Rng) -> Socket {
        if place < listeners {
            self.listening(place)
        } else {
            self.connected(rng)
        }
    }

    /// How many listeners the host has.
    pub(super) fn listeners(&self) -> u32 {
        u32::try_from(self.services().len()).unwrap_or(0)
    }

    fn services(&self) -> &'static [Service] {
        match self.tool.system() {
            System::Windows => WINDOWS_SERVICES,
            System::Linux => LINUX_SERVICES,
            System::MacOs => MACOS_SERVICES,
        }
    }

    fn clients(&self) -> &'static [Client] {
        match self.tool.system() {
            System::Windows => WINDOWS_CLIENTS,
            System::Linux => LINUX_CLIENTS,
            System::MacOs => MACOS_CLIENTS,
        }
    }

    fn listening(&self, place: u32) -> Socket {
        let service = pick_at(self.services(), place);
        let (local, zone) = match service.bind {
            Bind::Any4 => (Ipv4Addr::UNSPECIFIED.into(), None),
            Bind::Any6 => (Ipv6Addr::UNSPECIFIED.into(), None),
            Bind::Loopback4 => (Ipv4Addr::LOCALHOST.into(), None),
            Bind::Loopback6 => (Ipv6Addr::LOCALHOST.into(), None),
            Bind::Stub => (Ipv4Addr::new(127, 0, 0, 53).into(), Some("lo")),
            Bind::Lan4 => (self.v4.into(), None),
            Bind::LinkLocal => (self.link_local.into(), Some(self.zone)),
        };
        Socket {
            transport: service.transport,
            local,
            local_port: service.port,
            remote: None,
            zone,
            state: (service.transport == "tcp").then_some(State::Listen),
            pid: Some(self.pid_of(place, service.process)),
            process: service.process,
            service: service.name,
        }
    }

    fn connected(&self, rng: &mut Rng) -> Socket {
        if rng.chance(0.25) {
            return self.served(rng);
        }
        let place = rng.below(u32::try_from(self.clients().len()).unwrap_or(1));
        let client = pick_at(self.clients(), place);
        let v6 = rng.chance(0.3);
        let peer = if client.inside {
            peer_inside(v6, rng)
        } else {
            peer_outside(v6, rng)
        };
        let state = (client.transport == "tcp").then(|| *rng.pick(STATES));
        // A kernel knows no process of a socket that its process has closed.
        let known = state != Some(State::TimeWait);
        Socket {
            transport: client.transport,
            local: self.address(v6),
            local_port: rng.between(49_152, 65_535),
            remote: Some((peer, client.port)),
            zone: None,
            state,
            pid: known.then(|| self.pid_of(20 + place, client.process)),
            process: if known { client.process } else { "" },
            service: "",
        }
    }

    /// A connection that a peer made to one of the host's services.
    fn served(&self, rng: &mut Rng) -> Socket {
        let place = rng.below(self.listeners());
        let mut socket = self.listening(place);
        let v6 = rng.chance(0.3);
        let peer = peer_inside(v6, rng);
        socket.local = self.address(v6);
        socket.zone = None;
        socket.remote = Some((peer, rng.between(32_768, 65_535)));
        socket.state = (socket.transport == "tcp").then_some(State::Established);
        socket
    }

    fn address(&self, v6: bool) -> IpAddr {
        if v6 { self.v6.into() } else { self.v4.into() }
    }

    fn pid_of(&self, place: u32, process: &str) -> u32 {
        // The kernel's own sockets on Windows belong to the process 4.
        if process == "System" {
            4
        } else {
            self.pid_base + 4 * place
        }
    }
}

fn pick_at<T>(choices: &[T], place: u32) -> &T {
    &choices[place as usize % choices.len()]
}

fn peer_inside(v6: bool, rng: &mut Rng) -> IpAddr {
    let site = rng.below(4);
    let unit = rng.between(10, 250);
    if v6 {
        let site = u16::try_from(site).unwrap_or(0);
        Ipv6Addr::new(0xfd00, 0x5a, site, 2, 0, 0, 0, unit).into()
    } else {
        let [site, ..] = site.to_le_bytes();
        let [unit, ..] = unit.to_le_bytes();
        Ipv4Addr::new(172, 16, 111 + site, unit).into()
    }
}

fn peer_outside(v6: bool, rng: &mut Rng) -> IpAddr {
    let [unit, ..] = rng.between(1, 254).to_le_bytes();
    if v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0x4003, 0xc, 0, 0, 0, rng.between(1, 0xffff)).into()
    } else if rng.chance(0.5) {
        Ipv4Addr::new(203, 0, 113, unit).into()
    } else {
        Ipv4Addr::new(198, 51, 100, unit).into()
    }
}
