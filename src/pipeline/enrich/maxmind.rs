//! Databases in MaxMind's format, of the shape of GeoIP2's: City and Country for places, ASN and
//! ISP for autonomous systems.
//!
//! Reading a record is a walk over maps and texts in many languages, which costs more than all
//! else that is done for an event. Many addresses share a record, so each worker keeps what it has
//! read, by the record's place in the file.

mod record;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bumpalo::Bump;
use maxminddb::{LookupResult, MaxMindDbError, Reader};

use super::lookup::{AutonomousSystem, GEO_TEXTS, Geo};
use record::{PlaceRecord, SystemRecord, english};

/// A database in memory.
pub struct Database {
    reader: Reader<Vec<u8>>,
}

/// What a database is, by its own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its type, such as `GeoLite2-City`.
    pub kind: String,
    /// When it was built, in seconds since 1970.
    pub built_at: u64,
    /// Nodes of its search tree: a measure of its size.
    pub nodes: usize,
    /// Whether it has IPv4 addresses only.
    pub is_ipv4_only: bool,
}

/// A record, or the way to it, that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl From<MaxMindDbError> for Damaged {
    fn from(_: MaxMindDbError) -> Self {
        Self
    }
}

/// So many records are tried to see whether a database is of the shape that is wanted.
const TRIED: usize = 100;

impl Database {
    /// Takes a whole file; the error says what is wrong with it.
    pub fn new(file: Vec<u8>) -> Result<Self, String> {
        let reader = Reader::from_source(file).map_err(|error| error.to_string())?;
        Ok(Self { reader })
    }

    /// What it is.
    pub fn about(&self) -> About {
        let metadata = self.reader.metadata();
        About {
            kind: metadata.database_type.clone(),
            built_at: metadata.build_epoch,
            nodes: metadata.node_count as usize,
            is_ipv4_only: metadata.ip_version == 4,
        }
    }

    /// Whether it has places: one of its first records tells something of one. So has a database
    /// without records.
    pub fn has_places(&self) -> bool {
        self.any_of_the_first(|found| {
            let mut place = Place::default();
            place.read(found).is_ok_and(|()| place.is_known())
        })
    }

    /// Whether it has autonomous systems, in the same way.
    pub fn has_systems(&self) -> bool {
        self.any_of_the_first(|found| {
            let mut system = System::default();
            system.read(found).is_ok_and(|()| system.is_known())
        })
    }

    fn any_of_the_first(&self, tells: impl Fn(&Found<'_>) -> bool) -> bool {
        let Ok(networks) = self.reader.networks(maxminddb::WithinOptions::default()) else {
            return false;
        };
        let mut first = networks.take(TRIED).flatten().peekable();
        first.peek().is_none() || first.any(|found| tells(&found))
    }

    /// The record of an address.
    #[inline]
    fn find(&self, ip: IpAddr) -> Result<Option<(usize, Found<'_>)>, Damaged> {
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.reader.lookup(ip)?;
        Ok(found.offset().map(|offset| (offset, found)))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.about()).finish()
    }
}

type Found<'d> = LookupResult<'d, Vec<u8>>;

/// Where an address is, by the first of the databases that tells something of it.
pub(super) fn place<'a>(
    ip: IpAddr,
    databases: &[Arc<Database>],
    kept: &mut Kept<Place>,
    arena: &'a Bump,
) -> Result<Option<&'a Geo<'a>>, Damaged> {
    let place = kept.get(ip, databases, Place::read, Place::is_known)?;
    Ok(place.map(|place| &*arena.alloc(place.copied(arena))))
}

/// Whose network an address is part of, in the same way.
pub(super) fn system<'a>(
    ip: IpAddr,
    databases: &[Arc<Database>],
    kept: &mut Kept<System>,
    arena: &'a Bump,
) -> Result<Option<&'a AutonomousSystem<'a>>, Damaged> {
    let system = kept.get(ip, databases, System::read, System::is_known)?;
    Ok(system.map(|system| &*arena.alloc(system.copied(arena))))
}

