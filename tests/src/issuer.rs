//! An issuer of tokens with keys that are known to the tests.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The audience of the tokens that are taken.
pub const AUDIENCE: &str = "urn:spil:test";

/// A key of the issuer, or one that it does not have.
#[derive(Clone)]
pub struct TestKey {
    /// What the issuer calls it.
    pub id: &'static str,
    /// By which algorithm it signs.
    pub algorithm: Algorithm,
    /// The private half.
    pub private: EncodingKey,
}

impl TestKey {
    /// Signs `header.claims`, both as they are to stand in the token, and gives the whole token.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_by(self.algorithm, header, claims)
    }

    /// The same by another algorithm than its own.
    pub fn sign_by(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let message = crate::attack::message(header, claims);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.private, algorithm).expect("a signature");
        format!("{message}.{signature}")
    }

    /// The public half as an issuer publishes it.
    pub fn published(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private, self.algorithm).expect("a public half");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = self.id.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = serde_json::to_value(self.algorithm).expect("a name");
        jwk
    }
}

/// The keys of the tests.
pub struct TestKeys {
    /// Published, for RS256.
    pub rsa: TestKey,
    /// Published, for ES256.
    pub ec: TestKey,
    /// Published, for an algorithm that the settings do not allow.
    pub ed: TestKey,
    /// Published, and too short.
    pub weak: TestKey,
    /// Not published.
    pub foreign: TestKey,
}

impl TestKeys {
    /// Reads them.
    pub fn read() -> Self {
        let rsa = |id, pem: &str| TestKey {
            id,
            algorithm: Algorithm::RS256,
            private: EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key"),
        };
        Self {
            rsa: rsa("rsa-1", include_str!("../fixtures/keys/rsa.pem")),
            weak: rsa("weak-1", include_str!("../fixtures/keys/weak-rsa.pem")),
            foreign: rsa("foreign-1", include_str!("../fixtures/keys/foreign-rsa.pem")),
            ec: TestKey {
                id: "ec-1",
                algorithm: Algorithm::ES256,
                private: EncodingKey::from_ec_pem(include_bytes!("../fixtures/keys/ec.pem")).expect("a key"),
            },
            ed: TestKey {
                id: "ed-1",
                algorithm: Algorithm::EdDSA,
                private: EncodingKey::from_ed_pem(include_bytes!("../fixtures/keys/ed.pem")).expect("a key"),
            },
        }
    }

    fn published(&self) -> Value {
        let keys = [&self.rsa, &self.ec, &self.ed, &self.weak].map(TestKey::published);
        json!({"keys": keys})
    }
}

/// An HTTP server on this machine that publishes the keys, and counts what it is asked for. It ends when this is dropped.
pub struct TestIssuer {
    /// The keys.
    pub keys: TestKeys,
    address: SocketAddr,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    server: JoinHandle<()>,
}

impl TestIssuer {
    /// Starts it on a port that is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (keys, asked) = (TestKeys::read(), Arc::<Mutex<BTreeMap<String, usize>>>::default());
        let (jwks, counts) = (keys.published().to_string(), Arc::clone(&asked));
        let discovery = json!({"issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/jwks")});
        let server = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (jwks, discovery, counts) = (jwks.clone(), discovery.to_string(), Arc::clone(&counts));
                tokio::spawn(async move {
                    let answer = |path: &str| {
                        *counts.lock().expect("no panic").entry(path.to_owned()).or_default() += 1;
                        match path {
                            "/.well-known/openid-configuration" => Some(discovery),
                            "/jwks" => Some(jwks),
                            _ => None,
                        }
                    };
                    let _ = serve(socket, answer).await;
                });
            }
        });
        Self { keys, address, asked, server }
    }

    /// Its name, which is also where it is.
    pub fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The setting `issuers` that trusts it, for the environment.
    pub fn setting(&self) -> String {
        format!(
            "[{{issuer=\"{}\", audiences=[\"{AUDIENCE}\"], algorithms=[\"RS256\", \"ES256\"], leeway_seconds=1}}]",
            self.name()
        )
    }

    /// How often each path was asked for.
    pub fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers one request.
async fn serve(mut socket: TcpStream, answer: impl FnOnce(&str) -> Option<String>) -> std::io::Result<()> {
    let (reader, mut writer) = socket.split();
    let mut lines = BufReader::new(reader).lines();
    let first = lines.next_line().await?.unwrap_or_default();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = match answer(first.split(' ').nth(1).unwrap_or_default()) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    writer.write_all(format!("{head}{body}").as_bytes()).await
}
