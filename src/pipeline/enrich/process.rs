//! The program behind a process name, and what kind of program it is.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;

named! {
    /// What kind of program a process runs.
    Category:
    Browser "browser" 1 "Web browsers and their helpers."
    Security "security" 2 "Endpoint protection, monitoring of security, VPN clients and firewalls."
    RemoteAccess "remote_access" 3 "Remote shells, remote desktops and remote support."
    Infrastructure "infrastructure" 4 "Services of a system or network: servers, databases, the system's own."
    Administration "administration" 5 "Tools of administrators: shells, management, deployment."
    Development "development" 6 "Interpreters, compilers, editors and build tools."
}

/// The built-in categories; its first lines say its format.
const TABLE: &str = include_str!("categories.csv");

static CATEGORIES: LazyLock<HashMap<&'static str, Category, BuildHasherDefault<NameHasher>>> =
    LazyLock::new(|| {
        let rows = TABLE.lines().filter_map(|line| line.split_once(','));
        rows.filter_map(|(name, category)| Some((name, Category::from_name(category)?)))
            .collect()
    });

/// The operator's categories over the built-in ones.
#[derive(Debug)]
pub struct Categories(HashMap<Box<str>, Category, BuildHasherDefault<NameHasher>>);

impl Categories {
    /// The built-in ones with those changes, each a program's lower-case base name and its
    /// category; without one, it has none any more. Of several changes the last holds.
    pub fn over_built_in<'c>(
        changes: impl IntoIterator<Item = (&'c str, Option<Category>)>,
    ) -> Self {
        let built_in = CATEGORIES.iter();
        let built_in = built_in.map(|(name, category)| (Box::from(*name), *category));
        let mut all: HashMap<_, _, _> = built_in.collect();
        for (name, category) in changes {
            match category {
                Some(category) => all.insert(Box::from(name), category),
                None => all.remove(name),
            };
        }
        Self(all)
    }

    /// The category of an executable.
    pub(super) fn get(&self, executable: &str) -> Option<Category> {
        self.0.get(executable).copied()
    }
}

/// The built-in category of an executable.
pub(super) fn category(executable: &str) -> Option<Category> {
    CATEGORIES.get(executable).copied()
}

/// The program that a process name, path or command line names: the lower-case base name.
pub(super) fn executable<'a>(name: &'a str, arena: &'a Bump) -> Option<&'a str> {
    let name = name.trim_ascii();
    if name.starts_with('[') && name.ends_with(']') {
        return None;
    }
    let path = program(name);
    let base = path
        .rfind(['/', '\\'])
        .and_then(|at| path.get(at + 1..))
        .unwrap_or(path);
    let base = base.strip_suffix(DELETED).unwrap_or(base);
    let base = base.strip_suffix(':').unwrap_or(base).trim_ascii();
    (!base.is_empty()).then(|| lower_case(base, arena))
}

/// What a process name turns out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct Spelling<'a> {
    /// The program's full path.
    pub(in crate::pipeline) path: Option<&'a str>,
    /// Whether arguments follow the program, so that it is a command line.
    pub(in crate::pipeline) has_arguments: bool,
    /// Whether it is a title that the process gave itself, as `nginx: worker process`.
    pub(in crate::pipeline) is_title: bool,
}

/// Tells a bare name from a path, a command line and a title.
pub(in crate::pipeline) fn spelling(name: &str) -> Spelling<'_> {
    let name = name.trim_ascii();
    if name.starts_with('[') && name.ends_with(']') {
        return Spelling::default();
    }
    let path = program(name);
    let quotes = if name.starts_with(['"', '\'']) { 2 } else { 0 };
    let rest = name.get(path.len() + quotes..).unwrap_or_default();
    let has_arguments = !matches!(rest.trim_ascii(), "" | "(deleted)");
    let path = path.strip_suffix(DELETED).unwrap_or(path).trim_ascii();
    let is_title = path.ends_with(':');
    let is_full = path.starts_with(['/', '\\'])
        || matches!(path.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic());
    Spelling {
        path: (is_full && !is_title).then_some(path),
        has_arguments: has_arguments && !is_title,
        is_title: has_arguments && is_title,
    }
}

/// What Linux puts after the path of a program whose file is gone.
const DELETED: &str = " (deleted)";

