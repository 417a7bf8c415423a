//! Both sides of a connection in one thread, and files as operators break them.

use std::fs;
use std::io::{IoSlice, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;

use super::{Broken, Session, Watch, server_config};
use crate::config::{Tls, Verify};
use crate::limits::{Budget, TLS_AHEAD_BYTES_MAX, TLS_PART_BYTES_MAX, TLS_RECORD_PLAIN_BYTES_MAX};
use crate::memory::Meter;
use crate::metrics::Counters;

/// A folder of its own, deleted at the end.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn files(&self) -> Tls {
        let [cert, key] = ["cert", "key"].map(|name| self.path(name));
        Tls { cert, key, ca: None, verify: Verify::Optional }
    }

    /// What is wrong with the files, the folder's name left out.
    fn error(&self) -> String {
        let error = server_config(&self.files(), false).unwrap_err().to_string();
        error.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// A certificate of its own making for `localhost`, and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A client and a server that have not yet said anything.
fn both(version: &'static SupportedProtocolVersion) -> (ClientConnection, Session) {
    let folder = Folder::new();
    let (cert, key) = pair();
    folder.write("cert", &cert);
    folder.write("key", key);
    let session = Session::new(server_config(&folder.files(), false).unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    (ClientConnection::new(Arc::new(config), name).unwrap(), session)
}

/// What the client wants to go.
fn spoken(client: &mut ClientConnection) -> Vec<u8> {
    let mut wire = vec![];
    while client.wants_write() {
        client.write_tls(&mut wire).unwrap();
    }
    wire
}

/// Gives the server so many bytes at a time; what came out.
fn hear(session: &mut Session, wire: &[u8], step: usize) -> Result<Vec<u8>, Broken> {
    let mut plain = vec![];
    for piece in wire.chunks(step) {
        let mut room = vec![0; TLS_PART_BYTES_MAX + piece.len()];
        let front = session.put_part(&mut room);
        room[front..front + piece.len()].copy_from_slice(piece);
        session.open(&mut room[..front + piece.len()], |piece| plain.extend_from_slice(piece))?;
    }
    Ok(plain)
}

/// Gives the client what the server wants to go; what came out.
fn answer(session: &mut Session, client: &mut ClientConnection) -> Vec<u8> {
    let mut wire = session.unsent();
    let (mut plain, count) = (vec![], wire.len());
    while !wire.is_empty() {
        client.read_tls(&mut wire).unwrap();
        let came = client.process_new_packets().unwrap().plaintext_bytes_to_read();
        let before = plain.len();
        plain.resize(before + came, 0);
        client.reader().read_exact(&mut plain[before..]).unwrap();
    }
    session.sent(count);
    drop(session.reclaim());
    plain
}

/// A client and a server that may talk.
fn opened(version: &'static SupportedProtocolVersion, step: usize) -> (ClientConnection, Session) {
    let (mut client, mut session) = both(version);
    while client.is_handshaking() || session.is_handshaking() {
        let wire = spoken(&mut client);
        assert_eq!(hear(&mut session, &wire, step).unwrap(), b"");
        answer(&mut session, &mut client);
    }
    assert!(session.unsent().is_empty() && session.ahead() == 0);
    (client, session)
}

#[test]
fn both_versions_talk_both_ways_in_pieces_of_any_size() {
    for (version, step) in [(&TLS12, 1), (&TLS13, 1), (&TLS12, 100_000), (&TLS13, 777)] {
        let (mut client, mut session) = opened(version, step);
        for size in [0_usize, 1, 16_384, 16_385, 50_000] {
            let message = vec![size.to_le_bytes()[0]; size];
            client.writer().write_all(&message).unwrap();
            let wire = spoken(&mut client);
            assert_eq!(hear(&mut session, &wire, step).unwrap(), message);
            assert!(!session.is_inside_record());
            assert_eq!(session.seal(&[IoSlice::new(&message)], 0).unwrap(), size);
            assert_eq!(answer(&mut session, &mut client), message);
        }
    }
}

#[test]
fn no_more_is_sealed_than_may_be_ahead_and_it_is_gone_record_by_record() {
    let (mut client, mut session) = opened(&TLS13, 100_000);
    let message: Vec<u8> = (0..100_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let slices: Vec<_> = message.chunks(999).map(IoSlice::new).collect();
    assert_eq!(session.seal(&slices, 1500).unwrap(), TLS_AHEAD_BYTES_MAX);
    assert_eq!(session.seal(&slices, 1500).unwrap(), 0);
    let wire = session.unsent().to_vec();
    let record = wire.len() / 4;
    let mut gone = 0;
    for at in 1..=wire.len() {
        gone += session.sent(1);
        assert_eq!(gone, at / record * TLS_RECORD_PLAIN_BYTES_MAX, "{at}");
        assert_eq!(session.ahead(), TLS_AHEAD_BYTES_MAX - gone);
    }
    let mut plain = vec![0; TLS_AHEAD_BYTES_MAX];
    let (mut wire, mut at) = (&wire[..], 0);
    while !wire.is_empty() {
        client.read_tls(&mut wire).unwrap();
        let came = client.process_new_packets().unwrap().plaintext_bytes_to_read();
        client.reader().read_exact(&mut plain[at..at + came]).unwrap();
        at += came;
    }
    assert_eq!(plain, message[1500..1500 + TLS_AHEAD_BYTES_MAX]);
}

#[test]
fn a_lent_buffer_comes_back_and_the_rest_stays() {
    let (mut client, mut session) = opened(&TLS13, 100_000);
    session.lend(vec![0; super::WIRE_BYTES]);
    let message = vec![7; 20_000];
    session.seal(&[IoSlice::new(&message)], 0).unwrap();
    let all = session.unsent().to_vec();
    assert_eq!(session.sent(100), 0);
    assert_eq!(session.reclaim().len(), super::WIRE_BYTES);
    assert_eq!(session.unsent(), &all[100..]);
    // the client gets the beginning first
    client.read_tls(&mut &all[..100]).unwrap();
    assert_eq!(answer(&mut session, &mut client), message);
}

#[test]
fn keys_change_when_the_client_asks_for_it() {
    let (mut client, mut session) = opened(&TLS13, 100_000);
    for round in 0..3 {
        client.refresh_traffic_keys().unwrap();
        client.writer().write_all(&[round]).unwrap();
        let wire = spoken(&mut client);
        assert_eq!(hear(&mut session, &wire, 1).unwrap(), [round]);
        session.seal(&[IoSlice::new(&[round])], 0).unwrap();
        assert_eq!(answer(&mut session, &mut client), [round]);
    }
}

#[test]
fn the_end_of_either_side_is_told() {
    for version in [&TLS12, &TLS13] {
        let (mut client, mut session) = opened(version, 1);
        client.writer().write_all(b"bye").unwrap();
        client.send_close_notify();
        let wire = spoken(&mut client);
        assert_eq!(hear(&mut session, &wire, 5).unwrap(), b"bye");
        assert!(session.has_ended());
        // it may yet be told something
        session.seal(&[IoSlice::new(b"so long")], 0).unwrap();
        session.close();
        session.close();
        let mut wire = session.unsent();
        client.read_tls(&mut wire).unwrap();
        assert!(client.process_new_packets().unwrap().peer_has_closed());
        let mut plain = vec![];
        client.reader().read_to_end(&mut plain).unwrap();
        assert_eq!(plain, b"so long");
    }
}

#[test]
fn what_is_no_tls_is_answered_with_an_alert() {
    let (_, mut session) = both(&TLS13);
    let error = hear(&mut session, b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", 100).unwrap_err();
    assert!(matches!(error, Broken::Protocol(_)), "{error}");
    // an alert, fatal
    assert_eq!(session.unsent()[0], 21);
    let (mut client, mut session) = opened(&TLS13, 100);
    client.writer().write_all(b"hello").unwrap();
    let mut wire = spoken(&mut client);
    *wire.last_mut().unwrap() ^= 1;
    hear(&mut session, &wire, 100).unwrap_err();
    assert!(!session.unsent().is_empty() && !session.is_inside_record());
    // and nothing else is said
    let alert = session.unsent().len();
    session.seal(&[IoSlice::new(b"x")], 0).unwrap_err();
    session.close();
    hear(&mut session, &wire, 100).unwrap_err();
    assert_eq!(session.unsent().len(), alert);
}

#[test]
fn a_handshake_that_does_not_end_is_not_kept() {
    let (_, mut session) = both(&TLS13);
    // a client's hello of 2^16 - 1 bytes, in records of 1,000
    let mut wire = vec![];
    for number in 0..70 {
        wire.extend_from_slice(&[22, 3, 1, 3, 0xe8]);
        let start = if number == 0 { [1, 0, 0xff, 0xff] } else { [0; 4] };
        wire.extend_from_slice(&start);
        wire.extend_from_slice(&[0; 996]);
    }
    let error = hear(&mut session, &wire, 500).unwrap_err();
    assert!(matches!(error, Broken::TooLong), "{error}");
}

#[test]
fn what_is_held_is_counted_until_it_is_not() {
    let counters = Arc::<Counters>::default();
    let budget = Arc::new(Budget::new(usize::MAX));
    let meter = Arc::new(Meter::new(budget, Arc::clone(&counters)));
    let (mut client, mut session) = opened(&TLS13, 100_000);
    session.count_on(&meter);
    assert_eq!(counters.memory_bytes.value(), 0);
    client.writer().write_all(&[0; 1000]).unwrap();
    let wire = spoken(&mut client);
    hear(&mut session, &wire[..900], 900).unwrap();
    assert_eq!(counters.memory_bytes.value(), 900);
    hear(&mut session, &wire[900..], 900).unwrap();
    assert_eq!(counters.memory_bytes.value(), 0);
    session.lend(vec![0; super::WIRE_BYTES]);
    session.seal(&[IoSlice::new(&[7; 1000])], 0).unwrap();
    session.sent(10);
    drop(session.reclaim());
    assert_eq!(counters.memory_bytes.value(), session.unsent().len() as u64);
    drop(session);
    assert_eq!(counters.memory_bytes.value(), 0);
}

#[test]
fn each_broken_file_is_named_with_its_reason() {
    let folder = Folder::new();
    let (cert, key) = pair();
    assert_eq!(folder.error(), "cert: no such file or directory");
    folder.write("cert", "nothing");
    assert_eq!(folder.error(), "cert: holds no certificate in PEM");
    folder.write("cert", &cert[..200]);
    assert!(folder.error().starts_with("cert: is not PEM: "), "{}", folder.error());
    folder.write("cert", vec![b'x'; (1 << 20) + 1]);
    assert_eq!(folder.error(), "cert: it is larger than 1MiB");
    folder.write("cert", &cert);
    assert_eq!(folder.error(), "key: no such file or directory");
    folder.write("key", &cert);
    assert_eq!(folder.error(), "key: holds no private key in PEM");
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    folder.write("key", encrypted);
    let expected = "key: the key in it is encrypted, take its passphrase off: openssl pkey";
    assert_eq!(folder.error(), expected);
    folder.write("key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(folder.error().starts_with("key: the key in it cannot be used: "));
    folder.write("key", pair().1);
    assert_eq!(folder.error(), "key: is not the key of the certificate in cert");
    folder.write("key", &key);
    assert!(server_config(&folder.files(), true).is_ok());
    let files = Tls { ca: Some(folder.path("ca")), ..folder.files() };
    folder.write("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let error = server_config(&files, true).unwrap_err().to_string();
    assert!(error.contains("/ca: certificate 1 in it cannot be used: "), "{error}");
    folder.write("ca", cert);
    assert!(server_config(&files, true).is_ok());
}

#[test]
fn files_are_read_again_once_they_have_changed_and_rested() {
    let folder = Folder::new();
    let write = |(cert, key): (String, String)| {
        folder.write("cert", cert);
        folder.write("key", key);
    };
    write(pair());
    let (mut watch, _) = Watch::begin(folder.files()).unwrap();
    assert!(watch.look(false).is_none());
    let (cert, key) = pair();
    folder.write("cert", cert);
    assert!(watch.look(false).is_none(), "the key is still to come");
    folder.write("key", key);
    assert!(watch.look(false).is_none(), "it may not be all");
    assert!(watch.look(false).unwrap().is_ok());
    assert!(watch.look(false).is_none());
    assert!(watch.look(true).unwrap().is_ok(), "asked for");
    folder.write("key", "broken");
    assert!(watch.look(false).is_none());
    assert!(watch.look(false).unwrap().is_err());
    assert!(watch.look(false).is_none(), "told once");
    fs::remove_file(folder.path("key")).unwrap();
    assert!(watch.look(false).is_none());
    assert!(watch.look(false).unwrap().is_err());
    write(pair());
    assert!(watch.look(true).unwrap().is_ok());
}
