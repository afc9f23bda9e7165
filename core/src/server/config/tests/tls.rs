//! Which ports speak TLS, and what their settings must say.

use super::{Case, MINIMAL, THREE};
use crate::server::config::{
    ClientAuth, HostPort, Secret, StoreKind, StorePassword, Transport, Versions,
};

const KEYS: &str = "ssl.keyStore.location=/k/key.p12\nssl.keyStore.password=hunter2\n\
    ssl.trustStore.location=/k/trust.jks\nssl.trustStore.passwordPath=/k/password\n";

const QUORUM_KEYS: &str = "ssl.quorum.keyStore.location=/k/key.pem\n\
    ssl.quorum.trustStore.location=/k/trust.pem\n";

fn case(texts: &[&str]) -> Case {
    Case::of(texts.concat().leak())
}

#[test]
fn a_secure_port_stands_beside_the_plain_one_or_alone() {
    let config = case(&[MINIMAL, KEYS, "secureClientPort=2281\n"]).config();
    assert_eq!(config.client_transport, Transport::Plain);
    let secure = Some(HostPort::new("0.0.0.0", 2281));
    assert_eq!(config.secure_client_address, secure);
    let tls = config.client_tls.unwrap();
    assert_eq!(tls.client_auth, ClientAuth::Need);
    assert_eq!(tls.versions, Versions::Both);
    assert_eq!(tls.key_store.kind, StoreKind::Java);
    assert_eq!(tls.key_store.setting, "zoo.cfg:3: ssl.keyStore.location");
    assert_eq!(
        tls.key_store.password,
        StorePassword::Text(Secret("hunter2".into()))
    );
    let trust = tls.trust_store.unwrap();
    assert_eq!(trust.password, StorePassword::File("/k/password".into()));
    assert!(!tls.reload && !tls.client_hostname_verification);

    let alone = "dataDir=/data\nsecureClientPort=2281\nsecureClientPortAddress=::1\n";
    let config = case(&[alone, KEYS]).config();
    assert_eq!(config.client_transport, Transport::Tls);
    assert_eq!(config.client_address, HostPort::new("::1", 2281));
    assert_eq!(config.secure_client_address, None);

    let config = case(&[MINIMAL, KEYS, "client.portUnification=true\n"]).config();
    assert_eq!(config.client_transport, Transport::Either);
    assert!(config.client_tls.is_some());
}

#[test]
fn settings_are_read_as_system_properties_too() {
    let flags = "-Dzookeeper.ssl.keyStore.location=/k/key.pem \
                 -Dzookeeper.ssl.clientAuth=none -Dzookeeper.client.certReload=true \
                 -Dzookeeper.ssl.protocol=TLSv1.2 \
                 -Dzookeeper.X509AuthenticationProvider.superUser=CN=admin";
    let config = Case {
        flags,
        ..case(&[MINIMAL, "secureClientPort=2281\n"])
    }
    .config();
    let tls = config.client_tls.unwrap();
    let setting = "SERVER_JVMFLAGS: -Dzookeeper.ssl.keyStore.location";
    assert_eq!(tls.key_store.setting, setting);
    assert_eq!(tls.client_auth, ClientAuth::None);
    assert_eq!((tls.reload, tls.versions), (true, Versions::Tls12));
    assert_eq!(tls.key_store.password, StorePassword::None);
    assert_eq!(config.x509_super_user.as_deref(), Some("CN=admin"));
}

#[test]
fn servers_speak_tls_among_themselves_in_three_steps() {
    let config = |line| {
        Case {
            my_id: Some("1"),
            ..case(&[THREE, QUORUM_KEYS, line])
        }
        .config()
    };
    assert_eq!(config("").quorum_tls, None);
    for (line, connect, accept_plain) in [
        ("portUnification=true\n", false, true),
        ("portUnification=true\nsslQuorum=true\n", true, true),
        ("sslQuorum=true\n", true, false),
    ] {
        let tls = config(line).quorum_tls.unwrap();
        assert_eq!((tls.connect, tls.accept_plain), (connect, accept_plain));
        assert!(tls.settings.client_hostname_verification);
        assert!(tls.settings.server_hostname_verification);
    }
    let tls = config("sslQuorum=true\nssl.quorum.hostnameVerification=false\n").quorum_tls;
    let settings = tls.unwrap().settings;
    assert!(!settings.client_hostname_verification && !settings.server_hostname_verification);
    let tls = config("sslQuorum=true\nssl.quorum.clientHostnameVerification=false\n").quorum_tls;
    let settings = tls.unwrap().settings;
    assert!(!settings.client_hostname_verification && settings.server_hostname_verification);
    // A single server has no others.
    let alone = case(&[MINIMAL, QUORUM_KEYS, "sslQuorum=true\n"]).config();
    assert_eq!(alone.quorum_tls, None);
}

