//! How much longer Restock takes than the library that it uses, alone: `cargo bench -p restock-bench --bench ratios`.
//!
//! Both run in turn in one process, so a noisy machine slows both. Fails if a ratio is over its budget.

use restock_bench::feeds;
use restock_bench::mails::Mails;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Pairs that the median is taken of.
const PAIRS: usize = 51;

fn main() -> ExitCode {
    let feed = feeds::rss(1_000);
    let mails = Mails::default();
    let reading = ratio(|| feeds::read(&feed, "application/xml"), || feeds::read_bare(&feed));
    let rendering = ratio(|| mails.render(), || mails.render_bare());
    let ratios = [("reading RSS, to quick-xml alone", reading, 6.0), ("rendering, to minijinja alone", rendering, 4.5)];
    let mut within = true;
    for (what, ratio, budget) in ratios {
        println!("{what}: {ratio:.1} (budget {budget})");
        within &= ratio <= budget;
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the median of how much longer `ours` takes than `bare`, over pairs of runs.
fn ratio(ours: impl Fn() -> usize, bare: impl Fn() -> usize) -> f64 {
    let mut ratios: Vec<f64> = (0..PAIRS).map(|_| time(&ours).as_secs_f64() / time(&bare).as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[PAIRS / 2]
}

fn time(run: &impl Fn() -> usize) -> Duration {
    let begun = Instant::now();
    black_box(run());
    begun.elapsed()
}
