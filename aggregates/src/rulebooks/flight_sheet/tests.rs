use super::*;
use crate::testing::given;
use FlightSheetCommand::{Publish, Retire, Upload, Use};
use FlightSheetEvent::{SheetPublished, SheetRetired, SheetUsed};
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
fn no_role_publishes_a_sheet_of_the_library_and_who_works_their_own() {
    assert_eq!(Publish(published("a")).permission(), Permission::Service);
    for own in [Upload(published("a")), Use(sha256(b"a")), Retire] {
        assert_eq!(own.permission(), Permission::Work);
    }
}

/// What was uploaded under a version.
fn version(version: &str, content: &str) -> Published {
    Published { version: version.into(), ..published(content) }
}

#[test]
fn an_own_sheet_is_published_and_the_same_again_needs_nothing() {
    given::<FlightSheet>([]).when(Upload(published("a"))).then([SheetPublished(published("a"))]);
    given::<FlightSheet>([SheetPublished(published("a"))]).when(Upload(published("a"))).then([]);
    given::<FlightSheet>([SheetPublished(published("a")), SheetUsed {}]).when(Upload(published("a"))).then([]);
}

#[test]
fn a_version_changes_until_a_run_has_used_it() {
    let unused = [SheetPublished(version("1.0", "a"))];
    given::<FlightSheet>(unused).when(Upload(version("1.0", "b"))).then([SheetPublished(version("1.0", "b"))]);
    let used = [SheetPublished(version("1.0", "a")), SheetUsed {}];
    let refusal = FlightSheetRefusal::Used("1.0".into());
    assert_eq!(refusal.fault(), Fault::Conflict);
    given::<FlightSheet>(used.clone()).when(Upload(version("1.0", "b"))).refused(refusal);
    // The next version is free again.
    let next = SheetPublished(version("1.1", "b"));
    given::<FlightSheet>(used.clone()).when(Upload(version("1.1", "b"))).then([next.clone()]);
    let [first, second] = used;
    given::<FlightSheet>([first, second, next])
        .when(Upload(version("1.1", "c")))
        .then([SheetPublished(version("1.1", "c"))]);
}

#[test]
fn a_version_that_was_used_stays_used_when_the_sheet_comes_back_from_retirement() {
    let back = [SheetPublished(published("a")), SheetUsed {}, SheetRetired {}, SheetPublished(published("a"))];
    given::<FlightSheet>(back).when(Upload(published("b"))).refused(FlightSheetRefusal::Used("1.0".into()));
}

#[test]
fn versions_go_up() {
    let second = [SheetPublished(version("1.9", "a")), SheetPublished(version("1.10", "b"))];
    for (lower, content) in [("1.9", "a"), ("1.9", "c"), ("1", "b"), ("1.2.3", "d")] {
        let refusal = FlightSheetRefusal::Superseded { new: lower.into(), published: "1.10".into() };
        assert_eq!(refusal.fault(), Fault::Conflict);
        given::<FlightSheet>(second.clone()).when(Upload(version(lower, content))).refused(refusal);
    }
    given::<FlightSheet>(second).when(Upload(version("2", "c"))).then([SheetPublished(version("2", "c"))]);
}

#[test]
fn a_sheet_has_so_many_versions_and_no_more() {
    let many: Vec<_> = (0..MAX_VERSIONS).map(|n| SheetPublished(version(&n.to_string(), &n.to_string()))).collect();
    let full = given::<FlightSheet>(many);
    assert_eq!(full.0.versions, MAX_VERSIONS);
    full.when(Upload(version("1000", "x"))).refused(FlightSheetRefusal::TooManyVersions);
}

#[test]
fn the_first_run_fixes_the_version_and_a_retired_sheet_takes_none() {
    given::<FlightSheet>([SheetPublished(published("a"))]).when(Use(sha256(b"a"))).then([SheetUsed {}]);
    given::<FlightSheet>([SheetPublished(published("a")), SheetUsed {}]).when(Use(sha256(b"a"))).then([]);
    given::<FlightSheet>([]).when(Use(sha256(b"a"))).refused(FlightSheetRefusal::Unknown);
    let changed = [SheetPublished(published("a")), SheetPublished(published("b"))];
    given::<FlightSheet>(changed).when(Use(sha256(b"a"))).refused(FlightSheetRefusal::Changed);
    let refusal = FlightSheetRefusal::Retired("cre_memo_dscr_ltv_v1".into());
    assert_eq!(refusal.fault(), Fault::Conflict);
    given::<FlightSheet>([SheetPublished(published("a")), SheetRetired {}]).when(Use(sha256(b"a"))).refused(refusal);
}

#[test]
fn a_library_sheet_has_the_same_id_on_every_installation() {
    let id = library_sheet_id("cre_memo_dscr_ltv_v1");
    assert_eq!(id.to_string(), "fs_01kdvdna00f4ybgs0vtht06zrf", "an id once given out stays");
    assert_eq!((id.uuid().get_version_num(), id.to_string().parse()), (7, Ok(id)));
    let others = ["cre_memo_dscr_ltv_v1", "cre_memo_dscr_ltv_v2", "fin_wacc_calculation_v1", ""];
    assert_eq!(others.map(library_sheet_id).into_iter().collect::<BTreeSet<_>>().len(), 4);
}
