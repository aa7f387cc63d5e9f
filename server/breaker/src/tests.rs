//! The breaker at work, request by request.

use super::*;

fn breaker() -> Breaker {
    let settings = BreakerSettings {
        volume: 4,
        failure_permille: 500,
        late_ms: 100,
        sleep_ms: 1000,
        open_ms: 5000,
    };
    Breaker::new(settings, None)
}

/// Asks, and is answered after `took`.
fn request(breaker: &mut Breaker, at: Millis, took: Millis) -> bool {
    let Some(ticket) = breaker.ask(at) else { return false };
    breaker.answered(ticket, at + took);
    true
}

fn open() -> Breaker {
    let mut breaker = breaker();
    (0..4).for_each(|n| assert!(request(&mut breaker, n, 101)));
    assert_eq!(breaker.state(104), State::Open);
    breaker
}

#[test]
fn it_opens_at_the_ratio_and_not_before() {
    let mut breaker = breaker();
    for took in [100, 0, 101, 0, 0, 0, 101] {
        assert!(request(&mut breaker, 0, took));
    }
    assert_eq!(breaker.state(101), State::Closed, "one late of the last four");
    let mut breaker = self::breaker();
    (0..3).for_each(|_| assert!(request(&mut breaker, 0, 200)));
    assert_eq!(breaker.state(200), State::Closed, "too few to decide");
    assert!(request(&mut breaker, 200, 1));
    assert_eq!(breaker.state(201), State::Open);
    assert_eq!(breaker.ask(202), None);
    assert_eq!((breaker.tally.opened, breaker.tally.refused), (1, 1));
}

#[test]
fn requests_that_are_never_answered_open_it_too() {
    let mut breaker = breaker();
    let tickets: Vec<_> = (0..4).map(|_| breaker.ask(0).unwrap()).collect();
    assert_eq!(breaker.state(100), State::Closed);
    assert_eq!(breaker.state(101), State::Open);
    tickets.into_iter().for_each(|ticket| breaker.answered(ticket, 102));
    assert_eq!(breaker.state(102), State::Open, "answers that come too late change nothing");
}

#[test]
fn probes_after_the_sleep_window_close_it() {
    let mut breaker = open();
    assert_eq!(breaker.ask(1103), None, "it still sleeps");
    let probes: Vec<_> = (0..PROBES).map(|_| breaker.ask(1104).unwrap()).collect();
    assert_eq!(breaker.ask(1104), None, "enough probes are on their way");
    probes.iter().for_each(|ticket| breaker.answered(*ticket, 1105));
    assert_eq!(breaker.state(1105), State::Closed);
    let tally = Tally { opened: 1, half_opened: 1, closed: 1, refused: 2 };
    assert_eq!(breaker.tally, tally);
    assert!(request(&mut breaker, 1106, 101), "it is measured anew");
    assert_eq!(breaker.state(1300), State::Closed);
}

#[test]
fn a_late_probe_opens_it_again_and_a_lost_one_is_replaced() {
    let mut breaker = open();
    let probes: Vec<_> = (0..PROBES).map(|_| breaker.ask(1104).unwrap()).collect();
    breaker.gone(probes[0]);
    assert!(breaker.ask(1104).is_some());
    assert_eq!(breaker.state(1205), State::Open);
    assert_eq!((breaker.ask(2204), breaker.tally.opened), (None, 2));
    assert!(breaker.ask(2205).is_some());
}

#[test]
fn it_does_not_stay_open_for_ever() {
    let mut breaker = open();
    assert_eq!(breaker.state(1104), State::HalfOpen);
    assert_eq!(breaker.state(5103), State::HalfOpen, "no probe came");
    assert_eq!(breaker.state(5104), State::Closed);
}
