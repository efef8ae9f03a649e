use super::*;
use crate::testing::given;
use uuid::Uuid;

fn create(name: &str) -> ProjectCommand {
    ProjectCommand::Create { name: name.into(), slug: "lending-3f4a5b".into(), created_by: Some(creator()) }
}

fn created(name: &str) -> ProjectEvent {
    ProjectEvent::ProjectCreated { name: name.into(), slug: "lending-3f4a5b".into(), created_by: Some(creator()) }
}

fn creator() -> UserId {
    UserId::from_uuid(Uuid::from_u128(1))
}

#[test]
fn it_is_created_under_its_trimmed_name() {
    given::<Project>([]).when(create("  Lending \n")).then([created("Lending")]);
}

#[test]
fn a_program_may_create_it_too() {
    let slug = "lending-3f4a5b".to_owned();
    given::<Project>([])
        .when(ProjectCommand::Create { name: "Lending".into(), slug: slug.clone(), created_by: None })
        .then([ProjectEvent::ProjectCreated { name: "Lending".into(), slug, created_by: None }]);
}

#[test]
fn its_name_has_1_to_200_characters() {
    for name in ["", " \t\n", &"ä".repeat(201)] {
        given::<Project>([]).when(create(name)).refused(ProjectRefusal::Name);
    }
    for name in ["L", &"ä".repeat(200)] {
        given::<Project>([]).when(create(name)).then([created(name)]);
    }
    assert_eq!(ProjectRefusal::Name.fault(), Fault::Invalid(Some("name")));
}

#[test]
fn it_is_created_once() {
    for name in ["Lending", "Other", ""] {
        given::<Project>([created("Lending")]).when(create(name)).refused(ProjectRefusal::Exists);
    }
    assert_eq!(ProjectRefusal::Exists.fault(), Fault::Conflict);
}

#[test]
fn creating_it_is_work() {
    assert_eq!(create("Lending").permission(), Permission::Work);
}
