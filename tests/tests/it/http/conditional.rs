//! Answers that clients keep, pages of other origins, and answers that are compressed.

use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use spil_auth::Permission;
use spil_tests::{Client, Spil};

const COUNT: &str = "{ skills { totalCount } }";

async fn get(client: &Client, parameters: &[(&str, &str)], headers: &[(header::HeaderName, &str)]) -> Response {
    let request = client.request(Method::GET, "/graphql").bearer_auth(client.token()).query(parameters);
    headers.iter().fold(request, |request, (name, value)| request.header(name, *value)).send().await.expect("an answer")
}

fn tag(response: &Response) -> &str {
    response.headers()[header::ETAG].to_str().expect("a text")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_did_not_change_is_not_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let first = get(&client, &[("query", COUNT)], &[]).await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()[header::CACHE_CONTROL], "private, no-cache");
    assert_eq!(first.headers()[header::VARY], "accept, accept-encoding, authorization, spil-purpose");
    let known = tag(&first).to_owned();
    assert!(known.starts_with("W/\""), "{known}");

    for tags in [known.clone(), format!("\"x\", {known}"), "*".to_owned()] {
        let again = get(&client, &[("query", COUNT)], &[(header::IF_NONE_MATCH, &tags)]).await;
        assert_eq!((again.status().as_u16(), tag(&again)), (304, known.as_str()), "{tags}");
        assert_eq!(again.bytes().await.expect("a body").len(), 0);
    }

    // Another question, another media type, another caller, other permissions: another answer.
    let reader = client.with_token(spil.token("tester", &[Permission::Read]));
    let other = client.with_token(spil.token("other", &Permission::ALL));
    for (client, parameters, accept) in [
        (&client, &[("query", "{ skills { totalCount  } }")][..], "application/json"),
        (&client, &[("query", COUNT), ("variables", "{\"x\": 1}")], "application/json"),
        (&client, &[("query", COUNT)], "application/graphql-response+json"),
        (&reader, &[("query", COUNT)], "application/json"),
        (&other, &[("query", COUNT)], "application/json"),
    ] {
        let response = get(client, parameters, &[(header::IF_NONE_MATCH, &known), (header::ACCEPT, accept)]).await;
        assert_eq!(response.status(), 200, "{parameters:?} {accept}");
        assert_ne!(tag(&response), known, "{parameters:?} {accept}");
    }

    // Who may not read is told so, whatever they have.
    let nobody = client.with_token(spil.token("tester", &[]));
    let response = get(&nobody, &[("query", COUNT)], &[(header::IF_NONE_MATCH, "*")]).await;
    assert_eq!(response.status(), 403);

    let answer = client.answer("mutation { createSkill(input: {name: \"x\"}) { stale } }", json!({})).await;
    let extensions = json!({"consistency": answer["extensions"]["consistency"]}).to_string();
    let parameters = [("query", COUNT), ("extensions", extensions.as_str())];
    let fresh = get(&client, &parameters, &[(header::IF_NONE_MATCH, &known)]).await;
    assert_eq!(fresh.status(), 200, "the graph is another one now");
    let known = tag(&fresh).to_owned();
    assert_eq!(fresh.json::<Value>().await.expect("JSON")["data"]["skills"]["totalCount"], 1);
    // The token is not part of the answer, and does not keep it from being the present one.
    let again = get(&client, &[("query", COUNT)], &[(header::IF_NONE_MATCH, &known)]).await;
    assert_eq!(again.status(), 304);

    // What is not of the graph, and what went wrong, is not kept.
    for query in ["{ snapshot { owners { headRevision } } }", "{ nope }", "{", "mutation { __typename }"] {
        let response = get(&client, &[("query", query)], &[(header::IF_NONE_MATCH, "*")]).await;
        assert_ne!(response.status(), 304, "{query}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{query}");
        assert!(response.headers().get(header::ETAG).is_none(), "{query}");
    }
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_may_ask() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path())
        .env("SPIL_ORIGINS", "https://app.example.org, http://localhost:5173")
        .start()
        .await;
    let client = spil.client();
    let preflight = |origin: &'static str| {
        client
            .request(Method::OPTIONS, "/graphql")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type")
            .send()
    };
    for origin in ["https://app.example.org", "http://localhost:5173"] {
        let response = preflight(origin).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin);
        assert_eq!(headers[header::ACCESS_CONTROL_MAX_AGE], "7200");
        assert!(headers[header::ACCESS_CONTROL_ALLOW_METHODS].to_str().expect("a text").contains("POST"));
        assert!(headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().expect("a text").contains("authorization"));
        assert!(headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS).is_none());
        let answer = get(&client, &[("query", COUNT)], &[(header::ORIGIN, origin)]).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN].as_bytes()),
            (200, origin.as_bytes())
        );
        let exposed = answer.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().expect("a text").to_lowercase();
        assert!(exposed.contains("etag") && exposed.contains("www-authenticate"), "{exposed}");
        assert!(answer.headers().get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS).is_none());
    }
    for origin in ["https://app.example.org.evil", "http://app.example.org", "null"] {
        let response = preflight(origin).await.expect("an answer");
        assert!(response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none(), "{origin}");
        assert_eq!(response.status(), 400, "{origin}");
    }
    assert_eq!(spil.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed() {
    let folder = tempfile::tempdir().expect("a folder");
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    assert!(
        get(&client, &[("query", COUNT)], &[(header::ORIGIN, "https://a.example")])
            .await
            .headers()
            .get(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            .is_none(),
        "no page of another origin may ask unless it is listed"
    );

    let long = "{ __schema { types { name description fields { name description } } } }";
    let plain = get(&client, &[("query", long)], &[]).await;
    assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
    let plain = plain.bytes().await.expect("a body").len();
    for (accept, coding, magic) in [
        ("gzip", Some("gzip"), &[0x1f, 0x8b][..]),
        ("zstd, gzip;q=0.5", Some("zstd"), &[0x28, 0xb5, 0x2f, 0xfd]),
        ("br", Some("br"), &[]),
        ("gzip;q=0.1, br;q=0.9", Some("br"), &[]),
        ("identity", None, b"{\"data\""),
        ("nothing", None, b"{\"data\""),
    ] {
        let response = get(&client, &[("query", long)], &[(header::ACCEPT_ENCODING, accept)]).await;
        assert_eq!(response.status(), 200);
        let said =
            response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().expect("a text").to_owned());
        assert_eq!(said.as_deref(), coding, "{accept}");
        let vary: Vec<_> =
            response.headers().get_all(header::VARY).iter().filter_map(|value| value.to_str().ok()).collect();
        assert!(vary.join(",").contains("accept-encoding"), "{vary:?}");
        let body = response.bytes().await.expect("a body");
        assert!(body.starts_with(magic), "{accept}");
        assert_eq!(body.len() < plain / 2, coding.is_some(), "{accept}: {} of {plain}", body.len());
    }
    let short = get(&client, &[("query", COUNT)], &[(header::ACCEPT_ENCODING, "gzip")]).await;
    assert!(short.headers().get(header::CONTENT_ENCODING).is_none(), "a short answer stays as it is");
    assert!(short.headers().get(header::CONTENT_LENGTH).is_some());
    let known = tag(&short).to_owned();
    let again =
        get(&client, &[("query", COUNT)], &[(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, &known)]).await;
    assert_eq!(again.status(), 304, "the validator is of the answer, not of its coding");
    assert_eq!(spil.stop().await, Some(0));
}
