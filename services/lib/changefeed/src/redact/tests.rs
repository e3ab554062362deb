use proptest::{collection::vec, prelude::*};
use spil_proto::{
    capability::v1::Capability,
    changefeed::v1::record::Entity,
    model::{ExternalId, Header, Translation},
    workforce::v1::Worker,
};
use uuid::Uuid;

use super::*;

fn redacted(texts: &[&str], text: &str) -> String {
    Texts::new(texts.iter().copied()).redact(text).unwrap_or_else(|| text.to_owned())
}

#[test]
fn whole_words_are_found_in_whatever_form() {
    for (text, expected) in [
        ("Aleida Zwaluw", "[erased]"),
        ("ask ALEIDA zwaluw.", "ask [erased]."),
        ("Aleida  \n\u{a0}Zwaluw's plan", "[erased]'s plan"),
        ("(aleida zwaluw)", "([erased])"),
        ("Aleida Zwaluwen", "Aleida Zwaluwen"),
        ("xAleida Zwaluw", "xAleida Zwaluw"),
        ("Aleida_Zwaluw", "Aleida_Zwaluw"),
        ("Alei\u{ad}da Zwa\u{200b}luw", "[erased]"),
        ("Aleida Zwaluw, Aleida Zwaluw; Aleida", "[erased], [erased]; Aleida"),
        ("W-4711", "W-4711"),
        ("number_4711 4711_x 4711/2 x/4711", "number_4711 4711_x 4711/2 x/4711"),
        ("14711 47112", "14711 47112"),
        ("4711.50 1,4711 4711-03-01", "4711.50 1,4711 4711-03-01"),
        ("no.4711, #4711; (4711). 4711 - x", "no.[erased], #[erased]; ([erased]). [erased] - x"),
        ("a.zwaluw@example.org.uk a.zwaluw@example.org-x", "a.zwaluw@example.org.uk a.zwaluw@example.org-x"),
        ("mailto:A.Zwaluw@Example.org.", "mailto:[erased]."),
        ("jan.a.zwaluw@example.org", "jan.a.zwaluw@example.org"),
        ("-a.zwaluw@example.org", "-[erased]"),
        ("", ""),
    ] {
        assert_eq!(redacted(&["Aleida Zwaluw", "4711", "a.zwaluw@example.org"], text), expected, "{text}");
    }
    // Marks written apart, letters that have one case only, signs without spaces between them.
    assert_eq!(redacted(&["Zoë Strauß"], "met ZOE\u{308} STRAUSS!"), "met [erased]!");
    assert_eq!(redacted(&["Zoe Strauss"], "met Zoë Strauss"), "met Zoë Strauss", "another name");
    assert_eq!(redacted(&["Ωδυσσεύς Κ."], "ΩΔΥΣΣΕΎΣ κ."), "[erased]");
    assert_eq!(redacted(&["李小龙"], "会见李小龙先生"), "会见[erased]先生");
    assert_eq!(redacted(&["각"], "\u{1100}\u{1161}\u{11a8}"), "[erased]");
    // The longest wins where several begin.
    assert_eq!(redacted(&["Jan Wit", "Jan Wit Smit"], "Jan Wit Smit"), "[erased]");
}

#[test]
fn what_would_be_found_in_the_replacement_is_not_looked_for() {
    for text in ["erased", "[Erased]", "Jan [erased]", "  ", "--", ""] {
        assert!(Texts::new([text]).is_empty(), "{text}");
    }
}

#[test]
fn every_text_of_a_record_is_looked_through() {
    let id = Uuid::from_u128(0x1234_5678_9abc);
    let header = Header {
        id: id.as_bytes().to_vec(),
        key: Some("jan-wit".into()),
        external_ids: vec![
            ExternalId { system: "it".into(), id: "4711".into() },
            ExternalId { system: "it".into(), id: "4712".into() },
        ],
        name: Some("Desk of Jan Wit".into()),
        description: Some("nothing".into()),
        tags: vec!["Jan Wit".into(), "jan wit".into(), "other".into()],
        translations: vec![Translation { language: "nl".into(), name: "Bureau van Jan Wit".into() }],
        version: 3,
        ..Header::default()
    };
    let capability = Capability { header: Some(header), ..Capability::default() };
    let mut record = Record { entity: Some(Entity::Capability(capability)) };
    let texts = Texts::new(["Jan Wit", "jan-wit", "4711"]);
    assert!(texts.redact_record(&mut record, false));
    let Some(Entity::Capability(Capability { header: Some(header), .. })) = &record.entity else { panic!("no header") };
    assert_eq!(header.key.as_deref(), Some("[erased]-123456789abc"));
    assert_eq!(header.external_ids, [ExternalId { system: "it".into(), id: "4712".into() }]);
    assert_eq!(header.name.as_deref(), Some("Desk of [erased]"));
    assert_eq!(header.description.as_deref(), Some("nothing"));
    assert_eq!(header.tags, ["[erased]", "other"]);
    assert_eq!(header.translations[0].name, "Bureau van [erased]");
    assert_eq!((header.version, header.id.as_slice()), (3, &id.as_bytes()[..]));
    assert!(!texts.redact_record(&mut record, false), "once is enough");
}

