//! The journal and its readers: whatever is published, read, forgotten and begun again, every event is read once and in order.

use proptest::prelude::*;
use spil_proto::{changefeed::v1::Change, model::field};

use super::*;

/// The log of an owner, which readers may ask for what the journal does not hold.
#[derive(Clone, Default)]
struct Log {
    revisions: Vec<Revision>,
    /// Revisions up to this one are not kept.
    trimmed: u64,
    /// What the log was restored to is written under other marks.
    life: u64,
}

/// Owners and the gateway that follows them.
struct World {
    journal: Journal,
    logs: [Log; 3],
    /// What the graph shows.
    stand: Stand,
    end: u64,
}

fn spot(log: &Log, revision: u64) -> Spot {
    let mark = revision.checked_sub(1).map_or(0, |place| log.revisions[place as usize].mark);
    Spot { store: [7; 16], epoch: 1, revision, mark }
}

impl World {
    fn new(kept: usize) -> Self {
        let journal = Journal::keeping(Kept { changes: kept, bytes: usize::MAX });
        let logs: [Log; 3] = Default::default();
        let stand = logs.each_ref().map(|log| Some(spot(log, 0)));
        let end = journal.append(Vec::new(), &stand);
        Self { journal, logs, stand, end }
    }

    /// An owner writes a revision with some events; each bears the number of its revision and its own.
    fn write(&mut self, owner: usize, events: usize) {
        let log = &mut self.logs[owner];
        let revision = log.revisions.len() as u64 + 1;
        let changes = (0..events).map(|event| {
            let mut record = Record::empty(Kind::Capability);
            let entity = record.entity_mut().expect("an entity");
            let id = Uuid::from_u128(u128::from(revision) << 32 | (event as u128 + 1));
            entity.set(field::ID, Value::Id(id)).expect("an id");
            Change { record: Some(record), ..Default::default() }
        });
        let changes = changes.collect();
        let mark = revision * 1000 + log.life + 1;
        log.revisions.push(Revision { revision, mark, changes, ..Default::default() });
    }

    fn logged(&self, owner: usize, revision: u64) -> Logged {
        let log = &self.logs[owner];
        let revision = log.revisions[revision as usize - 1].clone();
        Logged::new(Owner::ALL[owner], &spot(log, 0), revision, None)
    }

    /// The gateway takes some revisions of an owner, and publishes.
    fn publish(&mut self, owner: usize, most: u64) {
        let shown = self.stand[owner].expect("a place").revision;
        let until = shown.saturating_add(most).min(self.logs[owner].revisions.len() as u64);
        let revisions = (shown + 1..=until).map(|revision| self.logged(owner, revision)).collect();
        self.stand[owner] = Some(spot(&self.logs[owner], until));
        self.end = self.journal.append(revisions, &self.stand);
    }

    /// The gateway reads an owner anew.
    fn refill(&mut self, owner: usize) {
        self.stand[owner] = Some(spot(&self.logs[owner], self.logs[owner].revisions.len() as u64));
        self.end = self.journal.append(Vec::new(), &self.stand);
    }

    /// An owner goes back to a backup of some revisions ago, and the gateway finds out.
    fn restore(&mut self, owner: usize, lost: usize) {
        let log = &mut self.logs[owner];
        log.revisions.truncate(log.revisions.len().saturating_sub(lost));
        log.life += 1;
        log.trimmed = log.trimmed.min(log.revisions.len() as u64);
        self.refill(owner);
    }

    /// What an owner answers to who asks for what comes after a place.
    fn ask(&self, owner: usize, after: Spot) -> Option<Vec<Logged>> {
        let log = &self.logs[owner];
        let is_there = (log.trimmed..=log.revisions.len() as u64).contains(&after.revision);
        if !is_there || spot(log, after.revision) != after {
            return None;
        }
        Some((after.revision + 1..=log.revisions.len() as u64).map(|revision| self.logged(owner, revision)).collect())
    }

