//! Joining the group: at the start, and anew, with new clients, when the old ones are of no more
//! use.

use std::time::{Duration, Instant};

use super::{LEAVE, Retries, TAKE_BACK, WAIT, Worker};
use crate::kafka::error::KafkaError;
use crate::kafka::member::{Member, Setup, Trouble};
use crate::kafka::status::State;
use crate::kafka::transaction;

/// A transactional id that is fenced twice within this time is in use elsewhere.
const FENCE_WINDOW: Duration = Duration::from_secs(60);

/// What has failed since something was last finished.
#[derive(Default)]
pub(super) struct Attempts {
    /// Failures of any kind.
    pub(super) retries: Retries,
    fenced: Option<Instant>,
}

impl Attempts {
    /// Counts a failure that only new clients mend. Gives how long to wait before they are made,
    /// or the error to end with.
    pub(super) fn count(
        &mut self,
        setup: &Setup,
        trouble: Trouble,
        finished: u64,
    ) -> Result<Duration, KafkaError> {
        let reason = match trouble {
            Trouble::Rejoin(reason) => reason,
            Trouble::Fenced => self.fenced(setup)?,
            trouble => return Err(give_up(setup, trouble)),
        };
        let settings = setup.settings.delivery;
        let failures = self.retries.count(finished);
        if failures > settings.max_failures {
            return Err(KafkaError::NoMember {
                worker: setup.number,
                failures,
                reason,
            });
        }
        tracing::warn!(reason, failures, "joining the group anew");
        let reason = format!("joining the group anew: {reason}");
        setup.status().enter(State::Starting, Some(reason));
        Ok(settings.pause(failures))
    }

    /// The transactional id was taken over. Twice in a row it is a fight with another process.
    fn fenced(&mut self, setup: &Setup) -> Result<String, KafkaError> {
        let id = transaction::id(&setup.settings, setup.number);
        let before = self.fenced.replace(Instant::now());
        if before.is_some_and(|before| before.elapsed() < FENCE_WINDOW) {
            return Err(KafkaError::ProducerFenced {
                id,
                seconds: FENCE_WINDOW.as_secs(),
            });
        }
        Ok(format!("transactional id {id} is fenced"))
    }
}

/// Joins the group, and tries it again with new clients as often as deliveries are tried.
pub(super) fn join(
    setup: &Setup,
    attempts: &mut Attempts,
    finished: u64,
) -> Result<Member, KafkaError> {
    loop {
        match Member::join(setup.clone()) {
            Ok(member) => return Ok(member),
            Err(trouble) => rest(setup, attempts.count(setup, trouble, finished)?),
        }
    }
}

fn rest(setup: &Setup, pause: Duration) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !setup.shutdown.is_requested() {
        std::thread::sleep(WAIT);
    }
}

impl Worker {
    /// Leaves the group and, after a pause, joins it anew with new clients. The old ones end
    /// before: both together would take up twice the memory.
    pub(super) fn rejoin(mut self, pause: Duration) -> Result<Self, KafkaError> {
        if !self.member.is_transactional() {
            self.member.take_back(TAKE_BACK);
            // What was taken back will not be acknowledged: it is not to be waited for.
            self.member.tracker.rewind();
        }
        self.leave(Instant::now() + LEAVE);
        let finished = self.member.finished();
        let former = self.member.dissolve();
        rest(&self.setup, pause);
        let setup = Setup {
            limits: self.limits,
            ..self.setup.clone()
        };
        self.member = join(&setup, &mut self.attempts, finished)?;
        self.member.carry_on(former);
        Ok(self)
    }
}

