//! A round of the knockout schedule.

use super::Comparison;

/// The pairs of the round that is under way or comes next; none when one item is left.
///
/// The bracket is the `drawn` order: neighbours meet. The last of an odd number goes on without playing, and stands first
/// in the next round, so that none does so twice in a row. After a tie, or where there is no answer, the one that stands
/// first in the bracket goes on.
pub(super) fn round(drawn: &[usize], played: &[Comparison]) -> Vec<(usize, usize)> {
    let mut left = drawn.to_vec();
    while left.len() > 1 {
        let pairs: Vec<(usize, usize)> = left.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let winners: Option<Vec<usize>> = pairs.iter().map(|&pair| winner(pair, played)).collect();
        let Some(mut winners) = winners else {
            return pairs;
        };
        if left.len() % 2 == 1 {
            winners.insert(0, left[left.len() - 1]);
        }
        left = winners;
    }
    Vec::new()
}

/// Who goes on; `None` where the pair has not met.
fn winner((first, second): (usize, usize), played: &[Comparison]) -> Option<usize> {
    let beaten = |comparison: &Comparison| match (comparison.first, comparison.second) {
        pair if pair == (first, second) => Some(comparison.outcome < 0.5),
        pair if pair == (second, first) => Some(comparison.outcome > 0.5),
        _ => None,
    };
    played.iter().find_map(beaten).map(|beaten| if beaten { second } else { first })
}
