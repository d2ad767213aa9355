//! Which addresses belong to the operator: `networks.internal`.

use std::net::{IpAddr, Ipv6Addr};

use super::prefix::{InvalidPrefix, Prefix};
use super::scope::{self, Scope};

/// The internal networks: scopes by name, and prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Internal {
    /// A bit for each scope.
    scopes: u64,
    /// First and last addresses of the prefixes, sorted and disjoint; IPv4 is mapped.
    ranges: Vec<(u128, u128)>,
}

/// An entry of `networks.internal` that names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?} {problem}")]
pub struct InvalidNetwork {
    /// The entry at fault.
    pub entry: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// What makes an address internal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Entry {
    /// Its scope is internal.
    Scope(Scope),
    /// It lies between these two; neighbouring prefixes are one range.
    Range(IpAddr, IpAddr),
}

impl Default for Internal {
    fn default() -> Self {
        let scopes = [
            Scope::Private,
            Scope::UniqueLocal,
            Scope::Loopback,
            Scope::LinkLocal,
        ];
        Self {
            scopes: scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)),
            ranges: Vec::new(),
        }
    }
}

impl Internal {
    /// Reads entries that are each a CIDR, an address, or the name of a scope.
    pub fn parse<'e>(entries: impl IntoIterator<Item = &'e str>) -> Result<Self, InvalidNetwork> {
        let mut internal = Self {
            scopes: 0,
            ranges: Vec::new(),
        };
        for entry in entries {
            if let Some(scope) = Scope::from_name(entry) {
                internal.scopes |= bit(scope);
                continue;
            }
            let prefix = Prefix::parse(entry).map_err(|problem| InvalidNetwork {
                entry: entry.to_owned(),
                problem: match problem {
                    InvalidPrefix::NoAddress => "is neither a prefix nor the name of a scope",
                    problem => problem.name(),
                },
            })?;
            internal.ranges.push(prefix.bounds());
        }
        internal.merge();
        Ok(internal)
    }

    /// Makes the ranges sorted and disjoint.
    fn merge(&mut self) {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1.saturating_add(1);
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
    }

    /// Whether an address of that scope is internal.
    pub(super) fn holds(&self, ip: IpAddr, scope: Scope) -> bool {
        self.entry_of(ip, scope).is_some()
    }

    /// What makes an address of that scope internal.
    pub(super) fn entry_of(&self, ip: IpAddr, scope: Scope) -> Option<Entry> {
        if self.scopes & bit(scope) != 0 {
            return Some(Entry::Scope(scope));
        }
        if self.ranges.is_empty() {
            return None;
        }
        let number = mapped(ip);
        let after = self.ranges.partition_point(|(first, _)| *first <= number);
        let (first, last) = self.ranges.get(after.checked_sub(1)?)?;
        (number <= *last).then(|| Entry::Range(unmapped(*first), unmapped(*last)))
    }

    /// Whether an address is internal.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.holds(ip, scope::of(ip))
    }
}

const fn bit(scope: Scope) -> u64 {
    1 << scope as u64
}

/// An address as a number; an IPv4 one as the IPv6 one that it is mapped to, which never stands
/// for itself.
pub(super) const fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The address that such a number stands for.
const fn unmapped(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number)).to_canonical()
}

/// An address as 64 bits, to tell most of them apart by.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the upper half is in the lower one"
)]
pub(super) const fn folded(ip: IpAddr) -> u64 {
    let number = mapped(ip);
    (number ^ number >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(internal: &Internal, ip: &str) -> bool {
        internal.contains(ip.parse().unwrap())
    }

    #[test]
    fn by_default_what_is_not_global() {
        let internal = Internal::default();
        for ip in [
            "10.0.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
        ] {
            assert!(contains(&internal, ip), "{ip}");
        }
        for ip in ["fd00::1", "::1", "fe80::1"] {
            assert!(contains(&internal, ip), "{ip}");
        }
        for ip in [
            "8.8.8.8",
            "100.64.0.1",
            "224.0.0.251",
            "2001:4860::8888",
            "0.0.0.0",
        ] {
            assert!(!contains(&internal, ip), "{ip}");
        }
        let named = Internal::parse(["private", "unique_local", "loopback", "link_local"]);
        assert_eq!(named, Ok(internal));
    }

    #[test]
    fn prefixes_of_both_families_and_scopes() {
        let entries = [
            "198.51.100.0/24",
            "198.51.101.0/24",
            "8.8.8.8",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "shared",
        ];
        let internal = Internal::parse(entries).unwrap();
        assert_eq!(
            internal.ranges.len(),
            3,
            "neighbours and nested ones are one"
        );
        for ip in [
            "198.51.100.0",
            "198.51.101.255",
            "8.8.8.8",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "100.127.0.1",
        ] {
            assert!(contains(&internal, ip), "{ip}");
        }
        for ip in [
            "198.51.99.255",
            "198.51.102.0",
            "8.8.8.7",
            "2001:db9::",
            "10.0.0.1",
            "::1",
        ] {
            assert!(!contains(&internal, ip), "{ip}");
        }
        let all_v4 = Internal::parse(["0.0.0.0/0"]).unwrap();
        assert!(contains(&all_v4, "255.255.255.255") && !contains(&all_v4, "::1"));
        let all_v6 = Internal::parse(["::/0"]).unwrap();
        assert!(contains(&all_v6, "ffff::"));
        assert!(!contains(&Internal::parse([]).unwrap(), "10.0.0.1"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (entry, problem) in [
            ("intranet", "is neither a prefix nor the name of a scope"),
            ("", "is neither a prefix nor the name of a scope"),
            ("10.0.0/8", "is neither a prefix nor the name of a scope"),
            ("10.0.0.0/", "has no prefix length"),
            ("10.0.0.0/+8", "has no prefix length"),
            ("10.0.0.0/999", "has a prefix longer than the address"),
            ("10.0.0.0/33", "has a prefix longer than the address"),
            ("10.0.0.1/8", "has bits set after its prefix"),
        ] {
            let error = Internal::parse(["10.0.0.0/8", entry]).unwrap_err();
            assert_eq!(
                (error.entry.as_str(), error.problem),
                (entry, problem),
                "{entry:?}"
            );
        }
    }
}
