//! The shell's own options: `zoowarden shell [options] [command ...]`.

use std::ffi::OsString;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zoowarden::client::{
    ClientConfig, ConnectString, OnExpiry, SaslLogin, TlsConfig, TlsError, TlsOptions, TlsVerify,
};

use super::table;

/// What zkCli spells with one dash, and how it is spelled here.
const ONE_DASH: [(&str, &str); 5] = [
    ("-server", "--server"),
    ("-timeout", "--timeout"),
    ("-readonly", "--read-only"),
    ("-waitforconnection", "--waitforconnection"),
    ("-json", "--json"),
];

/// Options of the shell that are followed by their value.
const WITH_VALUE: [&str; 8] = [
    "-s",
    "--server",
    "--timeout",
    "--auth",
    "--tls-ca",
    "--tls-cert",
    "--tls-key",
    "--tls-verify",
];

const EXAMPLES: &str = "\
Examples:
  zoowarden shell                              a prompt, with completion; help lists the commands
  zoowarden shell -s zk1,zk2,zk3/app           another ensemble; every path is below /app
  zoowarden shell ls -R /                      one command, then it ends
  zoowarden shell -s zk1 get -s /app/config    flags behind the command belong to the command
  zoowarden shell --json get /app | jq .stat   every command answers JSON, one line each
  zoowarden shell create -p /app/jobs/a 'x y'  with the parents that are missing
  zoowarden shell set /app/config @app.toml    data from a file; - is standard input
  zoowarden shell --auth digest:joe:secret getAcl /app
  zoowarden shell -s zk1:2281 --tls-ca ca.pem  over TLS
  zoowarden shell export /app app.json         a subtree as JSON, and back:
  zoowarden shell import app.json /copy --on-conflict skip
  zoowarden shell < commands.txt               commands from a file, one per line
  zoowarden shell watch /app                   events as they come, until Ctrl-C
  zoowarden shell help create                  everything about one command

Exit codes: 0 done, 1 ZooKeeper said no or cannot be reached, 2 wrong options or command,
130 interrupted (a watch ends with 0)";

/// Options of the shell.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShellOptions {
    /// Where the servers are, and the part of the tree that becomes /: host[:port],...[/path].
    /// -server is understood, too
    #[arg(
        short = 's',
        long,
        value_name = "HOSTS",
        default_value = "127.0.0.1:2181"
    )]
    pub(crate) server: ConnectString,
    /// The session timeout in milliseconds; also how long to try to connect
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: u32,
    /// Who you are: a scheme and what it takes, digest:user:password or sasl:user:password say;
    /// repeatable
    #[arg(long, value_name = "SCHEME:AUTH", value_parser = parse_auth)]
    auth: Vec<Credential>,
    /// Speak TLS; the other tls options mean it, too
    #[arg(long)]
    tls: bool,
    /// The authorities to trust, PEM, instead of the system's
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The certificate to show a server that asks for one, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// What a server's certificate must show
    #[arg(long, value_name = "WHAT", value_enum)]
    tls_verify: Option<Verify>,
    /// Take a server that has lost the others, which answers reads only
    #[arg(short = 'r', long)]
    pub(crate) read_only: bool,
    /// Answer as JSON, one line per command
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop at the first command that fails, when commands come from standard input
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// What the shell does anyway: for scripts written for zkCli
    #[arg(long, hide = true)]
    waitforconnection: bool,
    /// A command and its arguments; without it, commands are read from standard input
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) words: Vec<String>,
}

/// `--auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Credential {
    /// What an auth packet carries.
    Auth(String, Vec<u8>),
    /// No server takes this scheme by an auth packet: it is an exchange of its own.
    Sasl(SaslLogin),
}

/// `--tls-verify`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Verify {
    /// A trusted authority, and the name that -s says
    Name,
    /// A trusted authority; whoever has one of its certificates can pose as the server
    Chain,
    /// Nothing; whoever is in between can read and change everything
    None,
}

