//! Erases people whose data were kept as long as they may be.

use std::time::Duration;

use spil_changefeed::OwnerToken;
use spil_gateway::erasure;
use spil_proto::{model::Kind, owner::OwnerClient};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// How long it takes until people who left long ago are looked for again.
const PAUSE: Duration = Duration::from_secs(24 * 3600);
/// Within how long after that somebody begins: several gateways that start together do not all begin at once.
const SPREAD: Duration = Duration::from_secs(5);
/// What the log says of why.
const REASON: &str = "kept as long as the register of personal data allows";

/// Erases, soon and every day, whose time has come, from all owners. Where there are several gateways each does it: whom one has erased the others
/// pass over, and what two do at once is done once.
pub(crate) async fn keep(clients: Vec<OwnerClient>, token: OwnerToken) {
    let mut days = tokio::time::interval(PAUSE);
    days.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        days.tick().await;
        tokio::time::sleep(SPREAD.mul_f64(rand::random())).await;
        match erasure::due(&clients, &token().unwrap_or_default()).await {
            Ok(people) => erase_all(&clients, &token, people).await,
            Err(error) => tracing::error!(%error, "whose data were kept as long as they may be is not known"),
        }
    }
}

/// Erases some people. Somebody who can not be erased keeps nobody else from it.
async fn erase_all(clients: &[OwnerClient], token: &OwnerToken, people: Vec<(Kind, Uuid)>) {
    let (mut erased, mut failed) = (0_usize, 0_usize);
    for person in people {
        // One for each: a token does not last as long as many people take.
        let token = token().unwrap_or_default();
        let request = erasure::Request { person, reason: REASON, origin: "" };
        match erasure::erase(clients, &token, request).await {
            Ok(done) => erased += usize::from(done.records > 0),
            Err(error) => {
                failed += 1;
                tracing::error!(%error, person = %person.1, "somebody who left long ago was not erased; it is tried again");
            }
        }
    }
    if erased + failed > 0 {
        tracing::info!(erased, failed, "erased people who left long ago");
    }
}