    fn now(&self) -> Reader {
        Reader { at: self.stand.map(|spot| spot.expect("a place")), parts: [None; 3] }
    }
}

/// Where a subscriber reads.
enum From {
    Unknown,
    Journal(Follow),
}

/// A subscriber with what it was told: of each owner, revision and event.
struct Subscriber {
    reader: Reader,
    from: From,
    has_begun: bool,
    told: Vec<(usize, u64, u32)>,
    is_over: bool,
    /// The graph was not there yet when it was asked last.
    is_early: bool,
    /// Events of a revision at hand.
    at_hand: Option<(Arc<Logged>, usize)>,
}

impl Subscriber {
    fn at(reader: Reader) -> Self {
        Self {
            reader,
            from: From::Unknown,
            has_begun: false,
            told: Vec::new(),
            is_over: false,
            is_early: false,
            at_hand: None,
        }
    }

    /// Takes at most so many events, from wherever they are to be had.
    fn pull(&mut self, world: &World, most: usize) {
        let mut left = most;
        self.is_early = false;
        while !self.is_over {
            if let Some((revision, next)) = self.at_hand.take() {
                if next < revision.events.len() {
                    if left == 0 {
                        self.at_hand = Some((revision, next));
                        return;
                    }
                    left -= 1;
                    self.reader = self.reader.past(&revision, next + 1);
                    self.told.push((number(revision.owner), revision.after.revision, next as u32));
                    self.at_hand = Some((revision, next + 1));
                    continue;
                }
                self.reader = self.reader.past(&revision, revision.events.len());
            }
            match &mut self.from {
                From::Unknown => match world.journal.open(&self.reader, world.end, &world.stand) {
                    Opening::Follow(follow) => {
                        self.from = From::Journal(follow);
                        self.has_begun = true;
                    }
                    Opening::Fill(owner, to) => {
                        self.has_begun = true;
                        let owner = number(owner);
                        let pieces = world.ask(owner, self.reader.at[owner]);
                        let next = pieces.and_then(|pieces| pieces.into_iter().next());
                        let next = next.filter(|revision| revision.after.revision <= to.revision);
                        match next.map(|next| (self.reader.meets_revision(&next), next)) {
                            Some((Taken::Events(first), next)) => self.at_hand = Some((Arc::new(next), first)),
                            _ => self.is_over = true,
                        }
                    }
                    Opening::Ahead if !self.has_begun => {
                        self.is_early = true;
                        return;
                    }
                    Opening::Ahead | Opening::Expired => self.is_over = true,
                },
                From::Journal(follow) => {
                    if follow.next >= world.end {
                        return;
                    }
                    match world.journal.at(follow.next) {
                        // The real one ends with an error and the place; here it goes on from that place at once.
                        Found::Gone | Found::Ahead => self.from = From::Unknown,
                        Found::Entry(entry) => match self.reader.meets(follow, &entry) {
                            Taken::Known => follow.next += 1,
                            Taken::Broken => self.from = From::Unknown,
                            Taken::Expired => self.is_over = true,
                            Taken::Events(first) => {
                                let What::Revision(revision) = &entry.what else { panic!("a jump has no events") };
                                follow.next += 1;
                                self.at_hand = Some((Arc::clone(revision), first));
                            }
                        },
                    }
                }
            }
        }
    }

    /// The connection breaks, or the gateway is another: only the cursor is left.
    fn reconnect(&mut self) {
        *self = Self { told: std::mem::take(&mut self.told), ..Self::at(self.reader) };
    }
}

impl World {
    /// All events of the logs after a place.
    fn events(&self, after: &Reader) -> Vec<Vec<(u64, u32)>> {
        let of_owner = |(log, at): (&Log, Spot)| {
            let later = log.revisions.iter().filter(|revision| revision.revision > at.revision);
            later
                .flat_map(|revision| (0..revision.changes.len() as u32).map(|event| (revision.revision, event)))
                .collect()
        };
        self.logs.iter().zip(after.at).map(of_owner).collect()
    }