/// What was read. A record, by its place in its database, has one slot that it can be in, and takes
/// the place of the one that was there before. Memory follows what was asked for, up to a bound.
#[derive(Debug)]
pub(super) struct Kept<T> {
    /// Where in `read` the record of each slot is, from 1; 0 where there is none yet.
    slots: Vec<u32>,
    read: Vec<(Key, T)>,
}

/// Index of the database and place in its file.
type Key = (u32, u32);

/// That of no record.
const NO_KEY: Key = (u32::MAX, u32::MAX);
/// How many records are kept at most, of some 200 bytes each.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 16;

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            read: Vec::new(),
        }
    }
}

impl<T: Default> Kept<T> {
    /// Forgets all, for other databases.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The record of an address in the first database that has one which tells something.
    fn get(
        &mut self,
        ip: IpAddr,
        databases: &[Arc<Database>],
        read: impl Fn(&mut T, &Found<'_>) -> Result<(), Damaged>,
        is_known: impl Fn(&T) -> bool,
    ) -> Result<Option<&T>, Damaged> {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        for (number, database) in (0..).zip(databases) {
            let Some((offset, found)) = database.find(ip)? else {
                continue;
            };
            let key = (number, u32::try_from(offset).map_err(|_| Damaged)?);
            let index = match self.index_of(key) {
                Some(index) => index,
                None => self.read(key, |value| read(value, &found))?,
            };
            let value = self.read.get(index).map(|(_, value)| value);
            if value.is_some_and(&is_known) {
                return Ok(self.read.get(index).map(|(_, value)| value));
            }
        }
        Ok(None)
    }

    /// Where in `read` a record is, if it is there.
    fn index_of(&self, key: Key) -> Option<usize> {
        let slot = self.slots.get(slot_of(key_bits(key)))?;
        let index = (*slot as usize).checked_sub(1)?;
        let (found, _) = self.read.get(index)?;
        (*found == key).then_some(index)
    }

    fn read(
        &mut self,
        key: Key,
        read: impl FnOnce(&mut T) -> Result<(), Damaged>,
    ) -> Result<usize, Damaged> {
        let slot = self.slots.get_mut(slot_of(key_bits(key))).ok_or(Damaged)?;
        if *slot == 0 {
            self.read.push((NO_KEY, T::default()));
            *slot = u32::try_from(self.read.len()).map_err(|_| Damaged)?;
        }
        let index = (*slot as usize).wrapping_sub(1);
        let (of, value) = self.read.get_mut(index).ok_or(Damaged)?;
        *of = NO_KEY;
        read(value)?;
        *of = key;
        Ok(index)
    }
}

const fn key_bits((database, offset): Key) -> u64 {
    (database as u64) << 32 | offset as u64
}

const fn slot_of(bits: u64) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    (bits.wrapping_mul(ODD) >> (u64::BITS - SLOT_BITS)) as usize
}

/// Texts one after the other, and where each ends.
#[derive(Debug)]
struct Texts<const N: usize> {
    all: String,
    ends: [u16; N],
}

impl<const N: usize> Default for Texts<N> {
    fn default() -> Self {
        Self {
            all: String::new(),
            ends: [0; N],
        }
    }
}

/// Above this a slot gives its memory back.
const MAX_KEPT_TEXT_BYTES: usize = 1 << 10;

impl<const N: usize> Texts<N> {
    /// Takes texts in place of those before; each may come in parts.
    /// Of 64 KiB or more no database has any that is meant so.
    fn set(&mut self, texts: [&[&str]; N]) -> Result<(), Damaged> {
        self.all.clear();
        self.all.shrink_to(MAX_KEPT_TEXT_BYTES);
        for (parts, end) in texts.into_iter().zip(&mut self.ends) {
            self.all.extend(parts.iter().copied());
            *end = u16::try_from(self.all.len()).map_err(|_| Damaged)?;
        }
        Ok(())
    }

    /// The texts, each nothing where it is empty.
    fn copied<'a>(&self, arena: &'a Bump) -> [Option<&'a str>; N] {
        let all: &'a str = arena.alloc_str(&self.all);
        let mut start = 0;
        self.ends.map(|end| {
            let end = usize::from(end);
            let text = all.get(start..end);
            start = end;
            text.filter(|text| !text.is_empty())
        })
    }
}

