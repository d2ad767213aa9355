//! What is looked at before anything is read: whether the cluster answers, whether the topics
//! are there, whether the principal has the rights to them, and how large their records may be.
//! `run` ends at the first fatal finding, `check` tells them all.

use super::client::{self, DEFAULT_MAX_MESSAGE_BYTES};
use super::cluster::{Cluster, Refusal, Topic};
use super::delivery::Limits;
use super::error::KafkaError;
use super::rights;
use super::settings::{Guarantee, KafkaSettings};
use super::sources::Sources;

/// The role of a topic that is read.
pub(super) const SOURCE: &str = "source";

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// As it should be.
    Fine(String),
    /// Worth knowing, in one line; nothing need be done.
    Notable(String),
    /// Not as it should be, but it may mend itself: a run goes on.
    Doubtful(KafkaError),
    /// It keeps a run from working.
    Fatal(KafkaError),
}

impl Finding {
    /// Whether a right is missing.
    fn is_right(&self) -> bool {
        matches!(self, Self::Fatal(KafkaError::Unauthorized { .. }))
    }
}

/// What was found out about a cluster and its topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What was found, in the order in which it was looked at.
    pub findings: Vec<Finding>,
    /// Largest record that each output's topic takes, in bytes, in the order of the outputs; the
    /// brokers' own default where that is not known.
    pub output_bytes: Vec<usize>,
    /// Largest record that the dead-letter topic takes, in bytes.
    pub dead_letter_bytes: usize,
}

impl Inspection {
    /// The first fatal finding as an error; what else is not as it should be is logged.
    pub(super) fn accepted(self) -> Result<Self, KafkaError> {
        for finding in &self.findings {
            match finding {
                Finding::Fine(line) => tracing::debug!("{line}"),
                Finding::Notable(line) => tracing::warn!("{line}"),
                Finding::Doubtful(error) => tracing::warn!("{error}"),
                Finding::Fatal(error) => return Err(error.clone()),
            }
        }
        Ok(self)
    }

    /// The limits of the producer.
    pub(super) fn limits(&self) -> Limits {
        let topics = || self.output_bytes.iter().chain([&self.dead_letter_bytes]);
        Limits {
            record_bytes: topics().copied().max().unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
            batch_bytes: topics().copied().min().unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
        }
    }

    fn add<T>(&mut self, found: Result<T, KafkaError>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                self.findings.push(Finding::Fatal(error));
                None
            }
        }
    }

    fn fine(&mut self, line: String) {
        self.findings.push(Finding::Fine(line));
    }
}

/// Looks at the cluster and the topics, without joining the group. Takes about as long as
/// `connect_timeout` at most; an error is one of the settings, everything else is a finding. No
/// broker is waited for any longer once `give_up` says so.
pub fn inspect(
    settings: &KafkaSettings,
    give_up: &dyn Fn() -> bool,
) -> Result<Inspection, KafkaError> {
    look(settings, give_up, Depth::Run)
}

/// All that [`inspect`] looks at, and whether the workers' producers would be let in. A run finds
/// that out by itself. Here it is tried with a transactional id that no worker has, so that
/// nobody is fenced; nothing is written.
pub fn examine(settings: &KafkaSettings) -> Result<Inspection, KafkaError> {
    look(settings, &|| false, Depth::Check)
}

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// What a run must know before it starts.
    Run,
    /// All that can be known without a run.
    Check,
}

fn look(
    settings: &KafkaSettings,
    give_up: &dyn Fn() -> bool,
    depth: Depth,
) -> Result<Inspection, KafkaError> {
    client::check(settings)?;
    let sources = sources(settings)?;
    let mut cluster = Cluster::new(settings)?;
    let mut inspection = Inspection {
        findings: Vec::new(),
        output_bytes: vec![DEFAULT_MAX_MESSAGE_BYTES; settings.outputs.len()],
        dead_letter_bytes: DEFAULT_MAX_MESSAGE_BYTES,
    };
    let Some(brokers) = inspection.add(cluster.connect(give_up)) else {
        return Ok(inspection);
    };
    inspection.fine(format!("connected, {}", count(brokers, "broker")));
    let read = look_at_sources(&cluster, &sources, &mut inspection);
    look_at_workers(settings, &read, &mut inspection);
    rights::look_at_read(&cluster, settings, &read, &mut inspection);
    if rights::look_at_group(&cluster, settings, &mut inspection) {
        look_at_group(&cluster, &read, &mut inspection);
    }
    let before = inspection.findings.len();
    let written = look_at_written(&cluster, settings, &mut inspection);
    let may_write = !inspection.findings[before..].iter().any(Finding::is_right);
    look_at_limits(&cluster, settings, &written, &mut inspection)?;
    // At least once, to write to any topic gives the right to be idempotent: one line is enough.
    let is_open = may_write || settings.guarantee == Guarantee::ExactlyOnce;
    if depth == Depth::Check && is_open {
        let timeout = cluster.answer_timeout();
        rights::look_at_producer(settings, timeout, &mut inspection)?;
    }
    Ok(inspection)
}

