//! What a real server of a topology says, over HTTP or UDP: `name=rs1 client=10.0.0.11:40312 port=80 …`.

use std::net::SocketAddr;

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status; 0 for UDP.
    pub status: u16,
    /// Who answered.
    pub server: String,
    /// Whom the server saw.
    pub client: Option<SocketAddr>,
    /// The server's own port, which differs from the asked one behind NAT.
    pub port: u16,
    pub scheme: String,
    pub path: String,
    pub body: String,
}

impl Answer {
    pub fn parse(status: u16, body: &str) -> Self {
        let get = |key: &str| {
            body.split_whitespace()
                .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
                .unwrap_or_default()
        };
        Self {
            status,
            server: get("name").to_owned(),
            client: get("client").parse().ok(),
            port: get("port").parse().unwrap_or(0),
            scheme: get("scheme").to_owned(),
            path: get("path").to_owned(),
            body: body.to_owned(),
        }
    }
}
