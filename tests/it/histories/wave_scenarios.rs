//! What waves do in cases that can be told in a sentence, most of them from the documentation of those who sell them.

use super::CALM;
use super::checker::check;
use super::history::{Asked, Cast, Kind, Level, WaveSpec, Wish};
use super::order::check_order;
use super::simulated::play_workload;
use super::workload::{Step, Workload};
use super::world::{Faults, Sabotage};
use restock_domain::ContactId;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

const WAVES: WaveSpec = WaveSpec {
    per_unit: Some(10),
    interval: Duration::from_secs(3_600),
    minimum: 1,
    hold_down: Duration::ZERO,
    restock: false,
    quiet: None,
    first: None,
};

/// Plays a workload of waves, and returns the contacts that were mailed before its end, by the wave that they were in:
/// mails between which there is no long break.
fn waves_of(workload: Workload, faults: Faults, seed: u64) -> Vec<Vec<usize>> {
    let history = play_workload(seed, workload, faults, Sabotage::Nothing);
    assert_eq!(check(&history), [], "seed {seed}:\n{}", history.story());
    assert_eq!(check_order(&history), [], "seed {seed}:\n{}", history.story());
    let ids: Vec<ContactId> = (0..history.cast.contacts.len()).map(|contact| history.cast.contact(contact)).collect();
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut before = None;
    for mail in history.mails.iter().filter(|mail| mail.at < history.settled_at) {
        let contact = ids.iter().position(|id| *id == mail.subscription.contact_id).expect("a contact");
        if before.is_none_or(|before| mail.at > before + Duration::from_secs(120)) {
            waves.push(Vec::new());
        }
        before = Some(mail.at);
        waves.last_mut().expect("a wave").push(contact);
    }
    waves.iter_mut().for_each(|wave| wave.sort_unstable());
    waves
}

fn contacts(range: Range<usize>) -> Vec<usize> {
    range.collect()
}

#[test]
fn eighty_in_stock_mail_the_eighty_who_waited_longest_and_forty_an_hour_later_the_next_forty() {
    let workload = Workload::of_waves(130, WAVES, &[(0, 80), (1_800, 40)]);

    let waves = waves_of(workload, CALM, 1);

    // The last ten leave at the third interval.
    assert_eq!(waves, [contacts(0..80), contacts(80..120), contacts(120..130)]);
}

#[test]
fn ten_in_stock_at_a_multiplier_of_five_mail_fifty_first() {
    let workload = Workload::of_waves(70, WaveSpec { per_unit: Some(50), ..WAVES }, &[(0, 10)]);

    assert_eq!(waves_of(workload, CALM, 1), [contacts(0..50), contacts(50..70)]);
}

#[test]
fn whoever_comes_first_leaves_before_whoever_has_waited_longer_and_the_others_after_a_head_start() {
    let policy = WaveSpec { first: Some(Duration::from_secs(1_800)), ..WAVES };
    let workload = Workload::of_waves(9, policy, &[(0, 6)]);

    // Every third is in the club. They take three of the six places of an hour.
    assert_eq!(waves_of(workload, CALM, 1), [[0, 3, 6], [1, 2, 4], [5, 7, 8]]);
}

#[test]
fn what_a_stock_rises_by_leaves_at_once_and_a_flicker_lets_nobody_leave_twice() {
    let workload = Workload::of_waves(30, WAVES, &[(0, 5), (30, 0), (60, 5), (90, 0), (120, 5), (600, 9)]);

    assert_eq!(waves_of(workload, CALM, 1)[..2], [contacts(0..5), contacts(5..9)]);
}

