//! Writes small databases in MaxMind's format (MaxMind DB File Format 2.0).

#![allow(unreachable_pub, dead_code)] // a module of several tests, each of which uses a part

use std::net::IpAddr;

/// A value of a record.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    Double(f64),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(&'static str, Value)>),
    Array(Vec<Value>),
    /// Bytes as they stand, for what no writer would write.
    Raw(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::U32(number)
    }
}

/// A map of English names.
pub fn names(english: &str) -> Value {
    Value::Map(vec![(
        "names",
        Value::Map(vec![("de", "?".into()), ("en", english.into())]),
    )])
}

/// A record of a City database, with what real ones have besides.
pub fn city(country: [&str; 2], region: [&str; 2], city: &str, place: (f64, f64)) -> Value {
    let coded = |[code, name]: [&str; 2]| {
        let names = Value::Map(vec![
            ("de", "?".into()),
            ("en", name.into()),
            ("fr", "?".into()),
        ]);
        let id = Value::U32(2_921_044);
        Value::Map(vec![
            ("geoname_id", id),
            ("iso_code", code.into()),
            ("names", names),
        ])
    };
    let continent = Value::Map(vec![
        ("code", "EU".into()),
        ("geoname_id", Value::U32(6_255_148)),
        ("names", Value::Map(vec![("en", "Europe".into())])),
    ]);
    let location = Value::Map(vec![
        ("accuracy_radius", Value::U16(20)),
        ("latitude", Value::Double(place.0)),
        ("longitude", Value::Double(place.1)),
        ("time_zone", "Europe/Berlin".into()),
    ]);
    Value::Map(vec![
        ("city", names(city)),
        ("continent", continent),
        ("country", coded(country)),
        ("location", location),
        ("postal", Value::Map(vec![("code", "10115".into())])),
        ("registered_country", coded(["XX", "Elsewhere"])),
        (
            "subdivisions",
            Value::Array(vec![coded(region), coded(["2", "Second"])]),
        ),
    ])
}

/// A record of an ASN database.
pub fn asn(number: u32, organization: &str) -> Value {
    Value::Map(vec![
        ("autonomous_system_number", Value::U32(number)),
        ("autonomous_system_organization", organization.into()),
    ])
}

/// What a half of a node leads to.
#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

/// A database that networks are added to; IPv4 is at `::/96`, as in MaxMind's own.
pub struct Writer {
    kind: &'static str,
    nodes: Vec<[Record; 2]>,
    data: Vec<u8>,
}

impl Writer {
    /// An empty database of a type, such as `GeoLite2-City`.
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            nodes: vec![[Record::Empty; 2]],
            data: Vec::new(),
        }
    }

    /// Adds a value that networks can share.
    pub fn value(&mut self, value: &Value) -> usize {
        let at = self.data.len();
        push(&mut self.data, value);
        at
    }

    /// Lets a network of `ADDRESS/LENGTH` have a value; shorter prefixes go before longer ones.
    pub fn network(&mut self, prefix: &str, value: usize) {
        let (ip, length) = prefix.split_once('/').unwrap();
        let length: u32 = length.parse().unwrap();
        let (bits, length) = match ip.parse().unwrap() {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), length + 96),
            IpAddr::V6(ip) => (ip.to_bits(), length),
        };
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                self.nodes[node][side] = Record::Data(value);
                return;
            }
            node = match self.nodes[node][side] {
                Record::Node(next) => next,
                leaf => {
                    self.nodes.push([leaf; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side] = Record::Node(next);
                    next
                }
            };
        }
    }

    /// Adds a network with a value of its own.
    pub fn add(&mut self, prefix: &str, value: &Value) {
        let value = self.value(value);
        self.network(prefix, value);
    }

    /// The file.
    pub fn finish(&self) -> Vec<u8> {
        const SEPARATOR: usize = 16;
        let mut file = Vec::new();
        for record in self.nodes.iter().flatten() {
            let number = match record {
                Record::Empty => self.nodes.len(),
                Record::Node(node) => *node,
                Record::Data(at) => self.nodes.len() + SEPARATOR + at,
            };
            file.extend(u32::try_from(number).unwrap().to_be_bytes());
        }
        file.extend([0; SEPARATOR]);
        file.extend(&self.data);
        file.extend(b"\xAB\xCD\xEFMaxMind.com");
        let nodes = u32::try_from(self.nodes.len()).unwrap();
        let metadata = Value::Map(vec![
            ("binary_format_major_version", Value::U16(2)),
            ("binary_format_minor_version", Value::U16(0)),
            ("build_epoch", Value::U64(1_700_000_000)),
            ("database_type", self.kind.into()),
            ("description", Value::Map(vec![("en", "of a test".into())])),
            ("ip_version", Value::U16(6)),
            ("languages", Value::Array(vec!["en".into()])),
            ("node_count", Value::U32(nodes)),
            ("record_size", Value::U16(32)),
        ]);
        push(&mut file, &metadata);
        file
    }
}

fn push(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => {
            control(out, 2, text.len());
            out.extend(text.as_bytes());
        }
        Value::Double(number) => {
            control(out, 3, 8);
            out.extend(number.to_be_bytes());
        }
        Value::U16(number) => {
            control(out, 5, 2);
            out.extend(number.to_be_bytes());
        }
        Value::U32(number) => {
            control(out, 6, 4);
            out.extend(number.to_be_bytes());
        }
        Value::Map(entries) => {
            control(out, 7, entries.len());
            for (key, value) in entries {
                push(out, &(*key).into());
                push(out, value);
            }
        }
        Value::U64(number) => {
            control(out, 9, 8);
            out.extend(number.to_be_bytes());
        }
        Value::Array(items) => {
            control(out, 11, items.len());
            for item in items {
                push(out, item);
            }
        }
        Value::Raw(bytes) => out.extend(bytes),
    }
}

/// The control byte: type and size, and what of them does not fit in it.
fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (short, more) = match u8::try_from(size) {
        Ok(size @ 0..29) => (size, None),
        _ => (29, Some(u8::try_from(size - 29).expect("a short text"))),
    };
    if kind < 8 {
        out.push(kind << 5 | short);
    } else {
        out.extend([short, kind - 7]);
    }
    out.extend(more);
}
