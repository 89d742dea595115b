//! Which route is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};

use crate::app::App;
use crate::failure::{Failure, Kind};
use crate::table::Table;
use crate::{anthropic, native, ollama, openai};

fn table() -> Table {
    openai::routes().and(anthropic::routes()).and(ollama::routes()).and(native::routes())
}

/// All routes.
pub(crate) fn router() -> Router<Arc<App>> {
    let no_route = async |uri: Uri| Failure::new(Kind::NoRoute, format!("there is no route {}", uri.path()));
    let no_method = async |method: Method, uri: Uri| {
        Failure::new(Kind::Method, format!("{} does not know {method}", uri.path()))
    };
    table().router().fallback(no_route).method_not_allowed_fallback(no_method)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: Value = serde_json::from_str(native::DOCUMENT).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let paths = document["paths"].as_object().unwrap().iter();
        let told: BTreeSet<(String, String)> = paths
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone()))
            })
            .collect();
        let table = table();
        let listed = table.listed().iter();
        let listed = listed.map(|(method, path)| ((*method).to_owned(), path.replace("{*", "{"))).collect();
        assert_eq!(told, listed);
    }
}
