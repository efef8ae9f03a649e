use super::*;
use proptest::prelude::*;

fn value_with(text: &str, pairs: &[(&str, f64)]) -> Result<f64, NotEvaluable> {
    Formula::parse(text).unwrap().evaluate(&variables(pairs.iter().copied()).unwrap())
}

fn value(text: &str) -> f64 {
    value_with(text, &[]).unwrap()
}

fn undefined(text: &str) -> String {
    value_with(text, &[]).unwrap_err().to_string()
}

fn refusal(text: &str) -> String {
    Formula::parse(text).unwrap_err().to_string()
}

#[test]
fn operators_bind_and_group_as_the_language_says() {
    let cases = [
        ("-2**2", -4.0),
        ("(-2)**2", 4.0),
        ("2**3**2", 512.0),
        ("2^3^2", 512.0),
        ("2**-1", 0.5),
        ("2**--1", 2.0),
        ("-2**-2", -0.25),
        ("-7 % 3", 2.0),
        ("7 % -3", -2.0),
        ("-7 // 2", -4.0),
        ("7 // -2", -4.0),
        ("7 // 2", 3.0),
        ("1 // 0.1", 9.0),
        ("0**0", 1.0),
        ("2 + 3 * 4", 14.0),
        ("2 * 3 ** 2", 18.0),
        ("10 - 4 - 3", 3.0),
        ("100 / 10 / 5", 2.0),
        ("7 // 2 * 2", 6.0),
        ("-3 * -2", 6.0),
        ("+5", 5.0),
        ("1 - -1", 2.0),
        ("1e3 + .5 + 2. + 1E-1 + 1e+1", 1012.6),
        ("(1 + 2) * 3", 9.0),
        ("-0.0", 0.0),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
        let strict = Formula::parse_strict(text).unwrap().evaluate(&BTreeMap::new());
        assert_eq!(strict, Ok(expected), "{text}, strictly");
    }
    assert!(value("-0.0").is_sign_positive());
}

#[test]
fn a_step_without_a_finite_result_says_why_and_where() {
    assert_eq!(undefined("1 + 4 / (2 - 2)"), "division by zero in '4.0 / (2.0 - 2.0)'");
    assert_eq!(undefined("1 // 0"), "division by zero in '1.0 // 0.0'");
    assert_eq!(undefined("1 % 0"), "division by zero in '1.0 % 0.0'");
    assert_eq!(undefined("0**-1"), "zero to a negative power in '0.0 ** -1.0'");
    assert_eq!(undefined("(-8)**(1/3)"), "a fractional power of a negative number in '(-8.0) ** (1.0 / 3.0)'");
    assert_eq!(undefined("9**9**9"), "the result is too large in '9.0 ** 9.0 ** 9.0'");
    // Overflow is an error where it happens, even if what follows would hide it.
    assert_eq!(undefined("1 / (1e308 * 10)"), "the result is too large in '1e308 * 10.0'");
    assert_eq!(undefined("margin"), "the formula uses 'margin', which is not among its inputs");
    assert_eq!(value_with("a", &[("a", f64::NAN)]).unwrap_err().to_string(), "the input 'a' is not a finite number");
    assert_eq!(undefined("1 / 0 + unknown"), undefined("1 / 0"));
    let long = undefined(&format!("{}1 / 0", "(1 + 1) * ".repeat(40)));
    assert!(long.chars().count() < 120 && long.ends_with("…'"), "{long}");
}

#[test]
fn what_is_no_formula_is_refused_with_its_place() {
    assert_eq!(refusal(" \t"), "the formula is empty");
    assert_eq!(refusal("1 +"), "expected a number, a name or '(' at character 4 of the formula, found its end");
    assert_eq!(refusal("(1 + 2"), "expected an operator or ')' at character 7 of the formula, found its end");
    assert_eq!(refusal("1 2"), "expected an operator or the end at character 3 of the formula, found the number 2.0");
    assert_eq!(refusal("2x"), "expected an operator after the number at character 2 of the formula, found 'x'");
    assert_eq!(refusal("1, 2"), "expected an operator or the end at character 2 of the formula, found ','");
    assert_eq!(refusal("1e999"), "the number at character 1 of the formula is too large");
    let functions = "min, max, abs, sqrt, round, sum, count, pmt, npv, irr";
    let unknown = format!("'eval' at character 5 of the formula is not a function; the functions are {functions}");
    assert_eq!(refusal("1 + eval(2)"), unknown);
    assert_eq!(refusal("abs(1, 2)"), "abs at character 1 of the formula takes one argument, not 2");
    for text in [
        "a == b",
        "a < b",
        "a and (b)",
        "[1]",
        "a.b",
        "'x'",
        "a; b",
        "1..2",
        ".",
        "1e",
        "0x10",
        "1_000",
        "()",
        "(a)(b)",
        "2(3)",
        "sum()",
        "a***b",
        "!1",
        "$5",
        "5 %",
        "a\0b",
    ] {
        assert!(Formula::parse(text).is_err(), "{text}");
    }
}

