//! The TLS listener: from HTTP to questions and back, with a line in the log for each.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use axum::{
    Router,
    body::{self, Body},
    extract::{DefaultBodyLimit, Request, State},
    response::Response,
};
use axum_server::tls_rustls::RustlsConfig;
use bytes::Bytes;
use futures_util::stream;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{
    answers::{Answer, Question, Resident},
    clock,
    room::Failure,
};

/// The largest request that is read.
const BODY_LIMIT: usize = 10 << 20;

/// Binds the address, and returns what serves until the process ends.
pub(crate) fn serve(
    address: SocketAddr,
    certificate: &Path,
    key: &Path,
    resident: Arc<Resident>,
) -> Result<impl Future<Output = io::Result<()>>, Failure> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let tls = RustlsConfig::from_config(Arc::new(tls(certificate, key)?));
    let router = Router::new().fallback(handle).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(resident);
    Ok(axum_server::from_tcp_rustls(listener, tls)?.serve(router.into_make_service()))
}

fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig, Failure> {
    let certificates = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn handle(State(resident): State<Arc<Resident>>, request: Request) -> Response {
    let began = clock::now();
    let (head, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, BODY_LIMIT).await else { return respond(None) };
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let answer = if path == "/_matrix/key/v2/server" || path.starts_with("/_matrix/key/v2/server/") {
        resident.keys().ok()
    } else {
        path.strip_prefix("/_matrix/federation/").map(|rest| {
            let segments: Vec<String> = rest.split('/').map(decoded).collect();
            let query: Vec<(String, String)> = query.split('&').filter_map(pair).collect();
            let method = head.method.as_str();
            resident.answer(&Question { method, segments: &segments, query: &query, body: &body })
        })
    };
    let took = clock::now().duration_since(began).as_millis();
    let (status, bytes) =
        answer.as_ref().map_or((404, 0), |answer| (answer.status, answer.body.iter().map(Bytes::len).sum()));
    eprintln!("{} {} {status}, {bytes} bytes, {took} ms", head.method, head.uri);
    respond(answer)
}

fn respond(answer: Option<Answer>) -> Response {
    let Answer { status, body } = answer.unwrap_or_else(|| Answer {
        status: 404,
        body: vec![Bytes::from_static(b"{\"errcode\":\"M_UNRECOGNIZED\",\"error\":\"\"}")],
    });
    let pieces = stream::iter(body.into_iter().map(Ok::<Bytes, io::Error>));
    let response = http::Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from_stream(pieces)).unwrap_or_default()
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    Some((decoded(key), decoded(value)))
}

/// Undoes percent-encoding. What is no UTF-8 will match nothing.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(|digit| digit.and_then(|d| char::from(d).to_digit(16)));
        if let [Some(high), Some(low)] = digits
            && let Ok(value) = u8::try_from(16 * high + low)
        {
            out.push(value);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn segments_are_decoded() {
        assert_eq!(super::decoded("%21a%3Ab%2Fc"), "!a:b/c");
        assert_eq!(super::decoded("plain"), "plain");
    }
}
