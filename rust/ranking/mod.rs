//! Pairwise comparisons into a ranking: which pairs to compare next, and what their results say of each item.
//!
//! * [`next_pairs`]: the schedules of a tournament, as a pure function of the results so far;
//! * [`bradley_terry`]: strengths that explain the results best;
//! * [`mean_win`]: the mean result of each item.
//!
//! Items of a group are 0 to n − 1. A comparison without an answer has the outcome NaN: it says nothing about its two
//! items, and is never a tie, but it was asked, so a schedule counts it and does not ask it again. See
//! `docs/pairwise.md`.

mod bradley_terry;
mod cholesky;
mod knockout;
mod mean_win;
mod schedule;
mod swiss;

pub use bradley_terry::{bradley_terry, PRIOR_STD};
pub use mean_win::mean_win;
pub use schedule::{next_pairs, Schedule, Tournament};

/// The most items of a group: the strengths of n items are solved for with a table of n² numbers.
pub const MAX_ITEMS: usize = 1024;

/// One comparison of two items of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// An item.
    pub first: usize,
    /// Another item.
    pub second: usize,
    /// What `first` won of it: 1 it won, 0 it lost, 0.5 a tie, anything between where several verdicts are averaged;
    /// NaN where there is no answer.
    pub outcome: f64,
    /// How many comparisons it counts as.
    pub weight: f64,
}

/// The comparisons that were answered.
fn answered(comparisons: &[Comparison]) -> impl Iterator<Item = &Comparison> {
    comparisons.iter().filter(|comparison| !comparison.outcome.is_nan())
}
