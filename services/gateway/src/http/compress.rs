//! Which answers are compressed. How is the framework's: brotli, gzip, deflate or zstd, whichever the client wants most, each at a
//! fast level, and aside from the threads that answer.

use actix_web::{
    Error,
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderValue},
    middleware::Next,
};

/// The fewest bytes that are worth it: about what fits into one packet of a network anyway.
const MIN_BYTES: u64 = 1024;
/// Marks an answer that is to stay as it is. It is not sent.
const AS_IT_IS: HeaderValue = HeaderValue::from_static("identity");

/// Runs within the compression: marks what is not to be compressed. That is all that is short, and all whose length is not known,
/// since events are to go out one by one.
pub(super) async fn spare<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let is_worth_it = matches!(response.response().body().size(), BodySize::Sized(bytes) if bytes >= MIN_BYTES);
    if !is_worth_it && !response.headers().contains_key(header::CONTENT_ENCODING) {
        response.headers_mut().insert(header::CONTENT_ENCODING, AS_IT_IS);
    }
    Ok(response)
}

/// Runs around the compression: takes the marks off again.
pub(super) async fn unmark<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    if response.headers().get(header::CONTENT_ENCODING) == Some(&AS_IT_IS) {
        response.headers_mut().remove(header::CONTENT_ENCODING);
    }
    Ok(response)
}
