//! Sends organisations to the real owners, on SQLite.

use std::{sync::Arc, time::Duration};

use spil_auth::{InternalKey, Permission, Signer};
use spil_changefeed::{OwnerService, PersonalKey, StoreConfig, WallClock};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::in_process;

const TODAY: i32 = 20_780;

/// The three owners, empty.
struct Owners {
    clients: Vec<OwnerClient>,
    token: String,
    stop: CancellationToken,
    _folder: TempDir,
}

impl Owners {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new(&InternalKey::read_or_create(&folder.path().join("key.pem")).unwrap()).unwrap();
        let stop = CancellationToken::new();
        let mut clients = Vec::new();
        for owner in Owner::ALL {
            let file = folder.path().join(format!("{}.db", owner.name()));
            let url = format!("sqlite://{}", file.display());
            let store = spil_changefeed::open(&StoreConfig { owner, url, max_connections: 4 }).await.unwrap();
            store.migrate().await.unwrap();
            store.unlock(&PersonalKey::generate()).await.unwrap();
            let rules = match owner {
                Owner::Capability => spil_capability::rules(),
                Owner::Workforce => spil_workforce::rules(),
                Owner::Initiative => spil_initiative::rules(),
            };
            let service = OwnerService::new(store, rules, signer.verifier(), Arc::new(WallClock));
            let (channel, _) = in_process::serve(spil_changefeed::routes([service]), stop.child_token());
            clients.push(OwnerClient::new(owner, channel));
        }
        let token = signer.sign("demo", &[Permission::Write, Permission::Follow], Duration::from_secs(600)).unwrap();
        Self { clients, token, stop, _folder: folder }
    }

    async fn seed(&mut self, workers: usize, today: i32) -> Result<Summary, SeedError> {
        let mut last = None;
        let size = DemoSize::new(workers).unwrap();
        let result = seed(&mut self.clients, &self.token, 5, size, today, |progress| {
            assert!(last.is_none_or(|before| before < progress.done), "the count goes up");
            last = Some(progress.done);
        })
        .await;
        if let Ok(summary) = &result {
            assert_eq!(last, Some(summary.applied() + summary.present()), "the count ends at the total");
        }
        result
    }

    /// The revision of each owner, and how many records of each kind it has.
    async fn state(&mut self) -> Vec<(u64, Vec<(u32, u64)>)> {
        let mut state = Vec::new();
        for client in &mut self.clients {
            let digest = client.digest(&self.token).await.unwrap();
            let counts = digest.kinds.iter().map(|kind| (kind.kind, kind.count)).collect();
            state.push((digest.cursor.unwrap().revision, counts));
        }
        state
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// How many records of each kind an organisation has.
fn expected(workers: usize, today: i32) -> Vec<Vec<(u32, u64)>> {
    let demo = Demo::new(5, DemoSize::new(workers).unwrap(), today);
    let of = |owner: Owner| {
        let made: Vec<Kind> =
            demo.commands(owner).filter_map(|command| created(&command)).map(|(kind, _)| kind).collect();
        owner.kinds().map(|kind| (kind as u32, made.iter().filter(|of| **of == kind).count() as u64)).collect()
    };
    Owner::ALL.into_iter().map(of).collect()
}

#[tokio::test]
async fn the_owners_take_every_command_once() {
    let mut owners = Owners::start().await;
    let summary = owners.seed(60, TODAY).await.unwrap();
    assert_eq!(summary.present(), 0);
    assert_eq!(summary.owners.iter().map(|owner| owner.owner).collect::<Vec<_>>(), Owner::ALL);
    let state = owners.state().await;
    let counts: Vec<_> = state.iter().map(|(_, counts)| counts.clone()).collect();
    assert_eq!(counts, expected(60, TODAY));

    // The same day and another one, long after: there is nothing left to do.
    for today in [TODAY, TODAY + 300] {
        let again = owners.seed(60, today).await.unwrap();
        assert_eq!((again.applied(), again.present() > 0), (0, true));
        assert_eq!(owners.state().await, state);
    }
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_taken_up_again_on_another_day() {
    let mut owners = Owners::start().await;
    let demo = Demo::new(5, DemoSize::new(120).unwrap(), TODAY - 1);
    let first: Vec<Command> = demo.commands(Owner::Workforce).take(BATCH).collect();
    let number = demo.count(Owner::Capability).div_ceil(BATCH);
    let client = owners.clients.iter_mut().find(|client| client.owner() == Owner::Workforce).unwrap();
    let key = format!("demo:5:120:{number}");
    assert!(send(client, &owners.token, first.clone(), key, number).await.unwrap());
    // By another name, as if the name were forgotten.
    assert!(!send(client, &owners.token, first, "other".to_owned(), number).await.unwrap());

    let summary = owners.seed(120, TODAY).await.unwrap();
    assert_eq!(summary.present(), BATCH);
    let counts: Vec<_> = owners.state().await.into_iter().map(|(_, counts)| counts).collect();
    assert_eq!(counts, expected(120, TODAY));
}

#[tokio::test]
async fn another_organisation_is_not_mixed_in() {
    let mut owners = Owners::start().await;
    owners.seed(50, TODAY).await.unwrap();
    let before = owners.state().await;
    let error = owners.seed(51, TODAY).await.unwrap_err();
    assert!(
        matches!(&error, SeedError::Refused { owner: Owner::Capability, batch: 0, field, .. } if field == "key"),
        "{error}"
    );
    assert_eq!(owners.state().await, before);
}

#[tokio::test]
async fn an_owner_that_turns_the_token_down_is_named() {
    let mut owners = Owners::start().await;
    owners.token = "no token".to_owned();
    let error = owners.seed(50, TODAY).await.unwrap_err();
    assert!(matches!(error, SeedError::Call { owner: Owner::Capability, batch: 0, .. }), "{error}");
    owners.clients.clear();
    assert!(matches!(owners.seed(50, TODAY).await, Err(SeedError::NoClient(Owner::Capability))));
}
