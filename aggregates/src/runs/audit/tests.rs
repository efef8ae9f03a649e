use super::*;
use crate::{
    rulebooks::vocabulary::{Severity, VerdictOutcome},
    runs::verdict::verdict,
};
use proptest::prelude::*;
use serde_json::json;

/// A sheet with this `eval_spec` and these listed rules.
fn sheet(spec: Value, listed: Value) -> Sheet {
    let mut file = json!({
        "slug": "test_v1", "name": "Test", "version": "1.0", "lane": "agent", "summary": "s", "purpose": "p",
        "assignment_instructions": "i", "required_inputs": [], "expected_outputs": ["Next steps"],
        "audit_checks": listed
    });
    if !spec.is_null() {
        file["eval_spec"] = spec;
    }
    Sheet::load(file.to_string().as_bytes()).expect("the sheet loads")
}

fn judge_with(sheet: &Sheet, inputs: &Value, output: &str, evidence: &[Exhibit<'_>]) -> Vec<Outcome> {
    audit(&Work { sheet, inputs, output, evidence, stack: None })
}

fn judge(sheet: &Sheet, inputs: Value, output: Value) -> Vec<Outcome> {
    judge_with(sheet, &inputs, &output.to_string(), &[])
}

fn find<'c>(checks: &'c [Outcome], key: &str) -> &'c Outcome {
    checks.iter().find(|check| check.key == key).unwrap_or_else(|| panic!("no {key} in {checks:#?}"))
}

fn came_to(checks: &[Outcome], key: &str) -> (CheckStatus, RuleSeverity) {
    let check = find(checks, key);
    (check.status, check.severity)
}

fn calculation(name: &str, formula: &str, inputs: Value, result: Value) -> Value {
    json!({"name": name, "formula": formula, "inputs": inputs, "result": result, "units": "ratio"})
}

const FLAG: CheckStatus = CheckStatus::Flag;
const PASS: CheckStatus = CheckStatus::Pass;

fn dscr() -> Sheet {
    sheet(
        json!({
            "math_checks": [{
                "key": "dscr_result", "label": "DSCR is right", "calculation": "Debt Service Coverage Ratio",
                "aliases": ["DSCR"], "formula": "noi / ads", "tolerance": 0.005
            }],
            "rules": [{"key": "dscr_gate", "assert":
                {"op": ">=", "left": {"calc": "Debt Service Coverage Ratio", "aliases": ["DSCR"]}, "right": 1.2}}]
        }),
        json!([{"key": "dscr_gate", "label": "DSCR ≥ 1.20", "category": "policy", "kind": "auto", "severity": "critical"}]),
    )
}

fn stating(calculations: Value) -> Value {
    json!({"calculations": calculations})
}

#[test]
fn a_text_that_is_no_object_gets_one_flag_and_nothing_else() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    for output in
        ["", "no", "[]", "1", "{\"a\":1,\"a\":2}", "{\"a\":NaN}", "{\"a\":\"\\u0000\"}", "{\"a\":1e999}", &deep]
    {
        let checks = judge_with(&dscr(), &Value::Null, output, &[]);
        assert_eq!(checks.len(), 1, "{output}");
        assert_eq!(came_to(&checks, "json_valid"), (FLAG, RuleSeverity::Critical), "{output}");
        let verdict = verdict(&checks, 80, 60).expect("it applies");
        assert_eq!(
            (verdict.severity, verdict.outcome, verdict.score_100),
            (Severity::Propolis, VerdictOutcome::Fail, 0)
        );
    }
}

#[test]
fn a_calculation_named_by_its_alias_meets_its_gate() {
    for name in ["DSCR", "dscr", "Debt Service Coverage Ratio", "debt-service coverage ratio"] {
        let weak = stating(json!([calculation(name, "noi / ads", json!({"noi": 102.2, "ads": 100}), json!(1.022))]));
        assert_eq!(came_to(&judge(&dscr(), json!({}), weak), "dscr_gate"), (FLAG, RuleSeverity::Critical), "{name}");
    }
    let sound = stating(json!([calculation("DSCR", "noi / ads", json!({"noi": 130, "ads": 100}), json!(1.3))]));
    assert!(judge(&dscr(), json!({}), sound).iter().all(|check| check.status == PASS));
}

