//! How a worker learns that a topic takes less than was thought.
//!
//! What is too large for its topic is decided in the core, by the limits read at the start. A
//! broker that refuses a record all the same (its limit was lowered since, or could not be read)
//! refuses the whole batch that the record is in. So the batch size is halved until the record
//! is refused alone; then the core is told the new limit, the record becomes a reject or a
//! shorter dead letter, and the batches are as large as before. Every step makes something
//! smaller: it comes to an end.

use super::context::Failure;
use super::delivery::Limits;
use crate::pipeline::settings::Settings;

/// A topic that does not even take records of this size cannot be written to.
const LEAST_RECORD_BYTES: usize = 1 << 10;

/// What was made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shrunk {
    /// The batches, to this many bytes.
    Batches(usize),
    /// The records of the topic, to this many bytes.
    Records(usize),
    /// Nothing: the topic takes no records worth the name.
    Nothing,
}

/// Makes batches or records smaller after a record was refused for its size.
///
/// `topics` are those of the outputs, in order; `initial` are the limits read at the start.
pub(super) fn shrink(
    failure: &Failure,
    settings: &mut Settings,
    topics: &[String],
    limits: &mut Limits,
    initial: Limits,
) -> Shrunk {
    // A batch of one byte has but one record, even if that has no key and no value.
    let alone = failure.bytes >= limits.batch_bytes || limits.batch_bytes == 1;
    if !alone {
        limits.batch_bytes = (limits.batch_bytes / 2).max(1);
        return Shrunk::Batches(limits.batch_bytes);
    }
    limits.batch_bytes = initial.batch_bytes;
    let mut least = None;
    for (output, topic) in settings.outputs.iter_mut().zip(topics) {
        if *topic == failure.topic {
            output.max_bytes = output.max_bytes.min(failure.bytes).saturating_sub(1);
            least = Some(output.max_bytes);
        }
    }
    let shrunk = least.unwrap_or_else(|| {
        // A dead letter is cut to fit, so that the next would be only a byte shorter.
        settings.dead_letter_max_bytes = settings.dead_letter_max_bytes.min(failure.bytes) / 2;
        settings.dead_letter_max_bytes
    });
    if shrunk < LEAST_RECORD_BYTES {
        return Shrunk::Nothing;
    }
    Shrunk::Records(shrunk)
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaErrorCode;

    use super::*;
    use crate::pipeline::settings::{Format, Key, Limits as CoreLimits, Output, SourceFormat};

    const INITIAL: Limits = Limits {
        record_bytes: 1_000_000,
        batch_bytes: 1_000_000,
    };

    fn settings() -> Settings {
        let output = Output {
            max_bytes: 1_000_000,
            ..Output::new(Format::Protobuf, Key::Connection)
        };
        Settings {
            format: SourceFormat::Auto,
            reject: crate::pipeline::code::Warnings::NONE,
            limits: CoreLimits::default(),
            enrich: crate::pipeline::enrich::Enrich::default(),
            outputs: vec![output.clone(), output],
            dead_letter_max_bytes: 1_000_000,
        }
    }

    fn refused(topic: &str, bytes: usize) -> Failure {
        Failure {
            topic: topic.to_owned(),
            code: RDKafkaErrorCode::MessageSizeTooLarge,
            bytes,
            invalid: Vec::new(),
        }
    }

    /// Shrinks until `fits` says that the broker takes the largest record, of `bytes` at first.
    fn settle(topic: &str, bytes: usize, broker_takes: usize) -> (Settings, Limits, usize) {
        let topics = ["a".to_owned(), "b".to_owned()];
        let mut settings = settings();
        let mut limits = INITIAL;
        for step in 0..100 {
            let record = match topic {
                "a" => bytes.min(settings.outputs[0].max_bytes),
                "b" => bytes.min(settings.outputs[1].max_bytes),
                _ => bytes.min(settings.dead_letter_max_bytes),
            };
            if record <= broker_takes && limits.batch_bytes <= INITIAL.batch_bytes {
                return (settings, limits, step);
            }
            let shrunk = shrink(
                &refused(topic, record),
                &mut settings,
                &topics,
                &mut limits,
                INITIAL,
            );
            if shrunk == Shrunk::Nothing {
                return (settings, limits, step);
            }
            if let (Shrunk::Records(limit), "a" | "b") = (shrunk, topic) {
                assert!(limit < record);
                return (settings, limits, step);
            }
        }
        panic!("it does not come to an end");
    }

    #[test]
    fn batches_are_halved_until_the_record_is_alone_and_then_restored() {
        let (settings, limits, steps) = settle("b", 300_000, 200_000);
        assert_eq!(steps, 2, "1,000,000 to 500,000 to 250,000, then alone");
        assert_eq!(settings.outputs[1].max_bytes, 299_999);
        assert_eq!(settings.outputs[0].max_bytes, 1_000_000, "only its topic");
        assert_eq!(limits, INITIAL);
    }

    #[test]
    fn dead_letters_shrink_until_they_fit() {
        let (settings, limits, _) = settle("dead", 900_000, 100_000);
        assert!(settings.dead_letter_max_bytes <= 100_000);
        assert!(settings.dead_letter_max_bytes > 25_000);
        assert_eq!(limits, INITIAL);
    }

    #[test]
    fn a_record_without_key_and_value_ends_it_too() {
        let topics = ["a".to_owned()];
        let (mut settings, mut limits) = (settings(), INITIAL);
        let mut last = None;
        for _ in 0..100 {
            let failure = refused("dead", 0);
            let shrunk = shrink(&failure, &mut settings, &topics, &mut limits, INITIAL);
            last = Some(shrunk);
            if shrunk == Shrunk::Nothing {
                break;
            }
        }
        assert_eq!(last, Some(Shrunk::Nothing));
    }

    #[test]
    fn a_topic_that_takes_nothing_is_told_apart() {
        let topics = ["a".to_owned()];
        let mut settings = settings();
        let mut limits = Limits {
            batch_bytes: 10,
            ..INITIAL
        };
        let failure = refused("a", 500);
        let shrunk = shrink(&failure, &mut settings, &topics, &mut limits, INITIAL);
        assert_eq!(shrunk, Shrunk::Nothing);
    }
}
