//! A look at the cluster without taking part: are the brokers there, do they take us, are the
//! topics there and what do they take. No group is joined, nothing is written.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use super::client::DEFAULT_MAX_MESSAGE_BYTES;

/// Longest time for the topics' settings: a broker that takes us and does not tell them within
/// it will not tell them at all.
const LONGEST_ANSWER: Duration = Duration::from_secs(4);

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Properties of a client that reads, `bootstrap.servers` and `group.id` among them.
    pub consumer: ClientConfig,
    /// Properties of a client that writes, `bootstrap.servers` among them.
    pub producer: ClientConfig,
    /// Source topics; one that begins with `^` is a pattern.
    pub sources: Vec<String>,
    /// Topics that are written to, each with the size of the largest record that may come, in
    /// bytes.
    pub written: Vec<(String, usize)>,
    /// Longest time for all of it.
    pub timeout: Duration,
}

/// One thing that was found; each is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be, or worth knowing.
    Fine(String),
    /// It keeps a run from working: what, where, what to do.
    Problem(String),
}

/// Why a client cannot even be made: the properties contradict each other, or a file that they
/// name is not there.
#[derive(Debug, thiserror::Error)]
#[error("librdkafka refuses the configuration ({0}), [kafka]: correct the properties")]
pub struct Refused(String);

impl Probe {
    /// Looks at everything, and returns what was found in the order of the work.
    pub fn run(&self) -> Result<Vec<Finding>, Refused> {
        let deadline = Instant::now() + self.timeout;
        let consumer: BaseConsumer<Notes> = client(&self.consumer)?;
        let admin: AdminClient<Notes> = client(&self.producer)?;
        let mut findings = Findings(Vec::new());
        match connect(&consumer, deadline) {
            Err(why) => findings.problem(format_args!(
                "cannot connect ({why}), {}: check the address, the brokers and the security properties",
                self.consumer.get("bootstrap.servers").unwrap_or_default(),
            )),
            Ok(metadata) => {
                let brokers = metadata.brokers().len();
                findings.fine(format_args!("connected, {}", count(brokers, "broker")));
                let read = self.look_at_sources(&metadata, &mut findings);
                look_at_group(&consumer, &read, deadline, &mut findings);
                self.look_at_written(&metadata, &admin, deadline, &mut findings);
            }
        }
        Ok(findings.0)
    }

    /// The topics that are read, each with its number of partitions.
    fn look_at_sources<'m>(
        &self,
        metadata: &'m Metadata,
        findings: &mut Findings,
    ) -> Vec<&'m MetadataTopic> {
        let mut read = Vec::new();
        for source in &self.sources {
            let Some(pattern) = source.strip_prefix('^') else {
                read.extend(look_at_topic(source, "source.topic", metadata, findings));
                continue;
            };
            // The configuration has checked the pattern.
            let matches = |name: &str| {
                let pattern = regex_lite::Regex::new(&format!("^{pattern}"));
                pattern.is_ok_and(|pattern| pattern.is_match(name))
            };
            let matching = metadata
                .topics()
                .iter()
                .filter(|topic| matches(topic.name()));
            let before = read.len();
            for topic in matching {
                read.extend(look_at_topic(
                    topic.name(),
                    "source.topic",
                    metadata,
                    findings,
                ));
            }
            if read.len() == before {
                findings.problem(format_args!(
                    "no topic matches {source}, source.topic: create one or correct the pattern"
                ));
            }
        }
        read
    }

    fn look_at_written(
        &self,
        metadata: &Metadata,
        admin: &AdminClient<Notes>,
        deadline: Instant,
        findings: &mut Findings,
    ) {
        let there: Vec<_> = self
            .written
            .iter()
            .filter(|(name, _)| look_at_topic(name, "an output", metadata, findings).is_some())
            .collect();
        let names: Vec<_> = there.iter().map(|(name, _)| name.as_str()).collect();
        if names.is_empty() {
            return;
        }
        // Not a problem: a run takes the brokers' own default in its place.
        let unknown = format!("is not told, {DEFAULT_MAX_MESSAGE_BYTES} bytes are assumed");
        let answers = match describe(admin, &names, deadline) {
            Ok(answers) => answers,
            Err(why) => {
                return findings.fine(format_args!(
                    "the largest record that the topics take {unknown} ({why})"
                ));
            }
        };
        for ((name, largest_bytes), answer) in there.into_iter().zip(answers) {
            let limit = answer.map(|resource| {
                let entry = resource.get("max.message.bytes");
                entry.and_then(|entry| entry.value.as_ref()?.parse::<usize>().ok())
            });
            match limit {
                Ok(Some(limit)) if limit < *largest_bytes => findings.fine(format_args!(
                    "topic {name} takes records of up to {limit} bytes; a larger one, up to {largest_bytes}, is rejected or cut"
                )),
                Ok(Some(limit)) => findings.fine(format_args!(
                    "topic {name} takes records of up to {limit} bytes"
                )),
                Ok(None) => findings.fine(format_args!(
                    "the largest record that topic {name} takes {unknown}"
                )),
                Err(code) => findings.fine(format_args!(
                    "the largest record that topic {name} takes {unknown} ({code}): grant DescribeConfigs on it"
                )),
            }
        }
    }
}