#[test]
fn a_result_written_as_text_evades_nothing() {
    let text = stating(json!([calculation("DSCR", "noi / ads", json!({"noi": 130, "ads": 100}), json!("1.30"))]));
    let checks = judge(&dscr(), json!({}), text);
    assert_eq!(came_to(&checks, "calculations_well_formed"), (FLAG, RuleSeverity::High));
    assert_eq!(came_to(&checks, "dscr_result"), (FLAG, RuleSeverity::High));
    // The gate cannot be judged: for a critical rule that is a flag of the mid tier.
    assert_eq!(came_to(&checks, "dscr_gate"), (FLAG, RuleSeverity::Mid));
    for broken in
        [json!(7), json!(null), json!({"name": "DSCR"}), json!({"name": 1, "formula": "1", "inputs": {}, "result": 1})]
    {
        let checks = judge(&dscr(), json!({}), stating(json!([broken])));
        assert_eq!(came_to(&checks, "calculations_well_formed"), (FLAG, RuleSeverity::High));
    }
    let input = stating(json!([calculation("DSCR", "noi / ads", json!({"noi": "130", "ads": 100}), json!(1.3))]));
    assert_eq!(came_to(&judge(&dscr(), json!({}), input), "calculations_well_formed").0, FLAG);
    assert_eq!(came_to(&judge(&dscr(), json!({}), stating(json!({}))), "calculations_well_formed").0, FLAG);
}

#[test]
fn a_formula_without_inputs_agrees_with_itself_but_not_with_the_sheet() {
    let bare = stating(json!([calculation("DSCR", "1.3", json!({}), json!(1.3))]));
    let checks = judge(&dscr(), json!({"noi": 102.2, "ads": 100}), bare);
    assert_eq!(came_to(&checks, "math_1_dscr"), (PASS, RuleSeverity::High));
    assert_eq!(came_to(&checks, "dscr_result"), (FLAG, RuleSeverity::Mid));
    assert!(find(&checks, "dscr_result").detail.as_deref().is_some_and(|detail| detail.contains("ads, noi")));
}

#[test]
fn inputs_that_contradict_the_run_are_a_high_flag() {
    let rosy = stating(json!([calculation("DSCR", "noi / ads", json!({"noi": 130, "ads": 100}), json!(1.3))]));
    let checks = judge(&dscr(), json!({"NOI": 102.2, "ads": 100}), rosy.clone());
    assert_eq!(came_to(&checks, "dscr_result"), (FLAG, RuleSeverity::High));
    let found = find(&checks, "dscr_result");
    assert_eq!((found.expected.as_deref(), found.found.as_deref()), (Some("noi = 102.2"), Some("noi = 130")));
    let unclear = judge(&dscr(), json!({"noi": "130", "ads": 100}), rosy);
    assert_eq!(came_to(&unclear, "dscr_result"), (FLAG, RuleSeverity::Mid));
}

#[test]
fn a_second_result_under_the_same_name_hides_nothing() {
    let two = stating(json!([
        calculation("DSCR", "noi / ads", json!({"noi": 130, "ads": 100}), json!(1.3)),
        calculation("Debt Service Coverage Ratio", "noi / ads", json!({"noi": 102.2, "ads": 100}), json!(1.022))
    ]));
    let checks = judge(&dscr(), json!({}), two);
    assert_eq!(came_to(&checks, "dscr_result"), (FLAG, RuleSeverity::High));
    assert_eq!(came_to(&checks, "dscr_gate"), (FLAG, RuleSeverity::Mid));
}