/// The sources, none of which is also written to. That is checked again at each assignment, by
/// the names of the topics themselves.
fn sources(settings: &KafkaSettings) -> Result<Sources, KafkaError> {
    let sources = Sources::new(&settings.sources)
        .map_err(|invalid| KafkaError::Settings(invalid.to_string()))?;
    for topic in settings.written_topics() {
        if let Some(source) = sources.taking_in(topic) {
            return Err(KafkaError::Loop {
                source_topic: source.to_owned(),
                topic: topic.to_owned(),
            });
        }
    }
    Ok(sources)
}

/// The topics that are read; to a pattern more may come.
fn look_at_sources(
    cluster: &Cluster<'_>,
    sources: &Sources,
    inspection: &mut Inspection,
) -> Vec<Topic> {
    let mut read = Vec::new();
    for name in sources.names() {
        let topic = inspection.add(cluster.topic(name, SOURCE));
        read.extend(topic.inspect(|topic| look_at_topic(topic, SOURCE, inspection)));
    }
    if sources.patterns().is_empty() {
        return read;
    }
    // One question for all, since there may be any number of them.
    let mut topics = inspection.add(cluster.topics()).unwrap_or_default();
    for (pattern, regex) in sources.patterns() {
        let mut matched = false;
        for (name, topic) in topics.iter_mut().filter(|(name, _)| regex.is_match(name)) {
            matched = true;
            let is_known = read.iter().any(|known: &Topic| known.name == *name);
            if is_known {
                continue;
            }
            let topic = topic
                .take()
                .or_else(|| inspection.add(cluster.topic(name, SOURCE)));
            read.extend(topic.inspect(|topic| look_at_topic(topic, SOURCE, inspection)));
        }
        if !matched {
            let pattern = pattern.clone();
            let unmatched = KafkaError::UnmatchedPattern { pattern };
            inspection.findings.push(Finding::Doubtful(unmatched));
        }
    }
    read
}

/// Whether every worker has something to read. To a pattern topics may come, and another process
/// may take partitions: that is not known here.
fn look_at_workers(settings: &KafkaSettings, read: &[Topic], inspection: &mut Inspection) {
    let partitions = read.iter().map(|topic| topic.partitions.len()).sum();
    if partitions > 0 && partitions < settings.workers {
        let topics: Vec<_> = read.iter().map(|topic| topic.name.as_str()).collect();
        let too_few = KafkaError::TooFewPartitions {
            topics: topics.join(", "),
            partitions,
            workers: settings.workers,
        };
        inspection.findings.push(Finding::Doubtful(too_few));
    }
}

/// The topics that are written to and are there, each once.
fn look_at_written<'s>(
    cluster: &Cluster<'_>,
    settings: &'s KafkaSettings,
    inspection: &mut Inspection,
) -> Vec<&'s str> {
    let mut written: Vec<&str> = Vec::new();
    let dead_letters = std::slice::from_ref(&settings.dead_letters);
    for (names, role) in [
        (&settings.outputs[..], "output"),
        (dead_letters, "dead-letter"),
    ] {
        let before = written.len();
        for name in names {
            if written.contains(&name.as_str()) {
                continue;
            }
            if let Some(topic) = inspection.add(cluster.topic(name, role)) {
                look_at_topic(&topic, role, inspection);
                written.push(name);
            }
        }
        rights::look_at_write(cluster, settings, &written[before..], role, inspection);
    }
    written
}

fn look_at_topic(topic: &Topic, role: &'static str, inspection: &mut Inspection) {
    let (name, partitions) = (&topic.name, topic.partitions.len());
    if topic.leaderless > 0 {
        let leaderless = KafkaError::Leaderless {
            topic: name.clone(),
            role,
            without: topic.leaderless,
            partitions,
        };
        inspection.findings.push(Finding::Doubtful(leaderless));
    } else {
        inspection.fine(format!(
            "topic {name} has {}",
            count(partitions, "partition")
        ));
    }
}

/// How far the group has come; it is only read.
fn look_at_group(cluster: &Cluster<'_>, read: &[Topic], inspection: &mut Inspection) {
    let partitions = read.iter().map(|topic| topic.partitions.len()).sum();
    if partitions == 0 {
        return;
    }
    match cluster.committed(read) {
        Ok(known) => inspection.fine(format!(
            "the group has offsets of {known} of {}",
            count(partitions, "partition")
        )),
        Err(error @ KafkaError::Unauthorized { .. }) => {
            inspection.findings.push(Finding::Fatal(error));
        }
        // A coordinator that is just being found, for one.
        Err(error) => inspection.findings.push(Finding::Doubtful(error)),
    }
}

