//! A server: its models, its routes, and how it begins and ends.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::app::{App, Phase};
use crate::front;
use crate::options::Options;
use crate::registry::{LoadAt, ModelSource, Registry};
use crate::routes;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to serve.
    #[error("a server needs a model")]
    NoModel,
    /// Two models of one name.
    #[error("two models are called \"{0}\"")]
    NameTwice(String),
    /// An origin that no browser sends.
    #[error("\"{0}\" is no origin, which is a scheme, a host and a port as in https://example.org:8443")]
    Origin(String),
    /// A model that cannot be loaded.
    #[error("{0}")]
    Load(String),
    /// The network.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Models behind HTTP. [The crate's page](crate) has an example.
pub struct Server {
    app: Arc<App>,
    cors: Option<CorsLayer>,
}

impl Server {
    /// A server of these models. Requests that name none mean the first.
    ///
    /// # Errors
    /// If there is no model, two have one name, or an origin is none.
    pub fn new(models: Vec<ModelSource>, options: Options) -> Result<Self, Error> {
        if models.is_empty() {
            return Err(Error::NoModel);
        }
        let mut names = HashSet::new();
        if let Some(model) = models.iter().find(|model| !names.insert(model.name.clone())) {
            return Err(Error::NameTwice(model.name.clone()));
        }
        let cors = cors(&options.origins)?;
        let registry = Registry::new(models, options.max_loaded, options.max_requests);
        Ok(Self { app: Arc::new(App::new(options, registry)), cors })
    }

    /// Loads the models that are to be loaded at the start.
    ///
    /// # Errors
    /// If one cannot be.
    pub async fn load(&self) -> Result<(), Error> {
        for slot in self.app.registry.slots().iter().filter(|slot| slot.load_at() == LoadAt::Start) {
            let loaded = self.app.registry.loaded(slot.clone()).await;
            loaded.map_err(|failure| Error::Load(failure.message))?;
        }
        Ok(())
    }

    /// The routes, for programs that serve others besides.
    pub fn router(&self) -> Router {
        let router = routes::router().layer(from_fn_with_state(self.app.clone(), front::pass));
        let router = match &self.cors {
            Some(cors) => router.layer(cors.clone()),
            None => router,
        };
        router.with_state(self.app.clone())
    }

    /// Answers until `shutdown`. What runs then has [`Options::drain_timeout`] to end, while what is new is refused with 503;
    /// behind it what still runs ends where it is, as if its tokens were used up.
    ///
    /// # Errors
    /// If the network fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let (app, limit) = (self.app.clone(), self.app.options.drain_timeout);
        let (drained, is_drained) = watch::channel(false);
        let drain = async move {
            shutdown.await;
            tracing::info!("the server ends when its replies have");
            app.phase.send_replace(Phase::Draining);
            if !app.registry.quiet(limit).await {
                app.phase.send_replace(Phase::Ending);
                app.registry.quiet(app.options.client_timeout).await;
            }
            drained.send_replace(true);
        };
        let wait = |mut is_drained: watch::Receiver<bool>| async move {
            // The sender lives as long as what sends it.
            let _ = is_drained.wait_for(|is_drained| *is_drained).await;
        };
        let patience = self.app.options.client_timeout;
        let serving = axum::serve(listener, self.router()).with_graceful_shutdown(wait(is_drained.clone()));
        tokio::spawn(drain);
        tokio::select! {
            served = serving => Ok(served?),
            // Clients that do not read must not keep it.
            () = async { wait(is_drained).await; tokio::time::sleep(patience).await } => Ok(()),
        }
    }
}

fn cors(origins: &[String]) -> Result<Option<CorsLayer>, Error> {
    if origins.is_empty() {
        return Ok(None);
    }
    let layer = CorsLayer::new().allow_methods(Any).allow_headers(Any).expose_headers(Any);
    if origins.iter().any(|origin| origin == "*") {
        return Ok(Some(layer.allow_origin(Any)));
    }
    let parse = |origin: &String| {
        let is_origin =
            origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
        let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin);
        value.ok_or_else(|| Error::Origin(origin.clone()))
    };
    let origins = origins.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(layer.allow_origin(AllowOrigin::list(origins))))
}