#[test]
fn a_missing_calculation_is_a_flag_and_its_gate_is_not_silent() {
    let checks = judge(&dscr(), json!({}), json!({}));
    assert_eq!(came_to(&checks, "dscr_result"), (FLAG, RuleSeverity::High));
    assert_eq!(came_to(&checks, "dscr_gate"), (FLAG, RuleSeverity::Mid));
}

#[test]
fn the_bands_grade_each_calculation_by_its_own_formula() {
    let empty = sheet(json!({}), json!([{"key": "c", "label": "c"}]));
    let stated = |result: f64| {
        let one = stating(json!([calculation("A b/C", "x", json!({"x": 100}), json!(result))]));
        came_to(&judge(&empty, json!({}), one), "math_1_a_b_c")
    };
    assert_eq!(stated(101.0), (PASS, RuleSeverity::High));
    assert_eq!(stated(102.0), (FLAG, RuleSeverity::Low));
    assert_eq!(stated(105.0), (FLAG, RuleSeverity::Mid));
    assert_eq!(stated(110.0), (FLAG, RuleSeverity::High));
    for formula in ["", "x +", "y", "1/0", "9**9**9", "system(1)"] {
        let one = stating(json!([calculation("a", formula, json!({"x": 1}), json!(1))]));
        assert_eq!(came_to(&judge(&empty, json!({}), one), "math_1_a"), (FLAG, RuleSeverity::Mid), "{formula}");
    }
}

#[test]
fn a_calculation_that_the_sheet_frees_needs_no_formula() {
    let sheet = sheet(json!({"free_calculations": ["Meter reading"]}), json!([{"key": "c", "label": "c"}]));
    let read = stating(json!([calculation("meter_reading", "as read", json!({}), json!(7))]));
    let came = came_to(&judge(&sheet, json!({}), read), "math_1_meter_reading");
    assert_eq!(came, (CheckStatus::Skip, RuleSeverity::Low));
}

#[test]
fn beyond_a_tolerance_the_bands_say_how_bad_it_is_unless_the_sheet_does() {
    let graded = |severity: Value| {
        let mut check = json!({"key": "a_result", "label": "a", "calculation": "a", "formula": "x", "tolerance": 0.1});
        if !severity.is_null() {
            check["severity"] = severity;
        }
        let sheet = sheet(json!({"math_checks": [check]}), json!([]));
        move |result: f64| {
            let one = stating(json!([calculation("a", "x", json!({"x": 100}), json!(result))]));
            came_to(&judge(&sheet, json!({}), one), "a_result")
        }
    };
    let (bands, declared) = (graded(Value::Null), graded(json!("critical")));
    assert_eq!(bands(100.1), (PASS, RuleSeverity::High));
    assert_eq!(bands(100.2), (FLAG, RuleSeverity::Low));
    assert_eq!(bands(106.0), (FLAG, RuleSeverity::Mid));
    assert_eq!(declared(100.2), (FLAG, RuleSeverity::Critical));
    assert_eq!(declared(100.1), (PASS, RuleSeverity::Critical));
}

#[test]
fn too_many_calculations_are_a_flag() {
    let many: Vec<Value> = (0..1_001).map(|_| calculation("a", "1", json!({}), json!(1))).collect();
    let checks = judge(&dscr(), json!({}), stating(json!(many)));
    assert_eq!(came_to(&checks, "calculations_well_formed"), (FLAG, RuleSeverity::High));
    assert_eq!(checks.iter().filter(|check| check.key.starts_with("math_")).count(), 1_000);
}