/// A command line without its arguments.
fn program(name: &str) -> &str {
    if let Some(quote @ ('"' | '\'')) = name.chars().next() {
        let quoted = name.get(1..).unwrap_or_default();
        return quoted.split(quote).next().unwrap_or_default();
    }
    if let Some(end) = end_of_exe(name) {
        return name.get(..end).unwrap_or(name);
    }
    let name = name.strip_suffix(DELETED).unwrap_or(name);
    let arguments = if may_have_blanks(name) {
        start_of_options(name)
    } else {
        name.find(|c: char| c.is_ascii_whitespace())
    };
    arguments
        .and_then(|start| name.get(..start))
        .unwrap_or(name)
}

/// Where the first `.exe` that a blank or the end follows ends.
fn end_of_exe(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    let mut dots = memchr::memchr_iter(b'.', bytes).map(|dot| dot + 4);
    dots.find(|end| {
        let is_exe = bytes
            .get(end - 4..*end)
            .is_some_and(|part| part.eq_ignore_ascii_case(b".exe"));
        is_exe && bytes.get(*end).is_none_or(u8::is_ascii_whitespace)
    })
}

/// Whether the path lies where folders and programs have blanks in their names: below the roots
/// of macOS, or on a Windows drive or share.
fn may_have_blanks(path: &str) -> bool {
    const ROOTS: [&str; 5] = [
        "/Applications/",
        "/Library/",
        "/System/",
        "/Users/",
        "/Volumes/",
    ];
    ROOTS.iter().any(|root| path.starts_with(root))
        || path.starts_with('\\')
        || path.get(1..3) == Some(":\\")
}

/// Where a path with blanks ends: before the first word that is an option or another path.
fn start_of_options(name: &str) -> Option<usize> {
    let mut pairs = name.as_bytes().windows(2);
    pairs.position(|pair| matches!(pair, [b' ' | b'\t', b'-' | b'/' | b'"']))
}

/// The text in lower case, as it stands where it is already.
fn lower_case<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    if text.is_ascii() {
        if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return text;
        }
        let lower = arena.alloc_str(text);
        lower.make_ascii_lowercase();
        return lower;
    }
    let mut lower = ArenaString::with_capacity_in(text.len(), arena);
    lower.extend(text.chars().flat_map(char::to_lowercase));
    lower.into_bump_str()
}

