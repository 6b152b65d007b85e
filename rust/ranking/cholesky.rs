//! Symmetric positive definite systems, dense.

/// The lower triangle L of `matrix = L Lᵀ`, n × n by rows.
pub(super) struct Cholesky {
    n: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factorises a symmetric positive definite `matrix`, of which the lower triangle is read.
    pub(super) fn new(n: usize, mut matrix: Vec<f64>) -> Cholesky {
        for row in 0..n {
            for column in 0..=row {
                let (above, this) = matrix.split_at(row * n);
                let known = if column < row { &above[column * n..column * n + column] } else { &this[..column] };
                let dot: f64 = this[..column].iter().zip(known).map(|(a, b)| a * b).sum();
                let rest = this[column] - dot;
                matrix[row * n + column] = if column < row { rest / matrix[column * n + column] } else { rest.sqrt() };
            }
        }
        Cholesky { n, lower: matrix }
    }

    /// The x of `matrix · x = right`.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (n, lower) = (self.n, &self.lower);
        let mut x = right.to_vec();
        for row in 0..n {
            let dot: f64 = lower[row * n..row * n + row].iter().zip(&x).map(|(a, b)| a * b).sum();
            x[row] = (x[row] - dot) / lower[row * n + row];
        }
        for row in (0..n).rev() {
            let dot: f64 = (row + 1..n).map(|below| lower[below * n + row] * x[below]).sum();
            x[row] = (x[row] - dot) / lower[row * n + row];
        }
        x
    }

    /// The inverse of the matrix, n × n.
    pub(super) fn inverse(&self) -> Vec<f64> {
        let mut unit = vec![0.0; self.n];
        let mut inverse = Vec::with_capacity(self.n * self.n);
        for column in 0..self.n {
            unit[column] = 1.0;
            inverse.extend(self.solve(&unit));
            unit[column] = 0.0;
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // [[4, 2], [2, 3]] has the inverse [[3, -2], [-2, 4]] / 8; the upper triangle is not read.
        let factor = Cholesky::new(2, vec![4.0, f64::NAN, 2.0, 3.0]);
        let close = |got: &[f64], wanted: &[f64]| got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(close(&factor.inverse(), &[0.375, -0.25, -0.25, 0.5]));
        assert!(close(&factor.solve(&[8.0, 8.0]), &[1.0, 2.0]));
        assert!(Cholesky::new(0, vec![]).solve(&[]).is_empty());
    }
}
