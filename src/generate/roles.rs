//! What runs on the hosts of the fleet, by what each host is for.

use super::spellings::Tool;

/// A kind of operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Windows,
    Linux,
    MacOs,
}

/// What a host is for, and so what listens and calls on it.
#[derive(Debug)]
pub(super) struct Role {
    /// How hosts of the role are named.
    pub(super) prefix: &'static str,
    /// The agent that such hosts have.
    pub(super) agent_type: &'static str,
    /// The interface to its network.
    pub(super) zone: &'static str,
    /// First and last port that the system hands out to clients.
    pub(super) client_ports: (u16, u16),
    pub(super) services: &'static [Service],
    pub(super) clients: &'static [Client],
    pub(super) inner: &'static [Inner],
}

/// Where a service listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bind {
    Any4,
    Any6,
    Loopback4,
    Loopback6,
    /// The stub resolver's 127.0.0.53 on the interface lo.
    Stub,
    /// The host's address in its network.
    Lan4,
    /// The address that the provider gave, shared by many customers.
    Wan4,
    /// An anycast address of the AS112 project, which any network may announce (RFC 7534).
    As112,
    LinkLocal,
}

/// Where the other end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Inside,
    Outside,
    /// There is none: nobody calls a service of the host's own.
    Nobody,
}

/// What listens.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) transport: &'static str,
    pub(super) port: u16,
    pub(super) bind: Bind,
    pub(super) callers: Peer,
    pub(super) process: &'static str,
    /// The service's name, as Windows and inetd have one.
    pub(super) name: &'static str,
}

/// What calls others.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) transport: &'static str,
    pub(super) port: u16,
    pub(super) peer: Peer,
    pub(super) process: &'static str,
}

/// What calls a service of the same host, over loopback.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) port: u16,
    pub(super) server: &'static str,
    pub(super) caller: &'static str,
}

macro_rules! services {
    ($($transport:literal $port:literal $bind:ident $callers:ident $process:literal $name:literal)*) => {
        &[$(Service {
            transport: $transport, port: $port, bind: Bind::$bind, callers: Peer::$callers,
            process: $process, name: $name,
        }),*]
    };
}

macro_rules! clients {
    ($($transport:literal $port:literal $peer:ident $process:literal)*) => {
        &[$(Client {
            transport: $transport, port: $port, peer: Peer::$peer, process: $process,
        }),*]
    };
}

macro_rules! inner {
    ($($port:literal $server:literal $caller:literal)*) => {
        &[$(Inner { port: $port, server: $server, caller: $caller }),*]
    };
}

const WINDOWS_PORTS: (u16, u16) = (49_152, 65_535);
const LINUX_PORTS: (u16, u16) = (32_768, 60_999);

