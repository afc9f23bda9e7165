//! Who clients must prove to be, and by which schemes they may.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::ConfigError;
use super::jaas;
use super::resolve::{Draft, Sources};
use super::setting::{Parsed, boolean, text};
use crate::sasl::Password;

/// The section of the JAAS file that counts unless `sasl.serverconfig` names another.
const SECTION: &str = "Server";

/// The user whose password `SASLAuthenticationProvider.superPassword` may give.
const SUPER: &str = "super";

/// Where ZooKeeper's own providers live.
const PROVIDERS: &str = "org.apache.zookeeper.server.auth.";

/// Who clients must prove to be, and by which schemes they may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecuritySettings {
    /// Who may authenticate by SASL, with which password [`java.security.auth.login.config`];
    /// `None`: SASL is not served.
    pub sasl_users: Option<Arc<BTreeMap<String, Password>>>,
    /// The scheme `sasl` counts in ACLs
    /// [`zookeeper.authProvider.*`=org.apache.zookeeper.server.auth.SASLAuthenticationProvider].
    pub sasl_provider: bool,
    /// The scheme `x509` counts in ACLs
    /// [`zookeeper.authProvider.*`=org.apache.zookeeper.server.auth.X509AuthenticationProvider]; it
    /// does wherever clients speak TLS, too.
    pub x509_provider: bool,
    /// SASL users who may do everything [`zookeeper.superUser`, `zookeeper.superUser.*`].
    pub super_users: Vec<String>,
    /// An entry of an ACL for this `sasl` id stands for every SASL user
    /// [`zookeeper.letAnySaslUserDoX`].
    pub any_sasl_user: Option<String>,
    /// Who fails to authenticate by SASL goes on as nobody [`zookeeper.allowSaslFailedClients`].
    pub allow_sasl_failed_clients: bool,
    /// A client must have an identity of one of these schemes before anything is done for it
    /// [`zookeeper.enforce.auth.schemes`, `zookeeper.sessionRequireClientSASLAuth`]; empty: none.
    pub required_schemes: Vec<String>,
}

/// What the settings say before their rules are applied.
#[derive(Default)]
pub(super) struct Asked {
    settings: SecuritySettings,
    section: Option<String>,
    super_password: Option<Password>,
    /// By the key that names them, so that one of zoo.cfg takes the place of the same `-D`.
    super_users: BTreeMap<String, String>,
    session_require: bool,
    enforce: bool,
    schemes: Vec<String>,
}

impl Draft {
    /// Applies the rules between the settings of this file.
    pub(super) fn finish_security(&mut self, sources: &Sources) -> Result<(), ConfigError> {
        let asked = std::mem::take(&mut self.security);
        let mut settings = asked.settings;
        settings.super_users = asked.super_users.into_values().collect();
        settings.sasl_users = self.sasl_users(sources, asked.section, asked.super_password)?;
        let (key, schemes) = match (asked.session_require, asked.enforce) {
            (true, _) => ("sessionRequireClientSASLAuth", vec!["sasl".to_owned()]),
            (false, true) => ("enforce.auth.enabled", asked.schemes),
            (false, false) => ("", Vec::new()),
        };
        if schemes.is_empty() && asked.enforce {
            let what = "expected enforce.auth.schemes beside it";
            return Err(self.contradiction(key, what.to_owned()));
        }
        for scheme in &schemes {
            if let Some(missing) = self.missing(scheme, &settings) {
                let what = format!("the scheme {scheme} is not available: {missing}");
                return Err(self.contradiction(key, what));
            }
        }
        settings.required_schemes = schemes;
        self.config.security = settings;
        Ok(())
    }