#[test]
fn a_null_names_no_evidence() {
    let sheet = sheet(
        json!({"evidence_checks": [{"label": "sourced", "match_field": "claims", "field": "evidence_reference"}]}),
        json!([]),
    );
    let claims = |references: &[Value]| {
        let claims: Vec<Value> = references.iter().map(|reference| json!({"evidence_reference": reference})).collect();
        came_to(&judge(&sheet, json!({}), json!({"claims": claims})), "ev_1")
    };
    assert_eq!(claims(&[json!("p. 1")]), (PASS, RuleSeverity::Mid));
    for nothing in [json!(null), json!(""), json!(" \t"), json!([]), json!(0), json!({})] {
        assert_eq!(claims(&[json!("p. 1"), nothing.clone()]), (FLAG, RuleSeverity::Mid), "{nothing}");
    }
    assert_eq!(came_to(&judge(&sheet, json!({}), json!({"claims": ["x"]})), "ev_1").0, FLAG);
    assert_eq!(came_to(&judge(&sheet, json!({}), json!({})), "ev_1"), (CheckStatus::Skip, RuleSeverity::Low));
}

#[test]
fn the_whole_output_schema_is_evaluated() {
    let schema = json!({"type": "object", "required": ["status", "items"], "properties": {
        "status": {"enum": ["yes", "no"]}, "items": {"type": "array", "minItems": 1}
    }});
    let sheet = sheet(json!({"required_output_schema": schema}), json!([]));
    let came = |output: Value| {
        let checks = judge(&sheet, json!({}), output);
        (came_to(&checks, "required_fields_present").0, came_to(&checks, "schema_valid").0)
    };
    assert_eq!(came(json!({"status": "yes", "items": [1]})), (PASS, PASS));
    assert_eq!(came(json!({"status": "yes"})), (FLAG, PASS));
    assert_eq!(came(json!({"status": "maybe", "items": [1]})), (PASS, FLAG));
    assert_eq!(came(json!({"status": "yes", "items": []})), (PASS, FLAG));
    assert_eq!(came(json!({"status": null, "items": "x"})), (PASS, FLAG));
}

#[test]
fn deterministic_checks_test_one_place_or_all_that_a_path_gathers() {
    let spec = json!({"deterministic_checks": [
        {"label": "a", "match_field": "final", "expected_values": ["PASS", "FAIL"]},
        {"label": "b", "match_field": "items", "type": "array"},
        {"label": "c", "match_field": "items", "required_keys": ["id"]},
        {"label": "d", "match_field": "ok", "expected_value": true},
        {"label": "e", "match_field": "items[*].share", "minimum": 0, "maximum": 1},
        {"label": "f", "match_field": "len(items)", "expected_value": 2.0}
    ]});
    let sheet = sheet(spec, json!([]));
    let flagged = |output: Value| -> Vec<String> {
        judge(&sheet, json!({}), output).into_iter().filter(Outcome::is_flag).map(|check| check.key).collect()
    };
    let good = json!({"final": "PASS", "ok": true, "items": [{"id": 1, "share": 0.5}, {"id": 2, "share": 1}]});
    assert_eq!(flagged(good.clone()), Vec::<String>::new());
    assert_eq!(flagged(json!({})), ["det_1", "det_4", "det_5", "det_6", "det_2", "det_3"]);
    let with = |key: &str, value: Value| {
        let mut bad = good.clone();
        bad[key] = value;
        flagged(bad)
    };
    assert_eq!(with("final", json!("pass")), ["det_1"]);
    assert_eq!(with("ok", json!(1)), ["det_4"]);
    assert_eq!(with("items", json!([{"share": 0}, {"id": 2, "share": 2}])), ["det_5", "det_3"]);
    assert_eq!(with("items", json!("ab")), ["det_5", "det_2", "det_3"]);
}

