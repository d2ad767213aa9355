//! Looks whether the files of the tables have changed, and loads those that have.
//!
//! The files are looked at every second rather than watched through the system's notifications:
//! those do not come from network file systems, are lost when a queue runs over, and tell of the
//! file that was there, not of the one that a symbolic link leads to since `..data` was swapped,
//! as Kubernetes does. What a path leads to is the same question on all of them, and it costs a
//! system call a second.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::live::Live;
use super::table::Table;

/// How often files are looked at.
pub const EVERY: Duration = Duration::from_secs(1);

/// What tells one content of a file from another without reading it. With the time of its last
/// change of any kind (ctime), which nobody can set back, a copy that keeps the old time and size
/// is another one as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    /// That of the file which a path leads to; nothing where it leads nowhere.
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
            size: file.size(),
        })
    }
}

/// The files of a table, as they were when they were last looked at.
#[derive(Clone, Debug)]
pub struct Watched {
    table: Table,
    files: Vec<PathBuf>,
    /// Of what was last loaded, or found to be broken.
    tried: Vec<Option<Stamp>>,
    /// At the last look.
    seen: Vec<Option<Stamp>>,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Nothing new.
    Same,
    /// Something is new and may not be whole yet.
    Moving,
    /// Something is new and has not changed since the look before.
    Still,
}

impl Watched {
    /// The files as they are now, before they are read for the first time.
    pub(super) fn new(table: Table, files: &[PathBuf]) -> Self {
        let stamps = stamps(files);
        Self {
            table,
            files: files.to_vec(),
            tried: stamps.clone(),
            seen: stamps,
        }
    }

    fn look(&mut self) -> Look {
        let now = stamps(&self.files);
        let is_still = now == self.seen;
        self.seen = now;
        match (self.seen == self.tried, is_still) {
            (true, _) => Look::Same,
            (false, false) => Look::Moving,
            (false, true) => Look::Still,
        }
    }

    /// Loads what has changed and stands still. What changes while it is read is read again.
    fn reload(&mut self, live: &Live) {
        if self.look() != Look::Still {
            return;
        }
        let since = Instant::now();
        let mut reference = (*live.current()).clone();
        let loaded = self.table.load(&self.files, &mut reference);
        if self.look() != Look::Still {
            return;
        }
        self.tried.clone_from(&self.seen);
        let table = self.table.name();
        match loaded {
            Ok(report) => {
                live.replace(reference, &report);
                tracing::info!(
                    table,
                    rows = report.rows,
                    milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "a table was loaded anew"
                );
            }
            Err(error) => {
                live.keep(self.table, &error);
                tracing::error!(table, "the table stays as it was: {error}");
            }
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|path| Stamp::of(path)).collect()
}

/// A thread that looks after the files; it ends when this is dropped.
///
/// It is a thread of its own, since to load a table may take seconds, and a file system that
/// hangs any time.
#[derive(Debug)]
pub struct Watcher {
    _stop: Sender<()>,
}

impl Watcher {
    /// Begins to look, `every` so often; without files there is nothing to do.
    pub fn start(live: Live, mut watched: Vec<Watched>, every: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        if !watched.is_empty() {
            let thread = std::thread::Builder::new().name("tables".to_owned());
            thread.spawn(move || {
                while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    for table in &mut watched {
                        table.reload(&live);
                    }
                }
            })?;
        }
        Ok(Self { _stop: stop })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::enrich::reference::Reference;
    use crate::reference::{Files, load};
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Case {
        directory: tempfile::TempDir,
        live: Live,
        watched: Watched,
    }

    impl Case {
        /// Labels at `labels.csv`, made by `make`.
        fn new(make: impl FnOnce(&Path)) -> Self {
            let directory = tempfile::tempdir().unwrap();
            make(directory.path());
            let loaded = load(&Files {
                network_labels: Some(directory.path().join("labels.csv")),
                ..Files::default()
            });
            let mut loaded = loaded.unwrap();
            let watched = loaded.watched.remove(0);
            let live = Live::new(loaded);
            Self {
                directory,
                live,
                watched,
            }
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("labels.csv")
        }

        /// The name of 10.0.0.1's network, the table's generation, and whether an error stands,
        /// after a look.
        fn after_a_look(&mut self) -> (String, u64, bool) {
            self.watched.reload(&self.live);
            let reference = self.live.current();
            let label = reference.labels.as_ref().unwrap();
            let label = label.get("10.0.0.1".parse().unwrap()).unwrap();
            let status = self.live.status().remove(0);
            (
                label.name.to_owned(),
                status.generation,
                status.error.is_some(),
            )
        }
    }

