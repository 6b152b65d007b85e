//! The mean result of each item.

use super::{answered, Comparison};

/// The share that each of `n` items won of its comparisons, in [0, 1]: `Σ w y / Σ w` over the answered ones, with `y` 1
/// for a win, 0.5 for a tie and 0 for a loss. NaN for an item without any.
///
/// Only results count, not against whom: where items met different opponents, [`super::bradley_terry`] is fairer.
pub fn mean_win(n: usize, comparisons: &[Comparison]) -> Vec<f64> {
    let mut won = vec![0.0; n];
    let mut weight = vec![0.0; n];
    for comparison in answered(comparisons) {
        won[comparison.first] += comparison.weight * comparison.outcome;
        won[comparison.second] += comparison.weight * (1.0 - comparison.outcome);
        weight[comparison.first] += comparison.weight;
        weight[comparison.second] += comparison.weight;
    }
    won.iter().zip(&weight).map(|(won, weight)| won / weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let one = |first, second, outcome, weight| Comparison { first, second, outcome, weight };
        let played = [one(0, 1, 1.0, 1.0), one(1, 2, 0.5, 1.0), one(2, 0, 0.0, 3.0), one(0, 3, f64::NAN, 1.0)];
        let means = mean_win(4, &played);
        assert_eq!(means[..3], [1.0, 0.25, 0.125]);
        assert!(means[3].is_nan());
        assert!(mean_win(0, &[]).is_empty());
    }
}