/// How large the records of the topics may be.
fn look_at_limits(
    cluster: &Cluster<'_>,
    settings: &KafkaSettings,
    written: &[&str],
    inspection: &mut Inspection,
) -> Result<(), KafkaError> {
    if written.is_empty() {
        return Ok(());
    }
    let limits = cluster.max_message_bytes(written)?;
    let mut untold = Vec::new();
    for topic in written {
        let Some((_, bytes)) = limits.told.iter().find(|(name, _)| name == topic) else {
            untold.push(*topic);
            continue;
        };
        inspection.fine(format!(
            "topic {topic} takes records of up to {bytes} bytes"
        ));
        let outputs = settings.outputs.iter().zip(&mut inspection.output_bytes);
        for (_, output) in outputs.filter(|(output, _)| output == topic) {
            *output = *bytes;
        }
        if settings.dead_letters == *topic {
            inspection.dead_letter_bytes = *bytes;
        }
    }
    if !untold.is_empty() {
        let line = limit_untold(&untold.join(", "), limits.refused.as_ref());
        inspection.findings.push(Finding::Notable(line));
    }
    Ok(())
}

/// That nobody knows how large the records of these topics may be. Only a missing right can be
/// granted; other causes need no mending, since what is assumed is the brokers' default.
fn limit_untold(topics: &str, refused: Option<&Refusal>) -> String {
    let (why, remedy) = match refused {
        Some(Refusal::Unauthorized(code)) => (code.to_string(), "grant DescribeConfigs on them; "),
        Some(Refusal::Other(why)) => (why.clone(), ""),
        None => ("the brokers leave it out".to_owned(), ""),
    };
    format!(
        "max.message.bytes is not told ({why}), {topics}: {remedy}{DEFAULT_MAX_MESSAGE_BYTES} is assumed, and less learnt from what is refused"
    )
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    fn settings(sources: &[&str]) -> KafkaSettings {
        let outputs = vec!["in.connections".to_owned(), "in.listeners".to_owned()];
        let mut settings = KafkaSettings::new("127.0.0.1:9", "in", outputs, "in.dead", "g");
        settings.sources = sources.iter().map(|source| (*source).to_owned()).collect();
        settings
    }

    fn inspection(findings: Vec<Finding>) -> Inspection {
        Inspection {
            findings,
            output_bytes: vec![5_000_000, 200_000],
            dead_letter_bytes: 1_000_000,
        }
    }

    #[test]
    fn a_source_that_is_written_to_is_refused_by_name_and_by_pattern() {
        for accepted in [&["in", "other"][..], &["^in$"]] {
            assert!(sources(&settings(accepted)).is_ok());
        }
        for refused in [&["other", "in.dead"][..], &["^in"], &["^in\\.l.*"]] {
            let error = sources(&settings(refused)).unwrap_err();
            assert!(matches!(error, KafkaError::Loop { .. }), "{error}");
            assert!(error.is_configuration());
        }
        let error = sources(&settings(&["^(in"])).unwrap_err();
        assert!(error.to_string().contains("^(in"), "{error}");
    }

    #[test]
    fn only_a_missing_right_is_to_be_granted() {
        let unauthorized = Refusal::Unauthorized(RDKafkaErrorCode::TopicAuthorizationFailed);
        let old = Refusal::Other("Local: Required feature not supported by broker".to_owned());
        for (refused, is_granted) in [
            (Some(&unauthorized), true),
            (Some(&old), false),
            (None, false),
        ] {
            let line = limit_untold("a, b", refused);
            assert_eq!(
                line.contains("grant DescribeConfigs on them"),
                is_granted,
                "{line}"
            );
            assert!(
                line.contains("), a, b: ") && line.contains("1048588 is assumed"),
                "{line}"
            );
        }
    }

    #[test]
    fn batches_fit_the_smallest_topic_and_records_the_largest() {
        let limits = inspection(Vec::new()).limits();
        assert_eq!(
            (limits.record_bytes, limits.batch_bytes),
            (5_000_000, 200_000)
        );
    }

    #[test]
    fn a_run_ends_at_the_first_fatal_finding_and_goes_on_with_doubts() {
        let pattern = "^raw".to_owned();
        let doubt = Finding::Doubtful(KafkaError::UnmatchedPattern { pattern });
        let fatal = |id: &str| KafkaError::Fenced { id: id.to_owned() };
        let doubtful = inspection(vec![Finding::Fine(String::new()), doubt.clone()]);
        assert_eq!(doubtful.clone().accepted(), Ok(doubtful));
        let (first, second) = (Finding::Fatal(fatal("a")), Finding::Fatal(fatal("b")));
        let failed = inspection(vec![doubt, first, second]);
        assert_eq!(failed.accepted(), Err(fatal("a")));
    }

    #[test]
    fn a_broker_that_is_not_there_is_one_line_that_names_it() {
        let mut settings = settings(&["in"]);
        settings.connect_timeout = Duration::from_millis(300);
        let error = inspect(&settings, &|| false)
            .unwrap()
            .accepted()
            .unwrap_err();
        assert!(matches!(error, KafkaError::Unreachable { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("127.0.0.1:9") && text.contains("refused") && !text.contains('\n'),
            "{text}"
        );
    }
}
