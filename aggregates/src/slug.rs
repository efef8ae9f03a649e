//! Slugs: names as they stand in addresses.

use crate::ids::{Id, Kind};

/// The longest slug made of a name, in characters, before anything is put behind it.
pub const LIMIT: usize = 60;
/// How many characters of an id stand behind a name to tell records of one name apart.
const OF_THE_ID: usize = 6;

/// A name as a slug: lowercase ASCII letters and digits, everything between them one hyphen, at
/// most [`LIMIT`] characters; `item` where nothing is left.
pub fn slugify(name: &str) -> String {
    let mut slug = String::with_capacity(LIMIT);
    for character in name.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(LIMIT);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { "item".to_owned() } else { slug }
}

/// The name as a slug, and behind it the last characters of the record's id: its first ones are
/// a clock, the same for all records of the same hours.
pub fn distinct<K: Kind>(name: &str, id: Id<K>) -> String {
    let digits = id.uuid().simple().to_string();
    let (_, tail) = digits.split_at(digits.len() - OF_THE_ID);
    format!("{}-{tail}", slugify(name))
}

/// Whether the text is a slug that [`slugify`] or [`distinct`] could have made.
pub fn is_slug(text: &str) -> bool {
    let parts_are_words = text
        .split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    parts_are_words && text.len() <= LIMIT + 1 + OF_THE_ID
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ProjectId;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn a_name_becomes_a_slug() {
        for (name, slug) in [
            ("My Product", "my-product"),
            ("  --Q2 / deal!!  ", "q2-deal"),
            ("example.com", "example-com"),
            ("Ünï", "n"),
            ("ÄÖ", "item"),
            ("", "item"),
        ] {
            assert_eq!(slugify(name), slug, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_never_ends_in_a_hyphen() {
        assert_eq!(slugify(&"a".repeat(100)), "a".repeat(60));
        assert_eq!(slugify(&format!("{} b", "a".repeat(59))), "a".repeat(59));
    }

    #[test]
    fn two_records_of_one_name_differ_by_the_random_end_of_their_ids() {
        let id = ProjectId::from_uuid(Uuid::from_u128(0x0190_a5b4_c3d2_7e1f_8a9b_0c1d_2e3f_4a5b));
        assert_eq!(distinct("My product", id), "my-product-3f4a5b");
    }

    proptest! {
        #[test]
        fn every_name_becomes_a_slug_and_a_slug_stays_what_it_is(name in any::<String>()) {
            let slug = slugify(&name);
            prop_assert!(is_slug(&slug) && slug.len() <= LIMIT);
            prop_assert_eq!(slugify(&slug), slug.clone());
            prop_assert!(is_slug(&distinct(&name, ProjectId::default())));
        }
    }

    #[test]
    fn what_is_no_slug_is_told_apart() {
        for text in ["", "-", "a-", "-a", "a--b", "A", "a b", "../etc", "é"] {
            assert!(!is_slug(text), "{text:?}");
        }
    }
}
