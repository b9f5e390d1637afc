//! The window step by step.

use super::*;

type TestWindow = Window<u64>;

fn lane(name: &str) -> EventId {
    name.parse().unwrap()
}

/// A window at cursor 0 that was offered these lanes at positions 1, 2, ...; each payload is its position.
fn offered(lanes: &[&str]) -> TestWindow {
    let mut window = TestWindow::new(0);
    offer(&mut window, lanes);
    window
}

fn offer(window: &mut TestWindow, lanes: &[&str]) {
    for name in lanes {
        let position = window.read_up_to() + 1;
        window.offer(&lane(name), position);
    }
}

fn started(window: &mut TestWindow, now: Instant) -> Vec<u64> {
    std::iter::from_fn(|| window.start(now))
        .map(|start| start.position)
        .collect()
}

#[test]
fn lanes_go_side_by_side_and_each_in_order() {
    let now = Instant::now();
    let mut window = offered(&["a", "a", "b"]);
    assert_eq!(started(&mut window, now), [1, 3]);
    window.delivered(&lane("b"), now);
    assert_eq!(window.cursor(), 0);
    window.delivered(&lane("a"), now);
    assert_eq!(window.cursor(), 1);
    assert_eq!(started(&mut window, now), [2]);
    window.delivered(&lane("a"), now);
    assert_eq!((window.cursor(), window.in_flight()), (3, 0));
}

#[test]
fn a_failing_lane_holds_the_cursor_but_no_other_lane() {
    let now = Instant::now();
    let mut window = offered(&["bad", "a", "b"]);
    assert_eq!(started(&mut window, now), [1, 2, 3]);
    let fate = window.failed(&lane("bad"), now, None, u32::MAX);
    let retry_at = now + Duration::from_millis(500);
    assert_eq!(fate, Fate::RetryAt(retry_at));
    window.delivered(&lane("a"), now);
    window.delivered(&lane("b"), now);
    offer(&mut window, &["a"]);
    assert_eq!(started(&mut window, now), [4]);
    assert_eq!((window.cursor(), window.next_retry()), (0, Some(retry_at)));
    assert_eq!(started(&mut window, retry_at - Duration::from_nanos(1)), [0; 0]);
    let retry = window.start(retry_at).unwrap();
    assert_eq!((retry.position, retry.payload), (1, None));
    assert!(window.is_failing());
    window.delivered(&lane("bad"), now);
    assert_eq!((window.cursor(), window.is_failing()), (3, false));
}

#[test]
fn a_retry_carries_the_newest_change_of_its_lane_and_supersedes_the_older_ones() {
    let now = Instant::now();
    let mut window = offered(&["a", "b", "a"]);
    assert_eq!(started(&mut window, now), [1, 2]);
    window.failed(&lane("a"), now, None, 0);
    offer(&mut window, &["a"]);
    let retry = window.start(now).unwrap();
    assert_eq!((retry.position, retry.superseded), (4, vec![1, 3]));
    assert_eq!(window.cursor(), 1, "2 is under way");
    window.delivered(&lane("b"), now);
    assert_eq!(window.cursor(), 3);
    window.failed(&lane("a"), now, None, 0);
    assert_eq!(window.start(now).unwrap().position, 4);
    window.delivered(&lane("a"), now);
    assert_eq!(window.cursor(), 4);
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    let now = Instant::now();
    let mut window = offered(&["a"]);
    started(&mut window, now);
    let asked = Duration::from_secs(30);
    let fate = window.failed(&lane("a"), now, Some(asked), u32::MAX);
    assert_eq!(fate, Fate::RetryAt(now + asked));
}

#[test]
fn a_change_is_given_up_three_days_after_its_first_attempt_and_its_lane_goes_on() {
    let now = Instant::now();
    let mut window = offered(&["a"]);
    started(&mut window, now);
    let just_before = now + MAX_AGE - Duration::from_nanos(1);
    assert!(matches!(
        window.failed(&lane("a"), just_before, None, 0),
        Fate::RetryAt(_)
    ));
    started(&mut window, just_before);
    offer(&mut window, &["a"]);
    let fate = window.failed(&lane("a"), now + MAX_AGE, None, 0);
    assert_eq!(fate, Fate::GivenUp { position: 1 });
    assert_eq!(window.cursor(), 1);
    assert_eq!(started(&mut window, now + MAX_AGE), [2]);
}

