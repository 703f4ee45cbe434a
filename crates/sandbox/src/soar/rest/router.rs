//! Which handler answers which request.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::error::ApiError;
use super::{
    Shared, artifacts, attachments, exports, imports, incidents, instances, middleware, notes, people,
    platform, search, session, table_data, tasks,
};

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let of_org = customizations().merge(incidents_and_tasks());
    let rest = Router::new()
        .route("/session", get(session::get).post(session::post))
        .route("/const", get(platform::constants))
        .route("/const/", get(platform::constants))
        .route("/search_ex", post(search::search))
        .route("/orgs/{org}", get(platform::organisation))
        .nest("/orgs/{org}", of_org);
    Router::new()
        .nest(&format!("{}/rest", shared.prefix), rest)
        .fallback(|| async { ApiError::not_found("resource", "") })
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(shared.clone(), middleware::pass))
        .with_state(shared.clone())
}

/// What administrators arrange.
fn customizations() -> Router<Arc<Shared>> {
    Router::new()
        .route("/functions", get(platform::functions))
        .route("/functions/{name}", get(platform::function))
        .route("/types", get(platform::types))
        .route("/types/{type}", get(platform::data_table))
        .route("/types/{type}/fields", get(platform::fields))
        .route("/incident_types", get(platform::incident_types))
        .route("/artifact_types", get(platform::artifact_types))
        .route("/phases", get(platform::phases))
        .route("/layouts", get(platform::layouts))
        .route("/connectors/queues", get(platform::connector_queues))
        .route("/actions", get(platform::rules))
        .route("/workflows", get(platform::workflows))
        .route("/workflows/{id}", get(platform::workflow))
        .route("/playbooks/query_paged", post(platform::playbooks))
        .route("/playbooks/{id}", get(platform::playbook))
        .route("/scripts", get(platform::scripts))
        .route("/scripts/{id}", get(platform::script))
        .route("/configurations/imports", get(imports::history).post(imports::post))
        .route("/configurations/imports/history", get(imports::history))
        .route("/configurations/imports/{id}", get(imports::get).put(imports::put))
        .route("/configurations/exports", post(exports::post))
        .route("/configurations/exports/", post(exports::post))
        .route("/configurations/exports/history", get(exports::history))
        .route("/configurations/exports/{id}", get(exports::get).post(exports::get))
        .route("/message_destinations", get(platform::destinations))
        .route("/message_destinations/{id}", get(platform::destination).put(platform::put_destination))
        .route("/users", get(people::users))
        .route("/users/{id}", get(people::one))
        .route("/groups", get(people::groups))
}

/// What analysts work on.
fn incidents_and_tasks() -> Router<Arc<Shared>> {
    Router::new()
        .route("/incidents", get(incidents::list).post(incidents::post))
        .route("/incidents/query", post(incidents::query))
        .route("/incidents/query_paged", post(incidents::query_paged))
        .route(
            "/incidents/{id}",
            get(incidents::get).put(incidents::put).patch(incidents::patch).delete(incidents::delete),
        )
        .route("/incidents/{id}/tasks", get(tasks::list).post(tasks::post))
        .route("/tasks/{id}", get(tasks::get).put(tasks::put).delete(tasks::delete))
        .route("/incidents/{id}/artifacts", get(artifacts::list).post(artifacts::post))
        .route(
            "/incidents/{id}/artifacts/{artifact}",
            get(artifacts::get).put(artifacts::put).delete(artifacts::delete),
        )
        .route("/incidents/{id}/workflow_instances", get(instances::of_incident))
        .route("/workflow_instances/{id}", get(instances::one))
        .route("/playbooks/execution/query_paged", post(instances::playbooks))
        .route("/incidents/{id}/table_data", get(table_data::tables))
        .route("/incidents/{id}/table_data/{table}", get(table_data::list))
        .route(
            "/incidents/{id}/table_data/{table}/row_data",
            post(table_data::post).delete(table_data::clear),
        )
        .route(
            "/incidents/{id}/table_data/{table}/row_data/{row}",
            get(table_data::get).put(table_data::put).delete(table_data::delete),
        )
        .route("/{kind}/{id}/comments", get(notes::list).post(notes::add))
        .route("/{kind}/{id}/comments/{comment}", get(notes::get).put(notes::put).delete(notes::delete))
        .route("/{kind}/{id}/attachments", get(attachments::list).post(attachments::upload))
        .route(
            "/{kind}/{id}/attachments/{attachment}",
            get(attachments::metadata).delete(attachments::delete),
        )
        .route("/{kind}/{id}/attachments/{attachment}/contents", get(attachments::contents))
}
