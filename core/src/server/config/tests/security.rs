//! Who may authenticate, what is refused because nobody would check it.

use super::{Case, MINIMAL, with_line};
use crate::server::config::{Password, SecuritySettings};

const JAAS: &str = "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
    user_super=\"canary1\"\n  user_bob=\"canary2\";\n};\n\
    Other { org.apache.zookeeper.server.auth.DigestLoginModule required user_eve=\"canary3\"; };\n\
    Kerberos { com.sun.security.auth.module.Krb5LoginModule required; };";

/// The file is read by `load`, so that naming it here means nothing.
fn with(lines: &str) -> Case {
    Case {
        jaas: Some(JAAS),
        ..Case::of(format!("{MINIMAL}{lines}\n").leak())
    }
}

fn security(lines: &str) -> SecuritySettings {
    with(lines).config().security
}

const SASL: &str = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n";

#[test]
fn users_come_from_the_section_that_is_named() {
    let users = |lines| {
        let users = security(lines).sasl_users.expect("there is such a section");
        users.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(users(""), ["bob", "super"]);
    assert_eq!(users("sasl.serverconfig=Other"), ["eve"]);
    let settings = security("SASLAuthenticationProvider.superPassword=canary4");
    let users = settings.sasl_users.expect("there is a section Server");
    assert_eq!(users.get("super"), Some(&Password::new("canary4")));
    assert_eq!(with_line("").config().security.sasl_users, None);
}

#[test]
fn a_login_file_that_gives_nobody_in_is_told() {
    assert_eq!(
        with("sasl.serverconfig=Nobody").error(),
        "zoo.cfg:3: sasl.serverconfig=Nobody: expected a section Nobody in jaas.conf"
    );
    let only_client = Case {
        jaas: Some("Client { };"),
        ..Case::of(MINIMAL)
    };
    assert_eq!(
        only_client.warnings(),
        ["jaas.conf: there is no section Server, so SASL is not served"]
    );
    let kerberos = with("sasl.serverconfig=Kerberos").error();
    assert!(
        kerberos.ends_with("Kerberos (GSSAPI) is not supported"),
        "{kerberos}"
    );
    assert_eq!(
        with("fips-mode=true").error(),
        "zoo.cfg:3: fips-mode=true: expected false, or no java.security.auth.login.config: it \
         forbids DIGEST-MD5, the only mechanism there is"
    );
    assert_eq!(
        with_line("java.security.auth.login.config=/x").error(),
        "zoo.cfg:3: java.security.auth.login.config=/x: cannot be used here, where no files are \
         read"
    );
}

#[test]
fn super_users_and_the_like_are_kept() {
    let settings = security(
        "superUser=ann\nsuperUser.1=bob\nletAnySaslUserDoX=everyone\nallowSaslFailedClients=true",
    );
    assert_eq!(settings.super_users, ["ann", "bob"]);
    assert_eq!(settings.any_sasl_user.as_deref(), Some("everyone"));
    assert!(settings.allow_sasl_failed_clients && !settings.sasl_provider);
    assert!(security(SASL).sasl_provider);
    let replaced = Case {
        flags: "-Dzookeeper.superUser=ann -Dzookeeper.superUser.1=bob",
        ..Case::of("dataDir=/data\nclientPort=2181\nsuperUser=eve\n")
    };
    assert_eq!(replaced.config().security.super_users, ["eve", "bob"]);
}

#[test]
fn what_is_required_must_be_possible() {
    let required = |lines: &str| security(&format!("{SASL}{lines}")).required_schemes;
    assert_eq!(required("sessionRequireClientSASLAuth=true"), ["sasl"]);
    let both = "enforce.auth.enabled=true\nenforce.auth.schemes= digest, sasl,";
    assert_eq!(required(both), ["digest", "sasl"]);
    assert!(required("enforce.auth.schemes=nonsense").is_empty());
    let enforced = |scheme: &str| {
        with(&format!(
            "enforce.auth.enabled=true\nenforce.auth.schemes={scheme}"
        ))
    };
    assert_eq!(enforced("ip").config().security.required_schemes, ["ip"]);
    for (scheme, missing) in [
        ("world", "there is no such scheme"),
        ("digest,foo", "there is no such scheme"),
        (
            "sasl",
            "authProvider.1=org.apache.zookeeper.server.auth.SASLA",
        ),
        (
            "x509",
            "authProvider.1=org.apache.zookeeper.server.auth.X509A",
        ),
    ] {
        let error = enforced(scheme).error();
        let start = "zoo.cfg:3: enforce.auth.enabled=true: the scheme ";
        assert!(
            error.starts_with(start) && error.contains(missing),
            "{error}"
        );
    }
    let nobody = with_line(&format!("{SASL}sessionRequireClientSASLAuth=true")).error();
    assert!(
        nobody.contains("java.security.auth.login.config is missing"),
        "{nobody}"
    );
    let off = "DigestAuthenticationProvider.enabled=false\nenforce.auth.enabled=true\n\
               enforce.auth.schemes=digest";
    assert!(
        with_line(off)
            .error()
            .contains("DigestAuthenticationProvider.enabled=false")
    );
}

/// CVE-2018-8012: any host could join the quorum of a server that was thought to be protected.
#[test]
fn cve_2018_8012_a_protection_that_is_not_there_stops_the_server() {
    for key in ["enableSasl", "serverRequireSasl", "learnerRequireSasl"] {
        let error = with_line(&format!("quorum.auth.{key}=true")).error();
        assert_eq!(
            error,
            format!(
                "zoo.cfg:3: quorum.auth.{key}=true: expected false: servers do not authenticate \
                 each other by SASL here; sslQuorum=true protects the links between servers by \
                 mutual TLS"
            )
        );
        assert!(
            with_line(&format!("quorum.auth.{key}=false"))
                .resolve()
                .is_ok()
        );
    }
    let kerberos = with_line("requireKerberosConfig=true").error();
    assert!(
        kerberos.contains("Kerberos (GSSAPI) is not supported"),
        "{kerberos}"
    );
    let unknown = with_line("authProvider.1=com.example.MyProvider").error();
    assert!(unknown.contains("classes are not loaded"), "{unknown}");
}

/// CVE-2026-24308: secrets of a configuration were logged.
#[test]
fn cve_2026_24308_a_configuration_shows_no_secret() {
    let lines = "SASLAuthenticationProvider.superPassword=canary5\n\
                 DigestAuthenticationProvider.superDigest=super:canary6";
    let loaded = with(lines).resolve().unwrap();
    assert!(!format!("{loaded:?}").contains("canary"));
    let empty = with("SASLAuthenticationProvider.superPassword=").error();
    assert_eq!(
        empty,
        "zoo.cfg:3: SASLAuthenticationProvider.superPassword: expected a password"
    );
}
