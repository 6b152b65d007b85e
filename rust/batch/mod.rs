//! The stages over whole batches: rows in, columns out, in parallel where that pays.
//!
//! Rows never touch each other. Variable-length results are flat columns with `row_offsets`: what belongs to row i is
//! `row_offsets[i]..row_offsets[i + 1]`. Only this module uses rayon.

mod matched;
mod parsed;
mod ranked;
mod scored;

pub use matched::{match_dense, match_parsed, match_sparse, DenseScores, MatchColumns, SparseScores};
pub use parsed::{parse_claims, parse_genrm, parse_metajudge, ClaimsColumns, GenrmColumns, MetaJudgeColumns};
pub use ranked::{bradley_terry, mean_win, next_pairs, Comparisons, PairColumns};
pub use scored::{score, similarity, ScoreColumns, SimilarityColumns};

use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

/// Set in a forked child: the pool's threads did not survive the fork, and waiting for them would never end.
static SERIAL: AtomicBool = AtomicBool::new(false);

/// Makes every later batch run on the calling thread. For a forked child, whose thread pool is dead.
pub fn run_serially() {
    SERIAL.store(true, Ordering::Relaxed);
}

/// Calls `stage` on consecutive parts of `0..n` and returns the results in order.
///
/// `grain` is the smallest number of rows that is worth a task of its own; a smaller batch runs on the calling
/// thread. Waking the pool costs about 20 µs, so a grain holds at least that much work.
fn in_parts<R: Send>(n: usize, grain: usize, stage: impl Fn(std::ops::Range<usize>) -> R + Sync) -> Vec<R> {
    if n < 2 * grain || SERIAL.load(Ordering::Relaxed) || threads() == 1 {
        return vec![stage(0..n)];
    }
    let part = n.div_ceil(4 * threads()).max(grain);
    let starts: Vec<usize> = (0..n).step_by(part).collect();
    starts.into_par_iter().map(|start| stage(start..n.min(start + part))).collect()
}

/// The threads of the pool, which is made at the first call; 1 where the system gives none.
fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| match rayon::ThreadPoolBuilder::new().build_global() {
        Ok(()) => rayon::current_num_threads(),
        Err(_) => 1,
    })
}

/// A byte offset or line as a column value.
fn position(value: Option<usize>) -> i64 {
    value.map_or(-1, |value| value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_row_once_and_in_order() {
        for n in [0, 1, 7, 64, 1000] {
            for grain in [1, 3, 400] {
                let parts = in_parts(n, grain, |rows| rows.collect::<Vec<_>>());
                assert_eq!(parts.concat(), (0..n).collect::<Vec<_>>());
            }
        }
    }
}
