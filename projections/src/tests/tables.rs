//! The statements of the tables, on both databases.

use super::*;
use crate::{
    db::Dialect,
    model::{CellKind, Column, Index, Table},
};

const EXAMPLE: Table = Table {
    name: "ships",
    version: 3,
    essential: false,
    columns: &[Column { name: "slug", kind: CellKind::Text }, Column { name: "mass", kind: CellKind::Integer }],
    indexes: &[Index { columns: &["org_id", "slug"], unique: true }, Index { columns: &["mass"], unique: false }],
};

#[test]
fn a_table_is_made_alike_but_for_the_types_of_its_columns() {
    let indexes = [
        "CREATE UNIQUE INDEX ships_v7_by_org_id_slug ON ships_v7 (org_id, slug)",
        "CREATE INDEX ships_v7_by_mass ON ships_v7 (mass)",
    ];
    let sqlite = EXAMPLE.create(Dialect::Sqlite, 7);
    let postgres = EXAMPLE.create(Dialect::Postgres, 7);
    assert_eq!(
        sqlite,
        "CREATE TABLE ships_v7 (org_id text NOT NULL, id text NOT NULL, position integer NOT NULL, doc text NOT NULL, \
         slug text, mass integer, PRIMARY KEY (org_id, id)) STRICT"
    );
    assert_eq!(
        postgres,
        "CREATE TABLE ships_v7 (org_id text COLLATE \"C\" NOT NULL, id text COLLATE \"C\" NOT NULL, \
         position bigint NOT NULL, doc text NOT NULL, slug text COLLATE \"C\", mass bigint, PRIMARY KEY (org_id, id))"
    );
    assert_eq!(EXAMPLE.index(7).collect::<Vec<_>>(), indexes);
}

#[test]
fn rows_are_written_alike_but_for_how_they_are_handed_over() {
    let tail = "ON CONFLICT (org_id, id) DO UPDATE SET position = excluded.position, doc = excluded.doc, \
                slug = excluded.slug, mass = excluded.mass";
    assert_eq!(
        EXAMPLE.upsert(Dialect::Sqlite, 7, 2),
        format!(
            "INSERT INTO ships_v7 (org_id, id, position, doc, slug, mass) \
             VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?) {tail}"
        )
    );
    assert_eq!(
        EXAMPLE.upsert(Dialect::Postgres, 7, 2),
        format!(
            "INSERT INTO ships_v7 (org_id, id, position, doc, slug, mass) SELECT * FROM unnest($1::text[], \
             $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[]) {tail}"
        )
    );
}

#[test]
fn rows_are_read_and_deleted_alike_but_for_how_json_is_taken_apart() {
    for (dialect, rows) in
        [(Dialect::Sqlite, "json_each($1)"), (Dialect::Postgres, "json_array_elements($1::json) AS rows(value)")]
    {
        assert_eq!(
            EXAMPLE.read(dialect, 7),
            format!(
                "SELECT t.org_id, t.id, t.doc FROM {rows} JOIN ships_v7 t ON t.org_id = value->>0 AND t.id = value->>1"
            )
        );
        assert_eq!(
            EXAMPLE.delete(dialect, 7),
            format!("DELETE FROM ships_v7 WHERE (org_id, id) IN (SELECT value->>0, value->>1 FROM {rows})")
        );
    }
    assert_eq!(Dialect::Sqlite.texts("$2"), "json_each($2)");
    assert_eq!(Dialect::Postgres.texts("$2"), "json_array_elements_text($2::json) AS texts(value)");
}

#[test]
fn readers_see_one_build_under_the_plain_name() {
    assert_eq!(
        EXAMPLE.show(8),
        ["DROP VIEW IF EXISTS ships", "CREATE VIEW ships AS SELECT * FROM ships_v8"].map(String::from)
    );
}

#[test]
fn every_model_has_a_table_of_its_own_whose_statements_differ_only_where_said() {
    let mut names: Vec<_> = models().iter().map(|model| model.table.name).collect();
    for model in models() {
        let table = model.table;
        let [sqlite, postgres] = [Dialect::Sqlite, Dialect::Postgres].map(|dialect| {
            table.create(dialect, 1).replace(" COLLATE \"C\"", "").replace("bigint", "integer").replace(" STRICT", "")
        });
        assert_eq!(sqlite, postgres, "{}", table.name);
        let known = ["org_id", "id", "position"];
        for index in table.indexes {
            for name in index.columns {
                let is_a_column = table.columns.iter().any(|column| column.name == *name);
                assert!(is_a_column || known.contains(name), "{} has no column {name} to index", table.name);
            }
        }
    }
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "no table twice");
}

#[test]
fn what_says_who_may_do_what_is_never_out_of_date() {
    let essential: Vec<_> =
        models().iter().filter(|model| model.table.essential).map(|model| model.table.name).collect();
    assert_eq!(essential, ["people", "organisations", "memberships", "invitations", "api_keys"]);
}
