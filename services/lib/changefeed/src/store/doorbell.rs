//! Tells those who wait that the change log has moved. A ring may be late or missing; looking every now and then is what they
//! rely on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::RngExt;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction};
use spil_proto::model::Owner;
use sqlx::postgres::PgListener;
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    Dialect, Store, StoreError,
    head::{self, Head},
};

/// How often the head is looked at when nobody rings.
const POLL: Duration = Duration::from_millis(500);
/// The longest pause before a lost connection is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Follows the head of the change log for everybody who waits for it.
#[derive(Debug)]
pub(super) struct Doorbell {
    owner: Owner,
    dialect: Dialect,
    url: String,
    db: DatabaseConnection,
    head: Mutex<Option<Arc<watch::Sender<Head>>>>,
    ring: Arc<Notify>,
    stop: CancellationToken,
}

impl Doorbell {
    pub(super) fn new(owner: Owner, dialect: Dialect, url: &str, db: DatabaseConnection) -> Self {
        Self {
            owner,
            dialect,
            url: url.to_owned(),
            db,
            head: Mutex::default(),
            ring: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Ends the tasks; whoever waits is told that there is nothing more to wait for.
    pub(super) fn stop(&self) {
        self.stop.cancel();
        self.head.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn sender(&self, first: Head) -> Arc<watch::Sender<Head>> {
        let mut slot = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = slot.as_ref() {
            return Arc::clone(sender);
        }
        let sender = Arc::new(watch::Sender::new(first));
        if !self.stop.is_cancelled() {
            *slot = Some(Arc::clone(&sender));
            let poll = poll(self.db.clone(), Arc::downgrade(&sender), Arc::clone(&self.ring), self.owner);
            spawn_until(self.stop.clone(), poll);
            if self.dialect == Dialect::Postgres {
                spawn_until(self.stop.clone(), listen(self.url.clone(), self.owner, Arc::clone(&self.ring)));
            }
        }
        sender
    }

    /// The head as it is known, if anybody waits for it.
    fn known(&self) -> Option<Head> {
        let slot = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map(|sender| *sender.borrow())
    }

    /// Says that a revision was committed here.
    fn moved(&self, head: Head) {
        let slot = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = slot.as_ref() {
            publish(sender, head);
        }
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Store {
    /// The head of the change log, kept up to date.
    pub(crate) async fn follow_head(&self) -> Result<watch::Receiver<Head>, StoreError> {
        let known = self.inner.doorbell.known();
        let head = self.head().await?;
        let sender = self.inner.doorbell.sender(head);
        publish_read(&sender, known.as_ref(), head);
        Ok(sender.subscribe())
    }

    /// Says that a revision was committed here.
    pub(super) fn moved(&self, head: Head) {
        self.inner.doorbell.moved(head);
    }
}

/// Rings when the transaction is committed, on every connection that listens.
pub(super) async fn ring_on_commit(transaction: &DatabaseTransaction, store: &Store) -> Result<(), StoreError> {
    if store.inner.dialect == Dialect::Postgres {
        transaction.execute_unprepared(&format!("NOTIFY {}", channel(store.inner.owner))).await?;
    }
    Ok(())
}

fn channel(owner: Owner) -> String {
    format!("spil_{}", owner.name())
}

fn spawn_until(stop: CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = task => {}
        }
    });
}

/// Revisions only grow within a log; another log replaces it.
fn publish(sender: &watch::Sender<Head>, head: Head) {
    sender.send_if_modified(|known| {
        let newer =
            !head.same_log(known) || head.revision > known.revision || head.trimmed_through > known.trimmed_through;
        if newer {
            *known = head;
        }
        newer
    });
}

/// Takes a head that was read. One that is behind what was known before the reading began comes of a restored backup.
fn publish_read(sender: &watch::Sender<Head>, known_before: Option<&Head>, head: Head) {
    match known_before {
        Some(before) if head.is_rewound_from(before) => {
            sender.send_if_modified(|known| {
                // What came in meanwhile may be newer than what was read; the next look will tell.
                let rewound = known == before;
                if rewound {
                    *known = head;
                }
                rewound
            });
        }
        _ => publish(sender, head),
    }
}

async fn poll(db: DatabaseConnection, sender: std::sync::Weak<watch::Sender<Head>>, ring: Arc<Notify>, owner: Owner) {
    let mut failing = false;
    loop {
        let _ = tokio::time::timeout(POLL, ring.notified()).await;
        let Some(sender) = sender.upgrade() else { return };
        if sender.receiver_count() == 0 {
            continue;
        }
        let known = *sender.borrow();
        match head::read(&db).await {
            Ok(head) => {
                publish_read(&sender, Some(&known), head);
                failing = false;
            }
            Err(error) => {
                if !failing {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, owner = owner.name(), "the change log can not be looked at; trying on");
                }
                failing = true;
            }
        }
    }
}

async fn listen(url: String, owner: Owner, ring: Arc<Notify>) {
    let mut pause = Duration::from_millis(100);
    loop {
        match listen_once(&url, owner, &ring).await {
            // Rang at least once: the connection was good.
            Ok(true) => pause = Duration::from_millis(100),
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, owner = owner.name(), "listening failed");
            }
        }
        let jitter = rand::rng().random_range(0.5..1.5);
        sleep(pause.mul_f64(jitter)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn listen_once(url: &str, owner: Owner, ring: &Notify) -> Result<bool, sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(&channel(owner)).await?;
    // What was missed while nobody listened.
    ring.notify_one();
    let mut rang = false;
    while listener.try_recv().await?.is_some() {
        ring.notify_one();
        rang = true;
    }
    Ok(rang)
}
