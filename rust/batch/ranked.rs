//! Rankings of many groups at once.

use super::in_parts;
use crate::error::{check_length, Error, Result};
use crate::ranking::{self, Comparison, Schedule, Tournament, MAX_ITEMS};
use std::ops::Range;

/// Groups for a task: the strengths of eight items take some 45 µs.
const GRAIN: usize = 8;
/// The range of a weight, within which the strengths are accurate.
const WEIGHTS: Range<f64> = 1e-3..1e3;
/// The range of a prior's standard deviation, within which the strengths are accurate.
const PRIORS: Range<f64> = 1e-2..1e3;

/// Comparisons of groups as columns: those of group g are `row_offsets[g]..row_offsets[g + 1]`.
#[derive(Debug, Clone, Copy)]
pub struct Comparisons<'a> {
    /// Where the comparisons of each group begin, and the end.
    pub row_offsets: &'a [i64],
    /// One item of each comparison, by its number in the group.
    pub first: &'a [i64],
    /// The other item.
    pub second: &'a [i64],
    /// What `first` won, in [0, 1]; NaN where there is no answer.
    pub outcome: &'a [f64],
    /// What each comparison counts as; `None` for 1.
    pub weight: Option<&'a [f64]>,
    /// Items of each group.
    pub n_items: &'a [u32],
}

impl Comparisons<'_> {
    /// The comparisons of each group, checked.
    fn groups(&self) -> Result<Vec<Vec<Comparison>>> {
        let rows = self.first.len();
        check_length("second", self.second.len(), rows)?;
        check_length("outcome", self.outcome.len(), rows)?;
        check_length("weights", self.weight.map_or(rows, <[f64]>::len), rows)?;
        check_length("row_offsets", self.row_offsets.len(), self.n_items.len() + 1)?;
        if self.row_offsets.first() != Some(&0) || self.row_offsets.last() != Some(&(rows as i64)) {
            return Err(Error::Option(format!("row_offsets must go from 0 to the number of comparisons, {rows}")));
        }
        if let Some(at) = self.row_offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(Error::Option(format!("row_offsets[{}] is less than the one before it", at + 1)));
        }
        let group = |(group, &n): (usize, &u32)| {
            let n = n as usize;
            if n > MAX_ITEMS {
                let expected = "a group has at most 1024 items";
                return Err(Error::Value { name: "n_items", index: group, value: n.to_string(), expected });
            }
            let rows = self.row_offsets[group] as usize..self.row_offsets[group + 1] as usize;
            rows.map(|row| self.comparison(row, n)).collect()
        };
        self.n_items.iter().enumerate().map(group).collect()
    }

    fn comparison(&self, row: usize, n: usize) -> Result<Comparison> {
        let item = |name, column: &[i64]| {
            let expected = "items are numbered from 0 to n_items - 1 of their group";
            let fault = || Error::Value { name, index: row, value: column[row].to_string(), expected };
            usize::try_from(column[row]).ok().filter(|&item| item < n).ok_or_else(fault)
        };
        let (first, second) = (item("first", self.first)?, item("second", self.second)?);
        if first == second {
            let expected = "an item is compared with another one";
            return Err(Error::Value { name: "second", index: row, value: second.to_string(), expected });
        }
        let outcome = self.outcome[row];
        if !(outcome.is_nan() || (0.0..=1.0).contains(&outcome)) {
            let expected = "an outcome lies in [0, 1], or is NaN where there is no answer";
            return Err(Error::Value { name: "outcome", index: row, value: format!("{outcome:?}"), expected });
        }
        let weight = self.weight.map_or(1.0, |weight| weight[row]);
        if !(WEIGHTS.start..=WEIGHTS.end).contains(&weight) {
            let expected = "a weight lies in [0.001, 1000]";
            return Err(Error::Value { name: "weights", index: row, value: format!("{weight:?}"), expected });
        }
        Ok(Comparison { first, second, outcome, weight })
    }

    /// One number an item, group after group.
    fn each_item(&self, figure: impl Fn(usize, &[Comparison]) -> Vec<f64> + Sync) -> Result<Vec<f64>> {
        let groups = self.groups()?;
        let parts = in_parts(groups.len(), GRAIN, |part| {
            part.flat_map(|group| figure(self.n_items[group] as usize, &groups[group])).collect::<Vec<_>>()
        });
        Ok(parts.concat())
    }
}

/// [`ranking::bradley_terry`] of each group.
pub fn bradley_terry(comparisons: Comparisons<'_>, prior_std: f64) -> Result<Vec<f64>> {
    if !(PRIORS.start..=PRIORS.end).contains(&prior_std) {
        return Err(Error::Option(format!("prior_std is {prior_std}: it lies in [0.01, 1000]")));
    }
    comparisons.each_item(|n, played| ranking::bradley_terry(n, played, prior_std))
}

/// [`ranking::mean_win`] of each group.
pub fn mean_win(comparisons: Comparisons<'_>) -> Result<Vec<f64>> {
    comparisons.each_item(ranking::mean_win)
}

/// Pairs of items: those of group g are `row_offsets[g]..row_offsets[g + 1]`.
#[derive(Debug, Default)]
pub struct PairColumns {
    /// Where the pairs of each group begin, and the end.
    pub row_offsets: Vec<i64>,
    /// One item of each pair.
    pub first: Vec<i64>,
    /// The other item.
    pub second: Vec<i64>,
}

/// [`ranking::next_pairs`] of each group. `seeds`, `budgets` and `anchors` hold a number a group.
pub fn next_pairs(
    comparisons: Comparisons<'_>,
    schedule: Schedule,
    seeds: Option<&[i64]>,
    budgets: Option<&[u32]>,
    anchors: Option<&[u32]>,
) -> Result<PairColumns> {
    let groups = comparisons.groups()?;
    check_length("seeds", seeds.map_or(groups.len(), <[i64]>::len), groups.len())?;
    check_length("budgets", budgets.map_or(groups.len(), <[u32]>::len), groups.len())?;
    check_length("anchors", anchors.map_or(groups.len(), <[u32]>::len), groups.len())?;
    if anchors.is_some() && schedule != Schedule::Anchor {
        return Err(Error::Option("anchors go with the schedule \"anchor\" alone".to_owned()));
    }
    for (index, (&n, anchor)) in comparisons.n_items.iter().zip(anchors.unwrap_or_default()).enumerate() {
        if *anchor >= n {
            let expected = "an anchor is one of its group's items";
            return Err(Error::Value { name: "anchors", index, value: anchor.to_string(), expected });
        }
    }
    let parts = in_parts(groups.len(), GRAIN, |part| {
        let one = |group: usize| {
            let tournament = Tournament {
                n: comparisons.n_items[group] as usize,
                schedule,
                budget: budgets.map(|budgets| budgets[group] as usize),
                seed: seeds.map_or(0, |seeds| seeds[group] as u64),
                anchor: anchors.map(|anchors| anchors[group] as usize),
            };
            ranking::next_pairs(&tournament, &groups[group])
        };
        part.map(one).collect::<Vec<_>>()
    });
    let mut columns = PairColumns { row_offsets: vec![0], ..PairColumns::default() };
    for pairs in parts.into_iter().flatten() {
        columns.first.extend(pairs.iter().map(|pair| pair.0 as i64));
        columns.second.extend(pairs.iter().map(|pair| pair.1 as i64));
        columns.row_offsets.push(columns.first.len() as i64);
    }
    Ok(columns)
}
