//! How long each takes: `cargo bench -p restock-bench --bench times`.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use restock_bench::feeds;
use restock_bench::mails::Mails;
use restock_bench::waiting::Page;

fn main() {
    divan::main();
}

/// Times a page of 200 who wait, by how many automations are asked.
#[divan::bench(args = [1, 5, 50])]
fn decide(bencher: Bencher<'_, '_>, automations: usize) {
    let page = Page::new(automations);
    bencher.counter(ItemsCount::new(200_usize)).bench(|| page.decide());
}

#[divan::bench]
fn read_rss(bencher: Bencher<'_, '_>) {
    let feed = feeds::rss(1_000);
    bencher.counter(BytesCount::of_str(&feed)).bench(|| feeds::read(&feed, "application/xml"));
}

#[divan::bench]
fn read_rss_with_quick_xml_alone(bencher: Bencher<'_, '_>) {
    let feed = feeds::rss(1_000);
    bencher.counter(BytesCount::of_str(&feed)).bench(|| feeds::read_bare(&feed));
}

#[divan::bench]
fn read_csv(bencher: Bencher<'_, '_>) {
    let feed = feeds::csv(1_000);
    bencher.counter(BytesCount::of_str(&feed)).bench(|| feeds::read(&feed, "text/csv"));
}

#[divan::bench]
fn render_the_compiled_in_template(bencher: Bencher<'_, '_>) {
    let mails = Mails::default();
    bencher.bench(|| mails.render_default());
}

#[divan::bench]
fn render(bencher: Bencher<'_, '_>) {
    let mails = Mails::default();
    bencher.bench(|| mails.render());
}

#[divan::bench]
fn render_with_minijinja_alone(bencher: Bencher<'_, '_>) {
    let mails = Mails::default();
    bencher.bench(|| mails.render_bare());
}