#[test]
fn what_would_protect_and_cannot_be_done_stops_the_server() {
    for (line, why) in [
        (
            "ssl.crl=true",
            "expected false: whether a certificate was revoked cannot be checked",
        ),
        (
            "ssl.quorum.ocsp=true",
            "expected false: whether a certificate was revoked",
        ),
        (
            "ssl.authProvider=mine",
            "expected x509, the only provider there is",
        ),
        (
            "ssl.context.supplier.class=a.B",
            "expected nothing: Java classes cannot be loaded",
        ),
        (
            "ssl.x509.clientCertIdType=SAN",
            "expected subject, the only kind of id there is",
        ),
        ("ssl.clientAuth=maybe", "expected need, want or none"),
        (
            "ssl.protocol=TLSv1",
            "expected TLSv1.2 or TLSv1.3: older ones are not safe",
        ),
        (
            "ssl.enabledProtocols=TLSv1,TLSv1.1",
            "expected TLSv1.2, TLSv1.3 or both",
        ),
        (
            "ssl.ciphersuites=TLS_RSA_WITH_RC4_128_MD5",
            "expected one or more of TLS_AES_256_GCM",
        ),
        (
            "ssl.keyStore.type=BCFKS",
            "expected PEM, PKCS12 or JKS: BCFKS is not supported",
        ),
        ("ssl.hostnameVerification=yes", "expected true or false"),
        (
            "ssl.handshakeDetectionTimeoutMillis=0",
            "expected a whole number of milliseconds, 1",
        ),
        (
            "netty.server.outstandingHandshake.limit=0",
            "expected a whole number of handshakes",
        ),
        ("client.portUnification=1", "expected true or false"),
    ] {
        let error = case(&[MINIMAL, KEYS, "secureClientPort=2281\n", line]).error();
        let (key, value) = line.split_once('=').unwrap();
        let place = format!("zoo.cfg:8: {key}={value}: {why}");
        assert!(error.starts_with(&place), "{error}\n{place}");
    }
}

#[test]
fn what_is_missing_is_named_where_it_is_wanted() {
    let secure = "secureClientPort=2281\n";
    for (lines, want) in [
        (
            secure,
            "zoo.cfg:3: secureClientPort=2281: expected ssl.keyStore.location beside it, the \
             file of this server's certificate and key (.pem, .p12 or .jks)",
        ),
        (
            "secureClientPort=2281\nssl.keyStore.location=a.pem\n",
            "zoo.cfg:3: secureClientPort=2281: expected ssl.trustStore.location beside it, the \
             file of the certificates to trust; or ssl.clientAuth=none, if clients need not show \
             who they are",
        ),
        (
            "client.portUnification=true\n",
            "zoo.cfg:3: client.portUnification=true: expected ssl.keyStore.location beside it, \
             the file of this server's certificate and key (.pem, .p12 or .jks)",
        ),
        (
            "secureClientPort=2281\nssl.keyStore.location=/k/key\n",
            "zoo.cfg:4: ssl.keyStore.location=/k/key: expected a name that ends in .pem, .p12 or \
             .jks, or ssl.keyStore.type beside it",
        ),
        (
            "secureClientPortAddress=h\n",
            "zoo.cfg:3: secureClientPortAddress=h: expected secureClientPort beside it",
        ),
    ] {
        assert_eq!(case(&[MINIMAL, lines]).error(), want);
    }
    let quorum = |lines| {
        Case {
            my_id: Some("1"),
            ..case(&[THREE, lines])
        }
        .error()
    };
    assert_eq!(
        quorum("sslQuorum=true\n"),
        "zoo.cfg:8: sslQuorum=true: expected ssl.quorum.keyStore.location beside it, the file of \
         this server's certificate and key (.pem, .p12 or .jks)"
    );
    let lax = [QUORUM_KEYS, "sslQuorum=true\nssl.quorum.clientAuth=want\n"].concat();
    assert_eq!(
        quorum(lax.leak()),
        "zoo.cfg:10: sslQuorum=true: expected ssl.quorum.clientAuth=need: a server that shows no \
         certificate could be anybody"
    );
}

#[test]
fn what_is_not_here_is_told_and_the_rest_is_used() {
    let lines = "secureClientPort=2281\nssl.enabledProtocols=TLSv1.1,TLSv1.2\n\
                 ssl.ciphersuites=TLS_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA\n\
                 ssl.crl=false\nssl.keyStore.provider=x\nssl.sslProvider=OPENSSL\n";
    let loaded = case(&[MINIMAL, KEYS, lines]).resolve().unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "zoo.cfg:8: enabledProtocols: only TLSv1.2 and TLSv1.3 are spoken, not TLSv1.1",
            "zoo.cfg:9: ciphersuites: there is no TLS_RSA_WITH_AES_128_CBC_SHA here; the others \
             are used",
            "settings without a meaning for zoowarden, ignored: ssl.sslProvider (zoo.cfg:12)",
            "unknown settings, ignored: ssl.keyStore.provider (zoo.cfg:11)",
        ]
    );
    let tls = loaded.config.client_tls.unwrap();
    assert_eq!(tls.versions, Versions::Tls12);
    assert_eq!(tls.cipher_suites.unwrap(), ["TLS_AES_128_GCM_SHA256"]);
}

#[test]
fn cve_2026_24308_passwords_show_neither_in_errors_nor_in_debug() {
    let config = case(&[MINIMAL, KEYS, "secureClientPort=2281\n"]).config();
    assert!(!format!("{config:?}").contains("hunter2"));
    let error = case(&[
        MINIMAL,
        KEYS,
        "secureClientPort=2281\nssl.keyStore.type=x\n",
    ])
    .error();
    assert!(!error.contains("hunter2"), "{error}");
}
