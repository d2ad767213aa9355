//! The closed sets of codes: why a message or record was rejected, and what was odd about one
//! that was not.
//!
//! A code's name is a metric label, a header value and a filter key, so it never changes. The
//! order of the variants is the order in which rules are tried (for rejections, the first that
//! holds decides) and in which warnings are listed.

/// What a code speaks of: a whole message or one record of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// The whole message.
    Message,
    /// One record.
    Record,
}

impl Level {
    /// Both levels.
    pub const ALL: &[Self] = &[Self::Message, Self::Record];

    /// The level's name in dead letters and metrics: `message` or `record`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Record => "record",
        }
    }
}

/// The part of the pipeline that rejected something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Bytes to a message, or to one row.
    Decode,
    /// Presence, form and limits of values.
    Validate,
    /// Text to canonical values.
    Normalize,
    /// Event to output bytes.
    Encode,
}

impl Stage {
    /// The stage's name in dead letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Validate => "validate",
            Self::Normalize => "normalize",
            Self::Encode => "encode",
        }
    }
}

macro_rules! codes {
    ($(#[$about:meta])* $kind:ident: $($variant:ident $name:literal $level:ident $at:ident $meaning:literal)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $kind {
            $(#[doc = $meaning] $variant,)*
        }

        impl $kind {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable snake_case name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// One sentence that says what the code means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),* }
            }

            /// What the code speaks of.
            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level),* }
            }

            /// The stage that finds it.
            pub const fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$at),* }
            }

            /// The code with that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.name() == name)
            }
        }
    };
}

codes! {
    /// Why a message or a record cannot become an event.
    Rejection:
    EmptyMessage "empty_message" Message Decode "The value is null, of length zero, or blank."
    MessageTooLarge "message_too_large" Message Decode "The value is larger than `validate.max_message_bytes`, or its metadata are larger than `validate.max_metadata_bytes`."
    UnknownFormat "unknown_format" Message Decode "The bytes look like neither encoding of the contract and no header or setting names one."
    MalformedProtobuf "malformed_protobuf" Message Decode "The envelope or its metadata are not valid protobuf of the contract."
    MalformedJson "malformed_json" Message Decode "The text is not valid JSON, or the envelope or its metadata have a value of the wrong type."
    BatchTooLarge "batch_too_large" Message Decode "The message has more records than `validate.max_records`."
    MissingMetadata "missing_metadata" Message Validate "The message has no metadata."
    MissingProject "missing_project" Message Validate "The metadata name no project."
    MissingAgentId "missing_agent_id" Message Validate "The metadata name no agent."
    MissingTimestamp "missing_timestamp" Message Validate "The metadata have no timestamp."
    InvalidTimestamp "invalid_timestamp" Message Validate "The metadata's timestamp is no RFC 3339 or ISO 8601 time, or out of range."
    InvalidExpiration "invalid_expiration" Message Validate "The metadata's expiration is no RFC 3339 or ISO 8601 time, or out of range."
    MalformedRecord "malformed_record" Record Decode "The record's bytes are not a record of the contract, or a value has the wrong type."
    MissingLocalAddress "missing_local_address" Record Validate "The record has no local address."
    MissingProtocol "missing_protocol" Record Validate "The record has no protocol."
    InvalidProtocol "invalid_protocol" Record Normalize "An element of the protocol list is empty or has a control character."
    InvalidLocalAddress "invalid_local_address" Record Normalize "The local address is in no known form, or a part of it is out of range."
    InvalidRemoteAddress "invalid_remote_address" Record Normalize "The remote address is in no known form, or a part of it is out of range."
    AddressProtocolMismatch "address_protocol_mismatch" Record Normalize "An address list has a number of elements that does not pair with the protocol list."
    InvalidProcessId "invalid_process_id" Record Validate "The process id is not a whole number between 0 and 4294967295."
    FieldTooLong "field_too_long" Record Validate "A field of the record is longer than `validate.max_field_bytes`."
    EventTooLarge "event_too_large" Record Encode "The encoded event is larger than `validate.max_event_bytes` or than its topic takes."
}