/// Names, tickets and policies of a Windows domain.
const DOMAIN_CONTROLLER: Role = Role {
    prefix: "DC",
    agent_type: "beacon",
    zone: "9",
    client_ports: WINDOWS_PORTS,
    services: services! {
        "tcp" 88 Any4 Inside "lsass.exe" "Kdc"
        "tcp" 135 Any4 Inside "C:\\Windows\\System32\\svchost.exe -k RPCSS -p" "RpcSs"
        "tcp" 389 Any6 Inside "lsass.exe" "NTDS"
        "tcp" 445 Any6 Inside "System" ""
        "tcp" 53 Lan4 Inside "C:\\Windows\\System32\\dns.exe" "DNS"
        "tcp" 53 Loopback6 Nobody "C:\\Windows\\System32\\dns.exe" "DNS"
        "tcp" 139 Lan4 Inside "System" ""
        "tcp" 636 Any6 Inside "lsass.exe" "NTDS"
        "tcp" 3268 Any6 Inside "lsass.exe" "NTDS"
        "tcp" 3389 Any4 Inside "C:\\Windows\\System32\\svchost.exe -k NetworkService -s TermService" "TermService"
        "tcp" 5985 Any6 Inside "System" ""
        "tcp" 9389 Loopback4 Nobody "\"C:\\Windows\\ADWS\\Microsoft.ActiveDirectory.WebServices.exe\"" "ADWS"
        "tcp" 49664 Any4 Inside "lsass.exe" ""
        "udp" 53 Lan4 Inside "C:\\Windows\\System32\\dns.exe" "DNS"
        "udp" 88 Any4 Inside "lsass.exe" "Kdc"
        "udp" 123 Any4 Inside "svchost.exe" "W32Time"
        "udp" 137 Lan4 Inside "System" ""
        "udp" 389 Any4 Inside "lsass.exe" "NTDS"
        "udp" 500 Any6 Nobody "svchost.exe" "IKEEXT"
    },
    clients: clients! {
        "tcp" 135 Inside "C:\\Windows\\System32\\dfsrs.exe"
        "tcp" 389 Inside "lsass.exe"
        "tcp" 49664 Inside "lsass.exe"
        "tcp" 443 Outside "\"C:\\Program Files\\Windows Defender Advanced Threat Protection\\MsSense.exe\""
        "udp" 53 Outside "C:\\Windows\\System32\\dns.exe"
    },
    inner: inner! {
        9389 "\"C:\\Windows\\ADWS\\Microsoft.ActiveDirectory.WebServices.exe\"" "powershell.exe"
    },
};

/// A person's Windows: a browser, an EDR agent, the tools of the office and of a developer.
const WORKSTATION: Role = Role {
    prefix: "WS",
    agent_type: "beacon",
    zone: "9",
    client_ports: WINDOWS_PORTS,
    services: services! {
        "tcp" 135 Any4 Inside "svchost.exe" "RpcSs"
        "tcp" 445 Any6 Inside "System" ""
        "tcp" 3389 Any4 Inside "C:\\Windows\\System32\\svchost.exe -k NetworkService -s TermService" "TermService"
        "tcp" 139 Lan4 Inside "System" ""
        "tcp" 5040 Any4 Nobody "svchost.exe" "CDPSvc"
        "tcp" 49664 Any4 Inside "lsass.exe" ""
        "tcp" 3000 Loopback4 Nobody "C:\\Program Files\\nodejs\\node.exe server.js" ""
        "udp" 123 Any4 Nobody "svchost.exe" "W32Time"
        "udp" 500 Any6 Nobody "svchost.exe" "IKEEXT"
        "udp" 5353 Any4 Nobody "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe" ""
        "udp" 5355 Any6 Nobody "svchost.exe" "Dnscache"
        "udp" 1900 LinkLocal Nobody "svchost.exe" "SSDPSRV"
        "udp" 137 Lan4 Inside "System" ""
    },
    clients: clients! {
        "tcp" 443 Outside "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"
        "tcp" 443 Outside "msedge.exe"
        "tcp" 443 Outside "\"C:\\Program Files\\CrowdStrike\\CSFalconService.exe\""
        "tcp" 445 Inside "System"
        "tcp" 389 Inside "lsass.exe"
        "tcp" 88 Inside "lsass.exe"
        "tcp" 49664 Inside "lsass.exe"
        "tcp" 3389 Inside "mstsc.exe"
        "tcp" 5985 Inside "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe -NoProfile"
        "tcp" 8443 Outside "rundll32.exe"
        "tcp" 22 Inside "\"C:\\Users\\dev\\AppData\\Local\\Programs\\Microsoft VS Code\\Code.exe\" --type=utility"
        "udp" 53 Inside "svchost.exe"
    },
    inner: inner! {
        3000 "C:\\Program Files\\nodejs\\node.exe server.js" "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"
    },
};

