//! The console, from inside the binary: nothing is fetched from anywhere else.

use actix_web::{HttpResponse, http::header, web};

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// What the page may load: its own files only. GraphiQL sets styles on elements, and its editor works in blobs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; \
                      connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is said where the console was not built.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><title>Spil</title><p>This binary was built without the console. Run \
                         <code>make console</code> and build it again. The schema is at <a href=\"/schema.graphql\">/schema.graphql</a>.";

/// Leads to the page.
pub(super) async fn root() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/graphiql")).finish()
}

/// The page.
pub(super) async fn page() -> HttpResponse {
    let Some(content) = find("index.html") else {
        return HttpResponse::Ok().content_type("text/html; charset=utf-8").body(NOT_BUILT);
    };
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(content)
}

/// A file of the page. Names hold a hash of the content, so that browsers may keep them.
pub(super) async fn file(path: web::Path<String>) -> HttpResponse {
    match find(&path) {
        Some(content) => HttpResponse::Ok()
            .content_type(media_type(&path))
            .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(content),
        None => HttpResponse::NotFound().finish(),
    }
}

fn find(path: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, content)| *content)
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