#[test]
fn a_stock_that_holds_for_less_than_the_hold_down_mails_nobody() {
    let policy = WaveSpec { hold_down: Duration::from_secs(900), ..WAVES };
    let flicker: Vec<(u64, i64)> = (0..10).flat_map(|n| [(1_000 * n, 7), (1_000 * n + 890, 0)]).collect();

    assert_eq!(waves_of(Workload::of_waves(10, policy, &flicker), CALM, 1), Vec::<Vec<usize>>::new());
    let held = [&flicker[..4], &[(4_000, 7)]].concat();
    assert_eq!(waves_of(Workload::of_waves(10, policy, &held), CALM, 1), [contacts(0..7), contacts(7..10)]);
}

#[test]
fn each_wave_has_the_oldest_whatever_the_locale_although_messages_come_late_and_twice() {
    let untidy = Faults { refused: 15, duplicate: 100, delay: 200, partial: 20, ..CALM };
    let expected: Vec<Vec<usize>> = (0..7).map(|wave| contacts(3 * wave..(3 * wave + 3).min(20))).collect();
    // A place whose taking was not answered counts for an interval. Only those of the same wave overtake whoever it was
    // for.
    let lossy = Faults { lost_before: 10, lost_after: 10, twice: 25, ..untidy };

    for seed in 0..100 {
        // Messages that come late may part a wave in two.
        let order = waves_of(Workload::of_waves(20, WAVES, &[(0, 3)]), untidy, seed).concat();
        let in_threes = order.chunks(3).map(|wave| BTreeSet::from_iter(wave).into_iter().copied().collect::<Vec<_>>());
        assert_eq!(in_threes.collect::<Vec<_>>(), expected, "seed {seed}");
        let waves = waves_of(Workload::of_waves(20, WAVES, &[(0, 3)]), lossy, seed);
        let order = waves.concat();
        let overtaken = |place: usize| order[..place].iter().filter(|before| **before > order[place]).count();
        assert!(order.len() == 20 && (0..20).all(|place| overtaken(place) <= 2), "seed {seed}: {waves:?}");
    }
}

#[test]
fn whoever_subscribed_before_a_stock_sold_out_is_mailed_at_its_restock_although_that_is_handled_first() {
    let policy = WaveSpec { restock: true, ..WAVES };
    let late = Faults { delay: 500, ..CALM };

    for seed in 0..60 {
        let mut workload = Workload::of_waves(2, policy, &[(0, 5), (600, 0), (603, 8)]);
        workload.mailboxes.push(Kind::Plain);
        workload.callers.push(vec![Step::subscribe(Duration::from_secs(2 * 2 + 120 + 300), 2, None)]);

        assert_eq!(waves_of(workload, late, seed), [vec![0, 1], vec![2]], "seed {seed}");
    }
}

#[test]
fn an_hour_of_pause_lets_a_line_wait_without_a_message_for_each_and_loses_nobody() {
    let mut workload = Workload::of_waves(1_000, WAVES, &[(0, 1_000)]);
    let step = |pause, on| Step { pause: Duration::from_secs(pause), asked: Asked::Pause { on }, retries: 9 };
    workload.callers.push(vec![step(2_100, true), step(3_600, false)]);

    let history = play_workload(1, workload, CALM, Sabotage::Nothing);

    assert_eq!(check(&history), []);
    assert_eq!(history.mails.iter().filter(|mail| mail.at < history.settled_at).count(), 1_000);
    // Twenty for the mails, and one tick a minute.
    assert!(history.sent < 400, "{} messages", history.sent);
}

#[test]
fn no_more_messages_of_a_wave_are_on_their_way_than_a_cheap_item_can_name() {
    let quiet = WaveSpec { per_unit: None, ..WAVES };
    let fast = Faults { send_rate: [200; 2], ..CALM };
    let workload = Workload::of_waves(3_000, quiet, &[(0, 3_000)]);

    let history = play_workload(1, workload, fast, Sabotage::Nothing);

    assert_eq!(check(&history), []);
    assert_eq!(history.mails.iter().filter(|mail| mail.at < history.settled_at).count(), 3_000);
    let most = history.most_on_the_way;
    assert!((30..50).contains(&most), "{most}, all of which are written for each place that is taken");
}

