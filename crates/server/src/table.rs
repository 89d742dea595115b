//! Routes that are listed while they are made, so that the document about them can be held to the list.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{get, post};

use crate::app::App;

/// Routes, and a list of them: method and path.
#[derive(Default)]
pub(crate) struct Table {
    router: Router<Arc<App>>,
    listed: Vec<(&'static str, &'static str)>,
}

impl Table {
    pub(crate) fn get<T: 'static>(mut self, path: &'static str, handler: impl Handler<T, Arc<App>>) -> Self {
        self.listed.push(("get", path));
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    pub(crate) fn post<T: 'static>(mut self, path: &'static str, handler: impl Handler<T, Arc<App>>) -> Self {
        self.listed.push(("post", path));
        Self { router: self.router.route(path, post(handler)), ..self }
    }

    /// These and others.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.listed.extend(other.listed);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// Method and path of each.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> &[(&'static str, &'static str)] {
        &self.listed
    }

    pub(crate) fn router(self) -> Router<Arc<App>> {
        self.router
    }
}
