//! Ten years of guessing: a thief with the password and the best response to each person's habits, in each lane and in
//! all of them, against what is promised (`bounds.rs`): so many guesses are looked at and no more, they are right
//! with no more than that probability, and whoever holds a recovery code gets in at the first try.
//!
//! Two halves. On the counters alone, as the rules make them, the best plan for ten years is searched (`thief.rs`), with
//! a check by thieves who act at random that nothing beats it. Then plan and person are played out on a machine
//! (`machine.rs`): `verify`, judge, store, record and journal as they ship, a disk in memory, every verdict checked.
//! Where the thief also sets the clock, an hour counts as one that passed when it was set forward: that is what the
//! machine's clock says.
//!
//! Played is a part of the ten years; with `COUNTERSIGN_YEARS=10` all of them (an hour).
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test as a whole, and its modules are nobody else's"
)]

mod bounds;
mod habits;
mod machine;
mod play;
mod table;
mod thief;

use countersign::rules::throttle::Lane;

use habits::{By, DAY, HABITS, Habit, START, YEAR};
use play::{Played, Policy, Setting, play};
use table::Table;
use thief::{Plan, best, hourly, random, times};

const SEARCHED: i64 = 10 * YEAR;

#[test]
#[cfg_attr(debug_assertions, ignore = "minutes without optimisation: cargo test --release --test years")]
fn b_01_the_best_response_to_any_habit_gets_no_more_guesses_than_promised() {
    let mut table = Table::new("the thief who wants most guesses");
    for habit in &HABITS {
        if table.is_broken() {
            break; // without its bounds a thief goes on for hours
        }
        let each = Lane::ALL.map(|lane| if habit.clock { Searched::not(lane) } else { search(&mut table, habit, lane) });
        let together = Searched::together(&each);
        for searched in each.iter().chain([&together]) {
            let row =
                if habit.clock { worst_setting(habit, &searched.lanes, Policy::Careful) } else { as_planned(&mut table, habit, searched) };
            let (years, times) = if habit.clock { (row.elapsed, &row.times) } else { (SEARCHED, &searched.times) };
            table.row(habit, &searched.lanes, years, times, &row);
        }
    }
    table.end();
}

#[test]
#[cfg_attr(debug_assertions, ignore = "minutes without optimisation: cargo test --release --test years")]
fn b_18_whoever_holds_a_recovery_code_gets_in_while_a_thief_guesses_in_every_lane() {
    let mut table = Table::new("the thief who wants the person out");
    for habit in &HABITS {
        if table.is_broken() {
            break; // without its bounds a thief goes on for hours
        }
        for searched in Lane::ALL.map(Searched::not).iter().chain([&Searched::together(&Lane::ALL.map(Searched::not))]) {
            let row = worst_setting(habit, &searched.lanes, Policy::Reckless);
            table.row(habit, &searched.lanes, row.elapsed, &row.times, &row);
        }
    }
    table.end();
}

/// The most that a thief gets in ten years, in one lane or in more.
struct Searched {
    lanes: Vec<Lane>,
    plans: Vec<Plan>,
    times: Vec<Vec<i64>>,
}

impl Searched {
    fn not(lane: Lane) -> Self {
        Self { lanes: vec![lane], plans: Vec::new(), times: Vec::new() }
    }

    fn together(each: &[Self; 3]) -> Self {
        Self {
            lanes: Lane::ALL.to_vec(),
            plans: each.iter().flat_map(|one| one.plans.clone()).collect(),
            times: each.iter().flat_map(|one| one.times.clone()).collect(),
        }
    }
}

fn search(table: &mut Table, habit: &Habit, lane: Lane) -> Searched {
    let end = START + SEARCHED;
    let plan = best(habit, lane, end);
    let found = times(&plan, habit, lane, end);
    table.within(habit, lane, &found);
    for seed in 1..=24 {
        let whim = random(seed, habit, lane, end);
        table.within(habit, lane, &whim);
        table.check(whim.len() <= found.len(), || format!("{}: {} guesses at random, {} by plan", habit.name, whim.len(), found.len()));
    }
    patient(table, habit, lane);
    Searched { lanes: vec![lane], plans: vec![plan], times: vec![found] }
}

/// Whatever the thief does at the hours of its first days, resting too, gets no more than the plan for them.
fn patient(table: &mut Table, habit: &Habit, lane: Lane) {
    let end = START + 2 * DAY;
    let found = times(&best(habit, lane, end), habit, lane, end).len();
    let tried = hourly(habit, lane, end);
    table.check(tried <= found, || format!("{}, {}: {tried} guesses at the hours, {found} by plan", habit.name, lane.name()));
}

/// On the machine it comes as on the counters alone; where one lane's visit ends the streaks of all, no later.
fn as_planned(table: &mut Table, habit: &Habit, searched: &Searched) -> Played {
    let end = START + played_for(habit);
    let played = play(habit, &searched.lanes, Policy::Plans(&searched.plans), Setting::Never, end);
    for (planned, played) in searched.times.iter().zip(&played.times) {
        // At the end itself the plan has a visit that is not played.
        let before = |times: &[i64]| times.iter().copied().take_while(|time| *time < end).collect::<Vec<i64>>();
        let (planned, played) = (before(planned), before(played));
        let same = if habit.by() == By::AppOrReplacing { played.len() >= planned.len() } else { played == planned };
        table.check(same, || format!("{}: {} guesses planned, {} looked at", habit.name, planned.len(), played.len()));
    }
    played
}

fn worst_setting(habit: &Habit, lanes: &[Lane], policy: Policy<'_>) -> Played {
    let settings: &[Setting] = match (habit.clock, years()) {
        (false, _) => &[Setting::Never],
        (true, None) => &[Setting::Forward, Setting::Back, Setting::Whim(3)],
        (true, Some(_)) => &[Setting::Forward, Setting::Back, Setting::InTurn, Setting::Whim(3), Setting::Whim(4)],
    };
    let end = START + played_for(habit);
    let all = settings.iter().map(|setting| play(habit, lanes, policy, *setting, end));
    let worth = |played: &Played| {
        let wanted = if matches!(policy, Policy::Reckless) { played.refused } else { played.guesses() };
        (played.violations.len(), wanted)
    };
    all.max_by_key(worth).unwrap()
}

/// Seconds of the ten years that are played out: 250 visits, three days to a year, and where the clock is set, twice.
fn played_for(habit: &Habit) -> i64 {
    let short = if habit.every == 0 { YEAR } else { (250 * habit.every).clamp(3 * DAY, YEAR) };
    match years() {
        Some(years) => years * YEAR,
        None if habit.clock => short.clamp(31 * DAY, 100 * DAY),
        None => short,
    }
}

#[allow(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn years() -> Option<i64> {
    std::env::var("COUNTERSIGN_YEARS").ok().map(|years| years.parse().unwrap())
}
