//! TLS on any connection: verification on unless said otherwise, the expiry of the certificate reported.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::der::not_after;
use super::stream::Wire;
use super::{Seen, Trouble};

/// How to encrypt, made once for all servers of a round.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// For SNI, and what the certificate must be for; the server's address when there is none.
    name: Option<ServerName<'static>>,
}

/// What a user says of it.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    pub insecure: bool,
    /// PEM; instead of those of the system.
    pub ca: Option<PathBuf>,
    /// PEM: our certificate chain, and its key.
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub name: Option<String>,
    /// Protocols offered, best first.
    pub alpn: Vec<Vec<u8>>,
}

impl Tls {
    /// Reads the files that are named. The text of a failure names file and trouble.
    pub fn new(options: &TlsOptions) -> Result<Tls, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match options.insecure {
            true => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
            false => builder.with_root_certificates(roots(options)?),
        };
        let mut config = match (&options.cert, &options.key) {
            (Some(cert), key) => {
                let key = key.as_ref().unwrap_or(cert);
                let chain = certificates(cert)?;
                let secret = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("{} has no private key: {error}", key.display()))?;
                builder.with_client_auth_cert(chain, secret).map_err(|error| {
                    format!("{} and {} do not go together: {error}", cert.display(), key.display())
                })?
            }
            (None, Some(key)) => {
                return Err(format!("'key' {} needs 'cert' as well", key.display()));
            }
            (None, None) => builder.with_no_client_auth(),
        };
        config.alpn_protocols = options.alpn.clone();
        let name = match &options.name {
            Some(name) => {
                let name = ServerName::try_from(name.clone());
                Some(name.map_err(|_| {
                    format!("{:?} is not a host name", options.name.as_deref().unwrap_or_default())
                })?)
            }
            None => None,
        };
        Ok(Tls { config: Arc::new(config), name })
    }
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error| format!("{} has no certificate: {error}", path.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect();
    match found.map_err(wrong)? {
        none if none.is_empty() => Err(format!("{} has no certificate", path.display())),
        some => Ok(some),
    }
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match &options.ca {
        Some(path) => {
            for cert in certificates(path)? {
                store.add(cert).map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                let text = "this machine has no certificates to trust (package ca-certificates); \
                            name a 'ca' file, or say verify = false";
                return Err(text.to_string());
            }
        }
    }
    Ok(store)
}

/// Encrypts a connection.
pub async fn connect(
    wire: Box<dyn Wire>,
    tls: &Tls,
    addr: IpAddr,
    seen: &mut Seen,
) -> Result<TlsStream<Box<dyn Wire>>, Trouble> {
    let name = tls.name.clone().unwrap_or_else(|| ServerName::IpAddress(addr.into()));
    let stream = TlsConnector::from(Arc::clone(&tls.config)).connect(name, wire).await;
    let stream = stream.map_err(|error| {
        let words = super::words(&error);
        Trouble::bad(format!("TLS: {}", alert(&words).unwrap_or(&words)))
    })?;
    let certificates = stream.get_ref().1.peer_certificates();
    seen.cert_days = certificates.and_then(|chain| days_left(chain.first()?));
    Ok(stream)
}

/// What a server says of us, in words. It may come late: with TLS 1.3 the client is done before the server has looked at
/// its certificate, and hears of it with the answer.
pub fn alert(text: &str) -> Option<&'static str> {
    let alerts = [
        ("received fatal alert: CertificateRequired", "it wants a client certificate ('cert' and 'key')"),
        ("received fatal alert: UnknownCA", "it does not know who signed our client certificate"),
    ];
    alerts.into_iter().find(|(alert, _)| text.contains(alert)).map(|(_, words)| words)
}

fn days_left(cert: &CertificateDer<'_>) -> Option<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let left = not_after(cert)? - i64::try_from(now).ok()?;
    Some(left.div_euclid(86_400))
}

/// Takes any certificate, and still checks that the server has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