/// nginx before an application and its database.
const WEB_SERVER: Role = Role {
    prefix: "web",
    agent_type: "osquery",
    zone: "eth0",
    client_ports: LINUX_PORTS,
    services: services! {
        "tcp" 22 Any4 Inside "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups" "ssh"
        "tcp" 22 Any6 Inside "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups" "ssh"
        "tcp" 443 Any6 Outside "nginx: master process /usr/sbin/nginx" ""
        "tcp" 80 Any4 Outside "nginx: master process /usr/sbin/nginx" ""
        "tcp" 8000 Loopback4 Nobody "gunicorn: master [app]" ""
        "tcp" 5432 Loopback4 Nobody "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main" "postgresql"
        "tcp" 25 Loopback6 Nobody "master" ""
        "tcp" 9100 Any6 Inside "/usr/bin/node_exporter" ""
        "udp" 53 Stub Nobody "systemd-resolve" ""
        "udp" 68 Lan4 Nobody "dhclient" ""
        "udp" 323 Loopback4 Nobody "chronyd" ""
        "udp" 5353 Any4 Nobody "avahi-daemon" ""
        "udp" 123 LinkLocal Nobody "ntpd" ""
    },
    clients: clients! {
        "tcp" 22 Inside "/usr/bin/ssh -N db01"
        "tcp" 443 Outside "/usr/bin/python3 /srv/app/worker.py"
        "tcp" 443 Outside "/opt/CrowdStrike/falcon-sensor"
        "tcp" 6379 Inside "gunicorn: worker [app]"
        "tcp" 80 Outside "/usr/lib/apt/methods/http"
        "tcp" 443 Outside "curl -fsSL https://updates.example/install"
        "tcp" 2049 Inside "[kworker/u8:3]"
        "udp" 123 Outside "chronyd"
        "udp" 53 Inside "systemd-resolve"
    },
    inner: inner! {
        8000 "gunicorn: worker [app]" "nginx: worker process"
        5432 "postgres: app app 127.0.0.1(40126) idle" "gunicorn: worker [app]"
    },
};

/// Names for the inside, and a node of AS112 for everybody.
const NAME_SERVER: Role = Role {
    prefix: "ns",
    agent_type: "osquery",
    zone: "eth0",
    client_ports: LINUX_PORTS,
    services: services! {
        "tcp" 22 Any4 Inside "/usr/sbin/sshd -D" "ssh"
        "tcp" 53 Lan4 Inside "/usr/sbin/named -u bind" "domain"
        "tcp" 53 As112 Outside "/usr/sbin/named -u bind" "domain"
        "tcp" 953 Loopback4 Nobody "/usr/sbin/named -u bind" ""
        "tcp" 9100 Any6 Inside "/usr/bin/node_exporter" ""
        "udp" 53 Lan4 Inside "/usr/sbin/named -u bind" "domain"
        "udp" 53 As112 Outside "/usr/sbin/named -u bind" "domain"
        "udp" 123 Any4 Inside "/usr/sbin/ntpd -g" ""
        "udp" 323 Loopback6 Nobody "chronyd" ""
    },
    clients: clients! {
        "tcp" 53 Outside "/usr/sbin/named -u bind"
        "udp" 53 Outside "/usr/sbin/named -u bind"
        "tcp" 1514 Inside "/var/ossec/bin/wazuh-agentd"
        "tcp" 22 Inside "/usr/bin/python3 /usr/bin/ansible-playbook site.yml"
    },
    inner: inner! {
        953 "/usr/sbin/named -u bind" "/usr/sbin/rndc status"
    },
};

