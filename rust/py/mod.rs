//! The Python bindings: the only place that knows PyO3 or numpy. A binding extracts its arguments, leaves the
//! interpreter once for the whole batch, and converts the result. What the functions mean stands in `_core.pyi`.

mod convert;
mod matching;
mod parse;
mod ranking;
mod reward;
mod stats;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pyo3::create_exception!(rationale_rm, RationaleError, PyValueError, "Misuse of a function of this package.");

impl From<crate::Error> for PyErr {
    fn from(error: crate::Error) -> Self {
        RationaleError::new_err(error.to_string())
    }
}

/// Runs later batches on the calling thread; registered to run in forked children.
#[pyfunction]
fn _run_serially() {
    crate::batch::run_serially();
}

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::_run_serially;
    #[pymodule_export]
    use super::matching::{match_, match_sparse, score, similarity, MatchBatch, ScoreBatch, SimilarityBatch};
    #[pymodule_export]
    use super::parse::{parse_claims, parse_genrm, parse_metajudge, ClaimsBatch, GenrmBatch, MetaJudgeBatch};
    #[pymodule_export]
    use super::ranking::{bradley_terry, mean_win, next_pairs};
    #[pymodule_export]
    use super::reward::{format_reward, group_advantages, hybrid_reward, length_reward, outcome_reward};
    #[pymodule_export]
    use super::stats::{
        agreement, bootstrap_ci, mcnemar, paired_bootstrap, spearman, Agreement, Interval, Mcnemar, Paired,
    };
    #[pymodule_export]
    use super::RationaleError;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        use crate::parse::{ClaimsStatus, GenrmStatus, MetaJudgeStatus, VerdictFamily};
        use pyo3::types::PyTuple;

        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("NO_VERDICT", crate::Verdict::NONE)?;
        module.add("GENRM_STATUSES", PyTuple::new(py, GenrmStatus::NAMES)?)?;
        module.add("METAJUDGE_STATUSES", PyTuple::new(py, MetaJudgeStatus::NAMES)?)?;
        module.add("CLAIMS_STATUSES", PyTuple::new(py, ClaimsStatus::NAMES)?)?;
        module.add("VERDICT_FAMILIES", PyTuple::new(py, VerdictFamily::NAMES)?)
    }
}