    fn labels(name: &str) -> String {
        format!("prefix,name\n10.0.0.0/8,{name}\n")
    }

    fn told(name: &str, generation: u64, error: bool) -> (String, u64, bool) {
        (name.to_owned(), generation, error)
    }

    fn plain(directory: &Path) {
        fs::write(directory.join("labels.csv"), labels("a")).unwrap();
    }

    #[test]
    fn a_file_that_stays_is_not_read_again() {
        let mut case = Case::new(plain);
        let before = case.live.current();
        for _ in 0..3 {
            assert_eq!(case.after_a_look(), told("a", 1, false));
        }
        assert_eq!(case.live.current(), before);
    }

    #[test]
    fn a_file_that_is_written_is_read_once_it_stands_still() {
        let mut case = Case::new(plain);
        fs::write(case.path(), "prefix,name\n10.0.0.0/8,half").unwrap();
        assert_eq!(case.after_a_look(), told("a", 1, false));
        fs::write(case.path(), labels("whole")).unwrap();
        assert_eq!(case.after_a_look(), told("a", 1, false));
        assert_eq!(case.after_a_look(), told("whole", 2, false));
        assert_eq!(case.after_a_look(), told("whole", 2, false));
    }

    #[test]
    fn a_file_that_is_replaced_is_another_whatever_its_time_and_size() {
        let mut case = Case::new(plain);
        let other = case.directory.path().join("other");
        fs::write(&other, labels("b")).unwrap();
        let modified = fs::metadata(case.path()).unwrap().modified().unwrap();
        fs::File::options()
            .append(true)
            .open(&other)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        fs::rename(&other, case.path()).unwrap();
        case.after_a_look();
        assert_eq!(case.after_a_look(), told("b", 2, false));
    }

    #[test]
    fn a_swapped_symbolic_link_is_another_file() {
        // As Kubernetes lays out a ConfigMap: labels.csv -> ..data/labels.csv, ..data -> ..1.
        let mut case = Case::new(|directory| {
            for (version, name) in [("..1", "a"), ("..2", "b")] {
                fs::create_dir(directory.join(version)).unwrap();
                fs::write(directory.join(version).join("labels.csv"), labels(name)).unwrap();
            }
            symlink("..1", directory.join("..data")).unwrap();
            symlink("..data/labels.csv", directory.join("labels.csv")).unwrap();
        });
        assert_eq!(case.after_a_look(), told("a", 1, false));
        let swapped = case.directory.path().join("..data_tmp");
        symlink("..2", &swapped).unwrap();
        fs::rename(&swapped, case.directory.path().join("..data")).unwrap();
        assert_eq!(case.after_a_look(), told("a", 1, false));
        assert_eq!(case.after_a_look(), told("b", 2, false));
    }

    #[test]
    fn a_broken_or_missing_file_leaves_the_table_as_it_was_and_is_tried_once() {
        let mut case = Case::new(plain);
        fs::write(case.path(), "prefix,name\n10.0.0.0/99,b\n").unwrap();
        case.after_a_look();
        assert_eq!(case.after_a_look(), told("a", 1, true));
        assert_eq!(case.watched.look(), Look::Same);
        fs::remove_file(case.path()).unwrap();
        case.after_a_look();
        assert_eq!(case.after_a_look(), told("a", 1, true));
        assert_eq!(case.watched.look(), Look::Same);
        let error = case.live.status().remove(0).error.unwrap();
        assert!(error.starts_with("cannot read a table ("), "{error}");
        fs::write(case.path(), labels("c")).unwrap();
        case.after_a_look();
        assert_eq!(case.after_a_look(), told("c", 2, false));
    }

    #[test]
    fn the_other_tables_are_shared_with_the_generation_before() {
        let mut case = Case::new(plain);
        let before = case.live.current();
        let mut reader = case.live.reader();
        assert!(std::sync::Arc::ptr_eq(reader.current(), &before));
        fs::write(case.path(), labels("other")).unwrap();
        case.after_a_look();
        case.after_a_look();
        assert!(!std::sync::Arc::ptr_eq(reader.current(), &before));
        assert_ne!(**reader.current(), *before);
        let with_old = Reference {
            labels: before.labels.clone(),
            ..(**reader.current()).clone()
        };
        assert_eq!(with_old, *before);
    }
}