/// A router with a broker for the things behind it.
const ROUTER: Role = Role {
    prefix: "gw",
    agent_type: "sensor",
    zone: "br-lan",
    client_ports: LINUX_PORTS,
    services: services! {
        "tcp" 22 Lan4 Inside "/usr/sbin/dropbear -F -P /var/run/dropbear.pid" ""
        "tcp" 53 Any6 Inside "/usr/sbin/dnsmasq -C /var/etc/dnsmasq.conf" ""
        "tcp" 80 Lan4 Inside "/usr/sbin/uhttpd -f -h /www" ""
        "tcp" 1883 Any4 Inside "/usr/sbin/mosquitto -c /etc/mosquitto.conf" ""
        "tcp" 7547 Wan4 Outside "/usr/sbin/cwmpd" ""
        "udp" 53 Any6 Inside "/usr/sbin/dnsmasq -C /var/etc/dnsmasq.conf" ""
        "udp" 67 Any4 Nobody "/usr/sbin/dnsmasq -C /var/etc/dnsmasq.conf" ""
        "udp" 547 LinkLocal Nobody "odhcpd" ""
        "udp" 1900 Any4 Nobody "miniupnpd" ""
        "udp" 51820 Any4 Nobody "" ""
    },
    clients: clients! {
        "tcp" 8883 Outside "/usr/sbin/mosquitto -c /etc/mosquitto.conf"
        "tcp" 443 Outside "/usr/sbin/cwmpd"
        "udp" 53 Outside "/usr/sbin/dnsmasq -C /var/etc/dnsmasq.conf"
        "udp" 123 Outside "/usr/sbin/ntpd -n"
    },
    inner: inner! {
        1883 "/usr/sbin/mosquitto -c /etc/mosquitto.conf" "/usr/bin/zigbee2mqtt"
    },
};

/// A person's Mac.
const MAC: Role = Role {
    prefix: "mac",
    agent_type: "collector",
    zone: "en0",
    client_ports: WINDOWS_PORTS,
    services: services! {
        "tcp" 22 Any6 Inside "launchd" ""
        "tcp" 5900 Any6 Inside "/System/Library/CoreServices/RemoteManagement/screensharingd.bundle/Contents/MacOS/screensharingd" ""
        "tcp" 631 Loopback4 Nobody "/usr/sbin/cupsd" "ipp"
        "tcp" 631 Loopback6 Nobody "/usr/sbin/cupsd" "ipp"
        "tcp" 5000 Any4 Inside "/System/Library/CoreServices/ControlCenter.app/Contents/MacOS/ControlCenter" ""
        "tcp" 88 Any6 Nobody "kdc" ""
        "udp" 137 Any4 Nobody "netbiosd" ""
        "udp" 5353 Any4 Nobody "mDNSResponder" ""
        "udp" 123 Lan4 Nobody "timed" ""
    },
    clients: clients! {
        "tcp" 443 Outside "/Applications/Safari.app/Contents/MacOS/Safari"
        "tcp" 443 Outside "/usr/bin/git-remote-https origin"
        "tcp" 993 Outside "Mail"
        "tcp" 5223 Outside "apsd"
        "tcp" 49152 Inside "/usr/libexec/rapportd"
        "tcp" 445 Inside "/System/Library/Filesystems/NetFSPlugins/smb.bundle/Contents/MacOS/smb"
        "udp" 443 Outside "/Applications/Google Chrome.app/Contents/Frameworks/Google Chrome Framework.framework/Helpers/Google Chrome Helper.app/Contents/MacOS/Google Chrome Helper"
        "udp" 53 Inside "mDNSResponder"
    },
    inner: inner! {
        631 "/usr/sbin/cupsd" "/System/Applications/Preview.app/Contents/MacOS/Preview"
    },
};

/// The roles of the hosts on which a tool of a system runs; they take turns.
const fn roles(system: System) -> &'static [Role] {
    match system {
        System::Windows => &[DOMAIN_CONTROLLER, WORKSTATION, WORKSTATION],
        System::Linux => &[WEB_SERVER, ROUTER, NAME_SERVER],
        System::MacOs => &[MAC],
    }
}

/// The role of the host of that tool in that turn.
pub(super) fn of(tool: Tool, turn: u32) -> &'static Role {
    let roles = roles(tool.system());
    &roles[turn as usize % roles.len()]
}