#[test]
fn every_category_comes_in_its_order_and_listed_rules_are_all_there() {
    let listed = json!([
        {"key": "person", "label": "A person agrees", "category": "structure", "severity": "high"},
        {"key": "evidence_attached", "label": "Evidence", "kind": "auto"},
        {"key": "citations_present", "label": "Citations", "kind": "auto", "severity": "low"},
        {"key": "sections_present", "label": "Sections", "kind": "auto", "severity": "critical"}
    ]);
    let sheet = sheet(json!({}), listed);
    let checks = judge(&sheet, json!({}), json!({"next_steps": [], "claims": [{"evidence_reference": null}]}));
    let keys: Vec<&str> = checks.iter().map(|check| check.key.as_str()).collect();
    assert_eq!(keys, ["person", "sections_present", "json_valid", "evidence_attached", "citations_present"]);
    assert_eq!(came_to(&checks, "person"), (CheckStatus::Open, RuleSeverity::High));
    assert_eq!(find(&checks, "person").source, CheckSource::Operator);
    assert_eq!(came_to(&checks, "sections_present"), (PASS, RuleSeverity::Critical));
    assert_eq!(came_to(&checks, "evidence_attached"), (FLAG, RuleSeverity::Noncritical));
    // A bracket cites nothing.
    assert_eq!(came_to(&checks, "citations_present"), (FLAG, RuleSeverity::Low));
}

#[test]
fn a_sheet_without_executable_rules_judges_prose() {
    let listed = json!([
        {"key": "sections_present", "label": "Sections", "kind": "auto"},
        {"key": "output_nonempty", "label": "An answer", "kind": "auto"},
        {"key": "numbers_present", "label": "Numbers", "kind": "auto"},
        {"key": "citations_present", "label": "Citations", "kind": "auto"}
    ]);
    let sheet = sheet(Value::Null, listed);
    let flagged = |text: &str| -> Vec<String> {
        let checks = judge_with(&sheet, &Value::Null, text, &[]);
        assert_eq!(checks.len(), 4);
        checks.into_iter().filter(Outcome::is_flag).map(|check| check.key).collect()
    };
    let answer = format!("NEXT STEPS (source: page 4). {}", "The covenant holds. ".repeat(10));
    assert_eq!(flagged(&answer), Vec::<String>::new());
    assert_eq!(
        flagged("Nothing of use."),
        ["sections_present", "output_nonempty", "numbers_present", "citations_present"]
    );
}