/// A cheap hash of a short name. What is in the table is the program's own choice or the
/// operator's, so nobody else can make its entries collide.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            if let Some(place) = word.get_mut(..chunk.len()) {
                place.copy_from_slice(chunk);
            }
            self.0 = (self.0.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(ODD);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_command_lines_and_titles() {
        let of = |path, has_arguments, is_title| Spelling {
            path,
            has_arguments,
            is_title,
        };
        for (name, expected) in [
            ("program.exe", of(None, false, false)),
            ("svchost.exe -k netsvcs", of(None, true, false)),
            (
                r"C:\Windows\System32\svchost.exe -k DcomLaunch",
                of(Some(r"C:\Windows\System32\svchost.exe"), true, false),
            ),
            (
                r#""C:\Program Files\A B\x.exe" -k "y z""#,
                of(Some(r"C:\Program Files\A B\x.exe"), true, false),
            ),
            (
                r#""C:\Program Files\A B\x.exe""#,
                of(Some(r"C:\Program Files\A B\x.exe"), false, false),
            ),
            (r#""C:\no end"#, of(Some(r"C:\no end"), false, false)),
            (
                r"\SystemRoot\System32\smss.exe",
                of(Some(r"\SystemRoot\System32\smss.exe"), false, false),
            ),
            ("/usr/sbin/sshd -D", of(Some("/usr/sbin/sshd"), true, false)),
            (
                "/usr/bin/foo (deleted)",
                of(Some("/usr/bin/foo"), false, false),
            ),
            (
                r"C:\a\b.exe (deleted)",
                of(Some(r"C:\a\b.exe"), false, false),
            ),
            ("./foo -x", of(None, true, false)),
            ("nginx: worker process", of(None, false, true)),
            ("/usr/sbin/nginx: master process", of(None, false, true)),
            ("nginx:", of(None, false, false)),
            ("[kworker/0:1 x]", of(None, false, false)),
            (
                "/Applications/Some App.app/Contents/MacOS/Some App",
                of(
                    Some("/Applications/Some App.app/Contents/MacOS/Some App"),
                    false,
                    false,
                ),
            ),
            (" \"", of(None, false, false)),
            ("", of(None, false, false)),
        ] {
            assert_eq!(spelling(name), expected, "{name}");
        }
    }

    #[test]
    fn executables_of_every_system() {
        for (name, expected) in [
            ("program.exe", Some("program.exe")),
            ("Teams.EXE", Some("teams.exe")),
            ("svchost.exe -k netsvcs -p -s Schedule", Some("svchost.exe")),
            (
                r"C:\Windows\System32\svchost.exe -k DcomLaunch",
                Some("svchost.exe"),
            ),
            (
                r"C:\Program Files\Vendor Name\Agent Tool.exe --run",
                Some("agent tool.exe"),
            ),
            (r#""C:\Program Files\A B\x.exe" -k "y z""#, Some("x.exe")),
            (r#""C:\Program Files\A B\no end"#, Some("no end")),
            ("'/opt/my tool/run' -d", Some("run")),
            (r"C:\app.exe.d\real.exe /s", Some("real.exe")),
            ("a.exe.config", Some("a.exe.config")),
            (r"\SystemRoot\System32\smss.exe", Some("smss.exe")),
            (
                r"\??\C:\Windows\system32\conhost.exe 0x4",
                Some("conhost.exe"),
            ),
            (r"C:\Program Files\Tool\tool -x", Some("tool")),
            ("System", Some("system")),
            ("/usr/sbin/sshd -D", Some("sshd")),
            (
                "/usr/bin/python3 /srv/app/run.py --port 80",
                Some("python3"),
            ),
            ("/usr/bin/python3 manage.py runserver", Some("python3")),
            ("nginx: worker process", Some("nginx")),
            ("sshd: alice@pts/0", Some("sshd")),
            ("postgres: checkpointer", Some("postgres")),
            ("/usr/bin/foo (deleted)", Some("foo")),
            ("foo (deleted)", Some("foo")),
            (
                "/Applications/Some App.app/Contents/MacOS/Some App (deleted)",
                Some("some app"),
            ),
            (
                "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
                Some("google chrome"),
            ),
            (
                "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome --type=gpu -x /y",
                Some("google chrome"),
            ),
            ("/System/Library/CoreServices/launchd", Some("launchd")),
            ("/Library/Application Support/Vendor/agentd", Some("agentd")),
            ("java -jar /opt/x.jar", Some("java")),
            ("systemd-resolve", Some("systemd-resolve")),
            ("ÄRGER.exe", Some("ärger.exe")),
            ("[kworker/0:1]", None),
            ("[kthreadd]", None),
            ("[System Process]", None),
            ("/usr/bin/", None),
            (":", None),
            (r#""""#, None),
            ("\"", None),
            ("", None),
            (" \t", None),
        ] {
            let arena = Bump::new();
            assert_eq!(executable(name, &arena), expected, "{name}");
        }
    }

    #[test]
    fn the_table_is_sorted_without_repeats_and_in_the_form_of_executables() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<_> = rows
            .skip(1)
            .map(|row| {
                let (name, category) = row.split_once(',').unwrap();
                assert!(Category::from_name(category).is_some(), "{row}");
                name
            })
            .collect();
        assert!(names.len() > 300);
        assert!(
            names.is_sorted_by(|before, after| before < after),
            "sorted, no repeats"
        );
        for name in &names {
            assert!(category(name).is_some(), "{name}");
            // Neither base name nor lower case change an executable.
            let base = name.rsplit(['/', '\\']).next().unwrap();
            assert_eq!(base.to_lowercase(), *name);
            assert_eq!(name.trim(), *name);
        }
        assert_eq!(names.len(), CATEGORIES.len());
    }

    #[test]
    fn the_operators_categories_go_over_the_built_in_ones() {
        let own = Categories::over_built_in([
            ("agent.exe", Some(Category::Security)),
            ("sshd", Some(Category::Infrastructure)),
            ("nginx", None),
            ("never", None),
        ]);
        assert_eq!(own.get("agent.exe"), Some(Category::Security));
        assert_eq!(own.get("sshd"), Some(Category::Infrastructure));
        assert_eq!(own.get("nginx"), None);
        assert_eq!(own.get("chrome.exe"), Some(Category::Browser));
        assert_eq!(own.get("never"), None);
    }

    #[test]
    fn categories() {
        for (name, expected) in [
            ("chrome.exe", Some(Category::Browser)),
            ("google chrome", Some(Category::Browser)),
            ("msmpeng.exe", Some(Category::Security)),
            ("sshd", Some(Category::RemoteAccess)),
            ("svchost.exe", Some(Category::Infrastructure)),
            ("nginx", Some(Category::Infrastructure)),
            ("powershell.exe", Some(Category::Administration)),
            ("python3", Some(Category::Development)),
            ("program.exe", None),
            ("# executable", None),
            ("executable", None),
            ("", None),
        ] {
            assert_eq!(category(name), expected, "{name}");
        }
    }
}
