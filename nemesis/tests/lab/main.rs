//! Everything that needs real namespaces. Containment must be entered by a process with one thread, so
//! this program is its own test runner: each scenario runs in a new process of the same program.

mod clocks;
mod containment;
mod disks;
mod links;
mod memory;
mod network;
mod partitions;
mod processes;
mod rounds;
mod scribe;
mod support;

use std::process::{Command, ExitCode};
use std::time::Instant;

/// A test outside of containment gets nothing; one inside runs after `contain::enter`.
enum Test {
    Outside(fn()),
    Inside(fn()),
}

use Test::{Inside, Outside};

const TESTS: &[(&str, Test)] = &[
    ("probe_agrees_with_enter", Outside(containment::probe_agrees_with_enter)),
    ("a_second_thread_is_refused", Outside(containment::a_second_thread_is_refused)),
    ("exit_status_is_passed_on", Outside(containment::exit_status_is_passed_on)),
    ("ctrl_c_reaches_the_inner_process_alone", Outside(containment::ctrl_c_is_left_to_the_inner)),
    ("kill_9_of_outer_leaves_nothing", Outside(containment::kill_9_of_outer)),
    ("kill_9_of_inner_leaves_nothing", Outside(containment::kill_9_of_inner)),
    ("kill_9_of_outer_as_user_leaves_nothing", Outside(containment::kill_9_of_outer_as_user)),
    ("kill_9_of_inner_as_user_leaves_nothing", Outside(containment::kill_9_of_inner_as_user)),
    ("a_refusal_says_what_to_do", Outside(containment::a_refusal_says_what_to_do)),
    ("lab_comes_up_and_goes", Inside(network::lab_comes_up_and_goes)),
    ("switch_counts_and_cuts", Inside(network::switch_counts_and_cuts)),
    ("recovery_is_fast_or_natural", Inside(network::recovery_is_fast_or_natural)),
    ("packets_are_captured", Inside(network::packets_are_captured)),
    ("round_trips_are_quick", Inside(network::round_trips_are_quick_and_none_is_lost)),
    ("partitions_cut_what_they_say", Inside(partitions::cut_what_they_say)),
    ("partitions_by_switch_cut_what_they_say", Inside(partitions::by_switch_cut_what_they_say)),
    ("overlapping_partitions_are_told_apart", Inside(partitions::overlapping_are_told_apart)),
    ("overlapping_by_switch_are_told_apart", Inside(partitions::overlapping_by_switch)),
    ("tcp_recovers_at_once_after_a_heal", Inside(partitions::tcp_recovers_at_once)),
    ("tcp_recovers_at_once_by_switch", Inside(partitions::tcp_recovers_at_once_by_switch)),
    ("a_stolen_rule_is_noticed", Inside(partitions::a_stolen_rule_is_noticed)),
    ("a_partition_without_traffic_is_not_vouched_for", Inside(partitions::without_traffic)),
    ("a_foreign_rule_of_our_name_is_reported", Inside(partitions::a_leftover_rule_is_reported)),
    ("without_iptables_the_switch_takes_over", Inside(partitions::the_switch_takes_over)),
    ("a_port_is_cut_and_no_other", Inside(partitions::a_port_is_cut_and_no_other)),
    ("a_reset_is_heard_at_once", Inside(partitions::a_reset_is_heard_at_once)),
    ("ports_need_iptables", Inside(partitions::ports_need_iptables)),
    ("bad_links_bite_as_asked", Inside(links::bite_as_asked)),
    ("bad_links_overlap_with_each_other_and_with_a_cut", Inside(links::overlap)),
    ("a_bad_link_without_traffic_is_not_vouched_for", Inside(links::without_traffic)),
    ("a_bad_link_repaired_by_another_is_noticed", Inside(links::repaired_by_another)),
    ("kill_and_restart", Inside(processes::kill_and_restart)),
    ("pause_and_resume", Inside(processes::pause_and_resume)),
    ("faults_on_dead_or_paused_nodes_are_skipped", Inside(processes::skipped)),
    ("meddling_makes_a_fault_indeterminate", Inside(processes::meddling)),
    ("restart_is_asked_for_with_sigterm", Inside(rounds::restart)),
    ("a_restart_without_sigterm_is_told", Inside(rounds::restart_of_the_deaf)),
    ("a_slow_fault_delays_no_other", Inside(rounds::slow_fault_delays_no_other)),
    ("all_are_killed_at_once", Inside(rounds::all_are_killed_at_once)),
    ("a_wiped_server_starts_with_nothing", Inside(rounds::wipe)),
    ("a_wipe_of_an_empty_disk_is_not_vouched_for", Inside(rounds::wipe_of_nothing)),
    ("pauses_roll_over_the_servers", Inside(rounds::roll)),
    ("a_slow_server_gets_little_cpu", Inside(rounds::slow)),
    ("a_crash_loop_ends_with_a_running_server", Inside(rounds::crash_loop)),
    ("rounds_on_dead_or_paused_servers_are_skipped", Inside(rounds::skipped)),
    ("a_server_lost_in_a_round_is_noticed", Inside(rounds::lost)),
    ("a_server_gets_no_more_memory", Inside(memory::limit)),
    ("a_limit_on_memory_lifted_by_another_is_noticed", Inside(memory::lifted_by_another)),
    ("memory_of_dead_servers_is_not_limited", Inside(memory::skipped)),
    ("a_clock_jumps_and_jumps_back", Inside(clocks::jump)),
    ("a_clock_strobes", Inside(clocks::strobe)),
    ("a_clock_drifts", Inside(clocks::drift)),
    ("a_clock_nobody_reads_is_not_vouched_for", Inside(clocks::nobody_asks)),
    ("a_clock_that_ends_with_its_process_is_noticed", Inside(clocks::process_ends)),
    ("clocks_of_dead_or_paused_servers_are_skipped", Inside(clocks::skipped)),
    ("a_power_cut_takes_what_was_not_synced", Inside(disks::power_cut)),
    ("a_kill_takes_nothing_from_the_disk", Inside(disks::kill_loses_nothing)),
    ("a_torn_power_cut_keeps_what_was_synced", Inside(disks::torn)),
    ("a_scattered_power_cut_leaves_holes", Inside(disks::scattered)),
    ("a_brown_out_fails_fsyncs_first", Inside(disks::brown_out)),
    ("an_ill_disk_refuses", Inside(disks::errors)),
    ("a_slow_disk_is_slow", Inside(disks::slow)),
    ("a_flipped_bit_is_met_at_the_start", Inside(disks::bit_flip)),
    ("a_misdirected_write_is_met_at_the_start", Inside(disks::misdirected_write)),
    ("a_truncated_tail_is_missed_by_nobody", Inside(disks::truncated_tail)),
    ("new_files_take_long", Inside(disks::slow_create)),
    ("damage_without_anything_to_damage_is_not_vouched_for", Inside(disks::undamaged)),
    ("the_machines_own_disk_is_left_alone", Inside(disks::skipped)),
    ("an_ill_disk_nobody_uses_is_not_vouched_for", Inside(disks::unfelt)),
    ("by_calls_a_power_cut_takes_what_was_not_synced", Inside(disks::power_cut_by_calls)),
    ("by_calls_a_torn_power_cut_keeps_what_was_synced", Inside(disks::torn_by_calls)),
    ("by_calls_a_brown_out_fails_fsyncs_first", Inside(disks::brown_out_by_calls)),
    ("by_calls_a_kill_takes_nothing", Inside(disks::kill_loses_nothing_by_calls)),
    ("by_calls_an_ill_disk_refuses", Inside(disks::errors_by_calls)),
    ("by_calls_a_slow_disk_is_slow", Inside(disks::slow_by_calls)),
    ("by_calls_damage_is_met_at_the_start", Inside(disks::damage_by_calls)),
    ("by_calls_new_files_take_long", Inside(disks::slow_create_by_calls)),
    ("by_calls_a_scattered_power_cut_leaves_holes", Inside(disks::scattered_by_calls)),
    ("by_calls_an_ill_disk_nobody_uses_is_not_vouched_for", Inside(disks::unfelt_by_calls)),
    ("a_program_that_cannot_start_is_an_error", Inside(processes::cannot_start)),
];