#[test]
fn what_is_not_wanted_is_passed_over() {
    let now = Instant::now();
    let mut window = offered(&["a"]);
    window.skip();
    assert_eq!((window.cursor(), window.read_up_to()), (0, 2));
    started(&mut window, now);
    window.delivered(&lane("a"), now);
    assert_eq!(window.cursor(), 2);
    window.skip();
    assert_eq!(window.cursor(), 3);
}

#[test]
fn an_attempt_that_is_put_back_is_made_again_first() {
    let now = Instant::now();
    let mut window = offered(&["a", "b"]);
    window.start(now).unwrap();
    window.put_back(&lane("a"));
    assert_eq!(window.in_flight(), 0);
    assert_eq!(started(&mut window, now), [1, 2]);
}

#[test]
fn attempts_payloads_and_positions_are_bounded() {
    let now = Instant::now();
    let names: Vec<_> = (0..POSITIONS).map(|n| format!("e{n}")).collect();
    let mut window = TestWindow::new(0);
    for name in names.iter().take(PAYLOADS) {
        assert!(window.room() > 0);
        window.offer(&lane(name), 0);
    }
    assert_eq!(window.room(), 0);
    assert_eq!(started(&mut window, now).len(), IN_FLIGHT);
    assert_eq!(window.room(), IN_FLIGHT, "what is under way is no longer held");
    for name in names.iter().take(IN_FLIGHT) {
        window.failed(&lane(name), now, None, u32::MAX);
    }
    for name in names.iter().skip(PAYLOADS) {
        if window.room() == 0 {
            let start = window.start(now).unwrap();
            window.failed(&start.lane, now, None, u32::MAX);
        }
        window.offer(&lane(name), 0);
    }
    while let Some(start) = window.start(now) {
        window.failed(&start.lane, now, None, u32::MAX);
    }
    assert_eq!(
        (window.cursor(), window.room()),
        (0, 0),
        "10,000 positions are pending"
    );
}

#[test]
fn a_receiver_that_is_back_gets_at_once_what_failed_while_it_was_down() {
    let now = Instant::now();
    let mut window = offered(&["a", "b", "patient", "c"]);
    assert_eq!(started(&mut window, now), [1, 2, 3, 4]);
    let minute = Duration::from_secs(60);
    window.failed(&lane("a"), now, Some(minute), 0);
    window.failed(&lane("b"), now, None, u32::MAX);
    let back = now + DOWN_FOR;
    assert_eq!(started(&mut window, back), [2]);
    // The sixth failure in a row waits for up to 16 s.
    for _ in 0..5 {
        window.failed(&lane("b"), back, None, u32::MAX);
        let retry = window.next_retry().unwrap();
        assert_eq!(started(&mut window, retry), [2]);
    }
    window.failed(&lane("b"), back, None, u32::MAX);
    assert_eq!(started(&mut window, back), [0; 0]);
    window.delivered(&lane("c"), back);
    assert_eq!(started(&mut window, back), [2]);
    assert_eq!(window.next_retry(), Some(now + minute), "it was asked to wait");
}

#[test]
fn events_that_always_fail_are_left_alone_whatever_others_are_taken() {
    let begin = Instant::now();
    let bad = ["bad1", "bad2", "bad3"];
    let mut window = offered(&bad);
    let mut attempts = 0;
    // A minute of a good event every 10 ms.
    for step in 0..6000 {
        let now = begin + Duration::from_millis(10 * step);
        offer(&mut window, &["good"]);
        while let Some(start) = window.start(now) {
            if bad.contains(&start.lane.as_str()) {
                attempts += 1;
                window.failed(&start.lane, now, None, u32::MAX);
            } else {
                window.delivered(&start.lane, now);
            }
        }
    }
    // 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, and once more each where the receiver seemed to be down.
    assert!((21..=24).contains(&attempts), "{attempts} attempts");
}
