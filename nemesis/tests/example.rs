//! `examples/break_tcp.rs` on a service that is none of ours.

use std::path::PathBuf;
use std::process::Command;

/// Built beside this test by `cargo test`, unless only tests are built.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    let deps = test.parent().expect("it is in a folder");
    deps.with_file_name("examples").join("break_tcp")
}

#[test]
fn any_tcp_service_is_broken_and_the_evidence_is_told() {
    let test = "any_tcp_service_is_broken_and_the_evidence_is_told";
    if let Err(error) = nemesis::contain::probe() {
        return skip(test, &error.to_string());
    }
    if !example().exists() {
        return skip(test, "the example is not built: cargo build -p nemesis --example break_tcp");
    }
    if Command::new("python3").arg("--version").output().is_err() {
        return skip(test, "python3 is missing");
    }
    let output = Command::new(example()).args(["8000", "python3", "-m", "http.server"]).output();
    let output = output.expect("it can be started");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for kind in ["kill:one", "pause:one", "partition:client", "link:lossy"] {
        assert!(told.contains(&format!("{kind} begins: Installed")), "{kind}: {told}");
    }
    assert!(told.contains(" is silent") && told.contains(" answers"), "{told}");
}

/// Where everything needed has been installed, a skipped test is a failure.
fn skip(test: &str, why: &str) {
    let line = format!("skipped: {test}: {why}");
    assert!(std::env::var_os("ZOOBREAK_NO_SKIP").is_none_or(|value| value != "1"), "{line}");
    println!("{line}");
}
