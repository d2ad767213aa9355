//! The image that is tested: built from source as its users build it, or, to save the quarter of
//! an hour that takes, the Dockerfile's stage `runtime` with a binary that was built already.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{Run as _, bounded, root, say};

const BUILD_SECONDS: u32 = 3_600;
const STAGE_SECONDS: u32 = 600;

/// Makes the image under that name.
pub(crate) fn make(name: &str) {
    if let Some(binary) = std::env::var_os("NETSIEVE_BINARY") {
        let binary = PathBuf::from(binary);
        put_together(name, &root().join(&binary));
        let mut version = docker(STAGE_SECONDS, &["run", "--rm", name, "--version"]);
        if version.output().unwrap().status.success() {
            say(&format!("the image has {}", binary.display()));
            return;
        }
        let binary = binary.display();
        say(&format!(
            "{binary} does not run in the image (another libc?): building from source"
        ));
    }
    docker(BUILD_SECONDS, &["build", "--quiet", "--tag", name, "."]).done();
}

/// The image's own runtime stage, and the binary where the last stage would put it.
fn put_together(name: &str, binary: &Path) {
    let stage = format!("{name}-runtime");
    let build = [
        "build", "--quiet", "--target", "runtime", "--tag", &stage, ".",
    ];
    docker(STAGE_SECONDS, &build).done();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(binary, folder.path().join("netsieve")).unwrap();
    let last_stage = format!("FROM {stage}\nCOPY netsieve /usr/local/bin/\n");
    std::fs::write(folder.path().join("Dockerfile"), last_stage).unwrap();
    let build = ["build", "--quiet", "--tag", name];
    docker(STAGE_SECONDS, &build).arg(folder.path()).done();
    docker(STAGE_SECONDS, &["rmi", "--no-prune", &stage]).done();
}

fn docker(seconds: u32, arguments: &[&str]) -> Command {
    let mut command = bounded(seconds, "docker");
    command.args(arguments);
    command
}
