//! What the referee and the loader take, in one thread: an audit of a submission with 200 calculations by a sheet of 100
//! rules, and the reading of a library of 54 sheets.
#![allow(missing_docs, reason = "the macros write undocumented items")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on has failed"
)]

use aggregates::{
    rulebooks::{sheet::Sheet, vocabulary::CheckStatus},
    runs::audit::{Work, audit},
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::{fs, hint::black_box, path::Path};

const CALCULATIONS: usize = 200;
const RULES: usize = 100;
const LIBRARY: usize = 54;

/// A sheet of 100 rules: 40 results that the referee computes itself, 40 conditions, 10 values, 10 lists with sources.
fn sheet() -> Sheet {
    let math = (0..40).map(|n| {
        json!({
            "key": format!("result_of_{n}"), "label": "The result is right", "calculation": format!("Ratio {n}"),
            "formula": "(income - costs) / income", "tolerance": 0.001,
        })
    });
    let conditions = (0..40).map(|n| {
        let gate = json!({"op": ">=", "left": {"calc": format!("Ratio {n}")}, "right": 0.1});
        let each = json!({"op": "each", "array": "claims", "term": {"op": "present", "field": "@.source"}});
        json!({
            "key": format!("gate_{n}"), "label": "The ratio is high enough", "severity": "high",
            "assert": {"op": "and", "terms": [gate, each]},
        })
    });
    let values = (0..10).map(|n| {
        json!({"key": format!("value_{n}"), "label": "It is decided", "match_field": "decision", "expected_values": ["pay"]})
    });
    let sources = (0..10)
        .map(|n| json!({"key": format!("source_{n}"), "label": "Sourced", "match_field": "claims", "field": "source"}));
    let calculation = json!({
        "type": "object", "required": ["name", "formula", "inputs", "result"],
        "properties": {"name": {"type": "string"}, "formula": {"type": "string"}, "result": {"type": "number"}},
    });
    let spec = json!({
        "required_output_schema": {
            "type": "object", "required": ["calculations", "claims", "decision"],
            "properties": {"calculations": {"type": "array", "items": calculation}, "decision": {"enum": ["pay", "escalate"]}},
        },
        "math_checks": math.collect::<Vec<_>>(),
        "rules": conditions.collect::<Vec<_>>(),
        "deterministic_checks": values.collect::<Vec<_>>(),
        "evidence_checks": sources.collect::<Vec<_>>(),
    });
    let file = json!({
        "slug": "measured_v1", "name": "Measured", "version": "1.0", "lane": "agent", "summary": "s", "purpose": "p",
        "assignment_instructions": "i", "required_inputs": ["income"], "expected_outputs": ["o"],
        "audit_checks": [], "eval_spec": spec,
    });
    Sheet::load(file.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// A submission with 200 calculations and as many claims.
fn submission() -> String {
    let calculation = |n: usize| {
        json!({
            "name": format!("Ratio {n}"), "formula": "(income - costs) / income",
            "inputs": {"income": 1_000 + n, "costs": 700}, "result": (300 + n) as f64 / (1_000 + n) as f64, "units": "ratio",
        })
    };
    let claim = |n: usize| json!({"claim": format!("Ratio {n} is above a tenth."), "source": format!("page {n}")});
    let work = json!({
        "calculations": (0..CALCULATIONS).map(calculation).collect::<Vec<_>>(),
        "claims": (0..CALCULATIONS).map(claim).collect::<Vec<_>>(),
        "decision": "pay",
    });
    work.to_string()
}

fn measure(criterion: &mut Criterion) {
    let (sheet, output, inputs) = (sheet(), submission(), Value::Object(serde_json::Map::new()));
    let work = Work { sheet: &sheet, inputs: &inputs, output: &output, evidence: &[], stack: None };
    let checks = audit(&work);
    let own = ["json_valid", "required_fields_present", "schema_valid", "calculations_well_formed"].len();
    assert_eq!(checks.len(), own + CALCULATIONS + RULES);
    assert!(checks.iter().all(|check| check.status == CheckStatus::Pass), "what is measured is a whole audit");
    criterion.bench_function("audit of 200 calculations by 100 rules", |bench| bench.iter(|| audit(black_box(&work))));

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/flight-sheets");
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let library: Vec<Vec<u8>> = files.collect::<Vec<_>>().into_iter().cycle().take(LIBRARY).collect();
    criterion.bench_function("reading a library of 54 sheets", |bench| {
        bench.iter(|| library.iter().map(|file| Sheet::load(black_box(file)).unwrap()).collect::<Vec<_>>());
    });
}

criterion_group!(audits, measure);
criterion_main!(audits);
