//! Which pairs to compare next.

use super::{knockout, swiss, Comparison};
use crate::error::{choose, Error, Result};
use crate::stats::Draws;
use std::collections::HashSet;

/// How the pairs of a tournament are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Each item meets one of them, the anchor: n − 1 comparisons, all at once.
    Anchor,
    /// Each item meets each other one: n (n − 1) / 2 comparisons, all at once.
    RoundRobin,
    /// Rounds in which each item meets an opponent that it has not met, about as strong as it is known to be.
    Swiss,
    /// Winners meet winners until one is left: n − 1 comparisons.
    Knockout,
}

impl Schedule {
    const NAMES: [(&'static str, Schedule); 4] = [
        ("anchor", Schedule::Anchor),
        ("round_robin", Schedule::RoundRobin),
        ("swiss", Schedule::Swiss),
        ("knockout", Schedule::Knockout),
    ];
}

impl std::str::FromStr for Schedule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        choose("schedule", &Self::NAMES, name)
    }
}

/// A tournament of `n` items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tournament {
    /// The number of items.
    pub n: usize,
    /// How pairs are chosen.
    pub schedule: Schedule,
    /// The most comparisons, unanswered ones included; `None` for all of the schedule, and for the Swiss one
    /// ⌈log₂ n⌉ + 1 rounds.
    pub budget: Option<usize>,
    /// Where chance decides: order, byes, who goes on after a tie, the anchor.
    pub seed: u64,
    /// The anchor of [`Schedule::Anchor`]; `None` for one by the seed.
    pub anchor: Option<usize>,
}

/// The pairs to compare next, after the comparisons `played`; none when the tournament is over.
///
/// Of [`Schedule::Anchor`] and [`Schedule::RoundRobin`] these are all pairs that are left; of the others those of a
/// round, in which no item stands twice. No pair is ever named again, be it answered or not. A pure function: the same
/// results give the same pairs.
///
/// A round-robin goes by the circle method, so that a budget that ends it early has let all items play about equally
/// often.
pub fn next_pairs(tournament: &Tournament, played: &[Comparison]) -> Vec<(usize, usize)> {
    let n = tournament.n;
    let budget = tournament.budget.unwrap_or_else(|| match tournament.schedule {
        Schedule::Swiss => (n.max(1).next_power_of_two().ilog2() as usize + 1) * (n / 2),
        _ => usize::MAX,
    });
    let left = budget.saturating_sub(played.len());
    if left == 0 || n < 2 {
        return Vec::new();
    }
    let drawn = drawn_order(n, tournament.seed);
    let met = Met::new(played);
    let mut pairs = match tournament.schedule {
        Schedule::Anchor => {
            let anchor = tournament.anchor.unwrap_or(drawn[0]);
            drawn.iter().filter(|&&item| item != anchor).map(|&item| (anchor, item)).collect()
        }
        Schedule::RoundRobin => circle(&drawn),
        Schedule::Swiss => swiss::round(&drawn, played, &met),
        Schedule::Knockout => knockout::round(&drawn, played),
    };
    pairs.retain(|&(first, second)| !met.contains(first, second));
    pairs.truncate(left);
    pairs
}

/// The pairs that were asked.
pub(super) struct Met(HashSet<(usize, usize)>);

impl Met {
    fn new(played: &[Comparison]) -> Met {
        Met(played.iter().map(|comparison| sorted(comparison.first, comparison.second)).collect())
    }

    pub(super) fn contains(&self, first: usize, second: usize) -> bool {
        self.0.contains(&sorted(first, second))
    }
}

fn sorted(first: usize, second: usize) -> (usize, usize) {
    (first.min(second), first.max(second))
}

/// The items in an order drawn by the seed (Fisher–Yates).
fn drawn_order(n: usize, seed: u64) -> Vec<usize> {
    let mut draws = Draws::new(seed);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, draws.below(last + 1));
    }
    order
}

/// All pairs, round by round: one item stays, the others move on by one seat around it.
fn circle(drawn: &[usize]) -> Vec<(usize, usize)> {
    let n = drawn.len();
    let seats = n + n % 2; // an odd number has an empty seat, whose opponent sits out
    let mut pairs = Vec::with_capacity(n * (n - 1) / 2);
    for round in 0..seats - 1 {
        let at = |seat: usize| if seat == 0 { 0 } else { 1 + (seat - 1 + round) % (seats - 1) };
        for seat in 0..seats / 2 {
            let (first, second) = (at(seat), at(seats - 1 - seat));
            if first < n && second < n {
                pairs.push((drawn[first], drawn[second]));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests;