#[test]
fn what_is_sealed_is_spared_where_that_is_asked_for() {
    let worker = Worker {
        header: Some(Header {
            id: vec![7; 16],
            name: Some("Jan Wit de Vries".into()),
            description: Some("beside Jan Wit".into()),
            ..Header::default()
        }),
        email: Some("jan@example.org".into()),
        ..Worker::default()
    };
    let mut record = Record { entity: Some(Entity::Worker(worker)) };
    let before = record.clone();
    let texts = Texts::new(["Jan Wit", "jan@example.org"]);
    assert!(!texts.redact_record(&mut record, true));
    assert!(texts.redact_record(&mut record, false));
    let (Some(Entity::Worker(left)), Some(Entity::Worker(was))) = (&record.entity, &before.entity) else {
        panic!("another kind")
    };
    // What somebody is called stays, whoever it is.
    assert_eq!(left.email, was.email);
    let (left, was) = (left.header.as_ref().expect("a header"), was.header.as_ref().expect("a header"));
    assert_eq!(left.name, was.name);
    assert_eq!(left.description.as_deref(), Some("beside [erased]"));
}

/// Texts of few signs, so that they often meet.
fn piece() -> impl Strategy<Value = String> {
    "[aAbß\u{e9}e\u{301}1 .@\\[\\]李\u{ad}-]{0,6}"
}

/// The words of a text, folded, each whole, and what is between them; the slow way to look for whole words.
fn occurs(text: &str, whole: &str) -> bool {
    let (part, all): (Vec<Sign>, Vec<Sign>) = (fold(text.trim()), fold(whole));
    if !part.iter().any(|sign| sign.folded.is_alphanumeric()) {
        return false;
    }
    let folded = |signs: &[Sign]| signs.iter().map(|sign| sign.folded).collect::<String>();
    (0..all.len()).any(|from| {
        let to = from + part.len();
        to <= all.len()
            && folded(&all[from..to]) == folded(&part)
            && (from == 0
                || !is_one_word(all[from - 1].folded, all[from].folded) && all[from - 1].start != all[from].start)
            && (to == all.len()
                || !is_one_word(all[to - 1].folded, all[to].folded) && all[to - 1].start != all[to].start)
    })
}

proptest! {
    #[test]
    fn what_was_redacted_holds_none_of_the_texts(texts in vec(piece(), 0..4), before in piece(), after in piece(), which in 0..4_usize) {
        let compiled = Texts::new(texts.iter().map(String::as_str));
        let middle = texts.get(which).cloned().unwrap_or_default();
        let whole = format!("{before}{middle}{after}");
        let once = compiled.redact(&whole);
        let left = once.clone().unwrap_or_else(|| whole.clone());
        prop_assert_eq!(compiled.redact(&left), None, "found again in {:?}", left);
        // Addresses and codes may be left in longer ones.
        for text in texts.iter().filter(|text| !text.contains(['@', '1']) && !Texts::new([text.as_str()]).is_empty()) {
            prop_assert!(!occurs(text, &left), "{:?} is left in {:?}", text, left);
        }
        if let Some(once) = once {
            prop_assert!(once.contains(ERASED) && once != whole);
        }
    }

    #[test]
    fn what_holds_none_stays(texts in vec(piece(), 0..3), whole in piece()) {
        let compiled = Texts::new(texts.iter().map(String::as_str));
        if !texts.iter().any(|text| occurs(text, &whole)) {
            prop_assert_eq!(compiled.redact(&whole), None);
        }
    }

    #[test]
    fn any_text_is_taken(texts in vec(".{0,12}", 0..4), whole in ".{0,40}") {
        let compiled = Texts::new(texts.iter().map(String::as_str));
        let _ = compiled.redact(&whole);
    }

    #[test]
    fn a_text_is_found_between_spaces(text in "[A-Za-z\u{e0}-\u{ff}]{2,8} [a-z]{2,8}", upper in any::<bool>()) {
        let shown = if upper { text.to_uppercase() } else { text.clone() };
        let compiled = Texts::new([text.as_str()]);
        prop_assert_eq!(compiled.redact(&format!("see {shown}, today")), Some("see [erased], today".to_owned()));
    }
}
