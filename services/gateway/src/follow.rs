//! Follows the feeds of the owners and publishes the graph.
//!
//! One follower per owner reads a snapshot, then the changes after it, and hands both to the one [`publisher`], which
//! alone writes the graph. A follower never gives up; while it can not go on, the graph stays as it was.

mod backoff;
mod follower;
mod publisher;

use std::sync::Arc;

use spil_proto::owner::OwnerClient;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::live::Live;
use follower::Follower;

/// How many messages may wait for the publisher; a follower that is faster waits too, and so does its owner.
const QUEUE: usize = 64;

/// Gives the token with which the followers read. It is asked each time a stream is opened, since a token does not last.
pub trait FeedToken: Send + Sync + 'static {
    /// A token that may follow.
    ///
    /// # Errors
    /// If there is none; the follower tries again later.
    fn feed_token(&self) -> Result<String, FeedTokenError>;
}

/// Why there is no token to read with.
#[derive(Debug, thiserror::Error)]
#[error("there is no token to follow the owners with")]
pub struct FeedTokenError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The tasks that keep a graph alive. They end when this is dropped.
pub struct Followers {
    _tasks: JoinSet<()>,
}

impl Followers {
    /// Starts to follow the owners at the other end of the clients.
    pub fn start(live: Arc<Live>, clients: [OwnerClient; 3], token: Arc<dyn FeedToken>) -> Self {
        let mut tasks = JoinSet::new();
        let (sender, receiver) = mpsc::channel(QUEUE);
        // Only one owner at a time is read anew, so that one half-filled graph at most is held beside the one that answers.
        let refill = Arc::new(Semaphore::new(1));
        for client in clients {
            let status = Arc::clone(&live.load().owner(client.owner()).status);
            let follower = Follower::new(
                client,
                Arc::clone(&token),
                Arc::clone(&refill),
                sender.clone(),
                status,
                Arc::clone(&live),
            );
            tasks.spawn(follower.run());
        }
        tasks.spawn_blocking(move || publisher::run(&live, receiver));
        Self { _tasks: tasks }
    }
}
