//! The kinds of source, and how each is recognised by its content.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::reading::Reading;
use super::{
    bsd_netstat, json, linux_netstat, nemesis, osquery, powershell, proc_net, ss, sysmon,
    velociraptor, windows_netstat, zeek,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// A kind of source.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name, as `--kind` takes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// `netstat` of Windows.
    WindowsNetstat "windows-netstat";
    /// `netstat` of Linux.
    LinuxNetstat "linux-netstat";
    /// `ss` of Linux.
    Ss "ss";
    /// `netstat` of macOS and FreeBSD.
    BsdNetstat "bsd-netstat";
    /// `/proc/net/tcp` and its sisters.
    ProcNet "proc-net";
    /// osquery's tables of sockets.
    Osquery "osquery";
    /// `Get-NetTCPConnection` as JSON or CSV.
    Powershell "powershell";
    /// Velociraptor's `Windows.Network.Netstat`.
    Velociraptor "velociraptor";
    /// Sysmon's event 3.
    Sysmon "sysmon";
    /// Zeek's `conn.log` as a table or as JSON.
    Zeek "zeek";
    /// Nemesis' structured files.
    Nemesis "nemesis";
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|kind| kind.name() == text);
        found
            .copied()
            .ok_or_else(|| format!("give one of {}", Self::names()))
    }
}

/// A kind, and whether a row or an object is of its form.
type Form<T> = (Kind, fn(&T) -> bool);

/// How much of a JSON text is looked at first to recognise it, in bytes.
const SAMPLE_BYTES: usize = 1 << 20;

impl Kind {
    /// The names of all kinds, for a person.
    pub fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
        names.join(", ")
    }

    /// Recognises a text by the first row or object of a known form, whatever stands before it.
    pub(super) fn of(text: &str) -> Option<Self> {
        Self::of_json(text).or_else(|| text.lines().find_map(Self::of_line))
    }

    fn of_json(text: &str) -> Option<Self> {
        if !text.contains('{') {
            return None;
        }
        let mut end = text.len().min(SAMPLE_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // One object may be longer than that.
        [&text[..end], text].into_iter().find_map(|text| {
            let mut found = None;
            json::objects(text, |object| {
                if let (None, Ok(object)) = (found, object) {
                    found = Self::of_object(&object.fields);
                }
            });
            found
        })
    }

    fn of_object(fields: &Map<String, Value>) -> Option<Self> {
        let forms: [Form<Map<String, Value>>; 6] = [
            (Self::Nemesis, nemesis::fits),
            (Self::Zeek, zeek::fits_json),
            (Self::Velociraptor, velociraptor::fits),
            (Self::Powershell, powershell::fits_json),
            (Self::Osquery, osquery::fits),
            (Self::Sysmon, sysmon::fits),
        ];
        let found = forms.iter().find(|(_, fits)| fits(fields));
        found.map(|(kind, _)| *kind)
    }

    fn of_line(line: &str) -> Option<Self> {
        let forms: [Form<str>; 7] = [
            (Self::Zeek, zeek::fits_table),
            (Self::Powershell, powershell::fits_csv),
            (Self::ProcNet, proc_net::fits),
            (Self::Ss, ss::fits),
            (Self::WindowsNetstat, windows_netstat::fits),
            (Self::LinuxNetstat, linux_netstat::fits),
            (Self::BsdNetstat, bsd_netstat::fits),
        ];
        let found = forms.iter().find(|(_, fits)| fits(line));
        found.map(|(kind, _)| *kind)
    }

    /// Reads a text of this kind.
    pub(super) fn read(self, text: &str) -> Reading {
        let mut reading = Reading::default();
        let into = &mut reading;
        match self {
            Self::WindowsNetstat => windows_netstat::read(text, into),
            Self::LinuxNetstat => linux_netstat::read(text, into),
            Self::Ss => ss::read(text, into),
            Self::BsdNetstat => bsd_netstat::read(text, into),
            Self::ProcNet => proc_net::read(text, into),
            Self::Zeek if !is_json(text) => zeek::read_table(text, into),
            Self::Powershell if !is_json(text) => powershell::read_csv(text, into),
            Self::Osquery
            | Self::Powershell
            | Self::Velociraptor
            | Self::Sysmon
            | Self::Zeek
            | Self::Nemesis => self.read_json(text, into),
        }
        reading
    }

    fn read_json(self, text: &str, reading: &mut Reading) {
        json::objects(text, |object| match (self, object) {
            (_, Err((line, why))) => reading.unread(line, why),
            (Self::Osquery, Ok(object)) => osquery::read(&object, reading),
            (Self::Powershell, Ok(object)) => powershell::read_json(&object, reading),
            (Self::Velociraptor, Ok(object)) => velociraptor::read(&object, reading),
            (Self::Sysmon, Ok(object)) => sysmon::read(&object, reading),
            (Self::Zeek, Ok(object)) => zeek::read_json(&object, reading),
            (_, Ok(object)) => nemesis::read(object, reading),
        });
    }
}

/// Whether a text of a kind with two forms is of the JSON one.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        let error = "netsat".parse::<Kind>().unwrap_err();
        assert!(error.contains("windows-netstat, linux-netstat"), "{error}");
    }

    #[test]
    fn what_stands_before_the_first_row_does_not_matter() {
        for (text, kind) in [
            (
                "C:\\>netstat -an\n[x]\n TCP 0.0.0.0:1 0.0.0.0:0 ABH?REN",
                Kind::WindowsNetstat,
            ),
            (
                "$ netstat\ntcp 0 0 0.0.0.0:22 0.0.0.0:*",
                Kind::LinuxNetstat,
            ),
            ("Active\ntcp4 0 0 *.22 *.* LISTEN", Kind::BsdNetstat),
            ("x\nESTAB 0 0 a:1 b:2", Kind::Ss),
            (
                "\"x\"\n\"LocalAddress\";\"LocalPort\";\"State\"",
                Kind::Powershell,
            ),
            ("#separator \\x09", Kind::Zeek),
            ("no\n{\"Laddr.IP\":\"::\"}", Kind::Velociraptor),
        ] {
            assert_eq!(Kind::of(text), Some(kind), "{text}");
        }
        for text in ["", "{}", "[]", "tcp", "{\"a\":{}}", "hello 5"] {
            assert_eq!(Kind::of(text), None, "{text}");
        }
    }
}