    /// Everything is published, and the gateway starts again with nothing in its journal.
    fn restart(&mut self, kept: usize) {
        self.journal = Journal::keeping(Kept { changes: kept, bytes: usize::MAX });
        (0..3).for_each(|owner| self.refill(owner));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write { owner: usize, events: usize },
    Publish { owner: usize, most: u64 },
    Pull { subscriber: usize, most: usize },
    Reconnect { subscriber: usize },
    Refill { owner: usize },
    Restart,
    Trim { owner: usize },
    Restore { owner: usize, lost: usize },
}

const SUBSCRIBERS: usize = 3;

fn gentle() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 0..5_usize).prop_map(|(owner, events)| Step::Write { owner, events }),
        6 => (0..3_usize, 1..4_u64).prop_map(|(owner, most)| Step::Publish { owner, most }),
        6 => (0..SUBSCRIBERS, 0..9_usize).prop_map(|(subscriber, most)| Step::Pull { subscriber, most }),
        2 => (0..SUBSCRIBERS).prop_map(|subscriber| Step::Reconnect { subscriber }),
        1 => (0..3_usize).prop_map(|owner| Step::Refill { owner }),
        1 => Just(Step::Restart),
    ]
}

fn rough() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => gentle(),
        1 => (0..3_usize).prop_map(|owner| Step::Trim { owner }),
        1 => (0..3_usize, 0..4_usize).prop_map(|(owner, lost)| Step::Restore { owner, lost }),
    ]
}

