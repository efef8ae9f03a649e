//! How answers look: tables and facts for people, JSON for programs.

use crate::{
    cli::{Failure, say},
    config::Remote,
};
use serde_json::Value;

/// What a table shows where a value is null or missing.
const NOTHING: &str = "-";
/// How many characters of a hash a table shows.
const SHORT: usize = 16;
/// How many characters of a text a table shows.
const LONG: usize = 60;

/// A column: its heading, and what it shows of a record.
pub(in crate::cli) type Column = (&'static str, fn(&Value) -> String);

/// Shows one record.
pub(in crate::cli) fn record(
    remote: &Remote,
    record: &Value,
    people: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    if remote.json {
        say(json(record)?);
    } else {
        say(people(record));
    }
    Ok(())
}

/// Shows a list: to a program as the bare array. `none` is said to a person where it is empty.
pub(in crate::cli) fn list(remote: &Remote, rows: &[Value], columns: &[Column], none: &str) -> Result<(), Failure> {
    if remote.json {
        say(json(rows)?);
    } else if rows.is_empty() {
        say(none);
    } else {
        say(table(rows, columns));
    }
    Ok(())
}

/// With two spaces and sorted keys.
pub(in crate::cli) fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value)?)
}

/// One line a record, in aligned columns.
pub(in crate::cli) fn table(rows: &[Value], columns: &[Column]) -> String {
    let heads = columns.iter().map(|(head, _)| (*head).to_owned()).collect::<Vec<_>>();
    let rows = rows.iter().map(|row| columns.iter().map(|(_, of)| of(row)).collect::<Vec<_>>());
    let lines: Vec<_> = std::iter::once(heads).chain(rows).collect();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One line a fact, in two columns; what is null or missing is left out.
pub(in crate::cli) fn facts(facts: &[(&str, String)]) -> String {
    let known: Vec<_> = facts.iter().filter(|(_, fact)| fact != NOTHING).collect();
    let width = known.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    known.iter().map(|(name, fact)| format!("{name:width$}  {fact}")).collect::<Vec<_>>().join("\n")
}

/// A field for people, found by the names on its path, whole.
pub(in crate::cli) fn field(record: &Value, path: &str) -> String {
    plain(path.split('.').try_fold(record, |value, name| value.get(name)))
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::String(text)) if text.is_empty() => NOTHING.to_owned(),
        Some(Value::String(text)) => clean(text),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(items)) if items.is_empty() => NOTHING.to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| plain(Some(item))).collect::<Vec<_>>().join(", "),
        Some(other) => clean(&other.to_string()),
    }
}

/// The same, cut to what a table holds.
pub(in crate::cli) fn cell(record: &Value, name: &str) -> String {
    cut(field(record, name), LONG)
}

/// A hash, shortened.
pub(in crate::cli) fn hash(record: &Value, name: &str) -> String {
    field(record, name).chars().take(SHORT).collect()
}

fn cut(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A long text that others wrote, without what would move the cursor of a terminal elsewhere.
pub(in crate::cli) fn text(text: &str) -> String {
    let may = |found: char| !found.is_control() || found == '\n' || found == '\t';
    text.chars().map(|found| if may(found) { found } else { ' ' }).collect::<String>().trim_end().to_owned()
}

/// What others wrote, without what would move the cursor of a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|found| if found.is_control() { ' ' } else { found }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_has_aligned_columns_and_short_hashes() {
        let rows = [
            json!({"name": "Bridge\u{1b}[2J", "n": 7, "hash": "0123456789abcdef0123", "none": null}),
            json!({"name": "Überbau", "n": 10, "hash": "f", "none": null}),
        ];
        let columns: [Column; 4] = [
            ("NAME", |row| cell(row, "name")),
            ("N", |row| cell(row, "n")),
            ("HASH", |row| hash(row, "hash")),
            ("NONE", |row| cell(row, "none")),
        ];
        assert_eq!(
            table(&rows, &columns),
            "NAME        N   HASH              NONE\n\
             Bridge [2J  7   0123456789abcdef  -\n\
             Überbau     10  f                 -"
        );
    }

    #[test]
    fn a_long_text_keeps_its_lines_and_loses_what_moves_the_cursor() {
        assert_eq!(text("one\n\ttwo\u{1b}[2J\u{9b}3\r\n"), "one\n\ttwo [2J 3");
    }

    #[test]
    fn facts_leave_out_what_is_not_known() {
        let record = json!({"id": "run_1", "sheet": {"name": "GDPR"}, "note": null, "open": false, "all": ["a", "b"]});
        let told = facts(&[
            ("Run", field(&record, "id")),
            ("Sheet", field(&record, "sheet.name")),
            ("Note", field(&record, "note")),
            ("Open", field(&record, "open")),
            ("All", field(&record, "all")),
        ]);
        assert_eq!(told, "Run    run_1\nSheet  GDPR\nOpen   no\nAll    a, b");
    }
}