#[test]
fn numbers_are_written_in_one_way() {
    use super::judgement::number;
    let written = [1.0, -0.0, 0.1 + 0.2, 706_052.452_340_000_1, 1e15, 1e-7, -2.5].map(number);
    assert_eq!(written, ["1", "0", "0.3", "706052.45234", "1e15", "1e-7", "-2.5"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof!["[a-z]{1,4}", Just("calculations".to_owned()), Just("DSCR".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("DSCR")),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let calculation = (inner.clone(), inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c, d)| {
            json!({"calculations": [{"name": "DSCR", "formula": a, "inputs": b, "result": c, "units": d}]})
        });
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6).prop_map(|map| json!(map)),
            calculation,
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_judged_without_panic_and_always_alike(output in any_json(), inputs in any_json()) {
        for path in ["cre_memo_dscr_ltv_v1", "comp_data_privacy_gdpr_v1", "agent_action_log_review_v1"] {
            let file = format!("{}/../catalog/flight-sheets/{path}.json", env!("CARGO_MANIFEST_DIR"));
            let sheet = Sheet::load(&std::fs::read(file).expect("the sheet")).expect("it loads");
            let checks = judge(&sheet, inputs.clone(), output.clone());
            prop_assert!(!checks.is_empty());
            prop_assert_eq!(&checks, &judge(&sheet, inputs.clone(), output.clone()));
            let keys: std::collections::BTreeSet<&str> = checks.iter().map(|check| check.key.as_str()).collect();
            prop_assert_eq!(keys.len(), checks.len());
        }
    }

    #[test]
    fn any_text_is_judged_without_panic(output in "\\PC{0,64}") {
        prop_assert!(!judge_with(&dscr(), &Value::Null, &output, &[]).is_empty());
    }
}

/// A sheet and a submission are each bounded; so is what the one takes to be applied to the other.
#[test]
fn what_would_take_minutes_is_one_flag() {
    let checks: Vec<Value> = (0..900)
        .map(|n| json!({"key": format!("c{n}"), "label": "c", "match_field": "a[*]", "expected_value": 1}))
        .collect();
    let many = sheet(json!({"deterministic_checks": checks}), json!([]));
    let choices: Vec<u32> = (0..100_000).collect();
    let listing = json!({"type": "object", "properties": {"a": {"items": {"enum": choices}}}});
    let listing = sheet(json!({"required_output_schema": listing}), json!([]));
    let matching = json!({"type": "object", "properties": {"a": {"items": {"pattern": "(x|y)*x(x|y){400}$"}}}});
    let matching = sheet(json!({"required_output_schema": matching}), json!([]));
    let numbers = format!("{{\"a\":[{}1]}}", "1,".repeat(500_000));
    let text = format!("{{\"a\":[\"{}\"]}}", "xy".repeat(900_000));
    for (sheet, output) in [(&many, &numbers), (&listing, &numbers), (&matching, &text)] {
        let checks = judge_with(sheet, &json!({}), output, &[]);
        assert_eq!(checks.len(), 1);
        assert_eq!(came_to(&checks, "json_valid"), (FLAG, RuleSeverity::Critical));
        let detail = checks[0].detail.as_deref().expect("a reason");
        assert!(detail.contains("the product may be"), "{detail}");
    }
    // The inputs of a run count as well.
    let inputs = json!({"a": vec![1; 500_000]});
    assert_eq!(came_to(&judge_with(&many, &inputs, "{}", &[]), "json_valid").0, FLAG);
    // Neither the sheet nor the submission is at fault alone.
    assert_eq!(came_to(&judge(&many, json!({}), json!({"a": [1, 1]})), "c899").0, PASS);
    assert!(judge_with(&dscr(), &json!({}), &numbers, &[]).len() > 1);
}

/// However many conditions there are, together they take no more steps than a few.
#[test]
fn many_dear_conditions_are_cut_short_together() {
    let dear = json!({"op": "each", "array": "a", "term": {"op": "!=", "left": {"calc": "none"}, "right": 1}});
    let rules: Vec<Value> = (0..200).map(|n| json!({"key": format!("r{n}"), "label": "r", "assert": dear})).collect();
    let sheet = sheet(json!({"rules": rules}), json!([]));
    let stated: Vec<Value> = (0..900).map(|n| calculation(&format!("c{n}"), "1", json!({}), json!(1))).collect();
    let work = json!({"a": vec![1; 20_000], "calculations": stated});
    let start = std::time::Instant::now();
    let checks = judge(&sheet, json!({}), work);
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    assert_eq!(came_to(&checks, "r0").0, CheckStatus::Skip);
}

#[test]
fn calculations_that_rest_on_each_other_in_a_circle_are_flagged_as_not_verifiable() {
    let work = stating(json!([
        calculation("a", "b + 1", json!({}), json!(2)),
        calculation("b", "a - 1", json!({}), json!(1)),
    ]));
    let checks = judge(&sheet(json!({}), json!([{"key": "c", "label": "c"}])), json!({}), work);
    for key in ["math_1_a", "math_2_b"] {
        assert_eq!(came_to(&checks, key), (FLAG, RuleSeverity::Mid));
        assert!(find(&checks, key).detail.as_deref().is_some_and(|detail| detail.starts_with("not verifiable")));
    }
}

mod stack_fit {
    use super::*;
    use crate::{
        agents::{
            Governance, Profile,
            lanes::{Counts, Stack},
        },
        rulebooks::vocabulary::CapabilityTier,
        runs::tests::fixtures::id,
    };

    /// A sheet that demands this much, for any text.
    fn demanding(least: Option<&str>) -> Sheet {
        let mut file = json!({
            "slug": "test_v1", "name": "Test", "version": "1.0", "lane": "agent", "summary": "s", "purpose": "p",
            "assignment_instructions": "i", "required_inputs": [], "expected_outputs": [],
            "audit_checks": [{"key": "output_nonempty", "label": "Something", "kind": "auto", "severity": "low"}]
        });
        if let Some(least) = least {
            file["min_capability_tier"] = json!(least);
        }
        Sheet::load(file.to_string().as_bytes()).expect("the sheet loads")
    }

    fn stack(tier: Option<CapabilityTier>, propolis: u32, shut: Option<&str>) -> Stack {
        let blocked_lanes = shut.iter().map(|lane| (*lane).to_owned()).collect();
        let governance = Some(Governance { blocked_lanes, ..Governance::default() });
        let profile = Profile { name: "a".into(), capability_tier: tier, governance, ..Profile::default() };
        let standing = Counts { honey: 0, jelly: 0, propolis };
        Stack { id: id(1), profile, active: true, created_at: crate::time::Time::default(), standing }
    }

    fn judge(sheet: &Sheet, stack: Option<&Stack>) -> Vec<Outcome> {
        let output = "a long enough answer ".repeat(20);
        audit(&Work { sheet, inputs: &json!({}), output: &output, evidence: &[], stack })
    }

    fn keys(checks: &[Outcome]) -> Vec<&str> {
        checks.iter().map(|check| check.key.as_str()).collect()
    }

    #[test]
    fn a_stack_that_is_fit_adds_nothing() {
        let plain = judge(&demanding(Some("small")), None);
        for tier in [CapabilityTier::Small, CapabilityTier::Mid, CapabilityTier::Frontier] {
            assert_eq!(judge(&demanding(Some("small")), Some(&stack(Some(tier), 1, None))), plain, "{tier}");
        }
        assert_eq!(judge(&demanding(None), Some(&stack(None, 0, Some("other")))), plain);
    }

    #[test]
    fn a_capability_below_the_least_is_a_mid_flag_of_its_own_bucket() {
        let checks = judge(&demanding(Some("mid")), Some(&stack(Some(CapabilityTier::Small), 0, None)));
        assert_eq!(keys(&checks), ["output_nonempty", "stack_fit_capability"]);
        let check = find(&checks, "stack_fit_capability");
        assert_eq!((check.status, check.severity, check.bucket()), (FLAG, RuleSeverity::Mid, Bucket::StackFit));
        assert_eq!(check.found.as_deref(), Some("small"));
        assert!(check.remedy.as_deref().is_some_and(|remedy| remedy.contains("mid or above")));
        let verdict = verdict(&checks, 80, 60).expect("a verdict");
        assert_eq!((verdict.severity, verdict.outcome), (Severity::Jelly, VerdictOutcome::Risk));
        assert_eq!(verdict.next_action, crate::rulebooks::vocabulary::NextAction::Review, "no defect of the work");
    }

    #[test]
    fn a_capability_that_nobody_declared_is_said_to_be_unknown() {
        let checks = judge(&demanding(Some("edge")), Some(&stack(None, 0, None)));
        assert_eq!(find(&checks, "stack_fit_capability").status, CheckStatus::Skip);
    }

    #[test]
    fn a_blocked_lane_is_flagged_whoever_blocked_it() {
        for stack in [stack(None, 2, None), stack(None, 0, Some("test_v1")), stack(None, 0, Some("TEST"))] {
            let checks = judge(&demanding(None), Some(&stack));
            let check = find(&checks, "stack_fit_lane");
            assert_eq!((check.status, check.severity, check.bucket()), (FLAG, RuleSeverity::Mid, Bucket::StackFit));
        }
    }

    #[test]
    fn no_sheet_may_use_the_keys() {
        for key in STACK_FIT {
            let file = json!({
                "slug": "test_v1", "name": "Test", "version": "1.0", "lane": "agent", "summary": "s", "purpose": "p",
                "assignment_instructions": "i", "required_inputs": [], "expected_outputs": [],
                "audit_checks": [{"key": key, "label": "Mine"}]
            });
            assert!(Sheet::load(file.to_string().as_bytes()).is_err(), "{key}");
        }
    }
}