/// A place as a database has it.
#[derive(Debug, Default)]
pub(super) struct Place {
    texts: Texts<GEO_TEXTS>,
    location: Option<(f64, f64)>,
    accuracy_radius_km: Option<u16>,
}

impl Place {
    fn read(&mut self, found: &Found<'_>) -> Result<(), Damaged> {
        let record: PlaceRecord<'_> = found.decode()?.ok_or(Damaged)?;
        let country = record.country.unwrap_or_default();
        let country_code = country.iso_code.unwrap_or_default();
        let region = record.subdivisions.0.unwrap_or_default();
        let region_code = region.iso_code.filter(|_| !country_code.is_empty());
        let location = record.location.unwrap_or_default();
        let region_code: &[&str] = match &region_code {
            Some(code) if !code.is_empty() => &[country_code, "-", code],
            _ => &[],
        };
        self.location = location.degrees()?;
        self.accuracy_radius_km = location.accuracy_radius;
        self.texts.set([
            &[record
                .continent
                .unwrap_or_default()
                .code
                .unwrap_or_default()],
            &[country_code],
            &[english(country.names)],
            region_code,
            &[english(region.names)],
            &[english(record.city.unwrap_or_default().names)],
            &[record.postal.unwrap_or_default().code.unwrap_or_default()],
            &[location.time_zone.unwrap_or_default()],
        ])
    }

    fn is_known(&self) -> bool {
        !self.texts.all.is_empty() || self.location.is_some()
    }

    fn copied<'a>(&self, arena: &'a Bump) -> Geo<'a> {
        Geo {
            location: self.location,
            accuracy_radius_km: self.accuracy_radius_km,
            ..Geo::of_texts(self.texts.copied(arena))
        }
    }
}

/// An autonomous system as a database has it.
#[derive(Debug, Default)]
pub(super) struct System {
    texts: Texts<1>,
    number: Option<u32>,
}

impl System {
    fn read(&mut self, found: &Found<'_>) -> Result<(), Damaged> {
        let record: SystemRecord<'_> = found.decode()?.ok_or(Damaged)?;
        self.number = record.autonomous_system_number;
        let organization = record.autonomous_system_organization;
        self.texts.set([&[organization.unwrap_or_default()]])
    }

    fn is_known(&self) -> bool {
        self.number.is_some() || !self.texts.all.is_empty()
    }

