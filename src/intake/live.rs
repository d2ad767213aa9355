//! This host's own sockets with their processes: Linux's `/proc/net` joined with the descriptors
//! of every process that may be looked at.
//!
//! Only files below `/proc` are read; no privilege is needed, but the sockets of other users'
//! processes have a process only where this runs as root (or with `CAP_SYS_PTRACE` and
//! `CAP_DAC_READ_SEARCH`): how many processes were closed to it is counted. What is seen is the
//! network namespace that this runs in. Of several processes with one socket the lowest id is
//! taken. The name is the path of the executable where it may be read, else the kernel's short
//! name; command lines are not read, since they may carry secrets. The tables are read one after
//! another, and are not of one instant.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::proc_net;
use super::reading::Reading;
use super::text::lines;
use super::words::is_words;

/// Why this host's sockets cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The host has no `/proc/net`.
    #[error(
        "cannot look at the sockets of this system ({system} has no /proc/net), --live: \
         {instead}"
    )]
    Unsupported {
        /// The operating system.
        system: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read ({reason}), {path}: see that /proc is mounted and may be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// The tables, those of IPv6 only where the kernel has it.
const TABLES: &[&str] = &["tcp", "tcp6", "udp", "udp6"];

/// Reads this host's sockets.
pub fn live() -> Result<Reading, LiveError> {
    if cfg!(target_os = "linux") {
        return read(Path::new("/proc"));
    }
    Err(LiveError::Unsupported {
        system: std::env::consts::OS,
        instead: "give it what a tool prints, netstat -an | netsieve submit --project P",
    })
}

fn read(proc: &Path) -> Result<Reading, LiveError> {
    let mut reading = Reading::default();
    let mut sockets = Vec::new();
    for table in TABLES {
        let path = proc.join("net").join(table);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && *table != "tcp" => continue,
            Err(reason) => return Err(LiveError::Unreadable { path, reason }),
        };
        for (number, line) in lines(&text) {
            if let Some(socket) = proc_net::socket(line) {
                sockets.push(socket);
            } else if !is_words(line) {
                reading.unread(number, format!("of {table} is not a row"));
            }
        }
    }
    let owners = owners(proc, &mut reading);
    let mut names = HashMap::new();
    for mut socket in sockets {
        if let Some(pid) = owners.get(&socket.inode) {
            let name = names.entry(*pid).or_insert_with(|| name(proc, *pid));
            socket.row.process_name.clone_from(name);
            socket.row.process_id = pid.to_string();
        }
        if cfg!(target_endian = "big") {
            for end in [
                &mut socket.row.local_address,
                &mut socket.row.remote_address,
            ] {
                *end = little_endian(end);
            }
        }
        reading.row(socket.row);
    }
    Ok(reading)
}

/// Every socket's inode, and the lowest id of the processes that have it.
fn owners(proc: &Path, reading: &mut Reading) -> HashMap<u64, u32> {
    let mut owners = HashMap::new();
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut ids: Vec<u32> = ids.collect();
    ids.sort_unstable();
    for id in ids {
        let descriptors = match fs::read_dir(proc.join(id.to_string()).join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                // One that has ended meanwhile has no sockets.
                if error.kind() == io::ErrorKind::PermissionDenied {
                    reading.leave_out("processes that only root may look at");
                }
                continue;
            }
        };
        for descriptor in descriptors.flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else {
                continue;
            };
            let inode = target.to_str().and_then(|target| {
                let number = target.strip_prefix("socket:[")?.strip_suffix(']')?;
                number.parse().ok()
            });
            if let Some(inode) = inode {
                owners.entry(inode).or_insert(id);
            }
        }
    }
    owners
}

/// The path of a process's executable, else its short name, else nothing.
fn name(proc: &Path, id: u32) -> String {
    let directory = proc.join(id.to_string());
    let path = fs::read_link(directory.join("exe")).ok();
    path.and_then(|path| Some(path.to_str()?.to_owned()))
        .or_else(|| fs::read_to_string(directory.join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .unwrap_or_default()
}

/// An end with its words of 32 bits turned around: the core takes them for little-endian.
fn little_endian(end: &str) -> String {
    let (address, port) = end.split_once(':').unwrap_or((end, ""));
    let bytes: Vec<_> = address.as_bytes().chunks(2).collect();
    let turned = bytes.chunks(4).flat_map(|word| word.iter().rev());
    let text: String = turned
        .flat_map(|byte| byte.iter().copied().map(char::from))
        .collect();
    format!("{text}:{port}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::intake::{Record, Row};

    const ROW: &str = " 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1 0 100 0 0 10 0\n";

    fn rows(reading: &Reading) -> Vec<&Row> {
        let records = reading.snapshots.iter().flat_map(|of| &of.records);
        let rows = records.filter_map(|record| match record {
            Record::Row(row) => Some(row),
            Record::Ready(_) => None,
        });
        rows.collect()
    }

    #[test]
    fn sockets_get_the_lowest_of_their_processes() {
        let proc = tempfile::tempdir().unwrap();
        let proc = proc.path();
        fs::create_dir(proc.join("net")).unwrap();
        fs::write(
            proc.join("net/tcp"),
            format!("  sl  local_address\n{ROW}x 1\n"),
        )
        .unwrap();
        for id in ["20", "9"] {
            fs::create_dir_all(proc.join(id).join("fd")).unwrap();
            symlink("socket:[77]", proc.join(id).join("fd/3")).unwrap();
            symlink("/dev/null", proc.join(id).join("fd/0")).unwrap();
            fs::write(proc.join(id).join("comm"), format!("program{id}\n")).unwrap();
        }
        let reading = read(proc).unwrap();
        let rows = rows(&reading);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].process_id, "9");
        assert_eq!(rows[0].process_name, "program9");
        assert_eq!(rows[0].local_address, "0100007F:1F90");
        assert_eq!(reading.unread.len(), 1);
        symlink("/usr/bin/a program", proc.join("9/exe")).unwrap();
        assert_eq!(name(proc, 9), "/usr/bin/a program");
    }

    #[test]
    fn a_proc_that_is_not_there_is_an_error_of_one_line() {
        let proc = tempfile::tempdir().unwrap();
        let error = read(proc.path()).unwrap_err().to_string();
        assert!(error.contains("net/tcp: see that /proc"), "{error}");
    }

    #[test]
    fn words_are_turned_around() {
        assert_eq!(little_endian("7F000001:1F90"), "0100007F:1F90");
        assert_eq!(
            little_endian("20010DB8000000000000000000000001:0050"),
            "B80D0120000000000000000001000000:0050"
        );
    }
}
