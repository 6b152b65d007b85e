//! Bindings of rankings and tournaments.

use super::convert;
use super::parse::column;
use crate::batch::{self, Comparisons};
use numpy::{PyArray1, PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

type Floats = Py<PyArray1<f64>>;
type Integers = Py<PyArray1<i64>>;

/// The columns of [`Comparisons`], held while the core reads them.
struct Held<'py> {
    row_offsets: PyReadonlyArray1<'py, i64>,
    first: PyReadonlyArray1<'py, i64>,
    second: PyReadonlyArray1<'py, i64>,
    outcome: PyReadonlyArray1<'py, f64>,
    weight: Option<PyReadonlyArray1<'py, f64>>,
    n_items: Vec<u32>,
}

impl<'py> Held<'py> {
    fn new(columns: [&Bound<'py, PyAny>; 5], weights: Option<&Bound<'py, PyAny>>) -> PyResult<Self> {
        let [row_offsets, first, second, outcome, n_items] = columns;
        let row_offsets = convert::integers(row_offsets, "row_offsets")?;
        let n_groups = row_offsets.len().saturating_sub(1);
        Ok(Self {
            row_offsets,
            first: convert::integers(first, "first")?,
            second: convert::integers(second, "second")?,
            outcome: convert::floats(outcome, "outcome")?,
            weight: weights.map(|column| convert::floats(column, "weights")).transpose()?,
            n_items: convert::sizes(n_items, "n_items", n_groups)?,
        })
    }

    fn comparisons(&self) -> PyResult<Comparisons<'_>> {
        Ok(Comparisons {
            row_offsets: self.row_offsets.as_slice()?,
            first: self.first.as_slice()?,
            second: self.second.as_slice()?,
            outcome: self.outcome.as_slice()?,
            weight: self.weight.as_ref().map(|column| column.as_slice()).transpose()?,
            n_items: &self.n_items,
        })
    }
}

#[pyfunction]
#[pyo3(signature = (row_offsets, first, second, outcome, n_items, *, weights = None, prior_std = 5.0))]
#[allow(clippy::too_many_arguments)] // the columns of one table
pub(super) fn bradley_terry(
    py: Python<'_>,
    row_offsets: &Bound<'_, PyAny>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
    outcome: &Bound<'_, PyAny>,
    n_items: &Bound<'_, PyAny>,
    weights: Option<&Bound<'_, PyAny>>,
    prior_std: f64,
) -> PyResult<Floats> {
    let held = Held::new([row_offsets, first, second, outcome, n_items], weights)?;
    let comparisons = held.comparisons()?;
    Ok(column(py, py.detach(|| batch::bradley_terry(comparisons, prior_std))?))
}

#[pyfunction]
#[pyo3(signature = (row_offsets, first, second, outcome, n_items, *, weights = None))]
pub(super) fn mean_win(
    py: Python<'_>,
    row_offsets: &Bound<'_, PyAny>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
    outcome: &Bound<'_, PyAny>,
    n_items: &Bound<'_, PyAny>,
    weights: Option<&Bound<'_, PyAny>>,
) -> PyResult<Floats> {
    let held = Held::new([row_offsets, first, second, outcome, n_items], weights)?;
    let comparisons = held.comparisons()?;
    Ok(column(py, py.detach(|| batch::mean_win(comparisons))?))
}

#[pyfunction]
#[pyo3(signature = (row_offsets, first, second, outcome, n_items, *, schedule, weights = None, seeds = None, budgets = None, anchors = None))]
#[allow(clippy::too_many_arguments)] // the columns of one table
pub(super) fn next_pairs(
    py: Python<'_>,
    row_offsets: &Bound<'_, PyAny>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
    outcome: &Bound<'_, PyAny>,
    n_items: &Bound<'_, PyAny>,
    schedule: &str,
    weights: Option<&Bound<'_, PyAny>>,
    seeds: Option<&Bound<'_, PyAny>>,
    budgets: Option<&Bound<'_, PyAny>>,
    anchors: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Integers, Integers, Integers)> {
    let schedule = schedule.parse()?;
    let held = Held::new([row_offsets, first, second, outcome, n_items], weights)?;
    let comparisons = held.comparisons()?;
    let n_groups = held.n_items.len();
    let seeds = seeds.map(|column| convert::integers(column, "seeds")).transpose()?;
    let seeds = seeds.as_ref().map(|column| column.as_slice()).transpose()?;
    let budgets = budgets.map(|column| convert::sizes(column, "budgets", n_groups)).transpose()?;
    let anchors = anchors.map(|column| convert::sizes(column, "anchors", n_groups)).transpose()?;
    let pairs =
        py.detach(|| batch::next_pairs(comparisons, schedule, seeds, budgets.as_deref(), anchors.as_deref()))?;
    Ok((column(py, pairs.row_offsets), column(py, pairs.first), column(py, pairs.second)))
}
