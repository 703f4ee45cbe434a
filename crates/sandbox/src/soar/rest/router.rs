//! Which handler answers which request.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

use super::error::ApiError;
use super::{Shared, attachments, imports, incidents, middleware, notes, platform, session, table_data};

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let of_org = Router::new()
        .route("/functions", get(platform::functions))
        .route("/functions/{name}", get(platform::function))
        .route("/types/{type}", get(platform::data_table))
        .route("/types/{type}/fields", get(platform::fields))
        .route("/actions", get(platform::rules))
        .route("/workflows", get(platform::workflows))
        .route("/workflows/{id}", get(platform::workflow))
        .route("/playbooks/query_paged", post(platform::playbooks))
        .route("/playbooks/{id}", get(platform::playbook))
        .route("/scripts", get(platform::scripts))
        .route("/scripts/{id}", get(platform::script))
        .route("/configurations/imports", post(imports::post))
        .route("/configurations/imports/{id}", put(imports::put))
        .route("/message_destinations", get(platform::destinations))
        .route("/message_destinations/{id}", get(platform::destination).put(platform::put_destination))
        .route("/incidents/{id}", get(incidents::incident))
        .route("/tasks/{id}", get(incidents::task))
        .route("/incidents/{id}/table_data", get(table_data::tables))
        .route("/incidents/{id}/table_data/{table}", get(table_data::list))
        .route("/incidents/{id}/table_data/{table}/row_data", post(table_data::post))
        .route(
            "/incidents/{id}/table_data/{table}/row_data/{row}",
            get(table_data::get).put(table_data::put).delete(table_data::delete),
        )
        .route("/{kind}/{id}/comments/{comment}", get(notes::get).put(notes::put).delete(notes::delete))
        .route("/{kind}/{id}/comments", get(notes::list).post(notes::add))
        .route("/{kind}/{id}/attachments", get(attachments::list).post(attachments::upload))
        .route(
            "/{kind}/{id}/attachments/{attachment}",
            get(attachments::metadata).delete(attachments::delete),
        )
        .route("/{kind}/{id}/attachments/{attachment}/contents", get(attachments::contents));
    let rest = Router::new()
        .route("/session", get(session::get).post(session::post))
        .route("/const", get(platform::constants))
        .route("/const/", get(platform::constants))
        .route("/orgs/{org}", get(platform::organisation))
        .nest("/orgs/{org}", of_org);
    Router::new()
        .nest(&format!("{}/rest", shared.prefix), rest)
        .fallback(|| async { ApiError::not_found("resource", "") })
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(shared.clone(), middleware::pass))
        .with_state(shared.clone())
}
