use super::*;
use crate::testing::given;
use proptest::prelude::*;

fn profile() -> Profile {
    Profile {
        name: "memo analyst".into(),
        model: Some("m-2".into()),
        tools: vec!["search".into()],
        context_window: Some(200_000),
        capability_tier: Some(CapabilityTier::Mid),
        governance: Some(Governance {
            requires_approval_client_output: true,
            spend_cap: Cents::of_dollars(12.5),
            blocked_lanes: vec!["Bid review".into()],
            notes: None,
        }),
        ..Profile::default()
    }
}

fn created() -> AgentEvent {
    AgentEvent::ProfileCreated(Box::new(profile()))
}

fn change(change: Change) -> AgentCommand {
    AgentCommand::Change(Box::new(change))
}

#[test]
fn a_profile_is_created_once_and_trimmed() {
    let spaced = Profile {
        name: "  memo analyst ".into(),
        harness: Some("   ".into()),
        model: Some(" m-2".into()),
        tools: vec![" search".into(), "search ".into()],
        ..profile()
    };
    given::<AgentProfile>([]).when(AgentCommand::Create(Box::new(spaced))).then([created()]);
    given::<AgentProfile>([created()]).when(AgentCommand::Create(Box::new(profile()))).refused(AgentRefusal::Exists);
}

#[test]
fn each_field_has_its_bounds() {
    let long = |length: usize| Some("ä".repeat(length));
    let governed = |governance: Governance| Profile { governance: Some(governance), ..profile() };
    let names = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
    let fits = [
        Profile { name: "n".repeat(120), ..profile() },
        Profile {
            harness: long(80),
            harness_version: long(40),
            model: long(120),
            model_provider: long(80),
            ..profile()
        },
        Profile { served_by: long(40), runtime_host: long(120), runtime_os: long(80), ..profile() },
        Profile { runtime_hardware: long(160), notes: long(2_000), tools: names(100), ..profile() },
        Profile { context_window: Some(1), ..profile() },
        governed(Governance { blocked_lanes: names(100), notes: long(2_000), ..Governance::default() }),
    ];
    for profile in fits {
        assert!(AgentProfile::default().decide(AgentCommand::Create(Box::new(profile.clone()))).is_ok(), "{profile:?}");
    }
    let refused = [
        ("name", Profile { name: "n".repeat(121), ..profile() }),
        ("name", Profile { name: " ".into(), ..profile() }),
        ("harness", Profile { harness: long(81), ..profile() }),
        ("harness_version", Profile { harness_version: long(41), ..profile() }),
        ("model", Profile { model: long(121), ..profile() }),
        ("model_provider", Profile { model_provider: long(81), ..profile() }),
        ("served_by", Profile { served_by: long(41), ..profile() }),
        ("runtime_host", Profile { runtime_host: long(121), ..profile() }),
        ("runtime_os", Profile { runtime_os: long(81), ..profile() }),
        ("runtime_hardware", Profile { runtime_hardware: long(161), ..profile() }),
        ("notes", Profile { notes: long(2_001), ..profile() }),
        ("tools", Profile { tools: names(101), ..profile() }),
        ("tools", Profile { tools: vec!["".into()], ..profile() }),
        ("tools", Profile { tools: vec!["t".repeat(121)], ..profile() }),
        ("context_window", Profile { context_window: Some(0), ..profile() }),
        ("governance.blocked_lanes", governed(Governance { blocked_lanes: names(101), ..Governance::default() })),
        ("governance.notes", governed(Governance { notes: long(2_001), ..Governance::default() })),
    ];
    for (field, profile) in refused {
        let refusal = AgentProfile::default().decide(AgentCommand::Create(Box::new(profile))).expect_err(field);
        assert_eq!(refusal.fault(), Fault::Invalid(Some(field)));
        assert!(refusal.to_string().contains("allowed"), "{refusal}");
    }
}

