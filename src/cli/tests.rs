use clap::{CommandFactory, Parser};

use super::*;

fn parses(argv: &[&str]) -> bool {
    Cli::try_parse_from([&["zoobreak"], argv].concat()).is_ok()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_parses_with_its_flags() {
    let good: &[&[&str]] = &[
        &["test"],
        &["test", "--dry-run"],
        &["test", "--dry-run=5", "--seed", "3"],
        &["test", "--plan", "plan.toml", "--nodes", "3", "--faults", "kill+pause"],
        &["test", "--target", "zookeeper"],
        &["check", "results/latest"],
        &["check", "h.edn", "--spec", "cas-register", "--keyed", "--budget-time", "5"],
        &["history", "convert", "h.jsonl", "h.edn"],
        &["bench", "checker", "--operations-max", "1000"],
        &["bench", "server", "--target", "zookeeper", "--only", "throughput,memory", "--markdown"],
        &["bench", "server", "--cells", "create:50x32,getData:100:10x1", "--seconds", "0.5"],
        &["history", "convert", "h.log", "h.txt", "--from", "log", "--to", "kv"],
        &["server", "zoo.cfg"],
        &["server", "start", "zoo.cfg", "--wait", "5"],
        &["server", "stop", "zoo.cfg"],
        &["server", "restart", "zoo.cfg"],
        &["server", "status", "zoo.cfg"],
        &["server", "zoo.cfg", "--mutant", "X9"],
        &["doctor", "--results", "elsewhere"],
    ];
    for argv in good {
        assert!(parses(argv), "{argv:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bad: &[&[&str]] = &[
        &["tset"],
        &["test", "stray"],
        &["test", "--nodes", "0"],
        &["test", "--dry-run=many"],
        &["test", "--mutant", "X0"],
        &["check"],
        &["check", "one", "two"],
        &["check", "one", "--spec", "stack"],
        &["history", "convert", "one"],
        &["history", "convert", "one", "two", "--to", "xml"],
        &["server"],
        &["server", "start"],
        &["bench"],
        &["bench", "server", "--cells", "delete"],
        &["bench", "server", "--only", "sleep"],
        &["bench", "server", "--rounds", "0"],
        &["bench", "server", "--seconds", "0"],
        &["doctor", "--nodes", "3"],
    ];
    for argv in bad {
        assert!(!parses(argv), "{argv:?}");
    }
}

#[test]
fn commands_that_judge_document_their_exit_codes() {
    for name in ["test", "check"] {
        let mut cli = Cli::command();
        let command = cli.find_subcommand_mut(name).expect("it exists");
        let help = command.render_help().to_string();
        for exit in [Exit::Valid, Exit::Invalid, Exit::Unknown, Exit::Unsound, Exit::Usage] {
            assert!(help.contains(&format!("{:4}  ", exit as u8)), "{name}: {exit:?}");
        }
    }
}
