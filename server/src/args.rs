//! The command line. Options stand before or after `server`; without a command that one is meant.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use zoowarden::server::config::{ConfigError, Overrides};

use super::migrate::{ExportOptions, ImportOptions};
use super::shell::{ShellOptions, long_about};

const EXAMPLES: &str = "\
Examples:
  zoowarden                                    one server, data in ./data, clients on 127.0.0.1:2181
  zoowarden --client-port 2182 --data-dir /srv/zk
                                               the same, elsewhere
  zoowarden server --config /etc/zookeeper/conf/zoo.cfg
                                               what ZooKeeper runs with today; in an ensemble the
                                               file has a server.N line per server, and the file
                                               myid in dataDir holds the N of this one
  zoowarden server --config zoo.cfg -Djute.maxbuffer=4194304 -Dzookeeper.snapCount=50000
                                               settings that ZooKeeper takes as system properties
  zoowarden server 2181 /srv/zk 2000           ZooKeeper's form without a file
  zoowarden shell ls /                         look into an ensemble; zoowarden shell --help
  zoowarden import --from /var/lib/zookeeper --data-dir /srv/zk
                                               bring ZooKeeper's data; zoowarden import --help

Environment:
  SERVER_JVMFLAGS, JVMFLAGS   -Dkey=value words count as if given here; the rest is for Java
  ZOOWARDEN_LOG               a log level, or a filter such as warn,zoowarden::raft=debug

Exit codes: 0 stopped as asked, 1 could not start, 2 wrong arguments or configuration";

/// A coordination service that speaks ZooKeeper's protocol.
#[derive(Debug, Parser)]
#[command(name = "zoowarden", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: ServerOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server (this is what happens without a command, too)
    #[command(after_help = EXAMPLES)]
    Server {
        #[command(flatten)]
        options: ServerOptions,
        /// A zoo.cfg, or ZooKeeper's form without a file: PORT DATADIR [TICKTIME] [MAXCNXNS]
        #[arg(value_name = "WORD", num_args = 0..=4)]
        #[arg(conflicts_with = "config")]
        words: Vec<String>,
    },
    /// Look into an ensemble and change it, as zkCli.sh does
    #[command(long_about = long_about())]
    Shell(ShellOptions),
    /// Bring a stopped ZooKeeper's data into a new data directory
    #[command(after_help = super::migrate::IMPORT_EXAMPLES)]
    Import(ImportOptions),
    /// Write a stopped server's data as a directory that Apache ZooKeeper starts from
    #[command(after_help = super::migrate::EXPORT_EXAMPLES)]
    Export(ExportOptions),
}

/// What the process is to be.
#[derive(Debug)]
pub(crate) enum Task {
    /// A server.
    Serve(ServerOptions),
    /// A shell.
    Shell(ShellOptions),
    /// Data of ZooKeeper comes in.
    Import(ImportOptions),
    /// Data goes out for ZooKeeper.
    Export(ExportOptions),
}

/// What a server can be told on the command line.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerOptions {
    /// The configuration: a zoo.cfg. Without it a single server starts with defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the data lies, instead of dataDir [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The port that clients connect to, instead of clientPort; 0 takes a free one [default: 2181]
    #[arg(long, value_name = "PORT")]
    client_port: Option<u16>,
    /// The address that clients connect to, instead of clientPortAddress [default: 127.0.0.1, or
    /// every address when a zoo.cfg sets the port]
    #[arg(long, value_name = "ADDR")]
    client_address: Option<String>,
    /// A setting that ZooKeeper takes as a Java system property; repeatable
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    pub(crate) definitions: Vec<String>,
    /// How much to log on stderr: off, error, warn, info, debug or trace [default: warn]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// The words after `server`.
    #[arg(skip)]
    words: Vec<String>,
}

impl Arguments {
    /// What is to be done, for a server with the options before and after the command as one: the
    /// later one of a kind wins.
    pub(crate) fn into_task(self) -> Task {
        let before = self.options;
        let (after, words) = match self.command {
            None => return Task::Serve(before),
            Some(Command::Shell(options)) => return Task::Shell(options),
            Some(Command::Import(options)) => return Task::Import(options),
            Some(Command::Export(options)) => return Task::Export(options),
            Some(Command::Server { options, words }) => (options, words),
        };
        let mut definitions = before.definitions;
        definitions.extend(after.definitions);
        Task::Serve(ServerOptions {
            config: after.config.or(before.config),
            data_dir: after.data_dir.or(before.data_dir),
            client_port: after.client_port.or(before.client_port),
            client_address: after.client_address.or(before.client_address),
            log_level: after.log_level.or(before.log_level),
            definitions,
            words,
        })
    }
}

impl ServerOptions {
    /// The zoo.cfg, as an option or as the only word.
    pub(crate) fn config_path(&self) -> Option<&Path> {
        match self.words.as_slice() {
            [only] => Some(Path::new(only)),
            _ => self.config.as_deref(),
        }
    }

    /// What counts more than any file: options, and below them the words.
    pub(crate) fn overrides(&self) -> Result<Overrides, ConfigError> {
        let words = match self.words.len() {
            0 | 1 => Overrides::default(),
            _ => Overrides::from_positional(&self.words)?,
        };
        Ok(Overrides {
            data_dir: self.data_dir.clone().or(words.data_dir),
            client_port: self.client_port.or(words.client_port),
            client_host: self.client_address.clone().or(words.client_host),
            ..words
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn options(line: &str) -> ServerOptions {
        let words = std::iter::once("zoowarden").chain(line.split_whitespace());
        match Arguments::try_parse_from(words).unwrap().into_task() {
            Task::Serve(options) => options,
            other => panic!("{line} is {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_count_before_and_after_the_command() {
        for line in [
            "--config z.cfg --data-dir /d --client-port 7 --client-address ::1 -Da=b -Dc=-1",
            "server --config z.cfg --data-dir /d --client-port 7 --client-address ::1 -Da=b -Dc=-1",
            "-Da=b --data-dir /x server --config z.cfg --data-dir /d --client-port 7 -D c=-1 \
             --client-address ::1",
        ] {
            let got = options(line);
            assert_eq!(got.config_path(), Some(Path::new("z.cfg")), "{line}");
            assert_eq!(got.definitions, ["a=b", "c=-1"], "{line}");
            let overrides = got.overrides().unwrap();
            assert_eq!(
                overrides.data_dir.as_deref(),
                Some(Path::new("/d")),
                "{line}"
            );
            assert_eq!(overrides.client_port, Some(7), "{line}");
            assert_eq!(overrides.client_host.as_deref(), Some("::1"), "{line}");
        }
    }

    #[test]
    fn zookeepers_words_are_a_file_or_a_whole_server() {
        assert_eq!(
            options("server zoo.cfg").config_path(),
            Some(Path::new("zoo.cfg"))
        );
        let got = options("server 2182 /d 2000 5");
        assert_eq!(got.config_path(), None);
        let overrides = got.overrides().unwrap();
        assert_eq!(
            (overrides.client_port, overrides.tick_ms),
            (Some(2182), Some(2000))
        );
        let overrides = options("--client-port 9 server 2182 /d")
            .overrides()
            .unwrap();
        assert_eq!(overrides.client_port, Some(9));
    }
}
