//! What of the Dockerfile's stage `build` can be looked at without building it.

use std::process::Command;

use crate::project::{Run as _, root};

/// Dependencies are compiled around an empty crate, which has to have a file for every target that
/// the manifest names: cargo reads no further otherwise.
#[test]
fn the_empty_crate_has_every_target() {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let (_, step) = dockerfile.split_once("RUN mkdir src").unwrap();
    let (step, _) = step.split_once("&& cargo build").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for file in ["Cargo.toml", "Cargo.lock"] {
        std::fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    let mut script = Command::new("sh");
    script.args(["-euc", &format!("mkdir src{step}")]);
    script.current_dir(folder.path()).done();

    // Asked for what is not there, it compiles nothing.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--locked", "--bin", "none"]);
    let output = cargo.current_dir(folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no bin target named `none`"), "{error}");
}
