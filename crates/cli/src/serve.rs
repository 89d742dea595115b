//! `qwill serve`: models over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use qwill::KvType;
use qwill_server::{LoadAt, ModelSource, Options, Server};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::args::{ServeArgs, ServedArg, SetupArgs};
use crate::failure::{Failure, about};
use crate::model::{load_with, options};

pub(crate) fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let keys = keys(args)?;
    if !args.host.is_loopback() && keys.is_empty() {
        eprintln!("qwill: anybody who reaches {} may ask this server: --api-key asks for a key", args.host);
    }
    let at = if args.lazy { LoadAt::FirstUse } else { LoadAt::Start };
    let server = Server::new(sources(&args.model, &args.setup, at), limits(args, keys))?;
    Runtime::new()?.block_on(async {
        // Taken before models are loaded, which may be for nothing otherwise.
        let listener = TcpListener::bind(SocketAddr::new(args.host, args.port)).await?;
        server.load().await?;
        let names: Vec<&str> = args.model.iter().map(|model| model.name.as_str()).collect();
        eprintln!("{} at http://{}", names.join(", "), listener.local_addr()?);
        Ok(server.serve(listener, told_to_end()?).await?)
    })
}

/// The models that arguments name, all set up in the same way.
pub(crate) fn sources(models: &[ServedArg], setup: &SetupArgs, at: LoadAt) -> Vec<ModelSource> {
    let source = |model: &ServedArg| {
        let (source, options, adapters) =
            (model.source.clone(), options(setup, KvType::F16), setup.lora.clone());
        ModelSource::new(&model.name, at, move || Ok(load_with(&source, &options, &adapters)?))
    };
    models.iter().map(source).collect()
}

fn limits(args: &ServeArgs, keys: Vec<String>) -> Options {
    Options {
        keys,
        origins: args.cors.clone(),
        max_loaded: args.max_loaded,
        max_requests: args.max_requests,
        max_body_bytes: args.max_body << 20,
        max_prompt_tokens: args.max_prompt,
        sessions_folder: args.sessions.clone(),
        request_timeout: Duration::from_secs(args.timeout),
        drain_timeout: Duration::from_secs(args.drain),
        ..Options::default()
    }
}

/// The keys of the arguments and of the file.
fn keys(args: &ServeArgs) -> Result<Vec<String>, Failure> {
    let mut keys = args.api_key.clone();
    if let Some(path) = &args.api_key_file {
        let text = std::fs::read_to_string(path).map_err(|error| about(path, error))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        keys.extend(lines.map(str::to_owned));
        if keys.is_empty() {
            return Err(about(path, "there is no key in it"));
        }
    }
    keys.retain(|key| !key.is_empty());
    Ok(keys)
}

/// Waits for Ctrl-C, or for what stops services.
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let terminate = {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signal = signal(SignalKind::terminate())?;
        async move { signal.recv().await }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<Option<()>>();
    Ok(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate => {}
        }
    })
}
