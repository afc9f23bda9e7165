//! Which path means what: commands, health, metrics.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;
use zoowarden::metrics::prometheus;
use zoowarden::proto::{Acl, Id};
use zoowarden::server::Observer;
use zoowarden::server::config::AdminSettings;
use zoowarden::server::observer::{Check, Denied};

use crate::history::json as history_json;

use super::commands::{self, Asked, Command, Failure, Verb};
use super::json::{Fields, Json, field};
use super::transfer::{BodyStream, Transfers};
use super::{BODY_BYTES_MAX, Caller, whole};

/// How long a body that is not streamed may take to come.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// What is sent back.
pub(crate) type Answer = Response<Either<Full<Bytes>, BodyStream>>;

const JSON: &str = "application/json";
const HTML: &str = "text/html;charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The endpoint of commands.
pub(crate) struct Admin {
    observer: Observer,
    settings: AdminSettings,
    transfers: Transfers,
}

fn text(status: StatusCode, content_type: &str, body: String) -> Answer {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .body(body);
    whole(response.expect("these headers are valid"))
}

/// Only metrics, on a port of their own.
pub(crate) async fn metrics_only(observer: Observer, request: Request<Incoming>) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => metrics(observer).await,
        (&Method::GET | &Method::HEAD, _) => not_found(),
        _ => not_allowed("GET"),
    }
}

async fn metrics(observer: Observer) -> Answer {
    let making =
        tokio::task::spawn_blocking(move || prometheus::exposition(&observer.monitor().samples));
    match making.await {
        Ok(body) => text(StatusCode::OK, prometheus::CONTENT_TYPE, body),
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("{error}\n"),
        ),
    }
}

fn not_found() -> Answer {
    let what = "there is nothing here; try /commands, /metrics, /livez or /readyz\n";
    text(StatusCode::NOT_FOUND, TEXT, what.to_owned())
}

fn not_allowed(allowed: &'static str) -> Answer {
    let what = format!("this is asked with {allowed}\n");
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, what);
    let allowed = hyper::header::HeaderValue::from_static(allowed);
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

/// 200 if nothing is wrong, else 503, and a line for each check.
fn health(checks: &[Check]) -> Answer {
    let lines = checks.iter().map(|check| match &check.trouble {
        None => format!("[+]{} ok\n", check.name),
        Some(trouble) => format!("[-]{} failed: {trouble}\n", check.name),
    });
    let body = lines.collect();
    match checks.iter().all(|check| check.trouble.is_none()) {
        true => text(StatusCode::OK, TEXT, body),
        false => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, body),
    }
}

impl Admin {
    pub(crate) fn new(observer: Observer, settings: AdminSettings) -> Admin {
        Admin {
            observer,
            settings,
            transfers: Transfers::default(),
        }
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>, caller: Caller) -> Answer {
        let method = request.method().clone();
        if method == Method::TRACE {
            return text(StatusCode::FORBIDDEN, TEXT, String::new());
        }
        let path = request.uri().path().to_owned();
        let asks = matches!(method, Method::GET | Method::HEAD);
        match path.as_str() {
            "/metrics" if asks => return metrics(self.observer.clone()).await,
            "/livez" if asks => return health(&self.observer.live().await),
            "/readyz" if asks => return health(&self.observer.ready()),
            "/metrics" | "/livez" | "/readyz" => return not_allowed("GET"),
            _ => {}
        }
        match path.strip_prefix(&self.settings.command_url) {
            Some("" | "/") if asks => self.index(),
            Some("" | "/") => not_allowed("GET"),
            Some(name) => match name.strip_prefix('/') {
                Some(name) => self.command(name, method, request, &caller).await,
                None => not_found(),
            },
            None => not_found(),
        }
    }

    /// The list of links that ZooKeeper shows.
    fn index(&self) -> Answer {
        let url = &self.settings.command_url;
        let links = commands::names();
        let links = links.map(|name| format!("<a href=\"{url}/{name}\">{name}</a>\n<br/>\n"));
        text(StatusCode::OK, HTML, links.collect())
    }