    /// Why nobody could have an identity of a scheme.
    fn missing(&self, scheme: &str, settings: &SecuritySettings) -> Option<&'static str> {
        match scheme {
            "ip" => None,
            "digest" if self.config.digest.enabled => None,
            "digest" => Some("DigestAuthenticationProvider.enabled=false"),
            "sasl" if !settings.sasl_provider => Some(
                "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider is \
                 missing",
            ),
            "sasl" if settings.sasl_users.is_some() => None,
            "sasl" => Some("java.security.auth.login.config is missing, so nobody could get in"),
            "x509" if settings.x509_provider || self.speaks_tls() => None,
            "x509" => Some(
                "authProvider.1=org.apache.zookeeper.server.auth.X509AuthenticationProvider is \
                 missing",
            ),
            _ => Some("there is no such scheme; there are digest, ip, sasl and x509"),
        }
    }

    fn sasl_users(
        &mut self,
        sources: &Sources,
        section: Option<String>,
        super_password: Option<Password>,
    ) -> Result<Option<Arc<BTreeMap<String, Password>>>, ConfigError> {
        let Some(file) = &sources.jaas else {
            if self.is_set(jaas::JAAS_FILE) {
                let what = "cannot be used here, where no files are read".to_owned();
                return Err(self.contradiction(jaas::JAAS_FILE, what));
            }
            return Ok(None);
        };
        let sections = jaas::parse(file)?;
        let name = section.as_deref().unwrap_or(SECTION);
        match (jaas::users(file, &sections, name)?, section.is_some()) {
            (Some(mut users), _) => {
                if let Some(password) = super_password {
                    users.insert(SUPER.to_owned(), password);
                }
                self.refuse_fips_mode()?;
                Ok(Some(Arc::new(users)))
            }
            (None, true) => {
                let what = format!("expected a section {name} in {}", file.name);
                Err(self.contradiction("sasl.serverconfig", what))
            }
            (None, false) => {
                self.warn(format!(
                    "{}: there is no section {SECTION}, so SASL is not served",
                    file.name
                ));
                Ok(None)
            }
        }
    }

    /// ZooKeeper would start, and fail everybody who authenticates.
    fn refuse_fips_mode(&self) -> Result<(), ConfigError> {
        match self.fips_mode {
            true => {
                let what = "expected false, or no java.security.auth.login.config: it forbids \
                            DIGEST-MD5, the only mechanism there is";
                Err(self.contradiction("fips-mode", what.to_owned()))
            }
            false => Ok(()),
        }
    }
}

/// `authProvider.N=class`.
pub(super) fn provider(draft: &mut Draft, value: &str) -> Parsed<()> {
    match value.strip_prefix(PROVIDERS) {
        Some("SASLAuthenticationProvider") => draft.security.settings.sasl_provider = true,
        Some("X509AuthenticationProvider") => draft.security.settings.x509_provider = true,
        // There without being named.
        Some("DigestAuthenticationProvider" | "IPAuthenticationProvider") => {}
        _ => {
            return Err(format!(
                "expected one of SASLAuthenticationProvider, X509AuthenticationProvider, \
                 DigestAuthenticationProvider and IPAuthenticationProvider of {PROVIDERS}*: classes \
                 are not loaded, and what this one would check nobody checks"
            ));
        }
    }
    Ok(())
}

/// `superUser` and `superUser.N`.
pub(super) fn super_user(draft: &mut Draft, value: &str) -> Parsed<()> {
    let user = text(value, "the name of a SASL user")?;
    let key = draft.current_key().to_owned();
    draft.security.super_users.insert(key, user);
    Ok(())
}

/// `letAnySaslUserDoX`.
pub(super) fn any_sasl_user(draft: &mut Draft, value: &str) -> Parsed<()> {
    let id = text(value, "the id that stands for any SASL user in ACLs")?;
    draft.security.settings.any_sasl_user = Some(id);
    Ok(())
}

/// `allowSaslFailedClients`.
pub(super) fn allow_failed(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.security.settings.allow_sasl_failed_clients = boolean(value)?;
    Ok(())
}

/// `sasl.serverconfig`.
pub(super) fn section(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.security.section = Some(text(value, "the name of a section of the JAAS file")?);
    Ok(())
}

/// `SASLAuthenticationProvider.superPassword`.
pub(super) fn super_password(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.security.super_password = Some(Password::new(text(value, "a password")?));
    Ok(())
}

/// `sessionRequireClientSASLAuth`.
pub(super) fn session_require(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.security.session_require = boolean(value)?;
    Ok(())
}

/// `enforce.auth.enabled`.
pub(super) fn enforce(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.security.enforce = boolean(value)?;
    Ok(())
}

/// `enforce.auth.schemes`.
pub(super) fn schemes(draft: &mut Draft, value: &str) -> Parsed<()> {
    let schemes = value.split(',').map(str::trim);
    draft.security.schemes = schemes
        .filter(|scheme| !scheme.is_empty())
        .map(str::to_owned)
        .collect();
    Ok(())
}

/// `quorum.auth.*`, as far as it asks for a protection.
pub(super) fn quorum_sasl(value: &str) -> Parsed<()> {
    match boolean(value)? {
        true => Err(
            "expected false: servers do not authenticate each other by SASL here; \
                     sslQuorum=true protects the links between servers by mutual TLS"
                .to_owned(),
        ),
        false => Ok(()),
    }
}

/// `requireKerberosConfig`.
pub(super) fn kerberos(value: &str) -> Parsed<()> {
    match boolean(value)? {
        true => Err("expected false: Kerberos (GSSAPI) is not supported".to_owned()),
        false => Ok(()),
    }
}