#[test]
fn size_is_limited_before_anything_recurses() {
    assert_eq!(refusal(&"(".repeat(10_000)), "the formula has 10000 characters; 1000 are allowed");
    assert_eq!(refusal(&"(".repeat(900)), "the formula nests more than 64 deep at character 66");
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Formula::parse(&nested(64)).is_ok());
    assert!(matches!(Formula::parse(&nested(65)), Err(FormulaError::TooDeep(66))));
    assert!(matches!(Formula::parse(&format!("{}1", "-".repeat(65))), Err(FormulaError::TooDeep(_))));
    assert!(matches!(Formula::parse(&vec!["2"; 70].join("^")), Err(FormulaError::TooDeep(_))));
    let sum = |terms: usize| vec!["1"; terms].join("+");
    assert_eq!(value(&sum(250)), 250.0);
    assert!(matches!(Formula::parse(&sum(251)), Err(FormulaError::TooLarge(_))));
    assert!(Formula::parse(&format!("1{}", " ".repeat(999))).is_ok());
    assert!(matches!(Formula::parse(&format!("1{}", " ".repeat(1_000))), Err(FormulaError::TooLong(1_001))));
}

#[test]
fn names_are_compared_without_case_and_spacing() {
    let reported = [("Gross  Profit", 30.0), ("REVENUE", 120.0), ("after-tax cost", 2.0), ("Year 1", 5.0)];
    assert_eq!(value_with("Gross Profit / Revenue", &reported), Ok(0.25));
    assert_eq!(value_with("gross_profit ÷ revenue × 2", &reported), Ok(0.5));
    assert_eq!(value_with("After_Tax Cost + year 1", &reported), Ok(7.0));
    let formula = Formula::parse("Gross Profit - cogs + Gross_Profit").unwrap();
    assert_eq!(formula.names().collect::<Vec<_>>(), ["cogs", "gross_profit"]);
    assert_eq!(formula.source(), "Gross Profit - cogs + Gross_Profit");
    assert_eq!(formula.to_string(), "gross_profit - cogs + gross_profit");
    assert_eq!(normalise("  Net \t Operating - Income "), "net_operating_income");
    let ambiguous = variables([("Net Income", 1.0), ("net-income", 2.0)]).unwrap_err().to_string();
    assert_eq!(ambiguous, "the inputs name 'net_income' twice, once as 1 and once as 2");
    assert!(variables([("Net Income", 1.0), ("net_income", 1.0)]).is_ok());
}

#[test]
fn the_strict_language_has_no_extensions() {
    for text in ["min(1, 2)", "abs(1)", "2 × 3", "6 ÷ 2", "gross profit", "f (1)", "1, 2"] {
        assert!(Formula::parse_strict(text).is_err(), "{text}");
    }
    let exact = Formula::parse_strict("Revenue").unwrap();
    assert!(exact.evaluate(&BTreeMap::from([("revenue".into(), 1.0)])).is_err());
    assert_eq!(exact.evaluate(&BTreeMap::from([("Revenue".into(), 1.0)])), Ok(1.0));
}

#[test]
fn functions_give_what_their_names_say() {
    let cases = [
        ("min(3, 1, 2)", 1.0),
        ("MAX(3, 1, 2)", 3.0),
        ("abs(-4)", 4.0),
        ("sqrt (16)", 4.0),
        ("sum(1, 2, 3.5)", 6.5),
        ("count(7, 7, 7)", 3.0),
        ("round(2.5)", 2.0),
        ("round(3.5)", 4.0),
        ("round(-2.5)", -2.0),
        ("round(2.675, 2)", 2.67),
        ("round(0.125, 2)", 0.12),
        ("round(0.375, 2)", 0.38),
        ("round(1250, -2)", 1200.0),
        ("round(1.5e300, 2)", 1.5e300),
        ("pmt(0, 10, 500)", 50.0),
        ("npv(0.1, -100, 110)", 0.0),
        ("npv(0, 1, 2, 3)", 6.0),
        ("sum(1, 2) / count", 1.0),
    ];
    for (text, expected) in cases {
        let got = value_with(text, &[("count", 3.0)]).unwrap();
        assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{text} is {got}");
    }
    // A loan of 8,625,000 at 7.25 % over 360 months: 706,052.45 a year, and the same written out.
    let service = value("12 * pmt(0.0725 / 12, 360, 8625000)");
    assert!((service - 706_052.45).abs() < 0.005, "{service}");
    let loan = [("P", 8_625_000.0), ("r", 0.0725 / 12.0), ("n", 360.0)];
    let written_out = value_with("12 * P * (r * (1 + r)^n) / ((1 + r)^n - 1)", &loan).unwrap();
    assert!((service - written_out).abs() < 1e-6);
    let rate = value("irr(-1000, 300, 420, 680)");
    assert!(value(&format!("npv({rate}, -1000, 300, 420, 680)")).abs() < 1e-9, "{rate}");
    assert!((value("irr(100, 0, -121)") - 0.1).abs() < 1e-14);
    assert!((value("irr(-100, 50)") + 0.5).abs() < 1e-14);
}

