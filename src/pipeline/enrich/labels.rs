//! The operator's names for networks: the longest prefix that holds an address.
//!
//! Half a million prefixes take about 33 MiB: where the answer changes (at most two points a
//! prefix), a row of 28 bytes each, and the texts, of which a role, a site or a tenant that many
//! share is kept once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::lookup::NetworkLabel;
use super::prefix::Prefix;
use super::ranges::{Range, Ranges};

/// A row of the table, as the operator wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label<'t> {
    /// What the network is called.
    pub name: &'t str,
    /// What it is for; empty where nothing is said.
    pub role: &'t str,
    /// Where it is; empty where nothing is said.
    pub site: &'t str,
    /// Whose it is; empty where nothing is said.
    pub tenant: &'t str,
}

/// Longest text of a label, in bytes.
pub const MAX_TEXT_BYTES: usize = u8::MAX as usize;

/// The table, complete.
#[derive(Debug, Default)]
pub struct Labels {
    text: String,
    rows: Vec<Row>,
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// Where the texts of a row are: prefix, name, role, site, tenant.
#[derive(Clone, Copy, Debug)]
struct Row {
    starts: [u32; FIELDS],
    lengths: [u8; FIELDS],
}

const FIELDS: usize = 5;

/// A table that rows are added to.
#[derive(Debug, Default)]
pub struct Builder {
    text: String,
    shared: BTreeMap<String, u32>,
    rows: Vec<Row>,
    v4: Vec<Range>,
    v6: Vec<Range>,
}

/// Why a row cannot be added, or a table not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A row has no name.
    #[error("a network without a name")]
    NoName,
    /// A text of a row is too long.
    #[error("a {0} of more than {MAX_TEXT_BYTES} bytes")]
    TooLong(&'static str),
    /// All texts together are 4 GiB or more.
    #[error("more text than a table can hold")]
    TooMuch,
    /// A prefix is there twice: the rows, counted from 0.
    #[error("a prefix that is there twice")]
    Twice(usize, usize),
}

impl Builder {
    /// Adds a row.
    pub fn add(&mut self, prefix: Prefix, label: Label<'_>) -> Result<(), Refused> {
        let Label {
            name,
            role,
            site,
            tenant,
        } = label;
        if name.is_empty() {
            return Err(Refused::NoName);
        }
        let texts = [
            ("name", name),
            ("role", role),
            ("site", site),
            ("tenant", tenant),
        ];
        if let Some((what, _)) = texts.iter().find(|(_, of)| of.len() > MAX_TEXT_BYTES) {
            return Err(Refused::TooLong(what));
        }
        let answer = u32::try_from(self.rows.len()).map_err(|_| Refused::TooMuch)?;
        let prefix_text = prefix.to_string();
        let row = Row {
            starts: [
                self.push(&prefix_text)?,
                self.push(name)?,
                self.share(role)?,
                self.share(site)?,
                self.share(tenant)?,
            ],
            lengths: [prefix_text.as_str(), name, role, site, tenant]
                .map(|text| u8::try_from(text.len()).unwrap_or(u8::MAX)),
        };
        self.rows.push(row);
        let (first, last) = prefix.bounds();
        if prefix.is_ipv4() {
            let number = |mapped: u128| mapped & u128::from(u32::MAX);
            let (first, last) = (number(first), number(last));
            self.v4.push(Range {
                first,
                last,
                answer,
            });
        } else {
            self.v6.push(Range {
                first,
                last,
                answer,
            });
        }
        Ok(())
    }

    /// The table of all rows.
    pub fn finish(self) -> Result<Labels, Refused> {
        let twice = |(a, b): (u32, u32)| Refused::Twice(a as usize, b as usize);
        let Self {
            mut text,
            mut rows,
            v4,
            v6,
            ..
        } = self;
        text.shrink_to_fit();
        rows.shrink_to_fit();
        Ok(Labels {
            text,
            rows,
            v4: Ranges::new(v4).map_err(twice)?,
            v6: Ranges::new(v6).map_err(twice)?,
        })
    }

    fn push(&mut self, text: &str) -> Result<u32, Refused> {
        let start = u32::try_from(self.text.len()).map_err(|_| Refused::TooMuch)?;
        self.text.push_str(text);
        Ok(start)
    }

    fn share(&mut self, text: &str) -> Result<u32, Refused> {
        if let Some(start) = self.shared.get(text) {
            return Ok(*start);
        }
        let start = self.push(text)?;
        self.shared.insert(text.to_owned(), start);
        Ok(start)
    }
}

impl Labels {
    /// How many prefixes there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of the longest prefix that holds the address. Mapped IPv4 addresses never appear
    /// in records, and are not looked for here.
    #[inline]
    pub fn get(&self, ip: IpAddr) -> Option<NetworkLabel<'_>> {
        let answer = match ip {
            IpAddr::V4(ip) => self.v4.get(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.get(ip.to_bits()),
        };
        let row = self.rows.get(answer? as usize)?;
        let [prefix, name, role, site, tenant] = row.starts;
        let [prefix_len, name_len, role_len, site_len, tenant_len] = row.lengths;
        let said = |start, length| Some(self.text(start, length)).filter(|text| !text.is_empty());
        Some(NetworkLabel {
            prefix: self.text(prefix, prefix_len),
            name: self.text(name, name_len),
            role: said(role, role_len),
            site: said(site, site_len),
            tenant: said(tenant, tenant_len),
        })
    }