impl ShellOptions {
    /// How the client connects. An error is about the files that TLS needs.
    pub(crate) fn client_config(&self, on_expiry: OnExpiry) -> Result<ClientConfig, TlsError> {
        let (mut auth, mut sasl) = (Vec::new(), None);
        for credential in &self.auth {
            match credential {
                Credential::Auth(scheme, secret) => auth.push((scheme.clone(), secret.clone())),
                Credential::Sasl(login) => sasl = Some(login.clone()),
            }
        }
        Ok(ClientConfig {
            session_timeout_ms: self.timeout,
            read_only: self.read_only,
            auth,
            sasl,
            tls: self.tls_config()?,
            on_expiry,
            ..ClientConfig::new(self.server.clone())
        })
    }

    fn tls_config(&self) -> Result<Option<TlsConfig>, TlsError> {
        let is_meant = self.tls
            || self.tls_ca.is_some()
            || self.tls_cert.is_some()
            || self.tls_verify.is_some();
        if !is_meant {
            return Ok(None);
        }
        let identity = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        let options = TlsOptions {
            verify: match self.tls_verify {
                None | Some(Verify::Name) => TlsVerify::ChainAndName,
                Some(Verify::Chain) => TlsVerify::ChainOnly,
                Some(Verify::None) => TlsVerify::Nothing,
            },
            ..TlsOptions::from_files(self.tls_ca.as_deref(), identity)?
        };
        TlsConfig::new(options).map(Some)
    }
}

/// The commands, for `zoowarden shell --help`.
pub(crate) fn long_about() -> String {
    format!(
        "Look into an ensemble and change it: what zkCli.sh does, and more.\n\nCommands:\n{}",
        table::overview()
    )
}

/// The process's arguments with zkCli's one-dash options spelled as ours. Words of the shell's
/// command stay as they are.
pub(crate) fn respelled(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut spelled = Vec::new();
    let (mut in_shell, mut is_value, mut in_command) = (false, false, false);
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        if !in_shell {
            in_shell = text == "shell" && !spelled.is_empty();
        } else if is_value || in_command {
            is_value = false;
        } else if let Some((_, ours)) = ONE_DASH.iter().find(|(zkcli, _)| *zkcli == text) {
            is_value = WITH_VALUE.contains(ours);
            spelled.push(ours.into());
            continue;
        } else {
            is_value = WITH_VALUE.contains(&text);
            in_command = !text.starts_with('-');
        }
        spelled.push(argument);
    }
    spelled
}

fn parse_auth(text: &str) -> Result<Credential, String> {
    match text.split_once(':') {
        Some(("sasl", login)) => match login.split_once(':') {
            Some((user, password)) => Ok(Credential::Sasl(SaslLogin::new(user, password))),
            None => Err("expected sasl:user:password".to_owned()),
        },
        Some((scheme, auth)) if !scheme.is_empty() => Ok(Credential::Auth(
            scheme.to_owned(),
            auth.as_bytes().to_vec(),
        )),
        _ => Err("expected scheme:auth, as in digest:user:password".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respell(line: &str) -> String {
        let words = line.split_whitespace().map(OsString::from);
        let words: Vec<String> = respelled(words)
            .into_iter()
            .map(|w| w.into_string().unwrap())
            .collect();
        words.join(" ")
    }

    #[test]
    fn zkclis_options_are_understood_before_the_command_only() {
        for (typed, want) in [
            ("z shell -server h:1 ls /", "z shell --server h:1 ls /"),
            (
                "z shell -s h -timeout 9 -r ls -s /",
                "z shell -s h --timeout 9 -r ls -s /",
            ),
            ("z shell -s -server", "z shell -s -server"),
            ("z shell create /a -server", "z shell create /a -server"),
            ("z server -server", "z server -server"),
        ] {
            assert_eq!(respell(typed), want, "{typed}");
        }
    }

    #[test]
    fn auth_is_a_scheme_and_the_rest() {
        let digest = Credential::Auth("digest".to_owned(), b"joe:a:b".to_vec());
        assert_eq!(parse_auth("digest:joe:a:b"), Ok(digest));
        let sasl = Credential::Sasl(SaslLogin::new("joe", "a:b"));
        assert_eq!(parse_auth("sasl:joe:a:b"), Ok(sasl));
        assert!(parse_auth("sasl:joe").is_err());
        assert!(parse_auth("digest").is_err() && parse_auth(":x").is_err());
    }
}
