//! One test's part of the cluster, beside those of other tests, or alone.

use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::proof::cluster::ctl;
use crate::proof::stage;

/// Who takes the brokers down has the cluster alone.
static CLUSTER: RwLock<()> = RwLock::new(());

pub(crate) struct Stage {
    inner: stage::Stage,
    alone: Option<RwLockWriteGuard<'static, ()>>,
    #[expect(dead_code, reason = "it is only held")]
    beside: Option<RwLockReadGuard<'static, ()>>,
}

impl Deref for Stage {
    type Target = stage::Stage;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl Stage {
    /// Makes the topics, beside those of other tests.
    pub(crate) fn new(test: &str) -> Self {
        let beside = CLUSTER.read().unwrap_or_else(PoisonError::into_inner);
        Self {
            inner: stage::Stage::open(test),
            alone: None,
            beside: Some(beside),
        }
    }

    /// Makes the topics when no other test is at work, and keeps it so.
    pub(crate) fn alone(test: &str) -> Self {
        let alone = CLUSTER.write().unwrap_or_else(PoisonError::into_inner);
        Self {
            inner: stage::Stage::open(test),
            alone: Some(alone),
            beside: None,
        }
    }

    /// Makes the topics on another cluster, which nobody takes down.
    pub(crate) fn at(bootstrap: &str, test: &str) -> Self {
        Self {
            inner: stage::Stage::at(bootstrap, test, stage::usual()),
            alone: None,
            beside: None,
        }
    }

    /// Does something to all brokers; only for who has the cluster alone.
    pub(crate) fn all_brokers(&self, order: &str) {
        assert!(self.alone.is_some());
        ctl(&[order, "all"]);
    }
}