    fn text(&self, start: u32, length: u8) -> &str {
        let start = start as usize;
        let text = self.text.get(start..start + usize::from(length));
        text.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::enrich::internal::mapped;
    use proptest::prelude::*;

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).unwrap()
    }

    fn table(rows: &[(&str, Label<'_>)]) -> Result<Labels, Refused> {
        let mut builder = Builder::default();
        for (text, label) in rows {
            builder.add(prefix(text), *label)?;
        }
        builder.finish()
    }

    fn named(name: &str) -> Label<'_> {
        Label {
            name,
            ..Label::default()
        }
    }

    #[test]
    fn the_longest_prefix_of_the_family_answers() {
        let dmz = Label {
            name: "dmz",
            role: "web",
            site: "ber",
            tenant: "",
        };
        let labels = table(&[
            ("10.1.2.0/24", dmz),
            ("10.0.0.0/8", named("corp")),
            ("10.1.2.3/32", named("host")),
            ("::/0", named("any IPv6")),
            ("2001:db8::/32", named("corp6")),
            ("::ffff:192.0.2.0/120", named("mapped")),
        ])
        .unwrap();
        assert_eq!(labels.len(), 6);
        for (ip, expected) in [
            ("10.1.2.3", Some(("10.1.2.3/32", "host"))),
            ("10.1.2.4", Some(("10.1.2.0/24", "dmz"))),
            ("10.255.255.255", Some(("10.0.0.0/8", "corp"))),
            ("11.0.0.0", None),
            ("192.0.2.255", Some(("192.0.2.0/24", "mapped"))),
            ("::1", Some(("::/0", "any IPv6"))),
            ("2001:db8::1", Some(("2001:db8::/32", "corp6"))),
            ("2001:db9::", Some(("::/0", "any IPv6"))),
        ] {
            let found = labels.get(ip.parse().unwrap());
            let found = found.map(|label| (label.prefix, label.name));
            assert_eq!(found, expected, "{ip}");
        }
        let label = labels.get("10.1.2.9".parse().unwrap()).unwrap();
        assert_eq!(
            (label.role, label.site, label.tenant),
            (Some("web"), Some("ber"), None)
        );
        assert_eq!(Labels::default().get("10.0.0.1".parse().unwrap()), None);
    }

    #[test]
    fn what_cannot_be_added() {
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        let with_site = Label {
            name: "a",
            site: &long,
            ..Label::default()
        };
        let refused = |rows: &[(&str, Label<'_>)]| table(rows).unwrap_err();
        assert_eq!(refused(&[("::/0", named(""))]), Refused::NoName);
        assert_eq!(refused(&[("::/0", with_site)]), Refused::TooLong("site"));
        let rows = [("10.0.0.0/8", named("a")), ("::/0", named("b"))];
        let rows = [rows.as_slice(), &[("10.0.0.0/8", named("c"))]].concat();
        assert_eq!(refused(&rows), Refused::Twice(0, 2));
        assert!(table(&[("::/0", named(&long[1..]))]).is_ok());
    }

    proptest! {
        /// Both families, against a look at each prefix.
        #[test]
        fn as_a_look_at_each_prefix_finds(
            rows in prop::collection::btree_map(
                (any::<bool>(), 0_u32..64, 0_u8..=8), "[a-z]{1,3}", 0..200),
            hosts in prop::collection::vec((any::<bool>(), any::<u16>()), 40),
        ) {
            // 64 networks of IPv4 and 64 of IPv6, and their parts of up to 8 more bits.
            let place = |v4: bool, network: u32, host: u16| -> IpAddr {
                let low = network << 16 | u32::from(host);
                if v4 {
                    std::net::Ipv4Addr::from_bits(10 << 24 | low).into()
                } else {
                    std::net::Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(low)).into()
                }
            };
            let mut builder = Builder::default();
            let mut prefixes = Vec::new();
            for ((v4, network, more), name) in &rows {
                let base = if *v4 { 16 } else { 112 };
                let text = format!("{}/{}", place(*v4, *network, 0), base + more);
                builder.add(prefix(&text), named(name)).unwrap();
                prefixes.push((prefix(&text), text, name));
            }
            let labels = builder.finish().unwrap();
            for (v4, host) in hosts {
                let ip = place(v4, u32::from(host) % 64, host);
                let number = mapped(ip);
                let holds = |of: &&(Prefix, String, &String)| {
                    let (first, last) = of.0.bounds();
                    of.0.is_ipv4() == v4 && (first..=last).contains(&number)
                };
                let size = |of: &&(Prefix, String, &String)| of.0.bounds().1 - of.0.bounds().0;
                let longest = prefixes.iter().filter(holds).min_by_key(size);
                let found = labels.get(ip).map(|label| (label.prefix, label.name));
                let expected = longest.map(|(_, text, name)| (text.as_str(), name.as_str()));
                prop_assert_eq!(found, expected);
            }
        }
    }
}
