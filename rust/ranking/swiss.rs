//! A round of the Swiss schedule.

use super::bradley_terry::{fit, win_probability, PRIOR_STD};
use super::schedule::Met;
use super::Comparison;

/// Differences below this share are rounding, which would prefer items by their number.
const DIGITS: f64 = 1e9;

/// Pairs of items that have not met, each item in one at the most, the most telling first.
///
/// A Swiss tournament lets equals meet. Standing by wins alone does not tell an item that lost to the best from one
/// that lost to the worst, so items stand here by their Bradley–Terry strengths θ, and a pair is worth what its result
/// is expected to teach: `p (1 − p) · Var(θᵢ − θⱼ)`, p the probability that i wins and the variance that of the
/// Laplace approximation. That is largest for items whose strengths are close and not yet known well. Pairs are taken
/// greedily; equal ones in the `drawn` order, so the first round is drawn.
pub(super) fn round(drawn: &[usize], played: &[Comparison], met: &Met) -> Vec<(usize, usize)> {
    let n = drawn.len();
    let fit = fit(n, played, PRIOR_STD);
    let covariance = fit.precision.inverse();
    let mut open = Vec::new();
    for (place, &first) in drawn.iter().enumerate() {
        for (other, &second) in drawn.iter().enumerate().skip(place + 1) {
            if met.contains(first, second) {
                continue;
            }
            let p = win_probability(fit.strengths[first] - fit.strengths[second]);
            let spread =
                covariance[first * n + first] + covariance[second * n + second] - 2.0 * covariance[first * n + second];
            open.push(((p * (1.0 - p) * spread * DIGITS).round(), place, other));
        }
    }
    open.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut busy = vec![false; n];
    let mut pairs = Vec::with_capacity(n / 2);
    for (_, first, second) in open {
        if !busy[first] && !busy[second] {
            busy[first] = true;
            busy[second] = true;
            pairs.push((drawn[first], drawn[second]));
        }
    }
    pairs
}
