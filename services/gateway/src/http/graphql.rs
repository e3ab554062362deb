//! GraphQL over HTTP, to the letter of the draft of 2025.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes, Payload},
};
use apollo_compiler::response::JsonMap;
use serde::Deserialize;
use spil_auth::Caller;

use super::{
    State,
    accept::Media,
    body::{self, Body},
    challenge::{self, authenticate, unauthenticated},
    conditional, origin, purpose,
};
use crate::graphql::{
    Allowed, Request, RequestExtensions, Response, ResponseStatus,
    error::{Code, GraphqlError},
    refused,
};

/// The most bytes of the answers to a batch, beyond which the rest of its requests is not run.
const MAX_BATCH_ANSWER_BYTES: usize = 64 << 20;

/// Answers a request, or a batch of them, sent by POST.
pub(super) async fn post(http: HttpRequest, mut payload: Payload, state: web::Data<State>) -> HttpResponse {
    let Some(media) = Media::of(&http) else { return not_acceptable() };
    let (caller, token) = match authenticate(&http, &state.verifier).await {
        Ok(caller) => caller,
        Err(error) => return unauthenticated(error, media),
    };
    let purpose = match purpose::of(&http) {
        Ok(purpose) => purpose,
        Err(error) => return body_refused(StatusCode::BAD_REQUEST, error, media),
    };
    match body::read(&http, &mut payload, state.limits.body_bytes, state.limits.batch).await {
        Ok(Body::One(request)) => {
            let request = Request { purpose, ..*request };
            answer(state.engine.execute(&caller, &token, request, Allowed::Everything).await, media)
        }
        Ok(Body::Many(requests)) => {
            let requests = requests.into_iter().map(|request| Request { purpose, ..request }).collect();
            batch(&state, &caller, &token, requests, media).await
        }
        Err((status, error)) => body_refused(status, error, media),
    }
}

/// Answers the requests of a batch one after the other, so that each sees what those before it have written.
async fn batch(state: &State, caller: &Caller, token: &str, requests: Vec<Request>, media: Media) -> HttpResponse {
    let mut answers = vec![b'['];
    for request in requests {
        if answers.len() > 1 {
            answers.push(b',');
        }
        let response = if answers.len() > MAX_BATCH_ANSWER_BYTES {
            refused(&[GraphqlError::new(
                Code::TooCostly,
                "the answers to the batch are too large; send this request by itself",
            )])
        } else {
            state.engine.execute(caller, token, request, Allowed::Everything).await
        };
        answers.extend_from_slice(&response.body);
    }
    answers.push(b']');
    json(StatusCode::OK, answers.into(), media)
}

/// The parameters of a request sent by GET.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    /// The request that the parameters carry. An empty parameter is as good as none.
    pub(super) fn read(http: &HttpRequest) -> Result<Request, GraphqlError> {
        let malformed = |message: &str| GraphqlError::new(Code::BadRequest, message);
        if !decodes_to_utf8(http.query_string()) {
            return Err(malformed("the parameters are not written in UTF-8"));
        }
        let parameters = web::Query::<Self>::from_query(http.query_string())
            .map_err(|error| malformed(&format!("the parameters can not be read: {error}")))?
            .into_inner();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Request {
            query: given(parameters.query),
            document_id: given(parameters.document_id),
            operation_name: given(parameters.operation_name),
            variables: parse::<JsonMap>(parameters.variables.as_deref())
                .map_err(|_| malformed("the parameter `variables` is no JSON object"))?,
            extensions: parse::<RequestExtensions>(parameters.extensions.as_deref())
                .map_err(|error| malformed(&format!("the parameter `extensions` can not be read: {error}")))?,
            origin: origin::of(http),
            purpose: None,
        })
    }
}

fn parse<T: for<'de> Deserialize<'de>>(text: Option<&str>) -> Result<Option<T>, serde_json::Error> {
    text.filter(|text| !text.is_empty()).map_or(Ok(None), serde_json::from_str)
}

/// Whether the bytes that a query string stands for are UTF-8. What reads it would put a mark in place of those that are not.
fn decodes_to_utf8(query: &str) -> bool {
    if !query.contains('%') {
        return true;
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = query.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            decoded.extend(u8::try_from(high * 16 + low));
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

/// Answers a query sent by GET.
pub(super) async fn get(http: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let Some(media) = Media::of(&http) else { return not_acceptable() };
    let (caller, token) = match authenticate(&http, &state.verifier).await {
        Ok(caller) => caller,
        Err(error) => return unauthenticated(error, media),
    };
    let request = match Parameters::read(&http) {
        Ok(request) => request,
        Err(error) => return answer(refused(&[error]), media),
    };
    let request = match purpose::of(&http) {
        Ok(purpose) => Request { purpose, ..request },
        Err(error) => return body_refused(StatusCode::BAD_REQUEST, error, media),
    };
    let validator = state.engine.validator(&caller, &request, media.content_type()).await;
    if let Some(validator) = &validator
        && conditional::is_known(&http, validator)
    {
        return conditional::not_modified(validator);
    }
    let response = state.engine.execute(&caller, &token, request, Allowed::Queries).await;
    let validator = validator.filter(|_| response.is_whole());
    let mut response = answer(response, media);
    conditional::describe(response.headers_mut(), validator.as_deref());
    response
}

/// Refuses other methods.
pub(super) async fn other_method() -> HttpResponse {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GraphQL is asked by POST or GET");
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, POST"));
    response
}

/// The schema in the schema definition language, where it may be asked for.
pub(super) async fn schema(state: web::Data<State>) -> HttpResponse {
    if !state.engine.shows_schema() {
        return plain(StatusCode::NOT_FOUND, "the schema can not be asked for here");
    }
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(state.schema.sdl.as_str())
}

/// An answer with the status that its media type gives it.
pub(super) fn answer(response: Response, media: Media) -> HttpResponse {
    let status = match response.status {
        ResponseStatus::Executed => StatusCode::OK,
        ResponseStatus::Refused(code) => status_of(code, media),
    };
    let mut answer = json(status, response.body, media);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    }
    challenge::describe(&mut answer);
    answer
}

/// The status of a request that was refused before it was run.
fn status_of(code: Code, media: Media) -> StatusCode {
    match code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotReady | Code::Overloaded | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::BadRequest => StatusCode::BAD_REQUEST,
        Code::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        // In the older media type a well-formed request is answered with 200 whatever is in it.
        _ if media == Media::Json => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn json(status: StatusCode, body: Bytes, media: Media) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, header::HeaderValue::from_static(media.content_type())))
        .body(body)
}

/// Says that the body of a request is not taken.
pub(super) fn body_refused(status: StatusCode, error: GraphqlError, media: Media) -> HttpResponse {
    let mut response = json(status, refused(&[error]).body, media);
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        // What a request may be, for a client that would try again (RFC 9110, sections 12.5.1 and 12.5.3).
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
    }
    response
}

fn not_acceptable() -> HttpResponse {
    plain(StatusCode::NOT_ACCEPTABLE, "answers are application/graphql-response+json or application/json")
}

fn plain(status: StatusCode, message: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_utf_8() {
        for query in ["", "query=%7B__typename%7D", "query={a}&x=100%", "query=%C3%A9", "query=é", "a=%zz%4"] {
            assert!(decodes_to_utf8(query), "{query}");
        }
        for query in ["query=%FF", "query=%C3", "query=%C3%28", "query=%ED%A0%80"] {
            assert!(!decodes_to_utf8(query), "{query}");
        }
    }
}