    async fn command(
        &self,
        name: &str,
        method: Method,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Answer {
        let Some(command) = commands::find(name) else {
            return answered(name, Err(Failure::unknown(name)));
        };
        let verb = match method {
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::POST => Some(Verb::Post),
            _ => None,
        };
        if verb != Some(command.verb) {
            return not_allowed(command.verb.name());
        }
        let identities = match self.admit(command, &request, caller) {
            Ok(identities) => identities,
            Err(failure) => return answered(command.name, Err(failure)),
        };
        let query = request.uri().query().unwrap_or_default().to_owned();
        if command.name == commands::RESTORE {
            let (observer, settings) = (&self.observer, &self.settings);
            let restored = self
                .transfers
                .restore(observer, settings, request.into_body());
            return answered(command.name, restored.await);
        }
        let collecting = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
        let body = match timeout(BODY_LIMIT, collecting).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) => {
                let what = format!("the body cannot be read: {error}");
                return answered(command.name, Err(Failure::bad_request(what)));
            }
            Err(_) => {
                let what = format!("the body did not come within {BODY_LIMIT:?}");
                return answered(command.name, Err(Failure::bad_request(what)));
            }
        };
        if command.name == commands::SNAPSHOT {
            let (observer, settings) = (&self.observer, &self.settings);
            return self.transfers.snapshot(observer, settings, &query).await;
        }
        if command.name == commands::HISTORY {
            return answered(command.name, self.history(&query, &identities).await);
        }
        let observer = self.observer.clone();
        let running = tokio::task::spawn_blocking(move || {
            let asked = Asked {
                query: &query,
                body: &body,
            };
            (command.run)(&observer, &asked)
        });
        match running.await {
            Ok(outcome) => answered(command.name, outcome),
            Err(error) => answered(command.name, Err(Failure::broken(error.to_string()))),
        }
    }

    /// Whether a command may run now, for whoever asks; who that is, if it matters.
    fn admit(
        &self,
        command: &Command,
        request: &Request<Incoming>,
        caller: &Caller,
    ) -> Result<Vec<Id>, Failure> {
        if command.needs_server && !self.observer.is_serving() {
            return Err(Failure::not_serving());
        }
        if !command.needs_auth {
            return Ok(Vec::new());
        }
        let header = request.headers().get(AUTHORIZATION);
        let header =
            header.ok_or_else(|| Failure::unauthorized("the header Authorization is missing"))?;
        let header = String::from_utf8_lossy(header.as_bytes());
        let (scheme, auth) = header.split_once(' ').unwrap_or((&header, ""));
        let (address, shown) = (caller.peer.ip(), &caller.shown);
        let authorized = self
            .observer
            .authorize(scheme, auth.as_bytes(), address, shown);
        authorized.map_err(|denied| match denied {
            Denied::NotProven => Failure::unauthorized(&denied.to_string()),
            Denied::NotAllowed => Failure::forbidden(&denied.to_string()),
        })
    }

    /// Who changed a znode when, and what it was before: values and lists only for those who may READ
    /// the znode, since the root alone says little of what is below it.
    async fn history(&self, query: &str, identities: &[Id]) -> Result<Fields, Failure> {
        let asked = commands::history_query(query)?;
        let history = self.observer.history();
        let history = history
            .ok_or_else(|| Failure::unavailable("no history is kept: zoowarden.history.enabled"))?;
        let page = history.changes(asked).await;
        let page = page.map_err(|error| Failure::unavailable(&error.to_string()))?;
        let observer = &self.observer;
        let may_read = |path: &str, list: &[Acl]| observer.may_read(identities, path, list);
        match Json::from(history_json::page_for(&page, &may_read)) {
            Json::Object(fields) => Ok(fields),
            other => Ok(vec![field("changes", other)]),
        }
    }
}

/// What a command came to, as JSON.
pub(crate) fn answered(name: &str, outcome: Result<Fields, Failure>) -> Answer {
    let (status, mut fields, error) = match outcome {
        Ok(fields) => (StatusCode::OK, fields, Json::Null),
        Err(failure) => (failure.status, Fields::new(), failure.what.into()),
    };
    fields.push(field("command", name));
    fields.push(("error".to_owned(), error));
    text(status, JSON, Json::Object(fields).write())
}
