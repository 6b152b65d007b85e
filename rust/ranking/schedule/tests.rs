use super::*;
use proptest::prelude::*;

fn tournament(schedule: Schedule, n: usize) -> Tournament {
    Tournament { n, schedule, budget: None, seed: 3, anchor: None }
}

/// Plays to the end, `outcome` being asked for each pair; the rounds.
fn play(tournament: &Tournament, mut outcome: impl FnMut(usize, usize) -> f64) -> Vec<Vec<(usize, usize)>> {
    let (mut played, mut rounds) = (Vec::new(), Vec::new());
    loop {
        let pairs = next_pairs(tournament, &played);
        if pairs.is_empty() {
            return rounds;
        }
        played.extend(pairs.iter().map(|&(first, second)| Comparison {
            first,
            second,
            outcome: outcome(first, second),
            weight: 1.0,
        }));
        rounds.push(pairs);
    }
}

fn lower_wins(first: usize, second: usize) -> f64 {
    f64::from(u8::from(first < second))
}

#[test]
fn sizes_of_whole_schedules() {
    for n in 0..20 {
        let all = n * usize::saturating_sub(n, 1) / 2;
        let rounds = |schedule| play(&tournament(schedule, n), lower_wins);
        assert_eq!(rounds(Schedule::RoundRobin).concat().len(), all);
        assert_eq!(rounds(Schedule::Anchor).concat().len(), n.saturating_sub(1));
        assert_eq!(rounds(Schedule::Knockout).concat().len(), n.saturating_sub(1));
    }
    // 8 items: 3 + 1 rounds of 4; 5 items: 3 + 1 of 2.
    assert_eq!(play(&tournament(Schedule::Swiss, 8), lower_wins).concat().len(), 16);
    assert_eq!(play(&tournament(Schedule::Swiss, 5), lower_wins).concat().len(), 8);
}

#[test]
fn the_best_wins_a_knockout() {
    for n in 1..20 {
        let rounds = play(&tournament(Schedule::Knockout, n), lower_wins);
        let beaten: HashSet<usize> = rounds.concat().iter().map(|&(first, second)| first.max(second)).collect();
        assert_eq!(beaten, (1..n).collect(), "n = {n}");
        assert_eq!(rounds.len(), n.next_power_of_two().ilog2() as usize);
    }
}

#[test]
fn a_knockout_goes_on_after_ties_and_missing_answers() {
    for outcome in [0.5, f64::NAN] {
        assert_eq!(play(&tournament(Schedule::Knockout, 7), |_, _| outcome).concat().len(), 6);
    }
}

#[test]
fn a_round_robin_that_ends_early_is_balanced() {
    for n in [4, 7, 8] {
        for budget in 1..n * (n - 1) / 2 {
            let short = Tournament { budget: Some(budget), ..tournament(Schedule::RoundRobin, n) };
            let mut times = vec![0; n];
            for (first, second) in next_pairs(&short, &[]) {
                times[first] += 1;
                times[second] += 1;
            }
            let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            assert!(most - least <= 2, "{n} items, {budget} comparisons: {times:?}");
        }
    }
}

#[test]
fn the_anchor_is_the_one_that_is_named() {
    let named = Tournament { anchor: Some(4), ..tournament(Schedule::Anchor, 6) };
    let pairs = next_pairs(&named, &[]);
    assert!(pairs.iter().all(|&(first, _)| first == 4));
    assert_eq!(pairs.iter().map(|&(_, second)| second).collect::<HashSet<_>>(), HashSet::from([0, 1, 2, 3, 5]));
}

#[test]
fn names() {
    assert_eq!("swiss".parse(), Ok(Schedule::Swiss));
    assert!(matches!("Swiss".parse::<Schedule>(), Err(Error::Choice { name: "schedule", .. })));
}

fn schedule() -> impl Strategy<Value = Schedule> {
    prop::sample::select(vec![Schedule::Anchor, Schedule::RoundRobin, Schedule::Swiss, Schedule::Knockout])
}

proptest! {
    #[test]
    fn no_pair_twice_no_item_twice_a_round_budget_kept_everyone_plays(
        schedule in schedule(),
        n in 2_usize..14,
        budget in prop::option::of(0_usize..60),
        seed: u64,
        outcomes in prop::collection::vec(prop::sample::select(vec![0.0, 0.3, 0.5, 1.0, f64::NAN]), 100),
    ) {
        let tournament = Tournament { n, schedule, budget, seed, anchor: None };
        let mut next = outcomes.iter().copied();
        let rounds = play(&tournament, |_, _| next.next().unwrap());
        let pairs = rounds.concat();
        let distinct: HashSet<_> = pairs.iter().map(|&(first, second)| sorted(first, second)).collect();
        prop_assert_eq!(distinct.len(), pairs.len());
        prop_assert!(pairs.iter().all(|&(first, second)| first != second && first < n && second < n));
        prop_assert!(budget.is_none_or(|budget| pairs.len() <= budget));
        if matches!(schedule, Schedule::Swiss | Schedule::Knockout) {
            for round in &rounds {
                let items: HashSet<usize> = round.iter().flat_map(|&(first, second)| [first, second]).collect();
                prop_assert_eq!(items.len(), 2 * round.len());
            }
        }
        let everyone = match schedule {
            Schedule::Swiss | Schedule::RoundRobin => n.div_ceil(2) + n % 2,
            Schedule::Anchor | Schedule::Knockout => n - 1,
        };
        if budget.is_none_or(|budget| budget >= everyone) {
            let items: HashSet<usize> = pairs.iter().flat_map(|&(first, second)| [first, second]).collect();
            prop_assert_eq!(items.len(), n);
        }
        let mut again = outcomes.iter().copied();
        prop_assert_eq!(play(&tournament, |_, _| again.next().unwrap()), rounds);
    }
}
