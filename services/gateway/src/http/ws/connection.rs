//! One socket, from its first message to its last.

use std::{
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseReason, Closed, ProtocolError};
use futures::StreamExt;
use serde_json::{Map, Value};
use spil_auth::{AuthError, Caller};
use spil_proto::model::Purpose;
use tokio::time::Instant;

use super::{
    close::Close,
    message::{self, ClientMessage},
    outgoing::Outgoing,
};
use crate::{
    graphql::{
        Allowed, Origin, Request,
        error::{Code, GraphqlError},
        refused,
    },
    http::{
        State,
        operations::{self, Event, Operations},
        purpose,
        streams::{Identity, Stopping},
    },
};

/// How long a client may take to say who it is.
const INIT_LIMIT: Duration = Duration::from_secs(5);
/// How often the peer is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long the peer may give no sign of life.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);
/// How long a client may take nothing of what waits for it.
const STUCK_LIMIT: Duration = Duration::from_secs(10);
/// How many operations may run over one socket at once.
const MAX_OPERATIONS: usize = 100;
/// What a clock may be asked to wait for at most.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// One socket.
pub(super) struct Connection {
    state: Arc<State>,
    /// Who the header of the request said it is.
    known: Option<(Caller, String)>,
    /// Who it is, once it has said so, and its token.
    caller: Option<(Caller, String)>,
    /// What the client reads personal data for.
    purpose: Option<Purpose>,
    incoming: AggregatedMessageStream,
    outgoing: Outgoing,
    operations: Operations,
    identity: Identity,
    stopping: Stopping,
    opened_at: Instant,
    heard_at: Instant,
    pinged_at: Instant,
    /// When the token ends.
    expires_at: Option<Instant>,
    /// Which way its requests come in.
    origin: Origin,
}

/// Why a socket ends.
enum End {
    /// We close it.
    Close(Close),
    /// The client has closed it.
    ByClient(Option<CloseReason>),
    /// It is gone.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Gone
    }
}

impl Connection {
    /// A socket that was just opened. `known` is who the request said it is, if it did, and for what it reads.
    pub(super) fn new(
        state: Arc<State>,
        (known, purpose): (Option<(Caller, String)>, Option<Purpose>),
        incoming: AggregatedMessageStream,
        outgoing: Outgoing,
        (identity, stopping): (Identity, Stopping),
    ) -> Self {
        let now = Instant::now();
        Self {
            state,
            known,
            caller: None,
            purpose,
            incoming,
            outgoing,
            operations: Operations::new(),
            identity,
            stopping,
            opened_at: now,
            heard_at: now,
            pinged_at: now,
            expires_at: None,
            origin: Origin::default(),
        }
    }

    /// The same socket, of which it is known where it comes from.
    pub(super) fn from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Serves the socket until it ends.
    pub(super) async fn run(mut self) {
        let end = self.serve().await;
        // What ran for the client ends before the last word is sent.
        self.operations = Operations::new();
        match end {
            End::Close(close) => {
                tracing::debug!(?close, "a socket is closed");
                self.outgoing.close(Some(close.reason())).await;
            }
            End::ByClient(reason) => self.outgoing.close(reason).await,
            End::Gone => {}
        }
    }