#[test]
fn drains_of_twenty_seconds_and_as_long_as_the_interval_let_no_wave_out_on_top_of_another() {
    let slow = Faults { send_rate: [2; 2], ..CALM };
    let policy = WaveSpec { interval: Duration::from_secs(300), ..WAVES };

    for places in [40, 600] {
        let workload = Workload::of_waves(3 * places, policy, &[(0, places as i64)]);
        let history = play_workload(1, workload, slow, Sabotage::Nothing);

        assert_eq!(check(&history), []);
        assert_eq!(history.mails.iter().filter(|mail| mail.at < history.settled_at).count(), 3 * places);
    }
}

#[test]
fn whoever_a_level_meets_after_a_policy_appeared_is_in_a_line_that_somebody_goes_through() {
    let many = 800;
    let step = |pause, asked| Step { pause: Duration::from_secs(pause), asked, retries: 9 };
    let wish = |contact, sku| Wish { contact, sku, locale: 0, external_id: None };
    let level = |sku, quantity| Asked::Level(Level { sku, locale: None, external_id: None, quantity, age: None });
    let subscribe = (0..many).map(|contact| vec![step(0, Asked::Subscribe(wish(contact, 0)))]);
    let other = (many..many + 5).map(|contact| vec![step(0, Asked::Subscribe(wish(contact, 1)))]);
    // So that both functions know that there is no policy, and learn of the new one while they go through the pages.
    let known = (0..2).map(|later| vec![step(570 + later, level(1, 1))]);
    let callers = [vec![step(580, Asked::Waves(Some(WAVES)))], vec![step(598, level(0, many as i64))]];
    let callers = subscribe.chain(other).chain(known).chain(callers).collect();
    let workload = Workload { mailboxes: vec![Kind::Plain; many + 5], generations: 2, skus: 2, callers };
    let slow = Faults { latency: 250, ..CALM };

    let history = play_workload(1, workload, slow, Sabotage::Nothing);

    assert_eq!(check(&history), []);
    assert_eq!(history.mails.iter().filter(|mail| mail.at < history.settled_at).count(), many + 5);
}

#[test]
fn whoever_comes_after_others_leaves_although_the_policy_does_not_know_these_any_more() {
    let policy = WaveSpec { first: Some(Duration::from_secs(1_800)), ..WAVES };
    let mut workload = Workload::of_waves(9, policy, &[(0, 9)]);
    // Those who come first have left, and the pass of all others has not begun.
    let replaced = Step { pause: Duration::from_secs(2 * 9 + 120 + 60), asked: Asked::Waves(Some(WAVES)), retries: 9 };
    workload.callers.push(vec![replaced]);

    assert_eq!(waves_of(workload, CALM, 1).concat().len(), 9);
}

#[test]
fn whoever_was_passed_over_for_those_who_come_first_leaves_if_the_policy_is_replaced_in_the_middle_of_their_pass() {
    let policy = WaveSpec { first: Some(Duration::from_secs(1_800)), ..WAVES };
    let mut workload = Workload::of_waves(9, policy, &[(0, 2)]);
    // Two of the three who come first have left. The line has passed over who subscribed between them.
    let replaced = Step { pause: Duration::from_secs(2 * 9 + 120 + 60), asked: Asked::Waves(Some(WAVES)), retries: 9 };
    workload.callers.push(vec![replaced]);

    assert_eq!(waves_of(workload, CALM, 1), [vec![0, 3], vec![1, 2], vec![4, 5], vec![6, 7], vec![8]]);
}

