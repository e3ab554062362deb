//! A front end.

use std::time::Duration;

use serde_json::{Value, json};
use spil_proto::{
    model::{Kind, Owner},
    owner::OwnerClient,
};

/// Asks a gateway.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    /// What it says it reads personal data for.
    purpose: Option<&'static str>,
}

impl Client {
    /// A client with a token, which says that it administers personnel: else it would see nobody's name.
    pub fn new(url: String, token: String) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().expect("a client");
        Self { http, url, token, purpose: Some("PERSONNEL_ADMINISTRATION") }
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    /// The same client without a purpose, as most front ends are.
    #[must_use]
    pub fn without_purpose(&self) -> Self {
        Self { purpose: None, ..self.clone() }
    }

    /// The same client with a purpose.
    #[must_use]
    pub fn with_purpose(&self, purpose: &'static str) -> Self {
        Self { purpose: Some(purpose), ..self.clone() }
    }

    /// Sends a request, and gives the answer whatever it is.
    ///
    /// # Errors
    /// If the gateway can not be reached.
    pub async fn try_ask(&self, body: &Value) -> Result<(u16, Value), reqwest::Error> {
        let mut request = self.http.post(format!("{}/graphql", self.url)).bearer_auth(&self.token).json(body);
        if let Some(purpose) = self.purpose {
            request = request.header("spil-purpose", purpose);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await?))
    }

    /// Asks, and gives `data`; there must be no errors.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        self.answer(query, variables).await["data"].take()
    }

    /// Asks, and gives the whole answer; there must be no errors.
    pub async fn answer(&self, query: &str, variables: Value) -> Value {
        let (status, answer) = self.try_ask(&json!({"query": query, "variables": variables})).await.expect("an answer");
        assert!(status == 200 && answer.get("errors").is_none(), "{status} {answer}\n{query}");
        answer
    }

    /// Fetches something by GET without a token: status, content type, body.
    pub async fn get(&self, path: &str) -> (u16, String, String) {
        let response = self.http.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        let status = response.status().as_u16();
        let media =
            response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (status, media, response.text().await.expect("a body"))
    }

    /// A request that is not what it should be: the method, headers and body are up to the test.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// The token it asks with.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Waits until the gateway has read all owners.
    pub async fn wait_until_ready(&self) {
        for _ in 0..600 {
            if let Ok(response) = self.http.get(format!("{}/readyz", self.url)).send().await
                && response.status().is_success()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the gateway is not ready after 30 seconds");
    }

    /// The checksums of the graph that answers, by the name of the kind.
    async fn digests(&self) -> Vec<(String, u64, String)> {
        let data = self.ask("{ snapshot { digests { kind count checksum } } }", json!({})).await;
        data["snapshot"]["digests"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|digest| {
                let text = |name: &str| digest[name].as_str().expect("a text").to_owned();
                (text("kind"), digest["count"].as_u64().expect("a number"), text("checksum"))
            })
            .collect()
    }
}

/// Waits until the checksums of the graph are those of the owners; fails if they never are.
pub async fn digests_agree(client: &Client, owners: &mut [OwnerClient]) {
    let mut last = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let mut theirs = Vec::new();
        for owner in owners.iter_mut() {
            let digest = owner.digest(client.token()).await.expect("a digest");
            for kind in digest.kinds {
                let name = Kind::from_number(kind.kind).expect("a kind").info().name;
                let checksum: String = kind.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
                theirs.push((name.to_owned(), kind.count, checksum));
            }
        }
        assert_eq!(owners.len(), Owner::ALL.len());
        let ours = client.digests().await;
        if ours == theirs {
            return;
        }
        last = (ours, theirs);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let differing: Vec<_> = last.0.iter().zip(&last.1).filter(|(ours, theirs)| ours != theirs).collect();
    panic!("the graph differs from its owners: {differing:?}");
}
