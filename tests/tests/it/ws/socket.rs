//! A front end on a WebSocket.

use std::{collections::VecDeque, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use spil_tests::Spil;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::HeaderValue,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// How long anything may take that is to happen soon.
const SOON: Duration = Duration::from_secs(20);

/// A socket with what came over it and was not looked at yet.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    kept: VecDeque<Value>,
}

impl Socket {
    /// Opens a socket as a front end does.
    pub(crate) async fn open(spil: &Spil) -> Self {
        Self::try_open(spil, &[("sec-websocket-protocol", "graphql-transport-ws")], None).await.expect("a socket")
    }

    /// Opens a socket with these headers, and with so many bytes of what was not read yet.
    pub(crate) async fn try_open(
        spil: &Spil,
        headers: &[(&'static str, &str)],
        receive_buffer: Option<u32>,
    ) -> Result<Self, Error> {
        let url = spil.http.as_deref().expect("a gateway").replacen("http", "ws", 1);
        let mut request = format!("{url}/graphql").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        let address = url.trim_start_matches("ws://").parse().expect("an address");
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let tcp = socket.connect(address).await?;
        let (stream, _) = client_async(request, tcp).await?;
        Ok(Self { stream, kept: VecDeque::new() })
    }

    /// Opens a socket and says who it is.
    pub(crate) async fn ready(spil: &Spil, token: &str) -> Self {
        let mut socket = Self::open(spil).await;
        socket.say(&json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {token}")}})).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket
    }

    /// Sends a message.
    pub(crate) async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Sends whatever a test wants to send.
    pub(crate) async fn send(&mut self, message: Message) {
        self.stream.send(message).await.expect("the socket is open");
    }

    /// Asks for an operation.
    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.say(&json!({"id": id, "type": "subscribe", "payload": payload})).await;
    }

    /// The next message; fails if the socket is closed instead.
    pub(crate) async fn next(&mut self) -> Value {
        if let Some(message) = self.kept.pop_front() {
            return message;
        }
        match self.frame().await {
            Ok(message) => message,
            Err(closed) => panic!("the socket was closed: {closed:?}"),
        }
    }

    /// The next message of one operation. Those of others are kept.
    pub(crate) async fn next_of(&mut self, id: &str) -> Value {
        if let Some(at) = self.kept.iter().position(|message| message["id"] == id) {
            return self.kept.remove(at).expect("it was found");
        }
        loop {
            match self.frame().await {
                Ok(message) if message["id"] == id => return message,
                Ok(message) => self.kept.push_back(message),
                Err(closed) => panic!("the socket was closed: {closed:?}"),
            }
        }
    }

    /// The answer to an operation that has one.
    pub(crate) async fn answer(&mut self, id: &str, query: &str, variables: Value) -> Value {
        self.subscribe(id, query, variables).await;
        let message = self.next_of(id).await;
        assert_eq!(message["type"], "next", "{message}");
        assert_eq!(self.next_of(id).await, json!({"id": id, "type": "complete"}));
        message["payload"].clone()
    }

    /// Whether nothing comes for a while.
    pub(crate) async fn is_silent(&mut self, while_: Duration) -> bool {
        self.kept.is_empty() && tokio::time::timeout(while_, self.frame()).await.is_err()
    }

    /// What came back for a ping of the WebSocket itself.
    pub(crate) async fn pong(&mut self) -> Vec<u8> {
        match tokio::time::timeout(SOON, self.stream.next()).await.expect("a pong in time") {
            Some(Ok(Message::Pong(payload))) => payload.to_vec(),
            other => panic!("no pong but {other:?}"),
        }
    }

    /// Says good-bye.
    pub(crate) async fn close(&mut self, code: CloseCode) {
        let frame = CloseFrame { code, reason: "".into() };
        self.stream.close(Some(frame)).await.expect("the socket is open");
    }

    /// The code and the text with which the socket is closed; messages before that are passed over.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        self.closed_within(SOON).await
    }

    /// The same, where it takes longer.
    pub(crate) async fn closed_within(&mut self, limit: Duration) -> (u16, String) {
        let closed = async {
            loop {
                if let Err(closed) = self.frame().await {
                    return closed.expect("a code");
                }
            }
        };
        tokio::time::timeout(limit, closed).await.expect("the socket is closed in time")
    }

    /// The next message, or how the socket was closed.
    async fn frame(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(60), self.stream.next()).await.expect("it goes on");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| (u16::from(frame.code), frame.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("the socket is broken: {error}"),
                None => return Err(None),
            }
        }
    }
}