#[test]
fn whoever_comes_first_has_their_turn_first_although_a_hold_has_sent_them_back_into_line() {
    let policy = WaveSpec { first: Some(Duration::ZERO), ..WAVES };
    let mut workload = Workload::of_waves(30, policy, &[(0, 12)]);
    let level_at = 2 * 30 + 120;
    let hold = |on| Asked::Hold { sku: 0, on };
    let step = |pause, asked| Step { pause: Duration::from_secs(pause), asked, retries: 9 };
    // Ten are in the club. All of them are asked to leave, and two others; three leave.
    workload.callers.push(vec![step(level_at + 3, hold(true)), step(7_200, hold(false))]);

    let waves = waves_of(workload, Faults { send_rate: [1; 2], ..CALM }, 1);

    let of_club = |wave: &[usize]| wave.iter().filter(|contact| Cast::is_in_club(**contact)).count();
    assert_eq!(of_club(&waves[..2].concat()), 10, "{waves:?}");
    assert_eq!(waves[1].len(), 12, "{waves:?}");
}

#[test]
fn a_flicker_mails_nobody_twice_however_many_subscriptions_they_have() {
    let slow = Faults { latency: 100, ..CALM };

    for (out, back) in (0..30).flat_map(|out| [50, 400, 1_500].map(|back| (100 * out, back))) {
        everybody_is_mailed_once_by(&[(600_000, 8), (out, 0), (back, 8)], slow);
    }
}

#[test]
fn levels_that_follow_each_other_while_mails_leave_slowly_mail_nobody_twice_however_many_subscriptions_they_have() {
    let slow = Faults { latency: 100, send_rate: [1; 2], ..CALM };

    for pause in (1..30).map(|pause| 500 * pause) {
        everybody_is_mailed_once_by(&[(600_000, 8), (pause, 7)], slow);
        everybody_is_mailed_once_by(&[(600_000, 8), (pause, 7), (pause, 6), (pause, 0), (pause, 5)], slow);
    }
}

#[test]
fn levels_of_other_scopes_that_follow_each_other_mail_nobody_twice() {
    let slow = Faults { latency: 100, send_rate: [1; 2], ..CALM };
    let level = |pause, locale, external_id| {
        let level = Level { sku: 0, locale, external_id, quantity: 8, age: None };
        Step { pause: Duration::from_millis(pause), asked: Asked::Level(level), retries: 9 }
    };

    for pause in (1..20).map(|pause| 700 * pause) {
        let all = Step::level(Duration::from_secs(600), 8);
        for other in [level(pause, Some(0), None), level(pause, None, Some(1)), level(pause, Some(0), Some(1))] {
            everybody_is_mailed_once(&[all.clone(), other], slow);
        }
        everybody_is_mailed_once(&[level(600_000, Some(0), None), level(pause, None, None)], slow);
    }
}

/// Plays levels of a SKU, each a pause in milliseconds after the one before.
fn everybody_is_mailed_once_by(levels: &[(u64, i64)], faults: Faults) {
    let step = |(pause, quantity): &(u64, i64)| Step::level(Duration::from_millis(*pause), *quantity);
    everybody_is_mailed_once(&levels.iter().map(step).collect::<Vec<_>>(), faults);
}

/// Plays levels for six people with two subscriptions each, one of them with an external id.
fn everybody_is_mailed_once(levels: &[Step], faults: Faults) {
    let people = 6;
    let both = |contact| [None, Some(1)].map(|id| Step::subscribe(Duration::ZERO, contact, id)).to_vec();
    let callers = (0..people).map(both).chain([levels.to_vec()]).collect();
    let workload = Workload { mailboxes: vec![Kind::Plain; people], generations: 2, skus: 1, callers };

    let history = play_workload(levels[1].pause.as_millis() as u64, workload, faults, Sabotage::Nothing);

    assert_eq!(check(&history), [], "{levels:?}");
    assert_eq!(history.mails.len(), people, "{levels:?}:\n{}", history.story());
    // Nobody waits for what their own mail that was not taken may have become: that would be ten minutes.
    let told =
        history.calls.iter().filter(|call| matches!(call.asked, Asked::Level(_)) && call.to < history.settled_at);
    let soon = told.map(|call| call.to).max().unwrap() + Duration::from_secs(120);
    assert!(history.mails.iter().all(|mail| mail.at < soon), "{levels:?}:\n{}", history.story());
}