    fn copied<'a>(&self, arena: &'a Bump) -> AutonomousSystem<'a> {
        let [organization] = self.texts.copied(arena);
        AutonomousSystem {
            number: self.number,
            organization,
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/support/mmdb.rs"]
pub(super) mod mmdb;

#[cfg(test)]
mod tests {
    use super::mmdb::{Value, Writer, asn, city, names};
    use super::*;

    fn databases(writers: &[&Writer]) -> Vec<Arc<Database>> {
        let database = |writer: &&Writer| Arc::new(Database::new(writer.finish()).unwrap());
        writers.iter().map(database).collect()
    }

    fn cities() -> Writer {
        let mut writer = Writer::new("GeoLite2-City");
        let berlin = city(
            ["DE", "Germany"],
            ["BE", "State of Berlin"],
            "Berlin",
            (52.5196, 13.4069),
        );
        writer.add("81.2.69.0/24", &berlin);
        writer.add("2a02:fc40::/26", &berlin);
        writer.add(
            "81.2.70.0/24",
            &Value::Map(vec![("city", names("Nowhere"))]),
        );
        writer.add("81.2.71.0/24", &Value::Map(vec![]));
        writer.add(
            "81.2.72.0/24",
            &city(["DE", "?"], ["BE", "?"], "?", (91.0, 0.0)),
        );
        writer.add("81.2.73.0/24", &Value::Map(vec![("city", "Berlin".into())]));
        // A map that says to go on after the end of the file.
        writer.add("81.2.74.0/24", &Value::Raw(vec![0xE5]));
        writer
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_of_both_families() {
        let databases = databases(&[&cities()]);
        let (arena, mut kept) = (Bump::new(), Kept::default());
        let berlin = Geo {
            continent_code: Some("EU"),
            country_iso_code: Some("DE"),
            country_name: Some("Germany"),
            region_iso_code: Some("DE-BE"),
            region_name: Some("State of Berlin"),
            city_name: Some("Berlin"),
            postal_code: Some("10115"),
            time_zone: Some("Europe/Berlin"),
            location: Some((52.5196, 13.4069)),
            accuracy_radius_km: Some(20),
        };
        let nowhere = Geo {
            city_name: Some("Nowhere"),
            ..Geo::default()
        };
        // Twice, so that what is kept answers as what is read.
        for _ in 0..2 {
            for (address, expected) in [
                ("81.2.69.1", Some(&berlin)),
                ("2a02:fc40::1", Some(&berlin)),
                ("81.2.70.255", Some(&nowhere)),
                ("81.2.71.1", None),
                ("81.2.75.1", None),
                ("2a02:fc80::1", None),
            ] {
                let place = place(ip(address), &databases, &mut kept, &arena);
                assert_eq!(place, Ok(expected), "{address}");
            }
        }
    }

    #[test]
    fn what_is_damaged_says_so_each_time_and_the_rest_answers() {
        let databases = databases(&[&cities()]);
        let (arena, mut kept) = (Bump::new(), Kept::default());
        for _ in 0..2 {
            for address in ["81.2.72.1", "81.2.73.1", "81.2.74.1"] {
                let place = place(ip(address), &databases, &mut kept, &arena);
                assert_eq!(place, Err(Damaged), "{address}");
            }
            let place = place(ip("81.2.69.1"), &databases, &mut kept, &arena);
            assert!(place.unwrap().is_some());
        }
    }

    #[test]
    fn the_first_database_that_tells_something_answers() {
        let mut first = Writer::new("Own-ASN");
        first.add("81.2.69.0/24", &asn(64_496, ""));
        first.add("81.2.70.0/24", &Value::Map(vec![]));
        let mut second = Writer::new("GeoLite2-ASN");
        second.add("81.2.0.0/16", &asn(64_497, "Example Networks"));
        let databases = databases(&[&first, &second]);
        let (arena, mut kept) = (Bump::new(), Kept::default());
        let own = AutonomousSystem {
            number: Some(64_496),
            organization: None,
        };
        let example = AutonomousSystem {
            number: Some(64_497),
            organization: Some("Example Networks"),
        };
        for (address, expected) in [
            ("81.2.69.1", Some(&own)),
            ("81.2.70.1", Some(&example)),
            ("81.3.0.1", None),
        ] {
            let system = system(ip(address), &databases, &mut kept, &arena);
            assert_eq!(system, Ok(expected), "{address}");
        }
    }

    #[test]
    fn a_database_has_one_of_both() {
        let mut systems = Writer::new("GeoLite2-ASN");
        systems.add("81.2.69.0/24", &asn(64_496, "Example Networks"));
        let empty = Writer::new("GeoLite2-City");
        let databases = databases(&[&cities(), &systems, &empty]);
        let has = |database: &Arc<Database>| (database.has_places(), database.has_systems());
        let has: Vec<_> = databases.iter().map(has).collect();
        assert_eq!(has, [(true, false), (false, true), (true, true)]);
        assert_eq!(databases[1].about().kind, "GeoLite2-ASN");
        assert_eq!(databases[1].about().built_at, 1_700_000_000);
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let whole = cities().finish();
        assert!(Database::new(whole[..whole.len() / 2].to_vec()).is_err());
        assert!(Database::new(Vec::new()).is_err());
        assert!(Database::new(b"prefix,name\n".to_vec()).is_err());
    }

    /// Whatever byte of a file is broken, there is an answer or an error, and no panic.
    #[test]
    fn a_broken_byte_breaks_nothing_else() {
        let whole = cities().finish();
        for at in 0..whole.len() {
            let mut file = whole.clone();
            file[at] ^= if at % 2 == 0 { 0xFF } else { 1 << (at / 2 % 8) };
            let Ok(database) = Database::new(file) else {
                continue;
            };
            let databases = [Arc::new(database)];
            let (arena, mut kept) = (Bump::new(), Kept::default());
            for address in ["81.2.69.1", "81.2.74.1", "2a02:fc40::1"] {
                let _ = place(ip(address), &databases, &mut kept, &arena);
            }
        }
    }
}
