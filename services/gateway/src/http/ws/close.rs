//! Why the gateway closes a socket.

use actix_ws::{CloseCode, CloseReason};

use super::message::MessageError;

/// Why a socket is closed: the codes of the protocol, and those of WebSockets where it has none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The service stops. Other gateways go on.
    GoingAway,
    /// The peer breaks the rules of WebSockets.
    WebSocket,
    /// A text is not UTF-8.
    NotUtf8,
    /// A message is larger than the body of a request may be.
    TooLarge,
    /// The client does not read what it asked for, or gives no sign of life. It may come back and resume.
    Slow(&'static str),
    /// Whether the token is good can not be told at the moment.
    TryLater(&'static str),
    /// The client has too many connections open.
    Crowded,
    /// A message is none.
    Invalid(MessageError),
    /// The purpose that the client names is not known; the text says which are.
    Purpose(String),
    /// A message is binary.
    Binary,
    /// An operation was asked for before the client was known.
    Unauthorized,
    /// The token is not taken, or not any more.
    Forbidden(String),
    /// The client speaks another subprotocol.
    SubprotocolNotAcceptable,
    /// The client did not say who it is.
    InitTimeout,
    /// An operation of that name runs already.
    SubscriberExists(String),
    /// The client said twice who it is.
    TooManyInits,
    /// A fault of ours.
    Internal,
}

impl Close {
    /// Code and text for the client. The text is cut to what fits into a close frame.
    pub(super) fn reason(&self) -> CloseReason {
        let (code, text) = match self {
            Self::GoingAway => (CloseCode::Away, "the service stops".to_owned()),
            Self::WebSocket => (CloseCode::Protocol, "this is not how WebSockets work".to_owned()),
            Self::NotUtf8 => (CloseCode::Invalid, "a text is UTF-8".to_owned()),
            Self::TooLarge => (CloseCode::Size, "the message is too large".to_owned()),
            Self::Slow(why) | Self::TryLater(why) => (CloseCode::Again, (*why).to_owned()),
            Self::Crowded => (CloseCode::Again, "this caller has too many sockets and event streams open".to_owned()),
            Self::Invalid(error) => (CloseCode::Other(4400), error.to_string()),
            Self::Purpose(why) => (CloseCode::Other(4400), why.clone()),
            Self::Binary => (CloseCode::Other(4400), "messages are text".to_owned()),
            Self::Unauthorized => (CloseCode::Other(4401), "Unauthorized".to_owned()),
            Self::Forbidden(why) => (CloseCode::Other(4403), format!("Forbidden: {why}")),
            Self::SubprotocolNotAcceptable => (CloseCode::Other(4406), "Subprotocol not acceptable".to_owned()),
            Self::InitTimeout => (CloseCode::Other(4408), "Connection initialisation timeout".to_owned()),
            Self::SubscriberExists(id) => (CloseCode::Other(4409), format!("Subscriber for {id} already exists")),
            Self::TooManyInits => (CloseCode::Other(4429), "Too many initialisation requests".to_owned()),
            Self::Internal => (CloseCode::Other(4500), "Internal server error".to_owned()),
        };
        CloseReason { code, description: Some(text) }
    }
}