/// Does the steps, lets everybody read what is left, and compares what each was told with the logs.
fn play(steps: Vec<Step>, kept: usize, may_end: bool) -> Result<(), TestCaseError> {
    let mut world = World::new(kept);
    let start = world.now();
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| Subscriber::at(start)).collect();
    for step in steps {
        match step {
            Step::Write { owner, events } => world.write(owner, events),
            Step::Publish { owner, most } => world.publish(owner, most),
            Step::Pull { subscriber, most } => subscribers[subscriber].pull(&world, most),
            Step::Reconnect { subscriber } => subscribers[subscriber].reconnect(),
            Step::Refill { owner } => world.refill(owner),
            Step::Restart => {
                world.restart(kept);
                subscribers.iter_mut().for_each(Subscriber::reconnect);
            }
            Step::Trim { owner } => world.logs[owner].trimmed = world.logs[owner].revisions.len() as u64,
            Step::Restore { owner, lost } => world.restore(owner, lost),
        }
        prop_assert!(world.journal.ring.read().expect("a ring").entries.len() <= kept.max(1));
    }
    (0..3).for_each(|owner| world.publish(owner, u64::MAX));
    for subscriber in &mut subscribers {
        subscriber.pull(&world, usize::MAX);
        // Whoever has read of a lost history is ahead of the log until the log is as long again.
        let is_ahead = subscriber.is_early || subscriber.reader.parts != [None; 3];
        if subscriber.is_over || is_ahead {
            prop_assert!(may_end, "nothing was lost, yet a subscriber was sent away");
            continue;
        }
        for (owner, expected) in world.events(&start).into_iter().enumerate() {
            let told = subscriber.told.iter().filter(|(of, ..)| *of == owner);
            let told: Vec<_> = told.map(|(_, revision, event)| (*revision, *event)).collect();
            prop_assert_eq!(told, expected, "owner {}", owner);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn everybody_is_told_everything_once_and_in_order(
        steps in prop::collection::vec(gentle(), 0..80),
        kept in 1..24_usize,
    ) {
        play(steps, kept, false)?;
    }

    #[test]
    fn who_missed_something_is_sent_away(steps in prop::collection::vec(rough(), 0..80), kept in 1..24_usize) {
        play(steps, kept, true)?;
    }
}

#[test]
fn a_lost_history_is_noticed_also_in_the_middle_of_a_revision() {
    for pulled in [1, 2, 3] {
        let mut world = World::new(100);
        world.write(0, 2);
        world.publish(0, 1);
        let mut subscriber = Subscriber::at(Reader { at: [spot(&Log::default(), 0); 3], parts: [None; 3] });
        subscriber.pull(&world, pulled);
        world.restore(0, 1);
        world.write(0, 2);
        world.publish(0, 1);
        subscriber.reconnect();
        subscriber.pull(&world, 10);
        assert!(subscriber.is_over, "{pulled} events were read of what is no longer");
    }
}

#[test]
fn the_newest_revision_stays_however_large_it_is() {
    let mut world = World::new(2);
    let mut subscriber = Subscriber::at(world.now());
    world.write(0, 50);
    world.publish(0, 1);
    subscriber.pull(&world, 100);
    assert_eq!(subscriber.told.len(), 50);
    let ring = world.journal.ring.read().expect("a ring");
    assert_eq!((ring.entries.len(), ring.changes), (1, 50));
}

#[test]
fn an_erasure_leaves_nothing_of_what_came_before() {
    let mut world = World::new(1000);
    for owner in [0, 1, 0] {
        world.write(owner, 3);
        world.publish(owner, 1);
    }
    world.write(0, 2);
    let changes = &mut world.logs[0].revisions.last_mut().expect("a revision").changes;
    changes.last_mut().expect("a change").erased = true;
    world.publish(0, 1);
    let ring = world.journal.ring.read().expect("a ring");
    assert_eq!((ring.entries.len(), ring.changes), (1, 2));
}

#[test]
fn what_became_of_a_record_is_told_by_its_header_and_its_fields_by_the_graph() {
    let mut graph = Graph::new();
    let capability = |name: &str, version: u64, written: i64, objectives: &[u128]| {
        let mut record = Record::empty(Kind::Capability);
        let entity = record.entity_mut().expect("an entity");
        let ids = objectives.iter().map(|number| Uuid::from_u128(*number)).collect::<Vec<_>>();
        entity.set(field::ID, Value::Id(Uuid::from_u128(1))).expect("an id");
        entity.set(field::NAME, Value::Text(name.to_owned().into())).expect("a name");
        if !ids.is_empty() {
            let field = Kind::Capability.info().field_by_column("objective_ids").expect("a field").index;
            entity.set(field, Value::Ids(ids)).expect("ids");
        }
        let header = entity.header_mut();
        (header.version, header.created_at, header.updated_at) = (version, 5, written);
        record
    };
    let mut told = |record: &Record| {
        let change = Change { record: Some(record.clone()), ..Default::default() };
        let revision = Revision { revision: 1, changes: vec![change], ..Default::default() };
        let logged = Logged::new(Owner::Capability, &spot(&Log::default(), 0), revision, Some(&graph));
        let event = &logged.events[0];
        graph.apply(record).expect("applied");
        let names: Vec<_> = event.fields.iter().filter_map(|field| Kind::Capability.info().field(*field)).collect();
        (event.action, names.iter().map(|field| field.name).collect::<Vec<_>>())
    };
    // Made and written again by one batch.
    assert_eq!(told(&capability("a", 2, 5, &[8, 9])), (Action::Created, vec!["name", "objectiveIds"]));
    // The order of references means nothing.
    assert_eq!(told(&capability("b", 3, 6, &[9, 8])), (Action::Updated, vec!["name"]));
    assert_eq!(told(&capability("b", 4, 7, &[9])), (Action::Updated, vec!["objectiveIds"]));
    let mut gone = capability("b", 5, 8, &[9]);
    gone.entity_mut().expect("an entity").header_mut().retired_at = Some(8);
    assert_eq!(told(&gone), (Action::Retired, vec![]));
}