#[test]
fn functions_refuse_what_has_no_answer() {
    for (text, reason) in [
        ("sqrt(-1)", "square root of a negative"),
        ("round(1, 0.5)", "whole number"),
        ("round(1, 99)", "whole number"),
        ("pmt(0.1, 0, 1)", "positive number of periods"),
        ("pmt(-1, 2, 1)", "above -1"),
        ("npv(-1, 2, 1)", "above -1"),
        ("irr(1, 2)", "one sign"),
        ("irr(0, 0)", "one sign"),
        ("irr(-1, 3, -1)", "more than once"),
        ("irr(-1e300, 1e-300)", "out of reach"),
    ] {
        let message = undefined(text);
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn on_the_wire_a_formula_is_its_text() {
    let formula: Formula = serde_json::from_str("\"Net Income/2\"").unwrap();
    assert_eq!(serde_json::to_string(&formula).unwrap(), "\"Net Income/2\"");
    let refused = serde_json::from_str::<Formula>("\"2 +\"").unwrap_err().to_string();
    assert!(refused.contains("character 4"), "{refused}");
}

fn expressions() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        prop_oneof![0.0..10.0, 0.0..1e20, 0.0..1e-6, (0_u8..9).prop_map(f64::from)].prop_map(Expression::Number),
        "[a-z]{1,2}".prop_map(Expression::Name),
    ];
    let operators = prop::sample::select(vec![
        Operator::Add,
        Operator::Subtract,
        Operator::Multiply,
        Operator::Divide,
        Operator::FloorDivide,
        Operator::Modulo,
        Operator::Power,
    ]);
    leaf.prop_recursive(5, 24, 3, move |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Expression::Negate),
            (operators.clone(), boxed.clone(), boxed).prop_map(|(op, left, right)| Expression::Binary(op, left, right)),
            (prop::sample::select(Function::ALL), prop::collection::vec(inner, 3))
                .prop_filter("arguments fit", |(function, arguments)| function.accepts(arguments.len()))
                .prop_map(|(function, arguments)| Expression::Call(function, arguments)),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_is_evaluated_or_refused(
        text in "([0-9.eE+\\-*/^%(),a-c ×÷]|sum\\(|irr\\(|pmt\\(|round\\(){0,40}|.{0,80}",
        values in prop::array::uniform3(-1e3..1e3),
    ) {
        for formula in [Formula::parse(&text), Formula::parse_strict(&text)].into_iter().flatten() {
            let variables = ["a", "b", "c"].map(String::from).into_iter().zip(values).collect();
            if let Ok(value) = formula.evaluate(&variables) {
                prop_assert!(value.is_finite());
            }
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same(expression in expressions()) {
        let text = expression.to_string();
        prop_assume!(text.chars().count() <= MAX_LENGTH);
        prop_assert_eq!(Formula::parse(&text).unwrap().expression, expression, "{}", text);
    }

    #[test]
    fn a_value_is_finite(expression in expressions(), given in prop::num::f64::ANY) {
        let mut names = BTreeSet::new();
        expression.collect_names(&mut names);
        let variables = names.into_iter().map(|name| (name, given)).collect();
        if let Ok(value) = Formula::of("", expression).evaluate(&variables) {
            prop_assert!(value.is_finite());
        }
    }

    #[test]
    fn quotient_and_remainder_agree(left in -1e6..1e6, right in -1e3..1e3) {
        prop_assume!(right != 0.0);
        let pairs = [("a", left), ("b", right)];
        let remainder = value_with("a % b", &pairs).unwrap();
        prop_assert!(remainder == 0.0 || (remainder < 0.0) == (right < 0.0));
        let whole = value_with("a // b * b + a % b", &pairs).unwrap();
        prop_assert!((whole - left).abs() <= 1e-9 * left.abs().max(1.0));
    }
}
