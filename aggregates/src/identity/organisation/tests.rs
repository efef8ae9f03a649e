use super::{OrganisationCommand::*, OrganisationEvent::*, *};
use crate::testing::given;
use uuid::Uuid;

fn person(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

fn founded() -> Vec<OrganisationEvent> {
    vec![
        OrganisationFounded { name: "example.com".into(), slug: "example-com-3f4a5b".into() },
        MemberAdded { user: person(1), role: Role::Admin },
    ]
}

fn founded_then(events: impl IntoIterator<Item = OrganisationEvent>) -> Vec<OrganisationEvent> {
    founded().into_iter().chain(events).collect()
}

fn found(name: &str, slug: &str) -> OrganisationCommand {
    Found { name: name.into(), slug: slug.into(), admin: person(1) }
}

#[test]
fn it_is_founded_with_its_first_admin() {
    given::<Organisation>([]).when(found(" example.com ", "example-com-3f4a5b")).then(founded());
}

#[test]
fn it_is_founded_once() {
    given::<Organisation>(founded()).when(found("other", "other")).refused(OrganisationRefusal::AlreadyFounded);
}

#[test]
fn its_name_has_1_to_200_characters() {
    for name in ["", "  \t", &"ä".repeat(201)] {
        given::<Organisation>([]).when(found(name, "a")).refused(OrganisationRefusal::Name);
    }
    let longest = "ä".repeat(200);
    given::<Organisation>([]).when(found(&longest, "a")).then([
        OrganisationFounded { name: longest.clone(), slug: "a".into() },
        MemberAdded { user: person(1), role: Role::Admin },
    ]);
}

#[test]
fn its_slug_is_one() {
    for slug in ["", "Example", "a/b", "-a"] {
        given::<Organisation>([]).when(found("a", slug)).refused(OrganisationRefusal::Slug);
    }
}

#[test]
fn nothing_else_can_be_asked_of_an_organisation_that_is_not_there() {
    let user = person(1);
    for command in [
        AddMember { user, role: Role::Viewer },
        ChangeRole { user, role: Role::Viewer, by: Actor::Service },
        DeactivateMember { user },
        ReactivateMember { user },
        RemoveMember { user },
        ChangeSettings { allow_self_approval: Some(true) },
    ] {
        given::<Organisation>([]).when(command).refused(OrganisationRefusal::NotFounded);
    }
}

#[test]
fn a_person_is_taken_in_once() {
    let added = MemberAdded { user: person(2), role: Role::Analyst };
    given::<Organisation>(founded()).when(AddMember { user: person(2), role: Role::Analyst }).then([added.clone()]);
    given::<Organisation>(founded_then([added.clone()]))
        .when(AddMember { user: person(2), role: Role::Viewer })
        .refused(OrganisationRefusal::AlreadyAMember);
    given::<Organisation>(founded_then([added.clone(), MemberRemoved { user: person(2) }]))
        .when(AddMember { user: person(2), role: Role::Analyst })
        .then([added]);
}

#[test]
fn who_is_no_member_cannot_be_changed() {
    let user = person(9);
    for command in [
        ChangeRole { user, role: Role::Viewer, by: Actor::Service },
        DeactivateMember { user },
        ReactivateMember { user },
        RemoveMember { user },
    ] {
        given::<Organisation>(founded()).when(command).refused(OrganisationRefusal::NotAMember);
    }
}

#[test]
fn the_last_active_admin_stays() {
    let user = person(1);
    let last = |events: Vec<OrganisationEvent>| {
        for command in [
            ChangeRole { user, role: Role::Auditor, by: Actor::Service },
            DeactivateMember { user },
            RemoveMember { user },
        ] {
            given::<Organisation>(events.clone()).when(command).refused(OrganisationRefusal::LastAdmin);
        }
    };
    last(founded());
    last(founded_then([MemberAdded { user: person(2), role: Role::Auditor }]));
    // A deactivated admin is none.
    last(founded_then([MemberAdded { user: person(2), role: Role::Admin }, MemberDeactivated { user: person(2) }]));
    last(founded_then([
        MemberAdded { user: person(2), role: Role::Admin },
        MemberRoleChanged { user: person(2), role: Role::Viewer },
    ]));
    last(founded_then([MemberAdded { user: person(2), role: Role::Admin }, MemberRemoved { user: person(2) }]));
}

#[test]
fn an_admin_may_go_while_another_stays() {
    let user = person(1);
    let two = founded_then([MemberAdded { user: person(2), role: Role::Admin }]);
    given::<Organisation>(two.clone())
        .when(ChangeRole { user, role: Role::Viewer, by: Actor::Service })
        .then([MemberRoleChanged { user, role: Role::Viewer }]);
    given::<Organisation>(two.clone()).when(DeactivateMember { user }).then([MemberDeactivated { user }]);
    given::<Organisation>(two).when(RemoveMember { user }).then([MemberRemoved { user }]);
}

#[test]
fn an_inactive_admin_may_go_even_when_the_only_other_admin_is_active() {
    let user = person(2);
    let events = founded_then([MemberAdded { user, role: Role::Admin }, MemberDeactivated { user }]);
    given::<Organisation>(events.clone()).when(RemoveMember { user }).then([MemberRemoved { user }]);
    given::<Organisation>(events.clone()).when(ReactivateMember { user }).then([MemberReactivated { user }]);
    given::<Organisation>(events)
        .when(ChangeRole { user, role: Role::Viewer, by: Actor::Service })
        .then([MemberRoleChanged { user, role: Role::Viewer }]);
}

#[test]
fn what_is_so_already_needs_no_event() {
    let user = person(1);
    given::<Organisation>(founded()).when(ChangeRole { user, role: Role::Admin, by: Actor::Service }).then([]);
    given::<Organisation>(founded()).when(ReactivateMember { user }).then([]);
    given::<Organisation>(founded()).when(ChangeSettings { allow_self_approval: None }).then([]);
    let user = person(2);
    let away = founded_then([MemberAdded { user, role: Role::Viewer }, MemberDeactivated { user }]);
    given::<Organisation>(away).when(DeactivateMember { user }).then([]);
    let set = SettingsChanged { allow_self_approval: Some(false) };
    given::<Organisation>(founded_then([set])).when(ChangeSettings { allow_self_approval: Some(false) }).then([]);
}

#[test]
fn self_approval_follows_from_the_number_of_active_members_until_somebody_sets_it() {
    let allowed = |events| given::<Organisation>(founded_then(events)).0.allows_self_approval();
    let user = person(2);
    let second = MemberAdded { user, role: Role::Analyst };
    let set = |to| SettingsChanged { allow_self_approval: Some(to) };
    assert!(allowed(vec![]));
    assert!(!allowed(vec![second.clone()]));
    assert!(allowed(vec![second.clone(), MemberDeactivated { user }]));
    assert!(!allowed(vec![second.clone(), MemberDeactivated { user }, MemberReactivated { user }]));
    assert!(allowed(vec![second.clone(), MemberRemoved { user }]));
    assert!(allowed(vec![second, set(true)]));
    assert!(!allowed(vec![set(false)]));
    assert!(allowed(vec![set(false), set(true)]));
}

#[test]
fn self_approval_is_set_explicitly_even_to_what_it_was() {
    given::<Organisation>(founded())
        .when(ChangeSettings { allow_self_approval: Some(true) })
        .then([SettingsChanged { allow_self_approval: Some(true) }]);
}

#[test]
fn only_an_active_member_acts_in_a_role() {
    let user = person(2);
    let role = |events| given::<Organisation>(founded_then(events)).0.active_role(user);
    let added = MemberAdded { user, role: Role::Analyst };
    assert_eq!(role(vec![]), None);
    assert_eq!(role(vec![added.clone()]), Some(Role::Analyst));
    assert_eq!(role(vec![added.clone(), MemberDeactivated { user }]), None);
    assert_eq!(role(vec![added, MemberRoleChanged { user, role: Role::Auditor }]), Some(Role::Auditor));
}

#[test]
fn only_an_admin_changes_an_organisation_and_only_the_service_founds_one() {
    assert_eq!(found("a", "a").permission(), Permission::Service);
    assert_eq!(AddMember { user: person(2), role: Role::Viewer }.permission(), Permission::Administer);
    assert_eq!(ChangeSettings { allow_self_approval: Some(true) }.permission(), Permission::Administer);
}

#[test]
fn an_event_is_stored_under_its_own_name() {
    for event in founded_then([
        MemberRoleChanged { user: person(1), role: Role::Admin },
        MemberDeactivated { user: person(1) },
        MemberReactivated { user: person(1) },
        MemberRemoved { user: person(1) },
        SettingsChanged { allow_self_approval: Some(true) },
    ]) {
        let json = serde_json::to_value(&event).expect("writes");
        assert!(json.get(event.name()).is_some(), "{json}");
    }
}

fn invitation(number: u128) -> InvitationId {
    InvitationId::from_uuid(Uuid::from_u128(number))
}

fn second(number: i64) -> Time {
    Time::of_microseconds(number * 1_000_000)
}

/// The address of a person, sealed.
fn address_of(number: u128) -> Sealed {
    Sealed { person: person(number), nonce: "00".repeat(24), ciphertext: "aa".repeat(30) }
}

fn invite(id: u128, of: u128, role: Role, at: i64) -> OrganisationCommand {
    Invite {
        id: invitation(id),
        email: address_of(of),
        role,
        token_hash: Sha256Hex::ZERO,
        expires_at: second(at + 100),
        at: second(at),
    }
}

fn invited(id: u128, of: u128, role: Role, at: i64) -> OrganisationEvent {
    MemberInvited {
        invitation: invitation(id),
        email: address_of(of),
        role,
        token_hash: Sha256Hex::ZERO,
        expires_at: second(at + 100),
    }
}

fn accept(id: u128, at: i64) -> OrganisationCommand {
    AcceptInvitation { id: invitation(id), at: second(at) }
}

#[test]
fn a_person_is_invited_while_no_other_invitation_holds() {
    let first = invited(7, 2, Role::Analyst, 0);
    given::<Organisation>(founded()).when(invite(7, 2, Role::Analyst, 0)).then([first.clone()]);
    let open = founded_then([first.clone()]);
    given::<Organisation>(open.clone())
        .when(invite(8, 2, Role::Viewer, 99))
        .refused(OrganisationRefusal::AlreadyInvited);
    given::<Organisation>(open.clone()).when(invite(8, 3, Role::Viewer, 50)).then([invited(8, 3, Role::Viewer, 50)]);
    // From the second on in which the first is void.
    given::<Organisation>(open).when(invite(8, 2, Role::Viewer, 100)).then([invited(8, 2, Role::Viewer, 100)]);
    let withdrawn = founded_then([first, InvitationWithdrawn { invitation: invitation(7) }]);
    given::<Organisation>(withdrawn).when(invite(8, 2, Role::Viewer, 1)).then([invited(8, 2, Role::Viewer, 1)]);
}

#[test]
fn who_may_act_already_is_not_invited_and_who_may_not_any_more_is() {
    let user = person(2);
    let member = founded_then([MemberAdded { user, role: Role::Viewer }]);
    given::<Organisation>(member).when(invite(7, 2, Role::Viewer, 0)).refused(OrganisationRefusal::AlreadyAMember);
    let away = founded_then([MemberAdded { user, role: Role::Viewer }, MemberDeactivated { user }]);
    given::<Organisation>(away).when(invite(7, 2, Role::Viewer, 0)).then([invited(7, 2, Role::Viewer, 0)]);
}

#[test]
fn an_invitation_is_accepted_once_and_before_it_expires() {
    let accepted =
        [InvitationAccepted { invitation: invitation(7) }, MemberAdded { user: person(2), role: Role::Auditor }];
    let open = founded_then([invited(7, 2, Role::Auditor, 0)]);
    given::<Organisation>(open.clone()).when(accept(7, 99)).then(accepted.clone());
    given::<Organisation>(open.clone()).when(accept(7, 100)).refused(OrganisationRefusal::InvitationExpired);
    given::<Organisation>(open.clone()).when(accept(8, 0)).refused(OrganisationRefusal::NotInvited);
    let used = open.into_iter().chain(accepted);
    given::<Organisation>(used).when(accept(7, 1)).refused(OrganisationRefusal::NotInvited);
}

#[test]
fn an_older_invitation_of_the_same_person_is_void() {
    let twice = founded_then([invited(7, 2, Role::Admin, 0), invited(8, 2, Role::Viewer, 100)]);
    given::<Organisation>(twice.clone()).when(accept(7, 101)).refused(OrganisationRefusal::NotInvited);
    given::<Organisation>(twice)
        .when(accept(8, 101))
        .then([InvitationAccepted { invitation: invitation(8) }, MemberAdded { user: person(2), role: Role::Viewer }]);
}

#[test]
fn who_comes_back_has_the_role_of_the_invitation() {
    let user = person(2);
    let away = |role| {
        let away = [MemberAdded { user, role: Role::Admin }, MemberDeactivated { user }, invited(7, 2, role, 0)];
        given::<Organisation>(founded_then(away))
    };
    let accepted = InvitationAccepted { invitation: invitation(7) };
    away(Role::Admin).when(accept(7, 1)).then([accepted.clone(), MemberReactivated { user }]);
    away(Role::Viewer).when(accept(7, 1)).then([
        accepted,
        MemberReactivated { user },
        MemberRoleChanged { user, role: Role::Viewer },
    ]);
}

#[test]
fn an_open_invitation_is_withdrawn() {
    let withdraw = || WithdrawInvitation { id: invitation(7) };
    let withdrawn = InvitationWithdrawn { invitation: invitation(7) };
    let open = founded_then([invited(7, 2, Role::Auditor, 0)]);
    given::<Organisation>(open.clone()).when(withdraw()).then([withdrawn.clone()]);
    let gone: Vec<_> = open.into_iter().chain([withdrawn]).collect();
    given::<Organisation>(gone.clone()).when(accept(7, 1)).refused(OrganisationRefusal::NotInvited);
    given::<Organisation>(gone).when(withdraw()).refused(OrganisationRefusal::NotInvited);
    given::<Organisation>(founded()).when(withdraw()).refused(OrganisationRefusal::NotInvited);
}

#[test]
fn admins_do_not_demote_themselves_even_where_another_is_left() {
    let two = || given::<Organisation>(founded_then([MemberAdded { user: person(2), role: Role::Admin }]));
    let demote = |user, by| ChangeRole { user: person(user), role: Role::Auditor, by: Actor::User(person(by)) };
    two().when(demote(1, 1)).refused(OrganisationRefusal::SelfDemotion);
    two().when(demote(1, 2)).then([MemberRoleChanged { user: person(1), role: Role::Auditor }]);
    two().when(ChangeRole { user: person(1), role: Role::Admin, by: Actor::User(person(1)) }).then([]);
}

#[test]
fn invitations_need_an_admin_and_their_acceptance_nobody() {
    assert_eq!(invite(7, 2, Role::Viewer, 0).permission(), Permission::Administer);
    assert_eq!(WithdrawInvitation { id: invitation(7) }.permission(), Permission::Administer);
    assert_eq!(accept(7, 0).permission(), Permission::Service);
}

#[test]
fn an_event_about_an_invitation_shows_no_address_and_is_stored_under_its_own_name() {
    for event in [
        invited(7, 2, Role::Viewer, 0),
        InvitationWithdrawn { invitation: invitation(7) },
        InvitationAccepted { invitation: invitation(7) },
    ] {
        let json = serde_json::to_value(&event).expect("writes");
        assert!(json.get(event.name()).is_some(), "{json}");
        assert!(!json.to_string().contains('@'), "{json}");
    }
}
