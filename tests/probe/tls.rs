//! TLS: who is believed, and until when.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lvsh::probe::Verdict::{Bad, Good};
use lvsh::probe::{Check, Tls, TlsOptions};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::support::{ask, get, page, server};

/// Who signs certificates, and a folder for files of them.
pub struct Authority {
    pub folder: tempfile::TempDir,
    pub root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Authority {
        // Each has a name of its own: of two of one name the wrong key is a forged signature, and not a stranger's.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        Authority { folder, root: root.der().clone(), issuer: Issuer::new(params, key) }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate that is valid until the end of `year`, and its key.
    pub fn sign(&self, name: &str, year: i32) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_string()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// How a server for `name` encrypts; `asks` who the client is when it is given.
    pub fn config(&self, name: &str, year: i32, asks: Option<Arc<dyn ClientCertVerifier>>) -> ServerConfig {
        let (cert, key) = self.sign(name, year);
        let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let builder = match asks {
            Some(asks) => builder.with_client_cert_verifier(asks),
            None => builder.with_no_client_auth(),
        };
        builder.with_single_cert(vec![cert.der().clone()], secret).unwrap()
    }
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub struct Site {
    pub addr: SocketAddr,
    pub folder: tempfile::TempDir,
}

/// A TLS server for `name`, with a certificate that is valid until the end of `year`, and its authority's file.
pub fn site(name: &str, year: i32) -> Site {
    let authority = Authority::new();
    let addr = serves(authority.config(name, year, None));
    Site { addr, folder: authority.folder }
}

/// A server that answers every request over TLS with a page.
pub fn serves(config: ServerConfig) -> SocketAddr {
    let config = Arc::new(config);
    server(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = [0; 4096];
        if stream.read(&mut request).is_ok() {
            let _ = stream.write_all(&page(200, "secret"));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}

fn tls(ca: Option<&Path>, name: &str, insecure: bool) -> Tls {
    let name = (!name.is_empty()).then(|| name.to_string());
    Tls::new(&TlsOptions { insecure, ca: ca.map(Path::to_path_buf), name, ..TlsOptions::default() }).unwrap()
}

pub fn https(tls: Tls) -> Check {
    get(|http| http.tls = Some(tls))
}

#[test]
fn a_certificate_that_is_right() {
    let site = site("www.example.org", 2040);
    let ca = site.folder.path().join("ca.pem");
    let answer = ask(site.addr, https(tls(Some(&ca), "www.example.org", false)));
    assert_eq!(answer.verdict, Good, "{answer:?}");
    assert!(answer.seen.cert_days.is_some_and(|days| days > 365), "{:?}", answer.seen.cert_days);
}

#[test]
fn a_certificate_for_another_name_or_of_nobody() {
    let site = site("www.example.org", 2040);
    let ca = site.folder.path().join("ca.pem");
    for (trusted, name) in [(Some(&*ca), "mail.example.org"), (Some(&*ca), ""), (None, "www.example.org")] {
        // Without a list of its own this machine has at least one authority, and not ours.
        let Ok(tls) = Tls::new(&TlsOptions {
            ca: trusted.map(Path::to_path_buf),
            name: (!name.is_empty()).then(|| name.to_string()),
            ..TlsOptions::default()
        }) else {
            assert!(trusted.is_none(), "a file of our own was not read");
            continue;
        };
        let answer = ask(site.addr, https(tls));
        assert_eq!(answer.verdict, Bad, "{name}: {answer:?}");
        assert!(answer.err.contains("certificate"), "{}", answer.err);
    }
    let answer = ask(site.addr, https(tls(None, "", true)));
    assert_eq!(answer.verdict, Good, "verification was switched off: {answer:?}");
}

#[test]
fn an_expired_certificate() {
    let site = site("www.example.org", 2020);
    let ca = site.folder.path().join("ca.pem");
    let answer = ask(site.addr, https(tls(Some(&ca), "www.example.org", false)));
    assert_eq!(answer.verdict, Bad);
    assert!(answer.err.contains("expired"), "{}", answer.err);
    let answer = ask(site.addr, https(tls(None, "", true)));
    assert!(answer.seen.cert_days.is_some_and(|days| days < -365), "{:?}", answer.seen.cert_days);
}

#[test]
fn a_server_without_tls() {
    let plain = super::support::says("220 hello\r\n");
    let answer = ask(plain, https(tls(None, "", true)));
    assert_eq!(answer.verdict, Bad);
    assert!(answer.err.starts_with("TLS"), "{}", answer.err);
}

#[test]
fn files_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing\n").unwrap();
    for options in [
        TlsOptions { ca: Some(empty.clone()), ..TlsOptions::default() },
        TlsOptions { ca: Some(folder.path().join("gone.pem")), ..TlsOptions::default() },
        TlsOptions { cert: Some(empty), insecure: true, ..TlsOptions::default() },
    ] {
        let wrong = Tls::new(&options).unwrap_err();
        assert!(wrong.contains(".pem"), "{wrong}");
    }
}
