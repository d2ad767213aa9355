//! A record of a database: the parts of it that are read, by their names in GeoIP2.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::Damaged;

#[derive(Deserialize)]
pub(super) struct PlaceRecord<'d> {
    #[serde(borrow)]
    pub(super) continent: Option<Coded<'d>>,
    #[serde(borrow)]
    pub(super) country: Option<Country<'d>>,
    #[serde(borrow, default)]
    pub(super) subdivisions: First<Country<'d>>,
    #[serde(borrow)]
    pub(super) city: Option<City<'d>>,
    #[serde(borrow)]
    pub(super) postal: Option<Coded<'d>>,
    #[serde(borrow)]
    pub(super) location: Option<Location<'d>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Coded<'d> {
    pub(super) code: Option<&'d str>,
}

/// A country or a part of one.
#[derive(Default, Deserialize)]
pub(super) struct Country<'d> {
    pub(super) iso_code: Option<&'d str>,
    #[serde(borrow)]
    pub(super) names: Option<Names<'d>>,
}

#[derive(Default, Deserialize)]
pub(super) struct City<'d> {
    #[serde(borrow)]
    pub(super) names: Option<Names<'d>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Names<'d> {
    en: Option<&'d str>,
}

/// The name in English.
pub(super) fn english(names: Option<Names<'_>>) -> &str {
    names.and_then(|names| names.en).unwrap_or_default()
}

#[derive(Default, Deserialize)]
pub(super) struct Location<'d> {
    latitude: Option<f64>,
    longitude: Option<f64>,
    pub(super) accuracy_radius: Option<u16>,
    pub(super) time_zone: Option<&'d str>,
}

impl Location<'_> {
    /// Latitude and longitude, where both are there; what is no place on Earth is damaged.
    pub(super) fn degrees(&self) -> Result<Option<(f64, f64)>, Damaged> {
        let Some((latitude, longitude)) = self.latitude.zip(self.longitude) else {
            return Ok(None);
        };
        if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 {
            // There is no negative zero in events: protobuf would take it for absent.
            Ok(Some((latitude + 0.0, longitude + 0.0)))
        } else {
            Err(Damaged)
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SystemRecord<'d> {
    pub(super) autonomous_system_number: Option<u32>,
    pub(super) autonomous_system_organization: Option<&'d str>,
}

/// The first item of a list; the others are not read.
pub(super) struct First<T>(pub(super) Option<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<First<T>, A::Error> {
                let first = items.next_element()?;
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_seq(Items(std::marker::PhantomData))
    }
}
