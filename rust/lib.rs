//! Rationale Consistency for generative reward models (Wang et al., arXiv 2602.04649).
//!
//! The crate is the pipeline, one module a stage; it knows no Python (`py` alone does):
//!
//! 1. [`verdict`]: the five-level verdict, its spellings, and its flip under an A/B swap;
//! 2. [`parse`]: judge transcripts into reasons, verdicts, match scores and claims;
//! 3. [`similarity`]: lexical scores between reasons, for judging without a model;
//! 4. [`matching`]: the one-to-one matching of reasons (Eq. 1);
//! 5. [`score`]: Rationale Consistency (Eq. 2), precision, F1, average precision (Eq. 3);
//! 6. [`reward`]: outcome and hybrid rewards (Eq. 4), shaping, group advantages (Eq. 5);
//! 7. [`stats`]: seeded bootstrap intervals, paired tests, agreement figures;
//! 8. [`ranking`]: tournament schedules and Bradley–Terry strengths, for a GenRM as the reward of a policy;
//! 9. [`batch`]: the stages over columns, in parallel.
#![cfg_attr(not(feature = "python"), forbid(unsafe_code))]
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod batch;
pub mod error;
pub mod matching;
pub mod parse;
pub mod ranking;
pub mod reward;
pub mod score;
pub mod similarity;
pub mod stats;
pub mod verdict;

#[cfg(feature = "python")]
mod py;

pub use error::{Error, Result};
pub use verdict::Verdict;
