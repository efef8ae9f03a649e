//! The built-in flight sheets: each loads, and judges its two examples exactly as written here.

#![allow(clippy::expect_used, clippy::panic)] // helpers of tests, which the lints do not take for tests

use aggregates::{
    ids::EvidenceId,
    rulebooks::{
        sheet::Sheet,
        vocabulary::{CheckStatus, NextAction, Severity},
    },
    runs::{
        audit::{Exhibit, Outcome, Work, audit},
        verdict::verdict,
    },
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf};

fn catalog() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../catalog")
}

fn read(path: &str) -> String {
    fs::read_to_string(catalog().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn slugs() -> BTreeSet<String> {
    let files = fs::read_dir(catalog().join("flight-sheets")).expect("the folder of sheets");
    files.map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

fn sheet(slug: &str) -> Sheet {
    let bytes = read(&format!("flight-sheets/{slug}.json"));
    Sheet::load(bytes.as_bytes()).unwrap_or_else(|error| panic!("{slug}: {error}"))
}

/// Judges one of the examples.
fn judged(sheet: &Sheet, case: &str) -> Vec<Outcome> {
    let run = json(&format!("examples/{}/{case}.run.json", sheet.slug));
    let output = read(&format!("examples/{}/{case}.json", sheet.slug));
    let text = |exhibit: &Value, key: &str| exhibit[key].as_str().expect("a text").to_owned();
    let evidence: Vec<(String, String)> = run["evidence"]
        .as_array()
        .expect("evidence")
        .iter()
        .map(|exhibit| (text(exhibit, "label"), text(exhibit, "content")))
        .collect();
    let exhibits: Vec<Exhibit<'_>> = evidence
        .iter()
        .map(|(label, content)| Exhibit { id: EvidenceId::default(), label, text: Some(content) })
        .collect();
    audit(&Work { sheet, inputs: &run["inputs"], output: &output, evidence: &exhibits, stack: None })
}

fn with_status(checks: &[Outcome], status: CheckStatus) -> Vec<String> {
    let found = checks.iter().filter(|check| check.status == status);
    found.map(|check| format!("{} {}", check.key, check.severity)).collect()
}

/// What an example comes to: its flags in order, what is left for a person, and the verdict without that.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    flags: Vec<String>,
    open: Vec<String>,
    severity: Severity,
    next_action: NextAction,
}

/// What both examples of a sheet come to, written by hand beside them.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Both {
    pass: Expected,
    fail: Expected,
}

#[test]
fn every_sheet_is_named_after_its_file_and_judges_its_examples_as_expected() {
    for slug in slugs() {
        let sheet = sheet(&slug);
        assert_eq!(sheet.slug, slug);
        let both: Both = serde_json::from_str(&read(&format!("examples/{slug}/expected.json"))).expect(&slug);
        assert_eq!((both.pass.flags.as_slice(), both.pass.severity), (&[][..], Severity::Honey), "{slug}");
        assert_eq!(both.fail.severity, Severity::Propolis, "{slug}");
        for (case, expected) in [("pass", both.pass), ("fail", both.fail)] {
            let checks = judged(&sheet, case);
            let explained: Vec<_> = checks.iter().filter(|check| check.is_flag()).map(|check| &check.detail).collect();
            assert_eq!(with_status(&checks, CheckStatus::Flag), expected.flags, "{slug}/{case}: {explained:#?}");
            assert_eq!(with_status(&checks, CheckStatus::Open), expected.open, "{slug}/{case}");
            assert_eq!(with_status(&checks, CheckStatus::Skip), Vec::<String>::new(), "{slug}/{case}");
            let verdict = verdict(&checks, sheet.pass_threshold, sheet.fail_threshold).expect("checks apply");
            assert_eq!(
                (verdict.severity, verdict.next_action),
                (expected.severity, expected.next_action),
                "{slug}/{case}"
            );
        }
    }
}

#[test]
fn every_math_check_was_tried_on_an_example_and_every_flag_says_how_to_mend_it() {
    for slug in slugs() {
        let sheet = sheet(&slug);
        for check in sheet.eval_spec.iter().flat_map(|spec| &spec.math_checks) {
            assert!(check.example.is_some(), "{slug}: {} has no example", check.heading.key);
        }
        for check in judged(&sheet, "fail").iter().filter(|check| check.is_flag()) {
            let repair = [&check.detail, &check.expected, &check.found, &check.remedy];
            assert!(repair.iter().all(|part| part.as_ref().is_some_and(|text| !text.is_empty())), "{slug}: {check:?}");
        }
    }
}

#[test]
fn a_wrong_example_refuses_to_load() {
    // The figures that this sheet is known by elsewhere.
    let wrong = read("flight-sheets/cre_memo_dscr_ltv_v1.json").replace("706052.45\n", "703452\n");
    let error = Sheet::load(wrong.as_bytes()).expect_err("703,452 is not the debt service");
    assert!(error.to_string().contains("debt_service_result"), "{error}");
}

#[test]
fn judging_twice_gives_the_same_bytes() {
    for slug in slugs() {
        for case in ["pass", "fail"] {
            let bytes = |checks: Vec<Outcome>| serde_json::to_vec(&checks).expect("outcomes serialise");
            assert_eq!(bytes(judged(&sheet(&slug), case)), bytes(judged(&sheet(&slug), case)), "{slug}/{case}");
        }
    }
}

#[test]
fn the_sheet_of_the_contract_is_as_the_contract_shows_it() {
    let sheet = sheet("cre_memo_dscr_ltv_v1");
    let gate = serde_json::to_value(&sheet.audit_checks[0]).expect("a rule serialises");
    let shown = serde_json::json!({
        "key": "dscr_gate", "label": "DSCR ≥ 1.20", "category": "policy", "kind": "auto", "severity": "critical"
    });
    assert_eq!(gate, shown);
    assert_eq!((sheet.name.as_str(), sheet.version.as_str()), ("DSCR and LTV Analysis", "1.0"));
    assert_eq!((sheet.lane.as_str(), sheet.pass_threshold, sheet.fail_threshold), ("agent", 80, 60));
}

#[test]
fn the_published_schema_accepts_every_sheet() {
    let schema = jsonschema::draft202012::new(&json("flight-sheet.schema.json")).expect("the schema is one");
    for slug in slugs() {
        let sheet = json(&format!("flight-sheets/{slug}.json"));
        let errors: Vec<String> =
            schema.iter_errors(&sheet).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{slug}");
    }
}

/// A change to a sheet that breaks it: where, what is put there, and what the loader says of it.
type Break = (&'static str, fn() -> Value, &'static str);

/// Breaks that the published schema sees too.
const SEEN_BY_BOTH: &[Break] = &[
    ("/slug", || "Not A Slug".into(), "slug"),
    ("/lane", || "boat".into(), "lane"),
    ("/name", || " ".into(), "name"),
    ("/version", || "1.0-beta".into(), "version"),
    ("/surprise", || 1.into(), "surprise"),
    ("/pass_threshold", || 101.into(), "fail_threshold"),
    ("/audit_checks/0/severity", || "single_flag".into(), "audit_checks[0].severity"),
    ("/audit_checks/0/category", || "readiness".into(), "audit_checks[0].category"),
    ("/audit_checks/0/key", || "json_valid".into(), "json_valid"),
    ("/eval_spec/flag_rules", || serde_json::json!([]), "flag_rules"),
    ("/eval_spec/penalty", || serde_json::json!({"tol_rel": -1}), "tol_rel"),
    ("/eval_spec/required_output_schema", || serde_json::json!({"type": "array"}), "required_output_schema"),
    ("/eval_spec/deterministic_checks/0/condition", || "is complete".into(), "self_check_complete"),
    ("/eval_spec/deterministic_checks/0/minimum", || 1.into(), "self_check_complete"),
    ("/eval_spec/math_checks/0/tolerance", || (-1).into(), "ltv_result"),
    ("/eval_spec/rules/0/assert/op", || "resembles".into(), "dscr_gate"),
    ("/eval_spec/rules/0/assert/left", || serde_json::json!({"calculation": "DSCR"}), "dscr_gate"),
    ("/eval_spec/rules/0/assert", || "DSCR >= 1.2".into(), "dscr_gate"),
];

/// Breaks that only the loader sees.
const SEEN_BY_THE_LOADER: &[Break] = &[
    ("/audit_checks/0/key", || "dscr_gait".into(), "`dscr_gait`"),
    ("/audit_checks/1/key", || "dscr_gate".into(), "listed twice"),
    ("/audit_checks/0/kind", || "checklist".into(), "taken by another rule"),
    ("/fail_threshold", || 81.into(), "fail_threshold"),
    ("/eval_spec/rules/0/severity", || "low".into(), "stand in one place only"),
    ("/eval_spec/rules/0/assert/left", || serde_json::json!({"field": "a..b"}), "dscr_gate"),
    ("/eval_spec/rules/0/assert/left", || serde_json::json!({"field": "@.a"}), "dscr_gate"),
    ("/eval_spec/math_checks/0/formula", || "loan_amount /".into(), "ltv_result"),
    ("/eval_spec/math_checks/0/formula", || "exec(loan_amount)".into(), "ltv_result"),
    ("/eval_spec/math_checks/0/inputs", || serde_json::json!({"rent": {}}), "rent"),
    ("/eval_spec/math_checks/0/example/expected_result", || 0.76.into(), "ltv_result"),
    ("/eval_spec/math_checks/2/inputs/annual_debt_service/math_check", || "none_such".into(), "none_such"),
    (
        "/eval_spec/required_output_schema/properties/claims/items",
        || serde_json::json!({"$ref": "https://example.org/claim.json"}),
        "example.org",
    ),
    (
        "/eval_spec/required_output_schema/$defs/claim/properties/claim",
        || serde_json::json!({"$ref": "#/$defs/claim"}),
        "cycle",
    ),
    ("/eval_spec/penalty", || serde_json::json!({"tol_rel": 0.5}), "tol_rel"),
];

fn broken((place, value, _): &Break) -> Value {
    let mut sheet = json("flight-sheets/cre_memo_dscr_ltv_v1.json");
    let (parent, key) = place.rsplit_once('/').expect("a pointer");
    let parent = sheet.pointer_mut(parent).unwrap_or_else(|| panic!("{place}"));
    match parent {
        Value::Array(elements) => elements[key.parse::<usize>().expect("an index")] = value(),
        parent => parent[key] = value(),
    }
    sheet
}

#[test]
fn what_cannot_be_executed_refuses_to_load_and_is_named() {
    for change in SEEN_BY_BOTH.iter().chain(SEEN_BY_THE_LOADER) {
        let error = Sheet::load(broken(change).to_string().as_bytes()).expect_err(change.0);
        assert!(error.to_string().contains(change.2), "{}: {error}", change.0);
    }
}

#[test]
fn the_published_schema_refuses_what_a_schema_can_see() {
    let schema = jsonschema::draft202012::new(&json("flight-sheet.schema.json")).expect("the schema is one");
    for change in SEEN_BY_BOTH {
        assert!(!schema.is_valid(&broken(change)), "{}", change.0);
    }
    for change in SEEN_BY_THE_LOADER {
        assert!(schema.is_valid(&broken(change)), "{} is for the other table", change.0);
    }
}

#[test]
fn a_sheet_is_read_strictly_and_has_a_bound() {
    let text = read("flight-sheets/cre_memo_dscr_ltv_v1.json");
    let twice = text.replacen("\"lane\"", "\"lane\": \"other\", \"lane\"", 1);
    assert!(Sheet::load(twice.as_bytes()).is_err());
    let mut many = json("flight-sheets/cre_memo_dscr_ltv_v1.json");
    let checks = many["audit_checks"].as_array_mut().expect("rules");
    checks.extend((0..1_000).map(|place| serde_json::json!({"key": format!("c{place}"), "label": "c"})));
    let error = Sheet::load(many.to_string().as_bytes()).expect_err("too many rules");
    assert!(error.to_string().contains("1000 are allowed"), "{error}");
    let mut none = many;
    (none["audit_checks"], none["eval_spec"]) = (serde_json::json!([]), Value::Null);
    assert!(Sheet::load(none.to_string().as_bytes()).expect_err("no rule").to_string().contains("no rule"));
}

#[test]
fn an_empty_gdpr_checklist_and_an_invented_quotation_are_not_honey() {
    let sheet = sheet("comp_data_privacy_gdpr_v1");
    let run = json("examples/comp_data_privacy_gdpr_v1/pass.run.json");
    let mut output = json("examples/comp_data_privacy_gdpr_v1/pass.json");
    let judge = |output: &Value, evidence: &[Exhibit<'_>]| {
        audit(&Work { sheet: &sheet, inputs: &run["inputs"], output: &output.to_string(), evidence, stack: None })
    };
    // Without any evidence text the quotations cannot be judged, and that is said.
    let unjudged = with_status(&judge(&output, &[]), CheckStatus::Flag);
    assert_eq!(unjudged, ["evidence_is_quoted mid"]);
    output["privacy_checks"] = serde_json::json!([]);
    let flags = with_status(&judge(&output, &[]), CheckStatus::Flag);
    for expected in ["every_requirement_checked critical", "each_requirement_once critical", "schema_valid high"] {
        assert!(flags.iter().any(|flag| flag == expected), "{expected} is not in {flags:?}");
    }
}

#[test]
fn the_assignment_says_everything_and_the_digest_is_of_the_exact_bytes() {
    let text = read("flight-sheets/fin_wacc_calculation_v1.json");
    let sheet = sheet("fin_wacc_calculation_v1");
    assert_eq!(sheet.content_sha256(), proof::digest::sha256(text.as_bytes()));
    let assignment = sheet.assignment_text();
    assert!(assignment.starts_with("# WACC Calculation\n"), "{assignment}");
    for part in ["weight_of_equity", "\n1. Total capital\n", "\n6. Conclusion: PASS or FAIL\n", "make nothing up"] {
        assert!(assignment.contains(part), "{part} is not in {assignment}");
    }
}

#[test]
fn a_ratio_rounded_up_to_its_limit_does_not_meet_it() {
    let sheet = sheet("cre_memo_dscr_ltv_v1");
    let mut run = json("examples/cre_memo_dscr_ltv_v1/pass.run.json");
    let mut output = json("examples/cre_memo_dscr_ltv_v1/pass.json");
    // 845,900 / 706,052.45 is 1.1981; the agent says 1.2.
    run["inputs"]["noi"] = 845_900.into();
    output["calculations"][2]["inputs"]["noi"] = 845_900.into();
    output["calculations"][2]["result"] = 1.2.into();
    let evidence = Exhibit { id: EvidenceId::default(), label: "deal terms", text: None };
    let work = Work {
        sheet: &sheet,
        inputs: &run["inputs"],
        output: &output.to_string(),
        evidence: std::slice::from_ref(&evidence),
        stack: None,
    };
    assert_eq!(with_status(&audit(&work), CheckStatus::Flag), ["limits_not_met_by_rounding critical"]);
}
