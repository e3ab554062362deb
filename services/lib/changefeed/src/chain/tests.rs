use proptest::{collection::vec, option, prelude::*};

use super::*;

/// A revision with its changes, owned.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    number: u64,
    mark: u64,
    at: i64,
    texts: [String; 5],
    bytes: i64,
    changes: Vec<SampleChange>,
    attachments: Vec<Attachment>,
}

#[derive(Clone, Debug, PartialEq)]
struct SampleChange {
    kind: i32,
    id: u128,
    fields: Option<Vec<u8>>,
    record: Vec<u8>,
    sealed: Option<Vec<u8>>,
}

impl Sample {
    fn link(&self, previous: Chain) -> Chain {
        let [actor, source, run, reason, origin] = self.texts.each_ref().map(String::as_str);
        let row = LoggedRevision {
            number: self.number,
            mark: self.mark,
            at: self.at,
            actor,
            source,
            run,
            reason,
            origin,
            changes: self.changes.len() as i64,
            bytes: self.bytes,
        };
        let mut link = Link::new(previous, &row);
        for (ordinal, change) in (0..).zip(&self.changes) {
            link.add(&LoggedChange {
                ordinal,
                kind: change.kind,
                id: Uuid::from_u128(change.id),
                fields: change.fields.as_deref(),
                record: &change.record,
                sealed: change.sealed.as_deref(),
            });
        }
        for attachment in &self.attachments {
            link.attach(attachment);
        }
        link.close()
    }
}

/// Short values from a small alphabet, so that values often touch in ways that a careless encoding would confuse.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(0_u8..3, 0..4)
}

fn change() -> impl Strategy<Value = SampleChange> {
    (0..3_i32, 0..3_u128, option::of(bytes()), bytes(), option::of(bytes()))
        .prop_map(|(kind, id, fields, record, sealed)| SampleChange { kind, id, fields, record, sealed })
}

fn chain() -> impl Strategy<Value = Chain> {
    (0..3_u8).prop_map(|byte| Chain([byte; 32]))
}

fn attachment() -> impl Strategy<Value = Attachment> {
    (0..3_u64, option::of(chain()), option::of(chain())).prop_map(|(revision, link, digest)| match digest {
        Some(digest) => Attachment::Redacted { revision, link, digest },
        None => Attachment::Trimmed { through: revision, link },
    })
}

fn sample() -> impl Strategy<Value = Sample> {
    let texts = prop::array::uniform5("[ab]{0,2}");
    (0..3_u64, 0..3_u64, 0..3_i64, texts, 0..3_i64, vec(change(), 0..4), vec(attachment(), 0..3)).prop_map(
        |(number, mark, at, texts, bytes, changes, attachments)| Sample {
            number,
            mark,
            at,
            texts,
            bytes,
            changes,
            attachments,
        },
    )
}

fn start() -> Chain {
    Chain::start(Uuid::from_u128(7), 1)
}

proptest! {
    #[test]
    fn two_revisions_have_one_link_only_if_they_are_the_same(one in sample(), other in sample()) {
        prop_assert_eq!(one.link(start()) == other.link(start()), one == other);
    }

    #[test]
    fn a_link_hangs_on_the_one_before_it(one in sample(), other in sample(), last in sample()) {
        let (first, second) = (one.link(start()), other.link(start()));
        prop_assert_eq!(last.link(first) == last.link(second), one == other);
    }

    #[test]
    fn a_checkpoint_comes_back_from_its_text(sample in sample(), revision in any::<u64>()) {
        let checkpoint = Checkpoint { owner: Owner::Workforce, revision, chain: sample.link(start()) };
        prop_assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    }

    #[test]
    fn any_text_is_read_without_panic(text in ".{0,100}") {
        let _ = text.parse::<Checkpoint>();
    }
}

#[test]
fn what_a_redaction_leaves_is_no_link() {
    let row = LoggedRevision {
        number: 1,
        mark: 2,
        at: 3,
        actor: "",
        source: "",
        run: "",
        reason: "",
        origin: "",
        changes: 0,
        bytes: 0,
    };
    let link = Link::new(start(), &row).close();
    let left = [None, Some(start()), Some(link)].map(|link| Link::redacted(link, &row).close());
    assert!(!left.contains(&link) && left[0] != left[1] && left[1] != left[2]);
    for deed in [0, 3, TRIMMED] {
        assert_eq!(Attachment::from_columns(deed, 1, None, Some(link)), None);
    }
    assert_eq!(Attachment::from_columns(REDACTED_DEED, 1, None, None), None);
}

#[test]
fn a_chain_begins_with_its_store_and_its_first_revision() {
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert_ne!(Chain::start(one, 1), Chain::start(other, 1));
    assert_ne!(Chain::start(one, 1), Chain::start(one, 2));
}

#[test]
fn what_is_no_checkpoint_is_told() {
    let digits = "0".repeat(64);
    for text in [
        String::new(),
        "workforce:1".to_owned(),
        format!("nobody:1:{digits}"),
        format!("workforce:-1:{digits}"),
        format!("workforce:1:{digits}0"),
        format!("workforce:1:{}é", "0".repeat(62)),
        format!("workforce:1:{digits}:"),
    ] {
        assert!(text.parse::<Checkpoint>().is_err(), "{text}");
    }
    assert!(format!("workforce:1:{digits}").parse::<Checkpoint>().is_ok());
}
