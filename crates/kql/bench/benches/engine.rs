//! 300,000 audit rows (130 MB of JSON lines): reading them, and queries over them.

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use kql::{ColumnTable, MemoryTables};
use std::hint::black_box;
use std::time::Duration;

const ROWS: usize = 300_000;

fn text() -> Vec<u8> {
    let mut text = Vec::new();
    kql_bench::write_rows(&mut text, ROWS).expect("memory takes rows");
    text
}

fn read(text: &[u8]) -> ColumnTable {
    let schema = kql::infer_schema(text, 1_000).expect("objects");
    kql::read_json_lines(text, &schema, None).expect("objects")
}

fn reading(c: &mut Criterion) {
    let text = text();
    let table = read(&text);
    println!("{} bytes of JSON a row, {} in memory", text.len() / ROWS, table.bytes() / ROWS);
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(8));
    group.bench_function("all columns", |b| b.iter(|| read(black_box(&text)).len()));
    group.bench_function("two columns", |b| {
        let schema = table.schema();
        let wanted: Vec<bool> =
            schema.columns.iter().map(|c| ["OperationName", "DurationMs"].contains(&&*c.name)).collect();
        b.iter(|| kql::read_json_lines(black_box(&text), schema, Some(&wanted)).map(|t| t.len()));
    });
    group.finish();
}

fn queries(c: &mut Criterion) {
    let tables = MemoryTables::new().with_columns("T", read(&text()));
    let mut group = c.benchmark_group("query");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(5));
    for (name, query) in kql_bench::QUERIES {
        let plan = kql::bind(query, &tables, 0).expect("a query that binds");
        group.bench_function(*name, |b| {
            b.iter(|| plan.run(&tables).map(|row| row.expect("a row").len()).sum::<usize>());
        });
    }
    group.finish();
}

criterion_group!(benches, reading, queries);
criterion_main!(benches);
