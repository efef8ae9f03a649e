use super::*;
use crate::testing::given;
use FlightSheetCommand::{Publish, Retire};
use FlightSheetEvent::{SheetPublished, SheetRetired};
use proof::digest::sha256;
use std::collections::BTreeSet;

fn published(content: &str) -> Published {
    Published {
        slug: "cre_memo_dscr_ltv_v1".into(),
        name: "CRE memo".into(),
        version: "1.0".into(),
        lane: Lane::Agent,
        content_sha256: sha256(content.as_bytes()),
    }
}

#[test]
fn it_is_published_and_may_be_used() {
    given::<FlightSheet>([]).when(Publish(published("a"))).then([SheetPublished(published("a"))]);
    assert!(given::<FlightSheet>([SheetPublished(published("a"))]).0.active);
}

#[test]
fn what_is_published_as_it_is_needs_nothing_and_new_content_is_published_under_the_same_version() {
    let once = [SheetPublished(published("a"))];
    given::<FlightSheet>(once.clone()).when(Publish(published("a"))).then([]);
    given::<FlightSheet>(once).when(Publish(published("b"))).then([SheetPublished(published("b"))]);
}

#[test]
fn a_retired_sheet_is_out_of_use_and_keeps_what_was_published() {
    given::<FlightSheet>([SheetPublished(published("a"))]).when(Retire).then([SheetRetired {}]);
    let retired = [SheetPublished(published("a")), SheetRetired {}];
    let sheet = given::<FlightSheet>(retired.clone()).0;
    assert_eq!((sheet.active, sheet.published), (false, Some(published("a"))));
    given::<FlightSheet>(retired).when(Retire).then([]);
}

#[test]
fn a_retired_sheet_comes_back_by_being_published_even_as_it_was() {
    let retired = [SheetPublished(published("a")), SheetRetired {}];
    given::<FlightSheet>(retired).when(Publish(published("a"))).then([SheetPublished(published("a"))]);
}

#[test]
fn what_was_never_published_cannot_be_retired() {
    given::<FlightSheet>([]).when(Retire).refused(FlightSheetRefusal::Unknown);
    assert_eq!(FlightSheetRefusal::Unknown.fault(), Fault::NotFound);
}

#[test]
fn no_role_may_touch_the_library() {
    assert_eq!(Publish(published("a")).permission(), Permission::Service);
    assert_eq!(Retire.permission(), Permission::Service);
}

#[test]
fn a_library_sheet_has_the_same_id_on_every_installation() {
    let id = library_sheet_id("cre_memo_dscr_ltv_v1");
    assert_eq!(id.to_string(), "fs_01kdvdna00f4ybgs0vtht06zrf", "an id once given out stays");
    assert_eq!((id.uuid().get_version_num(), id.to_string().parse()), (7, Ok(id)));
    let others = ["cre_memo_dscr_ltv_v1", "cre_memo_dscr_ltv_v2", "fin_wacc_calculation_v1", ""];
    assert_eq!(others.map(library_sheet_id).into_iter().collect::<BTreeSet<_>>().len(), 4);
}
