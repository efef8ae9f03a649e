use super::*;
use crate::testing::given;
use proof::{digest::sha256, receipt::genesis};
use uuid::Uuid;

fn minted(org_seq: u64) -> Minted {
    Minted {
        receipt_id: receipt_id(org_seq, "0a1b2c3d"),
        org_seq,
        parent_hash: genesis(),
        receipt_sha256: sha256(b"the payload"),
        share_token: "a1B2c3D4e5F6g7H8i9J0k1L2".into(),
        share_url: "https://example.org/share/a1B2c3D4e5F6g7H8i9J0k1L2".into(),
        created_at: Time::of_microseconds(0),
        subject: Subject::Run(RunId::from_uuid(Uuid::from_u128(1))),
    }
}

fn mint(minted: Minted) -> ReceiptCommand {
    ReceiptCommand::Mint(Box::new(minted))
}

#[test]
fn a_number_is_minted_once() {
    let first = ReceiptEvent::ReceiptMinted(Box::new(minted(0)));
    given::<Receipt>([]).when(mint(minted(0))).then([first.clone()]);
    for again in [minted(0), Minted { subject: Subject::Run(RunId::from_uuid(Uuid::from_u128(2))), ..minted(0) }] {
        given::<Receipt>([first.clone()]).when(mint(again)).refused(ReceiptRefusal::Taken);
    }
    assert_eq!(ReceiptRefusal::Taken.fault(), Fault::Conflict);
}

#[test]
fn minting_is_work() {
    assert_eq!(mint(minted(0)).permission(), Permission::Work);
}

#[test]
fn a_receipt_is_named_by_its_number_in_at_least_six_digits() {
    for (org_seq, name) in [
        (0, "DCR-000000-0a1b2c3d"),
        (4, "DCR-000004-0a1b2c3d"),
        (999_999, "DCR-999999-0a1b2c3d"),
        (1_000_000, "DCR-1000000-0a1b2c3d"),
    ] {
        assert_eq!(receipt_id(org_seq, "0a1b2c3d"), name);
    }
}

#[test]
fn streams_sort_as_their_numbers_do() {
    let numbers = [0, 9, 10, 999_999, 1_000_000, 999_999_999_999];
    assert!(numbers.map(receipt_stream).is_sorted());
    assert_eq!(receipt_stream(4), "000000000004");
}
