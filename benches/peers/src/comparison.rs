//! All rivals at one piece of work, in turn, round after round.

use crate::rival::Rival;
use crate::work::{Prepared, Work};

/// The speed of a rival relative to the bound of the same round: 1 is as fast as the bound, more is faster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speed {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// What came out of one piece of work.
pub(crate) struct Comparison {
    pub(crate) work: Work,
    /// What the speeds are relative to.
    pub(crate) bound: &'static str,
    /// The median of the bound, nanoseconds per record.
    pub(crate) bound_ns: f64,
    /// One for each rival, in their order.
    pub(crate) speeds: Vec<Result<Speed, &'static str>>,
}

/// Runs all of them in each round, the bound first, so that whatever else the machine does hits all of them.
pub(crate) fn compare(
    work: Work,
    bound: &dyn Rival,
    rivals: &[Box<dyn Rival>],
    rounds: usize,
) -> Comparison {
    let bare = work.prepare(bound);
    let able: Vec<Result<Option<Prepared>, &'static str>> = rivals
        .iter()
        .map(|rival| match work.refused(rival.as_ref()) {
            Some(reason) => Err(reason),
            None => Ok(work.prepare(rival.as_ref())),
        })
        .collect();
    let mut bound_ns = Vec::new();
    let mut ratios = vec![Vec::new(); rivals.len()];
    // The first round warms up.
    for round in 0..=rounds {
        let bare_ns = work.run(bound, bare.as_ref(), true);
        if round > 0 {
            bound_ns.push(bare_ns);
        }
        for ((rival, able), ratios) in rivals.iter().zip(&able).zip(&mut ratios) {
            if let Ok(prepared) = able {
                let ns = work.run(rival.as_ref(), prepared.as_ref(), false);
                if round > 0 {
                    ratios.push(bare_ns / ns);
                }
            }
        }
    }
    let speeds = able
        .into_iter()
        .zip(&mut ratios)
        .map(|(able, ratios)| able.map(|_| speed(ratios)))
        .collect();
    bound_ns.sort_by(f64::total_cmp);
    Comparison {
        work,
        bound: bound.name(),
        bound_ns: bound_ns[rounds / 2],
        speeds,
    }
}

fn speed(ratios: &mut [f64]) -> Speed {
    ratios.sort_by(f64::total_cmp);
    Speed {
        median: ratios[ratios.len() / 2],
        lowest: ratios[0],
        highest: ratios[ratios.len() - 1],
    }
}
