//! What lasts longer than one answer ends with the token of whoever asked for it.

use std::{
    future::Future as _,
    pin::pin,
    task::Poll,
    time::{Duration, SystemTime},
};

use futures::{Stream, stream};
use spil_auth::{AuthError, Caller};
use tonic::Status;

/// What a clock may be asked to wait for at most; then the time is looked at again.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// A stream up to the end of the caller's token. Services of ours, whose tokens last for minutes, are not cut off: who holds the key
/// would only come back.
pub(super) fn until<T>(
    caller: &Caller,
    stream: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> super::Answers<T> {
    let Some(expires_at) = caller.expires_at().filter(|_| !caller.is_service()) else { return Box::pin(stream) };
    let mut stream = Box::pin(stream);
    let mut clock = Some(Box::pin(ended(expires_at)));
    Box::pin(stream::poll_fn(move |context| {
        let Some(waiting) = &mut clock else { return Poll::Ready(None) };
        if waiting.as_mut().poll(context).is_ready() {
            clock = None;
            return Poll::Ready(Some(Err(Status::unauthenticated(AuthError::Expired.to_string()))));
        }
        stream.as_mut().poll_next(context)
    }))
}

/// Waits until a moment is over. The clock may be set meanwhile.
async fn ended(at: SystemTime) {
    while let Ok(left) = at.duration_since(SystemTime::now()) {
        let wait = pin!(tokio::time::sleep(left.min(LONG)));
        wait.await;
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tonic::Code;

    use super::*;

    #[tokio::test]
    async fn a_stream_ends_with_the_token() {
        let soon = SystemTime::now() + Duration::from_millis(50);
        let caller = Caller::new("ada", []).until(soon);
        let endless = || stream::once(async { Ok(1) }).chain(stream::pending());
        let mut lasting = until(&caller, endless());
        assert_eq!(lasting.next().await.expect("an item").expect("an item"), 1);
        let end = lasting.next().await.expect("an end").expect_err("an end");
        assert_eq!(end.code(), Code::Unauthenticated);
        assert!(lasting.next().await.is_none());

        let ended: Vec<_> = until(&caller.clone().until(soon + LONG), stream::once(async { Ok(1) })).collect().await;
        assert_eq!(ended.len(), 1, "a stream that ends before is told no more");
        let service = caller.of_issuer(spil_auth::SERVICE_ISSUER);
        let mut lasting = until(&service, endless());
        assert!(lasting.next().await.is_some());
        let waited = tokio::time::timeout(Duration::from_millis(100), lasting.next()).await;
        assert!(waited.is_err(), "a service goes on");
    }
}
