//! `qwill list`: the models in the hub's cache.

use std::time::{Duration, SystemTime};

use console::measure_text_width;
use indicatif::{DecimalBytes, HumanDuration};
use qwill::hub::{CachedModel, Hub, HubOptions};
use serde_json::{Value, json};

use crate::args::ListArgs;
use crate::failure::Failure;
use crate::terminal::{note, say};

pub(crate) fn list(args: &ListArgs) -> Result<(), Failure> {
    let options = HubOptions::from_env();
    let cache = options.cache.clone();
    let models = Hub::new(options).cached_models()?;
    if args.json {
        let models: Vec<Value> = models.iter().map(described).collect();
        say!("{}", json!({"cache": cache, "models": models}));
        return Ok(());
    }
    if models.is_empty() {
        note(&format!("There are no models in {}; qwill pull OWNER/NAME brings one.", cache.display()));
        return Ok(());
    }
    let rows: Vec<[String; 4]> = models.iter().map(row).collect();
    let head = ["NAME", "SIZE", "WHEN", "WHAT"].map(str::to_owned);
    let all = || [&head].into_iter().chain(&rows);
    let width = |column: usize| all().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    for [name, size, when, what] in all() {
        say!("{name:0$}  {size:>1$}  {when:2$}  {what}", widths[0], widths[1], widths[2]);
    }
    Ok(())
}

fn age(model: &CachedModel) -> Duration {
    SystemTime::now().duration_since(model.changed).unwrap_or_default()
}

fn row(model: &CachedModel) -> [String; 4] {
    let what =
        model.kind().map_or_else(|| "?".into(), |kind| format!("{}, {}", kind.architecture, kind.format));
    let when = format!("{} ago", HumanDuration(age(model)));
    [model.id.to_string(), DecimalBytes(model.bytes).to_string(), when, what]
}

fn described(model: &CachedModel) -> Value {
    let kind = model.kind();
    let changed = model.changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "name": model.id.to_string(),
        "bytes": model.bytes,
        "changed": changed.as_secs(),
        "architecture": kind.as_ref().map(|kind| &kind.architecture),
        "format": kind.as_ref().map(|kind| &kind.format),
    })
}
