use super::Grade::{Flag, Pass};
use super::TierLevel::{High, Low, Mid};
use super::*;
use serde_json::json;

#[test]
fn the_table_of_misses() {
    let cases = [
        (101.0, 100.0, false, Pass),
        (102.0, 100.0, false, Flag(Low)),
        (105.0, 100.0, false, Flag(Mid)),
        (109.99, 100.0, false, Flag(Mid)),
        (110.0, 100.0, false, Flag(High)),
        (103_000.0, 100_000.0, true, Flag(High)),
        (103_000.0, 100_000.0, false, Flag(Low)),
        (101_500.0, 100_000.0, true, Flag(Low)),
        (99.0, 0.0, false, Flag(High)),
        (0.06, 0.0474, false, Flag(High)),
        (0.0, 0.0, true, Pass),
        (-101.0, -100.0, false, Pass),
        (-100.0, 100.0, false, Flag(High)),
    ];
    for (stated, truth, monetary, grade) in cases {
        assert_eq!(Bands::default().grade(stated, truth, monetary), grade, "{stated} against {truth}");
    }
}

#[test]
fn a_number_that_is_none_is_never_near() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Bands::default().grade(odd, 100.0, false), Flag(High));
        assert_eq!(Bands::default().grade(100.0, odd, false), Flag(High));
    }
}

#[test]
fn declared_bands_fill_in_defaults_and_refuse_nonsense() {
    let declared: Bands = serde_json::from_value(json!({"tol_rel": 0.001})).unwrap();
    assert_eq!(declared, Bands { tol_rel: 0.001, ..Bands::default() });
    let refused = |value: serde_json::Value| serde_json::from_value::<Bands>(value).unwrap_err().to_string();
    assert!(refused(json!({"tolerance": 0.1})).contains("unknown field `tolerance`"));
    assert!(refused(json!({"critical_abs": -1})).contains("critical_abs is -1"));
    assert!(refused(json!({"low_rel": 0.2})).contains("low_rel 0.2"));
}

#[test]
fn units_say_what_is_money_and_names_only_without_them() {
    for units in ["usd", " USD ", "$", "Dollars", "US dollars", "USD/month", "USD per unit", "$/sq ft", "usd (annual)"]
    {
        assert!(is_monetary(Some(units), "ratio"), "{units}");
    }
    for units in
        ["ratio", "percent", "samples/sec", "score per dollar", "score/$", "USD/USD", "usdt", "dollar-weighted"]
    {
        assert!(!is_monetary(Some(units), "payment amount"), "{units}");
    }
    assert!(is_monetary(None, "Annual Debt Service") && is_monetary(Some("  "), "Total COST"));
    assert!(!is_monetary(None, "LTV"));
}
