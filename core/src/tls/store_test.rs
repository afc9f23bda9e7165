//! Stores as keytool of Java 17 and OpenSSL 3 wrote them (`testdata`): one RSA key of
//! `CN=alice, OU=Unit, O="Acme, Inc.", C=CH`, signed by `CN=Root`, which the trust stores hold.
//! The password is `changeit`. `legacy.p12` has the algorithms of before 2020. `v1.pem` is what
//! `openssl x509 -req` makes of a request without being given extensions, and its key.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

use super::settings::{Secret, Store, StoreKind, StorePassword};
use super::verify::{is_for_host, subject};
use super::{Credentials, TlsSettings, java_name};

const OWNER: &str = "CN=alice,OU=Unit,O=Acme\\, Inc.,C=CH";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/tls/testdata")
        .join(name)
}

fn store(name: &str, password: Option<&str>) -> Store {
    Store {
        setting: "zoo.cfg:7: ssl.keyStore.location".to_owned(),
        location: file(name),
        kind: if name.ends_with(".pem") {
            StoreKind::Pem
        } else {
            StoreKind::Java
        },
        password: match password {
            Some(password) => StorePassword::Text(Secret(password.to_owned())),
            None => StorePassword::None,
        },
    }
}

fn name_of(certificate: &CertificateDer<'_>) -> String {
    java_name(subject(certificate).unwrap()).unwrap()
}

#[test]
fn every_kind_of_store_gives_the_same_key_and_chain() {
    for name in [
        "key.jks",
        "key.p12",
        "legacy.p12",
        "key.pem",
        "key-encrypted.pem",
    ] {
        let identity = store(name, Some("changeit")).identity().unwrap();
        let chain: Vec<String> = identity.chain.iter().map(name_of).collect();
        assert_eq!(chain, [OWNER, "CN=Root"], "{name}");
        let trust = store("trust.pem", None);
        let settings = TlsSettings::new(store(name, Some("changeit")), Some(trust));
        // The key belongs to the certificate, or rustls would not have it.
        assert!(Credentials::load(settings).is_ok(), "{name}");
    }
}

#[test]
fn every_kind_of_store_gives_the_same_trust() {
    for name in ["trust.jks", "trust.p12", "trust.pem"] {
        let trusted = store(name, Some("changeit")).trusted().unwrap();
        let names: Vec<String> = trusted.iter().map(name_of).collect();
        assert_eq!(names, ["CN=Root"], "{name}");
    }
    // Certificates are not secret, and Java reads them without the password too.
    assert_eq!(store("trust.jks", None).trusted().unwrap().len(), 1);
    // Java trusts the certificate of a key that lies in the trust store.
    for name in ["key.jks", "key.p12"] {
        let trusted = store(name, Some("changeit")).trusted().unwrap();
        assert!(trusted.iter().any(|own| name_of(own) == OWNER), "{name}");
    }
}