/// The topic, where it is there and has a leader for each partition.
fn look_at_topic<'m>(
    name: &str,
    role: &str,
    metadata: &'m Metadata,
    findings: &mut Findings,
) -> Option<&'m MetadataTopic> {
    let found = metadata.topics().iter().find(|topic| topic.name() == name);
    let Some(topic) = found else {
        findings.problem(format_args!(
            "no such topic or no right to see it, {name} ({role}): create it or grant Describe"
        ));
        return None;
    };
    if let Some(error) = topic.error() {
        let code = RDKafkaErrorCode::from(error);
        findings.problem(format_args!(
            "the topic cannot be used ({code}), {name} ({role}): see the brokers' log"
        ));
        return None;
    }
    let partitions = topic.partitions().len();
    let leaderless = topic.partitions().iter().filter(|of| of.leader() < 0);
    match leaderless.count() {
        0 => findings.fine(format_args!(
            "topic {name} has {}",
            count(partitions, "partition")
        )),
        without => findings.problem(format_args!(
            "{without} of {partitions} partitions have no leader, {name} ({role}): see that its brokers are up"
        )),
    }
    Some(topic)
}

/// How far the group has come; it is only read.
fn look_at_group(
    consumer: &BaseConsumer<Notes>,
    read: &[&MetadataTopic],
    deadline: Instant,
    findings: &mut Findings,
) {
    let mut partitions = TopicPartitionList::new();
    for topic in read {
        for partition in topic.partitions() {
            partitions.add_partition(topic.name(), partition.id());
        }
    }
    if partitions.count() == 0 {
        return;
    }
    match consumer.committed_offsets(partitions, remaining(deadline)) {
        Ok(offsets) => {
            let offsets = offsets.elements();
            let known = offsets
                .iter()
                .filter(|of| matches!(of.offset(), Offset::Offset(_)))
                .count();
            findings.fine(format_args!(
                "the group has offsets of {known} of {}",
                count(offsets.len(), "partition")
            ));
        }
        Err(error) => findings.problem(format_args!(
            "cannot read the group's offsets ({}), source.group: grant Describe on the group",
            cause(&error)
        )),
    }
}

/// The settings of topics, in the order of their names.
fn describe(
    admin: &AdminClient<Notes>,
    topics: &[&str],
    deadline: Instant,
) -> Result<Vec<Result<ConfigResource, RDKafkaErrorCode>>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    let timeout = remaining(deadline).min(LONGEST_ANSWER);
    let options = AdminOptions::new().request_timeout(Some(timeout));
    let topics = topics.iter().map(|name| ResourceSpecifier::Topic(name));
    let topics: Vec<_> = topics.collect();
    let answer = admin.describe_configs(&topics, &options);
    let answer = async { tokio::time::timeout(timeout, answer).await };
    match runtime.block_on(answer) {
        Ok(Ok(answers)) => Ok(answers),
        Ok(Err(error)) => Err(cause(&error)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// The cluster's metadata, as soon as a broker answers; or else why none does.
///
/// A refused connection is tried again until the time is over: of several addresses of one name
/// only one may answer. Refused credentials stay refused.
fn connect(consumer: &BaseConsumer<Notes>, deadline: Instant) -> Result<Metadata, String> {
    const ONE_TRY: Duration = Duration::from_millis(500);
    const EVENTS: usize = 16;
    loop {
        let left = remaining(deadline);
        let error = match consumer.fetch_metadata(None, left.min(ONE_TRY)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        // Errors of connections come as events, which a poll hands over, one or none each.
        for _ in 0..EVENTS {
            drop(consumer.poll(Duration::ZERO));
        }
        let seen = consumer.context().last();
        let refused = seen.as_ref().is_some_and(|(code, _)| is_final(*code));
        if refused || left <= ONE_TRY {
            return Err(seen.map_or_else(|| cause(&error), |(_, reason)| reason));
        }
    }
}

/// Whether waiting cannot mend it.
fn is_final(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL
    )
}

/// What librdkafka said of its connections.
#[derive(Default)]
struct Notes(Mutex<Option<(RDKafkaErrorCode, String)>>);

impl Notes {
    fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

impl ClientContext for Notes {
    fn error(&self, error: ClientError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers are down" follows the cause and would hide it.
        if code != RDKafkaErrorCode::AllBrokersDown || last.is_none() {
            *last = Some((code, reason.replace(['\n', '\r'], " ")));
        }
    }

    /// Everything worth telling comes as an error too.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ConsumerContext for Notes {}

fn client<C>(config: &ClientConfig) -> Result<C, Refused>
where
    C: FromClientConfigAndContext<Notes>,
{
    let refused = |error: ClientError| match error {
        ClientError::ClientConfig(_, why, property, _) => Refused(format!("{property}: {why}")),
        ClientError::ClientCreation(why) => Refused(why),
        other => Refused(other.to_string()),
    };
    config
        .create_with_context(Notes::default())
        .map_err(refused)
}

fn cause(error: &ClientError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => code.to_string(),
        None => error.to_string(),
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// What was found so far.
struct Findings(Vec<Finding>);

impl Findings {
    fn fine(&mut self, line: fmt::Arguments<'_>) {
        self.0.push(Finding::Fine(line.to_string()));
    }

    fn problem(&mut self, line: fmt::Arguments<'_>) {
        self.0.push(Finding::Problem(line.to_string()));
    }
}
