//! Whether the service is well.

use actix_web::{HttpResponse, http::header, web};
use serde_json::json;

use super::State;
use crate::graphql::date_time_text;

/// The process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// The graph was read whole, so that requests can be answered. An owner that is down does not matter here: reads go on.
pub(super) async fn ready(state: web::Data<State>) -> HttpResponse {
    let published = state.engine.live().load();
    let owners: Vec<_> = published
        .owners
        .iter()
        .map(|owner| {
            let status = owner.status.read();
            json!({
                "owner": owner.owner.name(),
                "loaded": owner.cursor.is_some(),
                "appliedRevision": owner.cursor.as_ref().map(|cursor| cursor.revision),
                "headRevision": status.head_revision,
                "heardAt": status.heard_at.map(date_time_text),
                "resyncs": status.resyncs,
                "digestMismatches": status.digest_mismatches,
            })
        })
        .collect();
    let ready = published.is_complete();
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((header::CACHE_CONTROL, "no-store")).json(json!({"ready": ready, "owners": owners}))
}