#[test]
fn what_openssl_makes_without_extensions_can_be_shown() {
    let (own, trust) = (store("v1.pem", None), store("v1-trust.pem", None));
    let settings = TlsSettings::new(own.clone(), Some(trust));
    assert!(Credentials::load(settings.clone()).is_ok());
    // But not with another's key.
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("mixed.pem");
    let text = |name| std::fs::read_to_string(file(name)).unwrap();
    let own_text = text("v1.pem");
    let (certificate, _) = own_text.split_once("-----BEGIN PRIVATE").unwrap();
    std::fs::write(&location, certificate.to_owned() + &text("key.pem")).unwrap();
    let key_store = Store { location, ..own };
    let error = Credentials::load(TlsSettings {
        key_store,
        ..settings
    })
    .unwrap_err();
    assert!(error.reason.contains("cannot be used"), "{error}");
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_its_setting_and_without_its_password() {
    for (name, password, why) in [
        (
            "key.jks",
            Some("S3cret"),
            "its checksum is wrong: the password is another one",
        ),
        (
            "key.p12",
            Some("S3cret"),
            "its checksum is wrong: the password is another one",
        ),
        (
            "key-encrypted.pem",
            Some("S3cret"),
            "its key cannot be decrypted",
        ),
        (
            "key-encrypted.pem",
            None,
            "its key is encrypted, and no password is given",
        ),
        ("key.jks", None, "it holds no private key"),
        ("trust.jks", Some("changeit"), "it holds no private key"),
        ("trust.p12", Some("changeit"), "it holds no private key"),
        ("trust.pem", None, "it holds no private key"),
        ("nothing.p12", Some("S3cret"), "cannot be read: "),
    ] {
        let error = store(name, password).identity().unwrap_err().to_string();
        let place = format!(
            "zoo.cfg:7: ssl.keyStore.location={}: ",
            file(name).display()
        );
        assert!(
            error.starts_with(&place) && error.contains(why),
            "{name}: {error}"
        );
        assert!(!error.contains("S3cret"), "{error}");
    }
    let mut text = store("key.pem", None);
    text.kind = StoreKind::Java;
    let error = text.identity().unwrap_err().to_string();
    assert!(error.contains("neither JKS nor PKCS12"), "{error}");
}

#[test]
fn a_damaged_store_is_refused_and_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for name in ["key.jks", "trust.jks", "key.p12", "legacy.p12"] {
        let whole = std::fs::read(file(name)).unwrap();
        for round in 0..40 {
            let mut bytes = whole.clone();
            if round % 2 == 0 {
                bytes.truncate(random.usize(..whole.len()));
            } else {
                bytes[random.usize(..whole.len())] ^= 1 << random.u32(..8);
            }
            let mut damaged = store(name, Some("changeit"));
            damaged.location = folder.path().join(name);
            std::fs::write(&damaged.location, bytes).unwrap();
            let (identity, trusted) = (damaged.identity(), damaged.trusted());
            assert!(
                identity.is_err() && trusted.is_err() || round % 2 == 1,
                "{name} cut short was read"
            );
        }
    }
}

#[test]
fn a_password_file_ends_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "changeit\r\n").unwrap();
    let mut key = store("key.p12", None);
    key.password = StorePassword::File(path.clone());
    assert!(key.identity().is_ok());
    std::fs::remove_file(&path).unwrap();
    let error = key.identity().unwrap_err().to_string();
    let why = format!("its password file {}: cannot be read", path.display());
    assert!(error.contains(&why), "{error}");
}

#[test]
fn a_certificate_is_for_the_hosts_among_its_alternative_names_and_no_others() {
    let identity = store("key.pem", None).identity().unwrap();
    let (own, root) = (&identity.chain[0], &identity.chain[1]);
    for (host, expected) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("alice", false),
        ("127.0.0.2", false),
        ("localhost.example", false),
        ("::1", false),
        ("[::1]", false),
        ("", false),
        ("not a name", false),
    ] {
        assert_eq!(is_for_host(own, host), expected, "{host}");
        assert!(!is_for_host(root, host), "{host}");
    }
    assert!(!is_for_host(b"no certificate", "localhost"));
}

#[test]
fn new_files_count_from_then_on_and_unusable_ones_change_nothing() {
    use super::credentials::Renewal;
    let folder = tempfile::tempdir().unwrap();
    let mut key = store("key.pem", None);
    key.location = folder.path().join("key.pem");
    std::fs::copy(file("key.pem"), &key.location).unwrap();
    let settings = TlsSettings::new(key.clone(), Some(store("trust.pem", None)));
    let credentials = Credentials::load(settings).unwrap();
    assert_eq!(credentials.renew(), Renewal::Unchanged);
    std::fs::write(&key.location, "half a fi").unwrap();
    assert!(matches!(credentials.renew(), Renewal::Failed(_)));
    // Said once, not at every look.
    assert_eq!(credentials.renew(), Renewal::Unchanged);
    std::fs::remove_file(&key.location).unwrap();
    assert!(matches!(credentials.renew(), Renewal::Failed(_)));
    std::fs::copy(file("key.pem"), &key.location).unwrap();
    assert_eq!(credentials.renew(), Renewal::Renewed);
}
