//! Small documents from issuers, over HTTP.

use std::{
    error::Error,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::{Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// The most bytes of a document.
const MAX_BYTES: usize = 256 << 10;
/// How long fetching a document may take in all.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// An address that may be asked: `https`, or `http` on this machine; without user, query and fragment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(Uri);

impl Url {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.contains('#') {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
            return None;
        }
        let may_be_asked = match uri.scheme_str()? {
            "https" => true,
            "http" => is_this_machine(authority.host()),
            _ => false,
        };
        may_be_asked.then_some(Self(uri))
    }

    fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

/// Whether a host in an address is this machine, whatever the resolver says.
fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fetches documents.
pub(crate) trait Fetch: Send + Sync + 'static {
    /// The document at an address, of at most 256 KiB.
    fn get<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Bytes, FetchError>>;
}

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("this machine has no roots to trust others by")]
    NoRoots,
    #[error("nobody answers")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("the answer breaks off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    #[error("there was no answer within {} s", TIME_LIMIT.as_secs())]
    TooLate,
}

/// Fetches over HTTP/1.1 and TLS. No redirect is followed, no proxy asked, no cookie kept; the roots that are trusted are the system's.
pub(crate) struct HttpFetch {
    plain: Client<HttpConnector, Empty<Bytes>>,
    /// None where the system has no roots.
    secure: Option<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>,
}

impl HttpFetch {
    pub(crate) fn new() -> Self {
        let provider = rustls::crypto::ring::default_provider();
        let secure = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let secure = secure.ok().map(|builder| builder.https_only().enable_http1().build());
        // Every fetch is minutes after the last: no connection is kept.
        let client = || {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.pool_max_idle_per_host(0);
            builder
        };
        Self { plain: client().build_http(), secure: secure.map(|connector| client().build(connector)) }
    }
}

impl Fetch for HttpFetch {
    fn get<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let mut request = Request::new(Empty::new());
            *request.uri_mut() = url.0.clone();
            request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
            let answer = if url.is_secure() {
                self.secure.as_ref().ok_or(FetchError::NoRoots)?.request(request)
            } else {
                self.plain.request(request)
            };
            let read = async {
                let answer = answer.await.map_err(FetchError::Unreachable)?;
                if answer.status() != StatusCode::OK {
                    return Err(FetchError::Status(answer.status()));
                }
                let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
                body.map(|body| body.to_bytes()).map_err(|error| {
                    if error.is::<LengthLimitError>() { FetchError::TooLarge } else { FetchError::Broken(error) }
                })
            };
            tokio::time::timeout(TIME_LIMIT, read).await.unwrap_or(Err(FetchError::TooLate))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request with some bytes, and gives the address.
    async fn serve(answer: Vec<u8>) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a client");
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(&answer).await;
            let _ = socket.shutdown().await;
        });
        Url::parse(&format!("http://{address}/keys")).expect("an address")
    }

    async fn get(answer: impl Into<Vec<u8>>) -> Result<Bytes, FetchError> {
        let url = serve(answer.into()).await;
        HttpFetch::new().get(&url).await
    }

    #[tokio::test]
    async fn a_document_is_fetched_whole_or_not_at_all() {
        assert_eq!(get("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.expect("a document"), "{}");
        let broken = get("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}").await;
        assert!(matches!(broken, Err(FetchError::Broken(_))), "{broken:?}");
        assert!(matches!(get("nonsense").await, Err(FetchError::Unreachable(_))));
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_errors_are_told() {
        let elsewhere = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
        let moved = get(format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n")).await;
        assert!(matches!(moved, Err(FetchError::Status(StatusCode::FOUND))), "{moved:?}");
        let gone = get("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        assert!(matches!(gone, Err(FetchError::Status(StatusCode::NOT_FOUND))), "{gone:?}");
    }

    #[tokio::test]
    async fn documents_are_bounded() {
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.resize(endless.len() + MAX_BYTES + 1, b' ');
        let large = get(endless).await;
        assert!(matches!(large, Err(FetchError::TooLarge)), "{large:?}");
    }

    #[test]
    fn addresses_are_https_or_here() {
        for text in ["https://a.example/x", "http://localhost/x", "http://127.9.9.9:1/x", "http://[::1]:1/"] {
            assert!(Url::parse(text).is_some(), "{text}");
        }
        for text in [
            "http://a.example/",
            "http://localhost.example/",
            "http://127.0.0.1@a.example/",
            "https://a@a.example/",
            "https://a.example/?a",
            "https://a.example/#a",
            "http://0x7f000001/",
            "file:///etc/passwd",
            "/x",
            "",
        ] {
            assert!(Url::parse(text).is_none(), "{text}");
        }
    }
}