/// What a child answers if this machine forbids containment.
const SKIPPED: i32 = 77;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--echo"] => support::echo_server(),
        ["--deaf-echo"] => support::deaf_echo_server(),
        ["--scribe", place] => scribe::scribe(place),
        ["--glutton"] => memory::glutton(),
        ["--linger"] => support::linger(),
        ["--inside", name] => inside(name),
        ["--scene", name] => containment::scene(name),
        words if words.contains(&"--list") => list(),
        words => run_all(words),
    }
}

fn list() -> ExitCode {
    TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
    ExitCode::SUCCESS
}

fn inside(name: &str) -> ExitCode {
    match TESTS.iter().find(|(other, _)| *other == name) {
        Some((_, Inside(test))) => {
            support::enter_or_skip();
            test();
            ExitCode::SUCCESS
        }
        _ => panic!("no test inside is called {name}"),
    }
}

/// Words without a dash are filters, as in cargo's own runner.
fn run_all(words: &[&str]) -> ExitCode {
    let filters: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(**f));
    let results: Vec<(&str, &str)> = TESTS
        .iter()
        .filter(|(name, _)| chosen(name))
        .map(|(name, test)| (*name, result(name, test)))
        .collect();
    let those = |wanted: &str| -> Vec<&str> {
        results.iter().filter(|(_, result)| *result == wanted).map(|(name, _)| *name).collect()
    };
    let (passed, failed, skipped) = (those("ok"), those("FAILED"), those("skipped"));
    println!("\n{} passed, {} failed, {} skipped", passed.len(), failed.len(), skipped.len());
    let unwanted = if support::must_not_skip() { skipped } else { Vec::new() };
    if failed.is_empty() && unwanted.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {failed:?}, must not be skipped: {unwanted:?}");
    ExitCode::FAILURE
}

fn result(name: &str, test: &Test) -> &'static str {
    let start = Instant::now();
    let result = match test {
        Outside(test) => match std::panic::catch_unwind(test) {
            Err(_) => "FAILED",
            Ok(()) if support::was_skipped_outside() => "skipped",
            Ok(()) => "ok",
        },
        Inside(_) => run_child(name),
    };
    println!("test {name} ... {result} ({:.2?})", start.elapsed());
    result
}

fn run_child(name: &str) -> &'static str {
    let mut child = Command::new("/proc/self/exe")
        .args(["--inside", name])
        .spawn()
        .expect("the program can start itself");
    match support::wait(&mut child).code() {
        Some(0) => "ok",
        Some(SKIPPED) => "skipped",
        _ => "FAILED",
    }
}
