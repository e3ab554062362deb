//! Which way a request came in.

use actix_web::{HttpRequest, http::header};

use crate::graphql::{Origin, Transport};

/// Which way a request came in. Of what proxies add nothing is believed: the address is that of the other end of the connection.
pub(super) fn of(http: &HttpRequest) -> Origin {
    let header = |name| http.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let transport = if header(header::UPGRADE).eq_ignore_ascii_case("websocket") {
        Transport::WebSocket
    } else if http.path().ends_with("/stream") || header(header::ACCEPT).contains("text/event-stream") {
        Transport::EventStream
    } else {
        Transport::Http
    };
    Origin { transport, peer: http.peer_addr().map(|address| address.ip()) }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn transports_are_told_apart_and_the_peer_is_the_other_end() {
        let peer: std::net::SocketAddr = "192.0.2.7:1234".parse().expect("an address");
        for (name, value, transport) in [
            ("upgrade", "websocket", Transport::WebSocket),
            ("accept", "text/event-stream", Transport::EventStream),
            ("accept", "application/json", Transport::Http),
        ] {
            let request = TestRequest::default()
                .uri("/graphql")
                .peer_addr(peer)
                .insert_header((name, value))
                .insert_header(("x-forwarded-for", "198.51.100.1"))
                .to_http_request();
            assert_eq!(of(&request), Origin { transport, peer: Some(peer.ip()) });
        }
    }
}
