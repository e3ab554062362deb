//! Which way a request came in.

use std::{fmt, net::IpAddr};

/// Which way a request came in, and from which address: kept with what it writes, and never a reason to allow anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The transport.
    pub transport: Transport,
    /// The other end of the connection: the client, or a proxy before it; none if that is not known.
    pub peer: Option<IpAddr>,
}

/// A transport that carries requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// One answer by HTTP.
    #[default]
    Http,
    /// Server-sent events.
    EventStream,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// Its name as it is kept: `http`.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Http => "http",
            Transport::EventStream => "sse",
            Transport::WebSocket => "ws",
        }
    }
}

/// As it is kept: `http 192.0.2.7`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.transport.name())?;
        self.peer.map_or(Ok(()), |peer| write!(f, " {peer}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_with_its_address_where_that_is_known() {
        let peer = "2001:db8::7".parse().ok();
        assert_eq!(Origin { transport: Transport::WebSocket, peer }.to_string(), "ws 2001:db8::7");
        assert_eq!(Origin::default().to_string(), "http");
    }
}
