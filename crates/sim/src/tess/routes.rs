//! The routes, and the checks before them, in the order of the real service.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    fault::{Fault, Route},
    file_routes,
    net::Cut,
    responses::{http_524, json_response, rate_limit, respond},
    state::{AtWaitLimit, Params, Shared, Sim},
    stream,
    validate::validate,
};

/// Size of the largest request, in bytes.
const BODY_BYTES: usize = 16 * 1024 * 1024;

/// Headers kept with an execution.
const HEADERS_KEPT: [&str; 4] = ["accept", "content-type", "user-agent", "x-workspace-id"];

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let routes = Router::new()
        .route("/agents", get(list_agents))
        .route("/agents/{id}", get(show_agent))
        .route("/agents/{id}/execute", post(execute))
        .route("/agent-responses/{id}", get(poll))
        .merge(file_routes::router(shared.options.file_bytes))
        .route_layer(middleware::from_fn_with_state(shared.clone(), check));
    Router::new()
        .nest("/api", routes.clone())
        .merge(routes)
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(shared)
}

async fn unknown(State(sim): Sim, method: Method, uri: Uri) -> Response {
    sim.change(|world| world.record_violation(format!("unknown route {method} {}", uri.path())));
    json_response(404, &json!({"message": "Not found"}))
}

/// Checks the headers, the key, the workspace and the rate limit of a request.
async fn check(State(sim): Sim, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if request.uri().path().ends_with("/execute") && request.method() == Method::POST {
        sim.change(|world| world.execute_requests += 1);
    }
    if !text("accept").is_some_and(|accept| accept.contains("application/json")) {
        sim.change(|world| world.record_violation("no Accept: application/json"));
        return (StatusCode::NOT_ACCEPTABLE, [(header::CONTENT_TYPE, "text/html")], "<html></html>").into_response();
    }
    if text("authorization").is_none() {
        sim.change(|world| world.record_violation("no Authorization header"));
    }
    if text("authorization") != Some(&format!("Bearer {}", sim.options.key)) {
        return json_response(403, &json!({"error": "Invalid authentication"}));
    }
    if let Some(workspace) = sim.options.workspace {
        match text("x-workspace-id").and_then(|id| id.parse::<u64>().ok()) {
            None => return json_response(422, &json!({"message": "The x-workspace-id header is required."})),
            Some(id) if id != workspace => {
                return json_response(403, &json!({"message": "You do not have access to this workspace."}));
            }
            Some(_) => {}
        }
    }
    let per_second = sim.options.requests_per_second;
    if !sim.change(|world| world.within_rate(per_second)) {
        return rate_limit(Some(1.0), false);
    }
    next.run(request).await
}

/// `GET /agents`, in the form of Laravel's paginator.
async fn list_agents(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, Query(params): Params) -> Response {
    let number = |name: &str, default: usize| params.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, per_page) = (number("page", 1).max(1), number("per_page", 15).clamp(1, 100));
    let matches = |agent: &&Value| {
        let title = agent["title"].as_str().unwrap_or_default().to_lowercase();
        params.get("type").is_none_or(|kind| agent["type"] == kind.as_str())
            && params.get("q").is_none_or(|q| title.contains(&q.to_lowercase()))
    };
    let agents: Vec<Value> = sim.world().agents.values().filter(matches).cloned().collect();
    let last_page = agents.len().div_ceil(per_page).max(1);
    let data: Vec<&Value> = agents.iter().skip((page - 1) * per_page).take(per_page).collect();
    let url = |page: usize| format!("/agents?page={page}");
    let body = json!({
        "current_page": page, "data": data, "first_page_url": url(1), "from": (page - 1) * per_page + 1,
        "last_page": last_page, "last_page_url": url(last_page), "links": [],
        "next_page_url": (page < last_page).then(|| url(page + 1)), "path": "/agents", "per_page": per_page,
        "prev_page_url": (page > 1).then(|| url(page - 1)), "to": (page - 1) * per_page + data.len(),
        "total": agents.len(),
    });
    respond(&sim, Route::Agents, &body, cut).await
}

async fn show_agent(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, Path(id): Path<String>) -> Response {
    let agent = sim.change(|world| {
        world.agent_requests += 1;
        world.agents.get(&id.parse::<u64>().ok()?).cloned()
    });
    match agent {
        Some(agent) => respond(&sim, Route::Agents, &agent, cut).await,
        None => json_response(404, &json!({"message": "Agent not found"})),
    }
}

async fn poll(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, Path(id): Path<String>) -> Response {
    let polled = sim.change(|world| {
        world.polls += 1;
        world.poll(id.parse().ok()?)
    });
    match polled {
        Some(body) => respond(&sim, Route::Poll, &body, cut).await,
        None => json_response(404, &json!({"message": "Agent response not found"})),
    }
}

async fn execute(
    State(sim): Sim,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path(id): Path<String>,
    Query(params): Params,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (agent, body) = match read_request(&sim, &id, &body) {
        Ok(request) => request,
        Err((status, body)) => return json_response(status, &body),
    };
    let streams = body["stream"] == json!(true);
    let waits = [&body["waitExecution"], &body["wait_execution"]].contains(&&json!(true))
        || params.get("waitExecution").is_some_and(|value| value == "true");
    let fault = sim.change(|world| world.next_fault(Route::Execute));
    if let Some(response) = fault.as_ref().and_then(Fault::instead) {
        return response;
    }
    let kept =
        HEADERS_KEPT.iter().filter_map(|&name| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned())));
    let kept = kept.collect();
    let id = sim.change(|world| world.run(agent, body, kept, sim.options.delay, fault.as_ref()));
    if streams && stream::is_streamed(fault.as_ref()) {
        return stream::respond(sim, id, fault, cut);
    }
    let wait_exceeded = waits
        && !matches!(fault, Some(Fault::Http524 | Fault::Hang))
        && timeout(sim.options.wait_limit, sim.until_ended(id)).await.is_err();
    if wait_exceeded && sim.options.at_wait_limit == AtWaitLimit::Http524 {
        return http_524();
    }
    let response = sim.world().execute_response(id, waits, fault.as_ref());
    Fault::deliver(fault.as_ref(), &response, cut).await
}

/// Reads the agent and the body of a request.
///
/// # Errors
/// The status and body of the refusal.
fn read_request(sim: &Shared, id: &str, body: &[u8]) -> Result<(u64, Value), (u16, Value)> {
    let agent = id.parse().ok().and_then(|id: u64| Some((id, sim.world().agents.get(&id).cloned()?)));
    let Some((id, agent)) = agent else {
        return Err((404, json!({"message": "Agent not found"})));
    };
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        sim.change(|world| world.record_violation("a body that is not JSON"));
        return Err((400, json!({"error": "Validation failed", "messages": {"body": ["Not JSON."]}})));
    };
    let valid = validate(&agent, &body, |file| sim.world().files.status(file).map(str::to_owned));
    match valid {
        Ok(()) => Ok((id, body)),
        Err(invalid) => {
            if invalid.violation {
                sim.change(|world| world.record_violation(&invalid.message));
            }
            Err((422, invalid.body()))
        }
    }
}
