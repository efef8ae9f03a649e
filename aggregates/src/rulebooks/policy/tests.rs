use super::Truth::{False, True, Unknown};
use super::*;
use crate::rulebooks::vocabulary::TierLevel;
use proptest::prelude::*;
use serde_json::json;

fn node(value: Value) -> Node {
    Node::read(&value).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn refusal(value: Value) -> String {
    Node::read(&value).unwrap_err().to_string()
}

/// The truth of a condition over a submission alone.
fn over(submission: &Value, condition: Value) -> Truth {
    let facts = Facts { submission, calculations: &[], inputs: &Value::Null, evidence_texts: &[], steps: MAX_STEPS };
    node(condition).evaluate(&facts)
}

fn alone(condition: Value) -> Truth {
    over(&json!({}), condition)
}

fn calculations(named: &[(&str, Option<f64>)]) -> Vec<Calculation> {
    named.iter().map(|(name, result)| Calculation { name: (*name).into(), result: *result }).collect()
}

/// A condition of each truth.
fn of(truth: Truth) -> Value {
    match truth {
        True => json!({"op": "==", "left": 1, "right": 1}),
        False => json!({"op": "==", "left": 1, "right": 2}),
        Unknown => json!({"op": "==", "left": 1, "right": "1"}),
    }
}

#[test]
fn the_truth_tables() {
    // A row for each: left, right, and, or, if.
    let rows = [
        (True, True, True, True, True),
        (True, False, False, True, False),
        (True, Unknown, Unknown, Unknown, Unknown),
        (False, True, False, True, True),
        (False, False, False, False, True),
        (False, Unknown, Unknown, Unknown, True),
        (Unknown, True, Unknown, Unknown, Unknown),
        (Unknown, False, Unknown, Unknown, Unknown),
        (Unknown, Unknown, Unknown, Unknown, Unknown),
    ];
    for (left, right, and, or, then) in rows {
        assert_eq!(alone(json!({"op": "and", "terms": [of(left), of(right)]})), and, "{left:?} and {right:?}");
        assert_eq!(alone(json!({"op": "or", "terms": [of(left), of(right)]})), or, "{left:?} or {right:?}");
        assert_eq!(alone(json!({"op": "if", "cond": of(left), "then": of(right)})), then, "if {left:?} {right:?}");
    }
    assert_eq!(alone(json!({"op": "and", "terms": []})), True);
    assert_eq!(alone(json!({"op": "or", "terms": []})), False);
    for (term, not) in [(True, False), (False, True), (Unknown, Unknown)] {
        assert_eq!(alone(json!({"op": "not", "term": of(term)})), not);
    }
}

#[test]
fn comparisons_are_strict_about_types() {
    let submission = json!({"n": 5, "f": 5.0, "s": "5", "t": true, "z": null, "a": [1, 2], "d": "2026-01-31"});
    let compared =
        |left: Value, op: &str, right: Value| over(&submission, json!({"op": op, "left": left, "right": right}));
    let field = |path: &str| json!({"field": path});
    assert_eq!(compared(field("n"), "==", json!(5)), True);
    assert_eq!(compared(field("f"), "==", json!(5)), True);
    assert_eq!(compared(field("n"), "!=", json!(5.0)), False);
    assert_eq!(compared(field("n"), ">=", json!(5)), True);
    assert_eq!(compared(field("n"), ">", json!(5)), False);
    assert_eq!(compared(field("n"), "<=", json!(4.99)), False);
    assert_eq!(compared(field("n"), "<", json!(5.01)), True);
    assert_eq!(compared(json!(9_007_199_254_740_993_u64), "==", json!(9_007_199_254_740_992_u64)), False);
    for op in ["==", "!=", ">=", "<"] {
        assert_eq!(compared(field("s"), op, json!(5)), Unknown, "text {op} number");
        assert_eq!(compared(field("t"), op, json!(1)), Unknown, "boolean {op} number");
        assert_eq!(compared(field("z"), op, json!(0)), Unknown, "null {op} number");
        assert_eq!(compared(field("z"), op, field("z")), Unknown, "null {op} null");
        assert_eq!(compared(field("missing"), op, json!(0)), Unknown, "missing {op} number");
    }
    assert_eq!(compared(field("t"), "==", json!(true)), True);
    assert_eq!(compared(field("t"), ">", json!(false)), Unknown);
    assert_eq!(compared(field("d"), "<", json!("2026-02-01")), True);
    assert_eq!(compared(field("a"), "==", json!([1.0, 2])), True);
    assert_eq!(compared(field("a"), "==", json!([2, 1])), False);
    assert_eq!(compared(field("a"), "<", json!([2, 1])), Unknown);
    assert_eq!(compared(field("len(a)"), "==", json!({"len": "d"})), False);
    assert_eq!(compared(json!({"len": "n"}), "==", json!(1)), Unknown);
    let element = |left: Value, list: Value| over(&submission, json!({"op": "in", "left": left, "right": list}));
    assert_eq!(element(field("s"), json!(["4", "5"])), True);
    assert_eq!(element(field("s"), json!(["4", 5])), False);
    assert_eq!(element(field("s"), json!([4, 5])), Unknown);
    assert_eq!(element(field("s"), json!([])), False);
    assert_eq!(element(field("z"), json!(["z"])), Unknown);
    assert_eq!(element(json!(2), json!("a")), True);
}

#[test]
fn a_gate_finds_its_calculation_by_name_or_alias() {
    let gate = node(json!({"op": ">=", "right": 1.2,
        "left": {"calc": "Debt Service Coverage Ratio", "aliases": ["DSCR"]}}));
    let judged = |named: &[(&str, Option<f64>)]| {
        let calculations = calculations(named);
        gate.evaluate(&Facts {
            submission: &json!({}),
            calculations: &calculations,
            inputs: &Value::Null,
            evidence_texts: &[],
            steps: MAX_STEPS,
        })
    };
    assert_eq!(judged(&[("ltv", Some(0.7)), ("dscr", Some(1.303))]), True);
    assert_eq!(judged(&[("debt-service_coverage ratio", Some(1.022))]), False);
    assert_eq!(judged(&[("Stressed DSCR", Some(1.3))]), Unknown);
    assert_eq!(judged(&[("DSCR", None)]), Unknown);
    // A second result that disagrees cannot hide behind the first.
    assert_eq!(judged(&[("DSCR", Some(1.3)), ("Debt Service Coverage Ratio", Some(1.02))]), Unknown);
    assert_eq!(judged(&[("DSCR", Some(1.3)), ("D.S.C.R.", Some(1.3))]), True);
}

#[test]
fn approx_grades_a_whole_rule() {
    let graded = |extra: Value, stated: Value| {
        let mut rule = json!({"op": "approx", "left": {"field": "stated"}, "right": 100_000});
        rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let submission = json!({"stated": stated});
        let facts = Facts {
            submission: &submission,
            calculations: &[],
            inputs: &Value::Null,
            evidence_texts: &[],
            steps: MAX_STEPS,
        };
        let rule = node(rule);
        (rule.grade(&facts), rule.evaluate(&facts))
    };
    assert_eq!(graded(json!({}), json!(101_000)), (Some(Grade::Pass), True));
    assert_eq!(graded(json!({}), json!(103_000)), (Some(Grade::Flag(TierLevel::Low)), False));
    assert_eq!(graded(json!({"monetary": true}), json!(103_000)), (Some(Grade::Flag(TierLevel::High)), False));
    assert_eq!(graded(json!({"low_rel": 0.02}), json!(103_000)), (Some(Grade::Flag(TierLevel::Mid)), False));
    assert_eq!(graded(json!({}), json!("101000")), (None, Unknown));
    assert_eq!(
        node(of(True)).grade(&Facts {
            submission: &json!({}),
            calculations: &[],
            inputs: &Value::Null,
            evidence_texts: &[],
            steps: MAX_STEPS,
        }),
        None
    );
    let nested = json!({"op": "not", "term": {"op": "approx", "left": 1, "right": 1}});
    assert_eq!(refusal(nested), "rule.term: approx grades a whole rule and cannot stand inside another condition");
    assert!(refusal(json!({"op": "approx", "left": 1, "right": 1, "tol_rel": 0.5})).contains("must not fall"));
}

#[test]
fn quantifiers_look_at_elements() {
    let submission = json!({
        "checks": [
            {"requirement": "a", "status": "compliant", "evidence": "text", "article": "5"},
            {"requirement": "b", "status": "not_assessable", "evidence": null, "article": "6"},
        ],
        "odd": [{"status": 1}, {"status": "wrong"}],
        "empty": [],
    });
    let each = |array: &str, term: Value| over(&submission, json!({"op": "each", "array": array, "term": term}));
    let known = json!({"op": "in", "left": {"field": "@.status"}, "right": ["compliant", "not_assessable"]});
    assert_eq!(each("checks", known.clone()), True);
    assert_eq!(each("empty", known.clone()), True);
    assert_eq!(each("missing", known.clone()), Unknown);
    assert_eq!(each("odd", known), False, "an unknown element does not soften a false one");
    let evidenced = json!({"op": "if",
        "cond": {"op": "!=", "left": {"field": "@.status"}, "right": "not_assessable"},
        "then": {"op": "present", "field": "@.evidence"}});
    assert_eq!(each("checks", evidenced), True);
    assert_eq!(each("checks", json!({"op": "present", "field": "@.evidence"})), False);
    assert_eq!(over(&submission, json!({"op": "all_nonempty", "array": "checks", "field": "evidence"})), False);
    assert_eq!(over(&submission, json!({"op": "all_nonempty", "array": "checks", "field": "status"})), True);
    assert_eq!(over(&submission, json!({"op": "all_nonempty", "array": "empty", "field": "status"})), True);
    assert_eq!(over(&submission, json!({"op": "all_nonempty", "array": "missing", "field": "status"})), Unknown);
    let count = |filter: Value, expected: u8| {
        let count = json!({"count": "checks", "where": filter});
        over(&submission, json!({"op": "==", "left": count, "right": expected}))
    };
    assert_eq!(count(json!({"op": "is_null", "field": "@.evidence"}), 1), True);
    assert_eq!(count(json!({"op": "is_null", "field": "@.missing"}), 0), Unknown);
    // Every check's article is the one that the inputs give for its requirement.
    let paired = node(json!({"op": "each", "array": "checks", "term":
        {"op": "each", "array": {"input": "checklist"}, "term": {"op": "if",
            "cond": {"op": "==", "left": {"field": "@.requirement"}, "right": {"field": "@@.requirement"}},
            "then": {"op": "==", "left": {"field": "@.article"}, "right": {"field": "@@.article"}}}}}));
    for (article, truth) in [("6", True), ("7", False)] {
        let inputs = json!({"checklist": [{"requirement": "b", "article": article}]});
        let facts = Facts {
            submission: &submission,
            calculations: &[],
            inputs: &inputs,
            evidence_texts: &[],
            steps: MAX_STEPS,
        };
        assert_eq!(paired.evaluate(&facts), truth);
    }
}

#[test]
fn lists_are_compared_as_sets() {
    let submission = json!({"l": ["a", "b", "a"], "n": [1, 2.0], "items": [{"id": 1}, {"id": 1.0}, {"id": "1"}]});
    let sets = |op: &str, left: Value, right: Value| over(&submission, json!({"op": op, "left": left, "right": right}));
    assert_eq!(sets("set_equal", json!("l"), json!(["b", "a"])), True);
    assert_eq!(sets("set_equal", json!("l"), json!(["a", "b", "c"])), False);
    assert_eq!(sets("set_equal", json!("n"), json!([2, 1.0])), True);
    assert_eq!(sets("set_equal", json!("missing"), json!([])), Unknown);
    assert_eq!(sets("subset", json!("l"), json!(["c", "b", "a"])), True);
    assert_eq!(sets("subset", json!(["a", "d"]), json!("l")), False);
    assert_eq!(sets("subset", json!("items[*].id"), json!([1, "1"])), True);
    let unique = |array: Value| over(&submission, json!({"op": "unique", "array": array}));
    assert_eq!((unique(json!("l")), unique(json!("n")), unique(json!("missing"))), (False, True, Unknown));
    let ids = |array: &str, field: &str| over(&submission, json!({"op": "unique", "array": array, "field": field}));
    assert_eq!((ids("items", "id"), ids("items", "name")), (False, Unknown));
}

#[test]
fn arithmetic_over_lists_and_fields() {
    let submission = json!({"counts": {"cat": 30, "dog": 70}, "total": 100, "ratio": 0.42857, "mixed": [1, "2"]});
    let holds = |left: Value, right: Value| over(&submission, json!({"op": "==", "left": left, "right": right}));
    assert_eq!(holds(json!({"sum": "counts[*]"}), json!({"field": "total"})), True);
    assert_eq!(holds(json!({"min": "counts[*]"}), json!(30)), True);
    assert_eq!(holds(json!({"max": {"field": "counts[*]"}}), json!(70)), True);
    assert_eq!(holds(json!({"count": "counts[*]"}), json!(2)), True);
    assert_eq!(holds(json!({"sum": []}), json!(0)), True);
    assert_eq!(holds(json!({"min": []}), json!(0)), Unknown);
    assert_eq!(holds(json!({"sum": "mixed"}), json!(3)), Unknown);
    let miss = json!({"formula": "abs(Ratio - least / most)",
        "with": {"ratio": {"field": "ratio"}, "least": {"min": "counts[*]"}, "most": {"max": "counts[*]"}}});
    assert_eq!(over(&submission, json!({"op": "<=", "left": miss, "right": 0.001})), True);
    let by_zero = json!({"formula": "a / b", "with": {"a": 1, "b": 0}});
    assert_eq!(holds(by_zero, json!(0)), Unknown);
}

#[test]
fn texts_and_quotations() {
    let submission = json!({"t": "the gross rent", "list": ["one", "two words"], "blank": " ",
        "claims": [{"quote": "gross\n rent was 5"}, {"quote": null}, {}], "made_up": ["net rent"], "odd": [5]});
    let contains = |left: &str, right: &str| {
        over(&submission, json!({"op": "contains_text", "left": {"field": left}, "right": {"field": right}}))
    };
    assert_eq!(over(&submission, json!({"op": "contains_text", "left": {"field": "t"}, "right": "gross"})), True);
    assert_eq!(over(&submission, json!({"op": "contains_text", "left": {"field": "t"}, "right": "Gross"})), False);
    assert_eq!(over(&submission, json!({"op": "contains_text", "left": {"field": "list"}, "right": "words"})), True);
    assert_eq!((contains("t", "blank"), contains("odd", "t"), contains("t", "missing")), (False, Unknown, Unknown));
    let quoted = |array: &str, field: Option<&str>, texts: &[&str]| {
        let rule = match field {
            Some(field) => json!({"op": "quoted_in_evidence", "array": array, "field": field}),
            None => json!({"op": "quoted_in_evidence", "array": array}),
        };
        let facts = Facts {
            submission: &submission,
            calculations: &[],
            inputs: &Value::Null,
            evidence_texts: texts,
            steps: MAX_STEPS,
        };
        node(rule).evaluate(&facts)
    };
    let texts = ["Other.", "In 2025 the gross rent\twas 5 percent."];
    assert_eq!(quoted("claims", Some("quote"), &texts), True);
    assert_eq!(quoted("claims", Some("quote"), &["Other."]), False);
    assert_eq!(quoted("claims", Some("quote"), &[]), Unknown);
    assert_eq!(quoted("made_up", None, &texts), False);
    assert_eq!(quoted("odd", None, &texts), False);
    assert_eq!(quoted("missing", None, &texts), Unknown);
}

#[test]
fn presence_tells_null_from_missing() {
    let submission = json!({"z": null, "v": 0});
    let about = |op: &str, field: &str| over(&submission, json!({"op": op, "field": field}));
    assert_eq!((about("present", "v"), about("present", "z"), about("present", "x")), (True, False, False));
    assert_eq!((about("is_null", "v"), about("is_null", "z"), about("is_null", "x")), (False, True, Unknown));
}

#[test]
fn what_cannot_be_executed_is_refused_with_its_place() {
    let cases = [
        (json!("x"), "rule: expected a condition: an object with the key 'op'"),
        (json!({"op": "xor"}), "rule.op: unknown op \"xor\"; allowed are ==, !="),
        (json!({"op": 1}), "rule.op: unknown op 1;"),
        (json!({"op": "==", "left": 1}), "rule: the key 'right' is missing; allowed are op, left, right"),
        (json!({"op": "not", "term": of(True), "x": 1}), "rule.x: unknown key 'x'; allowed are op, term"),
        (json!({"op": "and", "terms": [of(True), 5]}), "rule.terms[1]: expected a condition"),
        (json!({"op": "==", "left": {"fields": "a"}, "right": 1}), "rule.left: expected a literal or an object"),
        (json!({"op": "==", "left": {"field": "a", "len": "b"}, "right": 1}), "rule.left.len: unknown key 'len'"),
        (json!({"op": "==", "left": {"field": "a["}, "right": 1}), "rule.left.field: expected an index or '*'"),
        (json!({"op": "==", "left": {"field": "@.a"}, "right": 1}), "rule.left.field: '@.a' looks 1 quantifiers"),
        (json!({"op": "==", "left": {"input": "@"}, "right": 1}), "rule.left.input: '@' looks 1"),
        (json!({"op": "==", "left": null, "right": 1}), "rule.left: null compares with nothing"),
        (json!({"op": "in", "left": 1, "right": [[1]]}), "rule.right[0]: a literal array holds only"),
        (json!({"op": "in", "left": 1, "right": 5}), "rule.right: expected a path"),
        (json!({"op": "==", "left": {"sum": "len(a)"}, "right": 1}), "rule.left.sum: expected a path"),
        (json!({"op": "==", "left": {"calc": "?"}, "right": 1}), "rule.left: a calculation's name needs"),
        (
            json!({"op": "==", "left": {"formula": "a +", "with": {}}, "right": 1}),
            "rule.left.formula: expected a number",
        ),
        (json!({"op": "==", "left": {"formula": "a", "with": {}}, "right": 1}), "rule.left.with: the formula uses 'a'"),
        (
            json!({"op": "==", "left": {"formula": "1", "with": {"b": 1}}, "right": 1}),
            "rule.left.with.b: the formula does not",
        ),
        (json!({"op": "unique", "array": "a", "field": "@.b"}), "rule.field: '@.b' looks 1"),
        (json!({"op": "approx", "left": 1, "right": 1, "monetary": "yes"}), "rule.monetary: expected true or false"),
    ];
    for (rule, start) in cases {
        let message = refusal(rule.clone());
        assert!(message.starts_with(start), "{rule}: {message}");
    }
    let through_serde = serde_json::from_value::<Node>(json!({"op": "nor"})).unwrap_err().to_string();
    assert!(through_serde.starts_with("rule.op: unknown op \"nor\""), "{through_serde}");
}

#[test]
fn depth_and_work_are_bounded() {
    let nested =
        |depth: usize| (1..depth).fold(json!({"op": "and", "terms": []}), |term, _| json!({"op": "not", "term": term}));
    assert_eq!(alone(nested(64)), False);
    assert!(refusal(nested(65)).ends_with("nests more than 64 deep"));
    assert!(Node::read(&nested(2_000)).is_err());
    // Every element against every element of a long list, thrice over: undecided, but soon.
    let submission = json!({"big": (0..5_000).collect::<Vec<_>>()});
    let squared = json!({"op": "each", "array": "big", "term":
        {"op": "each", "array": "big", "term": {"op": "<", "left": {"field": "@"}, "right": {"sum": "big"}}}});
    assert_eq!(over(&submission, squared), Unknown);
}

#[test]
fn the_documented_examples_are_conditions() {
    let page = include_str!("../../../../docs/rulebook-language.md");
    let examples: Vec<&str> = page.split('`').filter(|code| code.starts_with("{\"op\"")).collect();
    assert_eq!(examples.len(), 15, "one for each operation, the comparisons together");
    for example in examples {
        let filled = example.replace("condition", r#"{"op": "present", "field": "a"}"#);
        node(serde_json::from_str(&filled).unwrap_or_else(|error| panic!("{example}: {error}")));
    }
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "@", "@.a", "@@", "len(a)", "a[*]", "a[*].b", "a[", "a / b", ""])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[ab]", inner, 0..3).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// Values in the shape of conditions, most of them well formed.
fn rules() -> impl Strategy<Value = Value> {
    let list = || prop::sample::select(vec!["a", "b", "a[*]", "a[*].b", "b[*].a[*]"]).prop_map(Value::from);
    let field =
        || prop::sample::select(vec!["a", "b.a", "len(a)", "@", "@.b", "a[0]"]).prop_map(|p| json!({"field": p}));
    let operand = move || {
        prop_oneof![
            4 => field(),
            2 => (-2_i64..3).prop_map(Value::from),
            1 => list().prop_map(|path| json!({"input": path})),
            1 => (prop::sample::select(vec!["sum", "min", "max", "count", "len"]), list())
                .prop_map(|(form, path)| json!({form: path})),
            1 => (field(), field()).prop_map(|(a, b)| json!({"formula": "a / b", "with": {"a": a, "b": b}})),
            1 => Just(json!({"calc": "A", "aliases": ["B"]})),
            1 => json_values(),
        ]
    };
    let comparison =
        (prop::sample::select(vec!["==", "!=", ">=", "<", "in", "contains_text", "approx"]), operand(), operand())
            .prop_map(|(op, left, right)| json!({"op": op, "left": left, "right": right}));
    let lists = (prop::sample::select(vec!["set_equal", "subset"]), list(), list())
        .prop_map(|(op, left, right)| json!({"op": op, "left": left, "right": right}));
    let elements = (prop::sample::select(vec!["unique", "all_nonempty", "quoted_in_evidence"]), list())
        .prop_map(|(op, array)| json!({"op": op, "array": array, "field": "b"}));
    let presence = (prop::sample::select(vec!["present", "is_null"]), field())
        .prop_map(|(op, field)| json!({"op": op, "field": field}));
    prop_oneof![4 => comparison, 1 => lists, 1 => elements, 1 => presence].prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            (prop::sample::select(vec!["and", "or"]), prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(op, terms)| json!({"op": op, "terms": terms})),
            inner.clone().prop_map(|term| json!({"op": "not", "term": term})),
            (inner.clone(), inner.clone()).prop_map(|(cond, then)| json!({"op": "if", "cond": cond, "then": then})),
            (list(), inner.clone()).prop_map(|(array, term)| json!({"op": "each", "array": array, "term": term})),
            (list(), inner)
                .prop_map(|(list, term)| json!({"op": ">=", "left": {"count": list, "where": term}, "right": 1})),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused(value in prop_oneof![json_values(), rules()]) {
        let _ = Node::read(&value);
    }

    #[test]
    fn what_is_written_reads_back_and_is_decided_alike(
        rule in rules(),
        submission in json_values(),
        inputs in json_values(),
        results in prop::collection::vec(prop::option::of(-9.0..9.0), 0..3),
    ) {
        if let Ok(read) = Node::read(&rule) {
            let again: Node = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
            prop_assert_eq!(&again, &read);
            let calculations: Vec<Calculation> =
                results.into_iter().map(|result| Calculation { name: "b".into(), result }).collect();
            let facts = Facts {
                submission: &submission,
                calculations: &calculations,
                inputs: &inputs,
                evidence_texts: &["a b"], steps: MAX_STEPS };
            prop_assert_eq!(again.evaluate(&facts), read.evaluate(&facts));
        }
    }

    #[test]
    fn the_order_of_values_is_total(mut values in prop::collection::vec(json_values(), 0..30)) {
        values.sort_by(values::order);
        for (index, left) in values.iter().enumerate() {
            for right in values.get(index..).unwrap_or_default() {
                prop_assert!(values::order(left, right).is_le());
                prop_assert!(values::order(right, left).is_ge());
            }
        }
    }
}

#[test]
fn what_breaks_a_condition_is_named_with_its_place() {
    let submission = json!({
        "total": 4, "names": ["a", "b", "a"], "extra": ["a", "z"],
        "items": [{"n": 1, "why": "x", "parts": [1, 2]}, {"n": 5, "why": " ", "parts": [3, 9]}],
    });
    let broken = |condition: Value| {
        let facts = Facts {
            submission: &submission,
            calculations: &[],
            inputs: &json!({"names": ["a", "b", "c"]}),
            evidence_texts: &["an a"],
            steps: MAX_STEPS,
        };
        let condition = node(condition);
        assert_eq!(condition.evaluate(&facts), False);
        condition.broken(&facts).map(|broken| (broken.place, broken.because))
    };
    let compared = |comparison, found: i64, expected: i64| Because::Compared {
        comparison,
        found: found.into(),
        expected: expected.into(),
    };
    let at = |place: &str| Some(place.to_owned());
    let few = json!({"op": "<=", "left": {"field": "@.n"}, "right": {"field": "total"}});
    let each = json!({"op": "each", "array": "items", "term": few});
    let small = json!({"op": "each", "array": "@.parts", "term": {"op": "<", "left": {"field": "@"}, "right": 9}});
    let either = json!({"op": "or", "terms": [of(False), few]});
    let cases = [
        (of(False), Some((None, compared(Comparison::Equal, 1, 2)))),
        (json!({"op": "and", "terms": [of(True), each]}), Some((at("items[1]"), compared(Comparison::AtMost, 5, 4)))),
        (
            json!({"op": "if", "cond": of(True), "then": each}),
            Some((at("items[1]"), compared(Comparison::AtMost, 5, 4))),
        ),
        (
            json!({"op": "each", "array": "items", "term": small}),
            Some((at("items[1].parts[1]"), compared(Comparison::Less, 9, 9))),
        ),
        (json!({"op": "each", "array": "items", "term": either}), Some((at("items[1]"), Because::Unsaid))),
        (
            json!({"op": "all_nonempty", "array": "items", "field": "why"}),
            Some((at("items[1]"), Because::Empty("why".to_owned()))),
        ),
        (json!({"op": "unique", "array": "names"}), Some((None, Because::Repeated("a".into())))),
        (
            json!({"op": "set_equal", "left": "extra", "right": {"input": "names"}}),
            Some((None, Because::Sets { missing: vec!["b".into(), "c".into()], surplus: vec!["z".into()] })),
        ),
        (
            json!({"op": "subset", "left": "extra", "right": {"input": "names"}}),
            Some((None, Because::Sets { missing: vec![], surplus: vec!["z".into()] })),
        ),
        (json!({"op": "quoted_in_evidence", "array": "names"}), Some((at("names[1]"), Because::NotQuoted("b".into())))),
        (json!({"op": "present", "field": "none"}), Some((None, Because::Absent))),
        (json!({"op": "is_null", "field": "total"}), Some((None, Because::Filled(4.into())))),
        (json!({"op": "contains_text", "left": "abc", "right": "x"}), Some((None, Because::NotContained("x".into())))),
        (
            json!({"op": "in", "left": 3, "right": [1, 2]}),
            Some((None, Because::NotIn { found: 3.into(), allowed: json!([1, 2]) })),
        ),
        (json!({"op": "not", "term": of(True)}), None),
        (json!({"op": "or", "terms": [of(False)]}), None),
    ];
    for (condition, expected) in cases {
        assert_eq!(broken(condition.clone()), expected, "{condition}");
    }
}
