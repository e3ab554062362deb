//! GraphQL over HTTP.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    error::PayloadError,
    http::{StatusCode, header},
    web::{self, Payload},
};
use apollo_compiler::response::JsonMap;
use futures::StreamExt;
use serde::Deserialize;
use spil_auth::{AuthError, Caller};

use super::{MAX_BODY_BYTES, State};
use crate::graphql::{
    Allowed, Request, RequestExtensions, Response, ResponseStatus,
    error::{Code, GraphqlError},
    refused,
};

/// The media type of the 2025 draft, in which the status says whether the request was run.
const RESPONSE_JSON: &str = "application/graphql-response+json";
/// The older media type, in which a request that is well-formed is answered with 200.
const JSON: &str = "application/json";

/// How long a client may take to send the body of a request.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// Answers a request sent by POST.
pub(super) async fn post(http: HttpRequest, mut payload: Payload, state: web::Data<State>) -> HttpResponse {
    let Some(media) = accepted(&http) else { return not_acceptable() };
    let (caller, token) = match caller(&http, &state) {
        Ok(caller) => caller,
        Err(error) => return unauthenticated(error, media),
    };
    if !is_json(&http) {
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a request by POST has the content type application/json");
    }
    let read = tokio::time::timeout(BODY_LIMIT, read(&mut payload)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT));
    let body = match read {
        Ok(body) => body,
        Err(status) => return plain(status, "the request is too large, too slow or was cut off"),
    };
    match serde_json::from_slice::<Request>(&body) {
        Ok(request) => {
            let response = state.engine.execute(&caller, &token, request, Allowed::Everything).await;
            answer(response, media)
        }
        Err(error) => bad_request(&format!("the body is not a GraphQL request: {error}"), media),
    }
}

/// The parameters of a request sent by GET.
#[derive(Deserialize)]
pub(super) struct Parameters {
    query: Option<String>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// Answers a query sent by GET.
pub(super) async fn get(http: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let Some(media) = accepted(&http) else { return not_acceptable() };
    let (caller, token) = match caller(&http, &state) {
        Ok(caller) => caller,
        Err(error) => return unauthenticated(error, media),
    };
    let Ok(parameters) = web::Query::<Parameters>::from_query(http.query_string()) else {
        return bad_request("the parameters can not be read", media);
    };
    let Some(query) = parameters.0.query else { return bad_request("the parameter `query` is needed", media) };
    let Ok(variables) = parse::<JsonMap>(parameters.0.variables.as_deref()) else {
        return bad_request("the parameter `variables` is no JSON object", media);
    };
    let Ok(extensions) = parse::<RequestExtensions>(parameters.0.extensions.as_deref()) else {
        return bad_request("the parameter `extensions` is no JSON object", media);
    };
    let operation_name = parameters.0.operation_name.filter(|name| !name.is_empty());
    let request = Request { query, operation_name, variables, extensions };
    answer(state.engine.execute(&caller, &token, request, Allowed::Queries).await, media)
}

fn parse<T: for<'de> Deserialize<'de>>(text: Option<&str>) -> Result<Option<T>, serde_json::Error> {
    text.filter(|text| !text.is_empty()).map_or(Ok(None), serde_json::from_str)
}

/// Refuses other methods.
pub(super) async fn other_method() -> HttpResponse {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GraphQL is asked by POST or GET");
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, POST"));
    response
}

/// The schema in the schema definition language.
pub(super) async fn schema(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(state.schema.sdl.as_str())
}

/// Who calls, by the bearer token, and the token itself.
fn caller(http: &HttpRequest, state: &State) -> Result<(Caller, String), AuthError> {
    let header = http.headers().get(header::AUTHORIZATION).ok_or(AuthError::Missing)?;
    let value = header.to_str().map_err(|_| AuthError::Invalid)?;
    let (scheme, token) = value.split_once(' ').ok_or(AuthError::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Missing);
    }
    let token = token.trim();
    Ok((state.verifier.verify(token)?, token.to_owned()))
}

/// The media type to answer in; `None` if the client takes neither. The order of the list decides between equals.
fn accepted(http: &HttpRequest) -> Option<&'static str> {
    let Some(accept) = http.headers().get(header::ACCEPT) else { return Some(JSON) };
    let mut best: Option<(&'static str, f32)> = None;
    for part in accept.to_str().ok()?.split(',') {
        let mut parameters = part.split(';').map(str::trim);
        let media = match parameters.next().unwrap_or_default() {
            range if range.eq_ignore_ascii_case(RESPONSE_JSON) => RESPONSE_JSON,
            range if range.eq_ignore_ascii_case(JSON) => JSON,
            "*/*" | "application/*" => JSON,
            _ => continue,
        };
        let quality = parameters
            .find_map(|parameter| parameter.strip_prefix("q="))
            .map_or(1.0, |text| text.parse().unwrap_or(0.0));
        if quality > 0.0 && best.is_none_or(|(_, known)| quality > known) {
            best = Some((media, quality));
        }
    }
    best.map(|(media, _)| media)
}

fn is_json(http: &HttpRequest) -> bool {
    http.headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case(JSON))
}

/// Reads the body, up to its bound.
async fn read(payload: &mut Payload) -> Result<Vec<u8>, StatusCode> {
    let mut body = Vec::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| match error {
            PayloadError::Overflow => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        })?;
        if body.len() + piece.len() > MAX_BODY_BYTES {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn answer(response: Response, media: &'static str) -> HttpResponse {
    let status = match response.status {
        ResponseStatus::Executed => StatusCode::OK,
        ResponseStatus::Refused(code) => match code {
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotReady | Code::Overloaded | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Code::BadRequest => StatusCode::BAD_REQUEST,
            // In the older media type a well-formed request is answered with 200 whatever is in it.
            _ if media == JSON => StatusCode::OK,
            _ => StatusCode::BAD_REQUEST,
        },
    };
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, format!("{media}; charset=utf-8")))
        .body(response.body)
}

fn bad_request(message: &str, media: &'static str) -> HttpResponse {
    answer(refused(&[GraphqlError::new(Code::BadRequest, message)]), media)
}

fn unauthenticated(error: AuthError, media: &'static str) -> HttpResponse {
    let mut response = answer(refused(&[GraphqlError::new(Code::Unauthenticated, error.to_string())]), media);
    // RFC 6750: no error code where no token was given at all.
    let challenge = if error == AuthError::Missing { "Bearer" } else { "Bearer error=\"invalid_token\"" };
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
    response
}

fn not_acceptable() -> HttpResponse {
    plain(StatusCode::NOT_ACCEPTABLE, "answers are application/graphql-response+json or application/json")
}

fn plain(status: StatusCode, message: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(message)
}
