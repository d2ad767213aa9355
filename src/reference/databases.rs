//! The files of `reference.geo` and `reference.asn`, in MaxMind's format.

use std::path::Path;

use super::error::{Problem, ReferenceError};
use crate::pipeline::enrich::maxmind::{About, Database};

/// What a database is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Places,
    Systems,
}

/// Takes a database that has what is wanted.
pub(super) fn read(
    path: &Path,
    bytes: Vec<u8>,
    content: Content,
) -> Result<Database, ReferenceError> {
    let error = |what: String, remedy| ReferenceError::of_file(path, Problem::new(what, remedy));
    let database = Database::new(bytes).map_err(|reason| {
        let what = format!("not a MaxMind database ({reason})");
        error(what, "give a whole .mmdb file")
    })?;
    let (has, what, remedy) = match content {
        Content::Places => (
            database.has_places(),
            "places",
            "give one of the shape of GeoIP2 City or Country",
        ),
        Content::Systems => (
            database.has_systems(),
            "autonomous systems",
            "give one of the shape of GeoIP2 ASN or ISP",
        ),
    };
    if has {
        Ok(database)
    } else {
        let kind = database.about().kind;
        Err(error(format!("a database {kind:?} without {what}"), remedy))
    }
}

/// What a database is, for a person.
pub(super) fn describe(about: &About) -> String {
    let seconds = i64::try_from(about.built_at).unwrap_or_default();
    let built = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let day = built.strftime("%Y-%m-%d");
    let families = if about.is_ipv4_only {
        "IPv4"
    } else {
        "IPv4 and IPv6"
    };
    let About { kind, nodes, .. } = about;
    format!("{kind} of {day}, {families}, {nodes} nodes")
}
