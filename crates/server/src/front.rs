//! What every request passes: whether it may ask, and what its answer looks like when it failed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::dialect::Dialect;
use crate::failure::{Failure, Kind};
use crate::ids::fresh;

/// What anybody may ask, key or not.
const OPEN: &str = "/health";

/// Lets a request through, or says why not.
pub(crate) async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    let response = match check(&app, &path, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => Dialect::of(&path).response(&failure),
    };
    let response = match response.extensions().get::<Arc<Failure>>() {
        Some(failure) => Dialect::of(&path).response(failure),
        None => response,
    };
    let mut response = response;
    let id = HeaderValue::from_str(&fresh("req_"));
    if let Ok(id) = id {
        for name in ["request-id", "x-request-id"] {
            response.headers_mut().insert(name, id.clone());
        }
    }
    let status = response.status();
    app.metrics.answered(&route, status.as_u16());
    tracing::info!(%method, path, status = status.as_u16(), ms = start.elapsed().as_millis() as u64, "answered");
    response
}

fn check(app: &App, path: &str, headers: &HeaderMap) -> Result<(), Failure> {
    check_origin(app, headers)?;
    if path != OPEN {
        check_key(app, headers)?;
    }
    if !app.is_serving() {
        return Err(Failure::new(Kind::Unavailable, "the server is about to end"));
    }
    Ok(())
}

/// Web pages of others may only ask if they were named: a browser would send their requests to a server on its own machine.
fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = text(header::HOST).filter(|host| is_address(host));
    let is_own = origin.split_once("://").is_some_and(|(_, own)| Some(own) == host);
    if is_own || app.options.origins.iter().any(|allowed| allowed == "*" || allowed == origin) {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Forbidden,
        format!("pages of {origin} may not ask this server; --cors allows them"),
    ))
}

/// Whether a host is an address. Names are no proof: whoever owns one can let it point to this machine.
fn is_address(host: &str) -> bool {
    let port = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let name = port.map_or(host, |(name, _)| name);
    name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn check_key(app: &App, headers: &HeaderMap) -> Result<(), Failure> {
    let keys = &app.options.keys;
    if keys.is_empty() {
        return Ok(());
    }
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let shown = bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes()));
    let shown = shown.ok_or_else(|| {
        Failure::new(
            Kind::Unauthorized,
            "a key is needed: \"Authorization: Bearer KEY\" or \"x-api-key: KEY\"",
        )
    })?;
    // All are compared, each in the same time whatever it has in common.
    let fits = keys.iter().fold(subtle::Choice::from(0), |fits, key| fits | key.as_bytes().ct_eq(shown));
    if bool::from(fits) { Ok(()) } else { Err(Failure::new(Kind::Unauthorized, "this key is not known")) }
}