#[test]
fn a_change_keeps_what_it_leaves_out_and_clears_what_it_empties() {
    let wanted = Change { model: Some(None), notes: Some(Some("slow".into())), ..Change::default() };
    let after = Profile { model: None, notes: Some("slow".into()), ..profile() };
    given::<AgentProfile>([created()]).when(change(wanted)).then([AgentEvent::ProfileRevised(Box::new(after))]);
    given::<AgentProfile>([created()]).when(change(Change::default())).then([]);
    let nameless = Change { name: Some("".into()), ..Change::default() };
    let refusal = AgentRefusal::Field("name", "1 to 120 characters are allowed");
    given::<AgentProfile>([created()]).when(change(nameless)).refused(refusal);
    given::<AgentProfile>([]).when(change(Change::default())).refused(AgentRefusal::Unknown);
}

#[test]
fn a_profile_is_retired_and_reinstated() {
    let to = |active| change(Change { active: Some(active), ..Change::default() });
    given::<AgentProfile>([created()]).when(to(true)).then([]);
    given::<AgentProfile>([created()]).when(to(false)).then([AgentEvent::ProfileRetired {}]);
    let retired = || [created(), AgentEvent::ProfileRetired {}];
    given::<AgentProfile>(retired()).when(to(false)).then([]);
    given::<AgentProfile>(retired()).when(to(true)).then([AgentEvent::ProfileReinstated {}]);
}

#[test]
fn a_lane_is_locked_once_until_it_is_taken_out() {
    let lock = |lane: &str| AgentCommand::LockLane(lane.into());
    let locked = AgentEvent::LaneLocked { lane: "CRE memo".into() };
    given::<AgentProfile>([]).when(lock("CRE memo")).refused(AgentRefusal::Unknown);
    given::<AgentProfile>([created()]).when(lock("CRE memo")).then([locked.clone()]);
    given::<AgentProfile>([created(), locked.clone()]).when(lock("CRE memo")).then([]);
    given::<AgentProfile>([created()]).when(lock("bid review")).then([]);
    let plain = AgentEvent::ProfileCreated(Box::new(Profile { governance: None, ..profile() }));
    let after = given::<AgentProfile>([plain, locked]).0.profile.expect("there");
    assert!(after.keeps_out_of("cre_memo", "CRE memo"), "by name");
    assert!(!after.keeps_out_of("cre_memo", "CRE memos"));
}

#[test]
fn a_lane_is_kept_shut_by_slug_or_name_in_any_case() {
    let shut = |lane: &str| {
        let governance = Governance { blocked_lanes: vec![lane.into()], ..Governance::default() };
        Profile { governance: Some(governance), ..profile() }.keeps_out_of("cre_memo_v1", "CRE memo")
    };
    for lane in ["cre_memo_v1", "CRE memo", "cre MEMO", " CRE memo "] {
        assert!(shut(lane), "{lane}");
    }
    for lane in ["cre_memo", "memo", ""] {
        assert!(!shut(lane), "{lane}");
    }
}

#[test]
fn dollars_are_whole_cents() {
    for (dollars, text) in [(0.0, "0.00"), (12.5, "12.50"), (19.99, "19.99"), (1e9, "1000000000.00"), (0.07, "0.07")] {
        assert_eq!(Cents::of_dollars(dollars).map(|cents| cents.to_string()).as_deref(), Some(text));
    }
    for dollars in [-1.0, 0.001, 1.999, 1_000_000_000.01, f64::NAN, f64::INFINITY, 1e300, 5e-324] {
        assert_eq!(Cents::of_dollars(dollars), None, "{dollars}");
    }
}

#[test]
fn all_of_it_is_work() {
    for command in [AgentCommand::Create(Box::default()), change(Change::default()), AgentCommand::LockLane("x".into())]
    {
        assert_eq!(command.permission(), Permission::Work);
    }
}

proptest! {
    #[test]
    fn cents_come_back_as_they_were_sent(cents in 0..=100_000_000_000_u64) {
        let text = format!("{}.{:02}", cents / 100, cents % 100);
        let read = Cents::of_dollars(text.parse().unwrap()).unwrap();
        prop_assert_eq!(read.to_string(), text);
        prop_assert_eq!(Cents::of_dollars(read.dollars()), Some(read));
    }

    #[test]
    fn any_number_is_an_amount_or_none(dollars: f64) {
        if let Some(cents) = Cents::of_dollars(dollars) {
            prop_assert!(cents <= Cents::MAX && dollars >= 0.0);
        }
    }
}
