//! Texts of others, made fit to be set: nothing in them is lost from sight, and nothing in them turns the page around.

use crate::fonts::draws;
use serde_json::Value;
use std::borrow::Cow;

/// The value with every text in it made fit; its names are left alone, for they are ours.
pub(crate) fn fit_all(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(fit(&text).into_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(fit_all).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, fit_all(value))).collect())
        }
        other => other,
    }
}

/// The text with what cannot or must not be set named by its code point, such as ⟨U+202E⟩.
pub(crate) fn fit(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| character == ' ' || character.is_ascii_graphic()) {
        return Cow::Borrowed(text);
    }
    let mut fit = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => fit.push('\n'),
            '\t' => fit.push_str("    "),
            _ if settable(character) => fit.push(character),
            _ => fit.push_str(&format!("⟨U+{:04X}⟩", u32::from(character))),
        }
    }
    Cow::Owned(fit)
}

fn settable(character: char) -> bool {
    match character {
        // These make a text read otherwise than it is stored.
        '\u{202D}' | '\u{202E}' => false,
        // What is for private use means nothing to a reader.
        '\u{E000}'..='\u{F8FF}' | '\u{F0000}'.. => false,
        _ if character.is_control() => false,
        // Spaces, joiners, marks of direction and variation selectors have no shape of their own.
        '\u{2000}'..='\u{200F}' | '\u{202A}'..='\u{202C}' | '\u{202F}' | '\u{205F}' | '\u{2060}' => true,
        '\u{2066}'..='\u{2069}' | '\u{AD}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{3000}' | '\u{61C}' => true,
        '\u{E0020}'..='\u{E007F}' => true,
        _ => character.is_whitespace() || draws(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_fonts_draw_stays() {
        for text in [
            "plain",
            "Prüfung ≥ 1.20 → “ja”",
            "تقرير",
            "דוח",
            "报告",
            "報告書",
            "보고서",
            "รายงาน",
            "प्रतिवेदन",
            "e\u{301}",
            "👩\u{200D}🔬",
            "☃\u{FE0F}",
            "\u{2068}x\u{2069}",
            "Ελλάδα",
            "Отчёт",
            "አማርኛ",
        ] {
            assert_eq!(fit(text), text);
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        assert_eq!(fit("a\u{7}b"), "a⟨U+0007⟩b");
        assert_eq!(fit("x\u{E000}"), "x⟨U+E000⟩");
        assert_eq!(fit("\u{13000}"), "⟨U+13000⟩");
        assert_eq!(fit("exe.\u{202E}fdp"), "exe.⟨U+202E⟩fdp");
    }

    #[test]
    fn every_line_end_is_one_line_end() {
        assert_eq!(fit("a\r\nb\rc\u{2028}d\te"), "a\nb\nc\nd    e");
    }

    #[test]
    fn texts_are_made_fit_wherever_they_are() {
        let value = json!({"a": [{"b": "\u{0}"}], "n": 3, "t": true, "z": null});
        assert_eq!(fit_all(value), json!({"a": [{"b": "⟨U+0000⟩"}], "n": 3, "t": true, "z": null}));
    }
}
