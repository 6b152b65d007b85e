//! Bradley–Terry strengths.

use super::cholesky::Cholesky;
use super::{answered, Comparison};

/// The default standard deviation of the prior, in log-odds: wide enough that a clear record decides.
pub const PRIOR_STD: f64 = 5.0;
/// Newton steps; a handful is usual.
const MAX_STEPS: usize = 200;
/// A step below this share of the largest strength (or of 1) ends the search: the error left is its square.
const TOLERANCE: f64 = 1e-9;

/// The strengths θ, in log-odds, that explain the comparisons of `n` items best (Bradley and Terry 1952).
///
/// Item i beats item j with probability σ(θᵢ − θⱼ), σ the logistic function. A comparison of outcome y and weight w
/// counts as `w y` wins and `w (1 − y)` losses, so a tie is half a win for each: a parameter for ties (Davidson, Rao and
/// Kupper) cannot be told from noise in a group of eight. With a normal prior of mean 0 and standard deviation s on each
/// strength, the result is the maximum of
///
/// ```text
/// Σ w (y log σ(θᵢ − θⱼ) + (1 − y) log σ(θⱼ − θᵢ)) − Σ θᵢ² / 2s²
/// ```
///
/// which is strictly concave: there is exactly one maximum, and it is finite for any record, perfect ones and
/// disconnected ones included. Each connected part has the mean 0, so parts are held to be equally strong. Of a full
/// round-robin with equal weights the strengths are in the order of the wins, whatever the prior.
///
/// Found by Newton's method with step halving; the outcome depends on nothing but the arguments. NaN for an item
/// without an answered comparison.
pub fn bradley_terry(n: usize, comparisons: &[Comparison], prior_std: f64) -> Vec<f64> {
    let mut strengths = fit(n, comparisons, prior_std).strengths;
    let mut met = vec![false; n];
    for comparison in answered(comparisons) {
        met[comparison.first] = true;
        met[comparison.second] = true;
    }
    for (strength, met) in strengths.iter_mut().zip(met) {
        if !met {
            *strength = f64::NAN;
        }
    }
    strengths
}

/// The maximum, and the curvature there.
pub(super) struct Fit {
    /// θ; 0 for an item that was not compared.
    pub(super) strengths: Vec<f64>,
    /// The factorised negative Hessian, whose inverse is the covariance of θ in the Laplace approximation.
    pub(super) precision: Cholesky,
}

pub(super) fn fit(n: usize, comparisons: &[Comparison], prior_std: f64) -> Fit {
    let precision = 1.0 / (prior_std * prior_std);
    let answered: Vec<Comparison> = answered(comparisons).copied().collect();
    let mut strengths = vec![0.0; n];
    let mut height = log_posterior(&answered, &strengths, precision);
    for _ in 0..MAX_STEPS {
        let (gradient, curvature) = derivatives(&answered, &strengths, precision);
        let step = curvature.solve(&gradient);
        let (mut longest, mut largest) = (0.0_f64, 1.0_f64);
        for (step, strength) in step.iter().zip(&strengths) {
            longest = longest.max(step.abs());
            largest = largest.max(strength.abs());
        }
        // Far from the maximum a whole step may go too far. Near it, rounding hides what a step gains.
        let mut share = 1.0;
        loop {
            let next: Vec<f64> = strengths.iter().zip(&step).map(|(at, step)| at + share * step).collect();
            let reached = log_posterior(&answered, &next, precision);
            if reached > height || longest <= 1e-4 || share < 1e-9 {
                (strengths, height) = (next, reached);
                break;
            }
            share /= 2.0;
        }
        if longest <= TOLERANCE * largest {
            break;
        }
    }
    let (_, precision) = derivatives(&answered, &strengths, precision);
    Fit { strengths, precision }
}

fn log_posterior(comparisons: &[Comparison], strengths: &[f64], precision: f64) -> f64 {
    let likelihood: f64 = comparisons
        .iter()
        .map(|&Comparison { first, second, outcome, weight }| {
            let ahead = strengths[first] - strengths[second];
            // log σ(x) = −log(1 + e^−x), and log σ(−x) = log σ(x) − x
            weight * (-softplus(-ahead) - (1.0 - outcome) * ahead)
        })
        .sum();
    likelihood - precision / 2.0 * strengths.iter().map(|strength| strength * strength).sum::<f64>()
}