/// The error to end with when the worker cannot act on trouble any more.
pub(in crate::kafka) fn give_up(setup: &Setup, trouble: Trouble) -> KafkaError {
    match trouble {
        Trouble::Fatal(error) => error,
        Trouble::Delivery(failure) => KafkaError::Delivery {
            topic: failure.topic,
            failures: 1,
            code: failure.code,
        },
        Trouble::Overdue => KafkaError::ShutdownTimedOut {
            seconds: setup.settings.shutdown_timeout.as_secs(),
        },
        Trouble::Abort(reason) | Trouble::Rejoin(reason) => KafkaError::Worker {
            worker: setup.number,
            reason,
        },
        Trouble::Fenced => KafkaError::Worker {
            worker: setup.number,
            reason: format!(
                "transactional id {} is fenced",
                transaction::id(&setup.settings, setup.number)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::sync::{Arc, Weak};

    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };
    use rdkafka::consumer::BaseConsumer;
    use rdkafka::producer::Producer;

    use super::*;
    use crate::kafka::context::{DeliveryContext, GroupContext};
    use crate::kafka::mock::EmbeddedCluster;
    use crate::kafka::settings::{Guarantee, KafkaSettings};
    use crate::observe::metrics as names;
    use crate::pipeline::code::Warnings;
    use crate::pipeline::enrich::Enrich;
    use crate::pipeline::settings::{Limits as CoreLimits, Settings, SourceFormat};

    fn setup(bootstrap: &str) -> Setup {
        let mut settings = KafkaSettings::new(bootstrap, "in", Vec::new(), "dead", "g");
        settings.guarantee = Guarantee::AtLeastOnce;
        settings.delivery.max_failures = 2;
        settings.delivery.backoff = Duration::ZERO;
        Setup::of_one(settings)
    }

    fn core() -> Settings {
        Settings {
            format: SourceFormat::Auto,
            reject: Warnings::NONE,
            limits: CoreLimits::default(),
            enrich: Enrich::default(),
            outputs: Vec::new(),
            dead_letter_max_bytes: 0,
        }
    }

    /// Looks, whenever a member has made its clients and takes up its meters, whether the former
    /// ones are still there.
    #[derive(Default)]
    struct Watch {
        consumer: RefCell<Weak<BaseConsumer<GroupContext>>>,
        producer: RefCell<Weak<DeliveryContext>>,
        looks: Cell<u32>,
        seen: Cell<u32>,
    }

    impl Recorder for Watch {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            if key.name() == names::WORKER_UP {
                let (consumer, producer) = (self.consumer.borrow(), self.producer.borrow());
                let former = consumer.strong_count().max(producer.strong_count());
                self.looks.set(self.looks.get() + 1);
                self.seen.set(self.seen.get() + u32::from(former > 0));
            }
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn the_former_clients_have_ended_when_new_ones_are_made() {
        let cluster = EmbeddedCluster::start(&[("in", 1), ("dead", 1)]).unwrap();
        let setup = setup(&cluster.bootstrap_servers());
        let watch = Watch::default();
        metrics::with_local_recorder(&watch, || {
            let worker = Worker::start(setup, core()).unwrap();
            assert_eq!(watch.looks.get(), 1);
            let member = &worker.member;
            *watch.consumer.borrow_mut() = Arc::downgrade(&member.consumer);
            let context = member.delivery.producer().client().context();
            *watch.producer.borrow_mut() = Arc::downgrade(context);
            let worker = worker.rejoin(Duration::ZERO).unwrap();
            assert_eq!((watch.looks.get(), watch.seen.get()), (2, 0));
            drop(worker);
        });
    }

    #[test]
    fn the_group_is_joined_anew_so_often_and_no_more() {
        let setup = setup("127.0.0.1:1");
        let mut attempts = Attempts::default();
        let trouble = || Trouble::Rejoin("no answer".to_owned());
        for _ in 0..2 {
            attempts.count(&setup, trouble(), 0).unwrap();
        }
        // Progress makes up for it.
        for _ in 0..2 {
            attempts.count(&setup, trouble(), 1).unwrap();
        }
        let error = attempts.count(&setup, trouble(), 1).unwrap_err();
        assert!(
            error.to_string().contains("3 times in a row (no answer)"),
            "{error}"
        );
        assert!(!error.to_string().contains("died"), "{error}");
    }

    #[test]
    fn an_id_that_is_fenced_twice_is_named() {
        let setup = setup("127.0.0.1:1");
        let mut attempts = Attempts::default();
        attempts.count(&setup, Trouble::Fenced, 0).unwrap();
        let error = attempts.count(&setup, Trouble::Fenced, 1).unwrap_err();
        assert!(
            matches!(error, KafkaError::ProducerFenced { .. }),
            "{error}"
        );
    }
}
