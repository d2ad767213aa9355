//! What the operator's tables tell about an address: the shapes of the answers, which borrow from
//! the tables.

/// The operator's own name for a network: the row of the longest prefix that holds the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkLabel<'a> {
    /// The prefix in canonical text, `10.1.0.0/16`.
    pub prefix: &'a str,
    /// What the operator calls it.
    pub name: &'a str,
    /// What it is for.
    pub role: Option<&'a str>,
    /// Where it is.
    pub site: Option<&'a str>,
    /// Whose it is.
    pub tenant: Option<&'a str>,
}

/// Where an address is, as a MaxMind DB says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Geo<'a> {
    /// Continent, two letters.
    pub continent_code: Option<&'a str>,
    /// Country, ISO 3166-1 alpha-2.
    pub country_iso_code: Option<&'a str>,
    /// Country, in English.
    pub country_name: Option<&'a str>,
    /// First subdivision, ISO 3166-2 with the country before: `US-CA`.
    pub region_iso_code: Option<&'a str>,
    /// First subdivision, in English.
    pub region_name: Option<&'a str>,
    /// City, in English.
    pub city_name: Option<&'a str>,
    /// Postal code.
    pub postal_code: Option<&'a str>,
    /// Time zone, IANA's name.
    pub time_zone: Option<&'a str>,
    /// Latitude and longitude in degrees (WGS 84).
    pub location: Option<(f64, f64)>,
    /// Radius around the location that most likely holds the address, in kilometres.
    pub accuracy_radius_km: Option<u16>,
}

/// How many texts a place has.
pub(super) const GEO_TEXTS: usize = 8;

impl<'a> Geo<'a> {
    /// The texts, in the order of the fields.
    pub(super) const fn texts(&self) -> [Option<&'a str>; GEO_TEXTS] {
        [
            self.continent_code,
            self.country_iso_code,
            self.country_name,
            self.region_iso_code,
            self.region_name,
            self.city_name,
            self.postal_code,
            self.time_zone,
        ]
    }

    /// A place of such texts.
    pub(super) const fn of_texts(texts: [Option<&'a str>; GEO_TEXTS]) -> Self {
        let [
            continent_code,
            country_iso_code,
            country_name,
            region_iso_code,
            region_name,
            city_name,
            postal_code,
            time_zone,
        ] = texts;
        Self {
            continent_code,
            country_iso_code,
            country_name,
            region_iso_code,
            region_name,
            city_name,
            postal_code,
            time_zone,
            location: None,
            accuracy_radius_km: None,
        }
    }

    /// The location, where it is one: formats of text have no word for what is no number.
    pub fn finite_location(&self) -> Option<(f64, f64)> {
        self.location
            .filter(|(latitude, longitude)| latitude.is_finite() && longitude.is_finite())
    }
}

/// Whose network an address is part of, as a MaxMind DB says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutonomousSystem<'a> {
    /// Its number.
    pub number: Option<u32>,
    /// The organization that it is registered to.
    pub organization: Option<&'a str>,
}