codes! {
    /// What is odd about a message or a record that nevertheless became an event.
    Warning:
    DataTypeMismatch "data_type_mismatch" Message Validate "The metadata's data type is not `network_connection` (nor `network_conection`)."
    Expired "expired" Message Validate "The expiration is at or before the Kafka record's timestamp."
    MissingExpiration "missing_expiration" Message Validate "The metadata have no expiration."
    MissingAgentType "missing_agent_type" Message Validate "The metadata have no agent type."
    TimestampInFuture "timestamp_in_future" Message Validate "The metadata's timestamp is more than a day after the Kafka record's timestamp."
    UnknownFields "unknown_fields" Message Decode "The envelope, the metadata or the record have fields that the contract does not know."
    UnrecognizedState "unrecognized_state" Record Normalize "The state is no known spelling (an event then has the state UNKNOWN)."
    UnrecognizedProtocol "unrecognized_protocol" Record Normalize "An element of the protocol list is not known (an event keeps it as it came)."
    AddressNotNumeric "address_not_numeric" Record Normalize "An address has a host name or a service name where a number is expected."
    AddressTruncated "address_truncated" Record Normalize "An address was cut by the column of the tool that printed it; the cut part is absent."
    AddressFamilyMismatch "address_family_mismatch" Record Normalize "An address is not of the named family, or the two ends are of different families."
    ListenWithRemote "listen_with_remote" Record Normalize "The state is LISTEN and yet there is a remote end."
    ZeroLocalPort "zero_local_port" Record Normalize "The local port is 0."
}

/// A set of warnings, listed in their fixed order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warnings(u16);

impl Warnings {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Adds one warning.
    pub const fn add(&mut self, warning: Warning) {
        self.0 |= 1 << warning as u16;
    }

    /// Whether the warning is in the set.
    pub const fn has(self, warning: Warning) -> bool {
        self.0 & (1 << warning as u16) != 0
    }

    /// The warnings of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The warnings that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A bit for each warning of the set, at its number.
    pub(super) const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// The warnings in order.
    pub fn iter(self) -> impl Iterator<Item = Warning> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let index = rest.trailing_zeros() as usize;
            rest &= rest.wrapping_sub(1);
            Warning::ALL.get(index).copied()
        })
    }
}

impl FromIterator<Warning> for Warnings {
    fn from_iter<I: IntoIterator<Item = Warning>>(warnings: I) -> Self {
        let mut set = Self::NONE;
        for warning in warnings {
            set.add(warning);
        }
        set
    }
}

/// Why something was rejected: a rejection of its own, or a warning that the configuration
/// promotes to one (`validate.reject`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A rejection.
    Rejection(Rejection),
    /// A warning that was promoted.
    Promoted(Warning),
}

impl Reason {
    /// Every reason there is: the rejections, then the warnings.
    pub fn all() -> impl Iterator<Item = Self> {
        let rejections = Rejection::ALL.iter().copied().map(Self::Rejection);
        rejections.chain(Warning::ALL.iter().copied().map(Self::Promoted))
    }

    /// The stable name of the code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejection(code) => code.name(),
            Self::Promoted(code) => code.name(),
        }
    }

    /// The stage that found it.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Rejection(code) => code.stage(),
            Self::Promoted(code) => code.stage(),
        }
    }
}

impl From<Rejection> for Reason {
    fn from(code: Rejection) -> Self {
        Self::Rejection(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        let names: std::collections::BTreeSet<_> = Reason::all().map(Reason::name).collect();
        assert_eq!(names.len(), Rejection::ALL.len() + Warning::ALL.len());
        for code in Rejection::ALL {
            assert_eq!(Rejection::from_name(code.name()), Some(*code));
        }
        for code in Warning::ALL {
            assert_eq!(Warning::from_name(code.name()), Some(*code));
        }
    }

    #[test]
    fn a_set_lists_its_warnings_in_order() {
        let set: Warnings = [
            Warning::ZeroLocalPort,
            Warning::Expired,
            Warning::ZeroLocalPort,
        ]
        .into_iter()
        .collect();
        let listed: Vec<_> = set.iter().collect();
        assert_eq!(listed, [Warning::Expired, Warning::ZeroLocalPort]);
        assert!(Warnings::NONE.iter().next().is_none());
    }
}