/// The gradient, and the factorised negative Hessian.
fn derivatives(comparisons: &[Comparison], strengths: &[f64], precision: f64) -> (Vec<f64>, Cholesky) {
    let n = strengths.len();
    let mut gradient: Vec<f64> = strengths.iter().map(|strength| -precision * strength).collect();
    let mut curvature = vec![0.0; n * n];
    for item in 0..n {
        curvature[item * n + item] = precision;
    }
    for &Comparison { first, second, outcome, weight } in comparisons {
        let p = win_probability(strengths[first] - strengths[second]);
        let surprise = weight * (outcome - p);
        gradient[first] += surprise;
        gradient[second] -= surprise;
        let information = weight * p * (1.0 - p);
        curvature[first * n + first] += information;
        curvature[second * n + second] += information;
        curvature[first * n + second] -= information;
        curvature[second * n + first] -= information;
    }
    (gradient, Cholesky::new(n, curvature))
}

/// σ(x). By libm, whose results are the same on every platform.
pub(super) fn win_probability(ahead: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-ahead))
}

/// log(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(first: usize, second: usize, outcome: f64) -> Comparison {
        Comparison { first, second, outcome, weight: 1.0 }
    }

    /// How far the gradient is from 0, which it is at the maximum alone.
    fn slope(n: usize, comparisons: &[Comparison], strengths: &[f64], prior_std: f64) -> f64 {
        let known: Vec<f64> =
            strengths.iter().map(|&strength| if strength.is_nan() { 0.0 } else { strength }).collect();
        assert_eq!(known.len(), n);
        let answered: Vec<Comparison> = answered(comparisons).copied().collect();
        let (gradient, _) = derivatives(&answered, &known, 1.0 / (prior_std * prior_std));
        gradient.iter().fold(0.0, |most, slope| slope.abs().max(most))
    }

    #[test]
    fn two_items_that_share_their_wins() {
        // Without a prior, 3 wins to 1 are log 3 apart.
        let played = [one(0, 1, 1.0), one(0, 1, 1.0), one(1, 0, 0.0), one(1, 0, 1.0)];
        let strengths = bradley_terry(2, &played, 1e3);
        assert!((strengths[0] - strengths[1] - 3.0_f64.ln()).abs() < 1e-5, "{strengths:?}");
        assert!((strengths[0] + strengths[1]).abs() < 1e-9);
    }

    #[test]
    fn records_without_a_likeliest_strength() {
        let perfect: Vec<Comparison> = (0..30).map(|item| one(item, item + 1, 1.0)).collect();
        let strengths = bradley_terry(31, &perfect, PRIOR_STD);
        assert!(strengths.windows(2).all(|pair| pair[0] > pair[1] && pair[0].is_finite()), "{strengths:?}");
        let parts = bradley_terry(5, &[one(0, 1, 1.0), one(3, 2, 1.0)], PRIOR_STD);
        assert!((parts[0] - parts[3]).abs() < 1e-12 && (parts[0] + parts[1]).abs() < 1e-12 && parts[4].is_nan());
    }

    #[test]
    fn what_says_nothing() {
        assert!(bradley_terry(0, &[], PRIOR_STD).is_empty());
        assert!(bradley_terry(1, &[], PRIOR_STD)[0].is_nan());
        assert!(bradley_terry(2, &[one(0, 1, f64::NAN)], PRIOR_STD).iter().all(|strength| strength.is_nan()));
        assert_eq!(bradley_terry(2, &[one(0, 1, 0.5)], PRIOR_STD), [0.0, 0.0]);
    }

    fn comparison(n: usize) -> impl Strategy<Value = Comparison> {
        let outcome = prop_oneof![Just(0.0), Just(0.5), Just(1.0), Just(f64::NAN), 0.0..=1.0];
        (0..n, 1..n, outcome, prop_oneof![Just(1.0), 1e-3..1e3]).prop_map(move |(first, off, outcome, weight)| {
            Comparison { first, second: (first + off) % n, outcome, weight }
        })
    }

    proptest! {
        #[test]
        fn the_gradient_vanishes(
            (n, played) in (2_usize..9).prop_flat_map(|n| (Just(n), prop::collection::vec(comparison(n), 0..40))),
            prior_std in prop_oneof![Just(0.1), Just(5.0), Just(100.0)],
        ) {
            let strengths = bradley_terry(n, &played, prior_std);
            let weight: f64 = 1.0 + played.iter().map(|comparison| comparison.weight).sum::<f64>();
            prop_assert!(slope(n, &played, &strengths, prior_std) <= 1e-9 * weight, "{strengths:?}");
        }
    }
}
