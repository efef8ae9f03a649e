use super::*;
use proptest::prelude::*;
use serde_json::json;

fn at(path: &str, root: &Value) -> Option<Value> {
    Path::parse(path).unwrap().resolve(root).map(Cow::into_owned)
}

#[test]
fn paths_reach_what_they_name() {
    let root = json!({
        "a": {"b": null, "c d": "tür"},
        "list": [{"n": 1, "tags": ["x", "y"]}, {"n": 2}, 3],
        "counts": {"dog": 2, "cat": 1},
    });
    assert_eq!(at("a.b", &root), Some(Value::Null));
    assert_eq!(at("a.c d", &root), Some(json!("tür")));
    assert_eq!(at("a.missing", &root), None);
    assert_eq!(at("a.b.c", &root), None);
    assert_eq!(at("list[0].n", &root), Some(json!(1)));
    assert_eq!(at("list[7]", &root), None);
    assert_eq!(at("a[0]", &root), None);
    assert_eq!(at("list[*].n", &root), Some(json!([1, 2, null])));
    assert_eq!(at("list[*].tags[*]", &root), Some(json!(["x", "y", null, null])));
    assert_eq!(at("counts[*]", &root), Some(json!([1, 2])));
    assert_eq!(at("a.c d[*]", &root), None);
    assert_eq!(at("len(list)", &root), Some(json!(3)));
    assert_eq!(at("len(a.c d)", &root), Some(json!(3)));
    assert_eq!(at("len(counts)", &root), Some(json!(2)));
    assert_eq!(at("len(list[*].tags[*])", &root), Some(json!(4)));
    assert_eq!(at("len(list[0].n)", &root), None);
    assert_eq!(at("@.n", &json!({"n": 5})), Some(json!(5)));
    assert_eq!(at("@", &json!("x")), Some(json!("x")));
    assert_eq!(at("@[1]", &json!([1, 2])), Some(json!(2)));
    assert_eq!((Path::parse("@@.n").unwrap().level(), Path::parse("n").unwrap().level()), (2, 0));
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    let message = |text: &str| Path::parse(text).unwrap_err().to_string();
    assert_eq!(message("  "), "the path is empty");
    assert_eq!(message("a..b"), "expected a key at character 3 of the path 'a..b'");
    assert_eq!(message("a[x]"), "expected an index or '*' at character 3 of the path 'a[x]'");
    assert_eq!(message("a[1"), "expected ']' at character 4 of the path 'a[1'");
    assert_eq!(message("len(a..b)"), "expected a key at character 7 of the path 'len(a..b)'");
    assert_eq!(message(&"a".repeat(501)), "the path has 501 characters; 500 are allowed");
    for text in [".a", "a.", "[0]", "a]", "len(a", "len()", "a b(c)", "@a", "a@", "a[-1]", "a[99999999999999999999]"] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

#[test]
fn on_the_wire_a_path_is_its_text() {
    let path: Path = serde_json::from_value(json!("len(a.b[*].c[0])")).unwrap();
    assert_eq!(serde_json::to_value(&path).unwrap(), json!("len(a.b[*].c[0])"));
    assert!(serde_json::from_value::<Path>(json!("a[")).unwrap_err().to_string().contains("character 3"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z.\\[\\]*@()0-9 é]{0,40}|.{0,60}") {
        if let Ok(path) = Path::parse(&text) {
            prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
        }
    }
}