    async fn serve(&mut self) -> End {
        let mut alarm = pin!(tokio::time::sleep_until(self.alarm()));
        loop {
            let at = self.alarm();
            if at != alarm.deadline() {
                alarm.as_mut().reset(at);
            }
            // Where too much waits, nothing more is read, run or made.
            let has_room = self.outgoing.has_room();
            let result = tokio::select! {
                () = self.stopping.wait() => Err(Close::GoingAway.into()),
                () = &mut alarm => self.alarmed().await,
                () = self.outgoing.changed(), if !has_room => Ok(()),
                message = self.incoming.recv(), if has_room => self.take(message).await,
                Some((id, event)) = self.operations.next(), if has_room => self.tell(&id, event).await,
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// When something is to be looked at even if nothing happens.
    fn alarm(&self) -> Instant {
        let init = self.caller.is_none().then(|| self.opened_at + INIT_LIMIT);
        let stuck = self.outgoing.stuck_since().map(|since| since + STUCK_LIMIT);
        [init, self.expires_at, stuck].into_iter().flatten().fold(self.pinged_at + PING_INTERVAL, Instant::min)
    }

    /// Looks at all that time may have changed.
    async fn alarmed(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.caller.is_none() && now >= self.opened_at + INIT_LIMIT {
            return Err(Close::InitTimeout.into());
        }
        if self.expires_at.is_some_and(|at| now >= at) {
            // The clock may have been set meanwhile.
            let ends = self.caller.as_ref().and_then(|(caller, _)| caller.expires_at());
            if ends.is_some_and(|at| SystemTime::now() >= at) {
                return Err(Close::Forbidden(AuthError::Expired.to_string()).into());
            }
            self.expires_at = self.caller.as_ref().and_then(|(caller, _)| expiry(caller));
        }
        if self.outgoing.stuck_since().is_some_and(|since| now >= since + STUCK_LIMIT) {
            return Err(Close::Slow("the client does not read what it asked for").into());
        }
        if now >= self.heard_at + SILENCE_LIMIT {
            return Err(Close::Slow("the client gives no sign of life").into());
        }
        if now >= self.pinged_at + PING_INTERVAL {
            self.pinged_at = now;
            if self.outgoing.has_room() {
                self.outgoing.ping().await?;
            }
        }
        Ok(())
    }

    /// Takes what the peer has sent.
    async fn take(&mut self, message: Option<Result<AggregatedMessage, ProtocolError>>) -> Result<(), End> {
        let Some(message) = message else { return Err(End::Gone) };
        self.heard_at = Instant::now();
        match message.map_err(broken)? {
            AggregatedMessage::Text(text) => {
                let message = ClientMessage::read(&text).map_err(Close::Invalid)?;
                self.act(message).await
            }
            AggregatedMessage::Binary(_) => Err(Close::Binary.into()),
            AggregatedMessage::Ping(payload) => Ok(self.outgoing.pong(&payload).await?),
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(reason) => Err(End::ByClient(reason)),
        }
    }

    /// Does what a message asks for.
    async fn act(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::Init(payload) => {
                if self.caller.is_some() {
                    return Err(Close::TooManyInits.into());
                }
                let (caller, token) = self.identify(&payload).await.map_err(refusal)?;
                if !self.identity.is_of(caller.subject()) {
                    return Err(Close::Crowded.into());
                }
                if let Some(purpose) = purpose::shown(&payload).map_err(|error| Close::Purpose(error.message))? {
                    self.purpose = Some(purpose);
                }
                self.expires_at = expiry(&caller);
                self.caller = Some((caller, token));
                self.outgoing.text(message::ack()).await?;
            }
            ClientMessage::Ping(payload) => self.outgoing.text(message::pong(payload)).await?,
            ClientMessage::Pong => {}
            ClientMessage::Subscribe { id, mut request } => {
                request.origin = self.origin;
                let Some((caller, token)) = self.caller.clone() else { return Err(Close::Unauthorized.into()) };
                if self.operations.contains(&id) {
                    return Err(Close::SubscriberExists(id).into());
                }
                let events = if self.operations.len() < MAX_OPERATIONS {
                    let request = Request { purpose: self.purpose, ..*request };
                    operations::start(Arc::clone(&self.state.engine), caller, token, request, Allowed::Everything)
                } else {
                    let text = format!("at most {MAX_OPERATIONS} operations run over one socket at once");
                    operations::once(refused(&[GraphqlError::new(Code::Overloaded, text)]))
                };
                self.operations.insert(&id, events);
            }
            ClientMessage::Complete { id } => self.operations.cancel(&id),
        }
        Ok(())
    }

    /// Who the client is: by the token that it shows now, or else by that of the request.
    async fn identify(&mut self, payload: &Map<String, Value>) -> Result<(Caller, String), AuthError> {
        match shown_token(payload)? {
            Some(token) => Ok((self.state.verifier.verify(token).await?, token.to_owned())),
            None => self.known.take().ok_or(AuthError::Missing),
        }
    }

    /// Tells the client what came of an operation.
    async fn tell(&mut self, id: &str, event: Event) -> Result<(), End> {
        let text = match event {
            Event::Next(response) => message::next(id, &response),
            Event::Refused(response) => message::error(id, &response),
            Event::Complete => Some(message::complete(id)),
        };
        let Some(text) = text else {
            tracing::error!("an answer is no JSON");
            return Err(Close::Internal.into());
        };
        Ok(self.outgoing.text(text).await?)
    }
}

/// The token in the payload of a `connection_init`: as the header of a request would have it, or by itself as `token`.
fn shown_token(payload: &Map<String, Value>) -> Result<Option<&str>, AuthError> {
    let shown = payload
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .or_else(|| payload.iter().find(|(name, _)| name.eq_ignore_ascii_case("token")));
    let Some((name, value)) = shown else { return Ok(None) };
    let value = value.as_str().ok_or(AuthError::Invalid)?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        None if name.eq_ignore_ascii_case("token") => Ok(Some(value)),
        _ => Err(AuthError::Invalid),
    }
}

/// Why a socket is closed whose token is not taken.
fn refusal(error: AuthError) -> Close {
    match error {
        AuthError::Unavailable => Close::TryLater("the keys of the issuer of the token can not be had at the moment"),
        AuthError::UnknownKey => Close::TryLater("the token names a key of its issuer that is not known yet"),
        error => Close::Forbidden(error.to_string()),
    }
}

/// When a caller's token ends; none if never.
fn expiry(caller: &Caller) -> Option<Instant> {
    // The clock is asked again after a day at the latest.
    let left = caller.expires_at()?.duration_since(SystemTime::now()).unwrap_or_default().min(LONG);
    Some(Instant::now() + left)
}

/// Why a socket is closed on which something came that is no message.
fn broken(error: ProtocolError) -> End {
    match error {
        ProtocolError::Overflow => Close::TooLarge.into(),
        ProtocolError::Io(error) if error.kind() == io::ErrorKind::InvalidData => Close::NotUtf8.into(),
        // The library has no other error for a message in pieces that is too large.
        ProtocolError::Io(error) if error.to_string().contains("maximum continuation size") => Close::TooLarge.into(),
        ProtocolError::Io(_) => End::Gone,
        _ => Close::WebSocket.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_shown_in_several_ways() {
        let shown = |payload: Value| {
            let payload = payload.as_object().expect("an object").clone();
            shown_token(&payload).map(|token| token.map(str::to_owned))
        };
        for payload in [
            json!({"Authorization": "Bearer x"}),
            json!({"authorization": "bearer  x "}),
            json!({"token": "x"}),
            json!({"token": "Bearer x"}),
            json!({"token": "y", "Authorization": "Bearer x"}),
        ] {
            assert_eq!(shown(payload.clone()), Ok(Some("x".to_owned())), "{payload}");
        }
        for payload in [json!({"Authorization": "x"}), json!({"Authorization": "Basic x"}), json!({"token": 7})] {
            assert_eq!(shown(payload.clone()), Err(AuthError::Invalid), "{payload}");
        }
        assert_eq!(shown(json!({"other": "x"})), Ok(None));
    }
}
