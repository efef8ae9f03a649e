//! The worked example of docs/flight-sheets.md: it loads, and comes to what the page says.

#![allow(clippy::expect_used, clippy::panic)] // helpers of tests, which the lints do not take for tests

use aggregates::{
    rulebooks::sheet::Sheet,
    runs::audit::{Work, audit},
};
use serde_json::json;

const PAGE: &str = include_str!("../../docs/flight-sheets.md");

/// The JSON block behind a mark.
fn block(mark: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("<!-- {mark} -->\n```json\n")).expect("the mark and its block");
    rest.split_once("\n```").expect("the end of the block").0
}

/// The table of checks as the page has it: a row for each, with its key and status.
fn table(output: &str) -> String {
    let sheet = Sheet::load(block("sheet").as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let inputs = json!({"quoted": 10_000, "invoiced": 10_700});
    let checks = audit(&Work { sheet: &sheet, inputs: &inputs, output, evidence: &[], stack: None });
    checks.iter().map(|check| format!("| `{}` | {} |\n", check.key, check.status)).collect()
}

#[test]
fn the_example_comes_to_what_the_page_says() {
    let (_, rest) = PAGE.split_once("<!-- checks -->\n| check | status |\n|---|---|\n").expect("the table");
    let (found, _) = rest.split_once("<!-- /checks -->").expect("its end");
    let computed = table(block("submission"));
    assert_eq!(found, computed, "put these rows into docs/flight-sheets.md:\n{computed}");
}

#[test]
fn with_the_other_decision_the_rule_passes() {
    let escalated = block("submission").replace("\"pay\"", "\"escalate\"");
    assert!(table(&escalated).contains("| `escalated` | pass |"));
}
