//! The Discord simulator without a bot, used through plain HTTP and a plain websocket.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test, in helpers as well")]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use sim::discord::{DiscordOptions, DiscordSim, Limit, LostResponse, Route, Scope};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::CloseFrame},
};

/// Intents of guilds, guild messages, direct messages and message content.
const INTENTS: u64 = 1 | 1 << 9 | 1 << 12 | 1 << 15;

async fn start(change: impl FnOnce(&mut DiscordOptions)) -> DiscordSim {
    let mut options = DiscordOptions::default();
    change(&mut options);
    DiscordSim::start(options).await.unwrap()
}

/// A request with the bot's token and user agent.
fn request(sim: &DiscordSim, method: Method, path: &str) -> RequestBuilder {
    reqwest::Client::new()
        .request(method, format!("{}/api/v10{path}", sim.url()))
        .header("authorization", format!("Bot {}", sim.token()))
        .header("user-agent", "DiscordBot (https://example.com, 1)")
}

async fn call(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn get(sim: &DiscordSim, path: &str) -> (u16, Value) {
    call(request(sim, Method::GET, path)).await
}

async fn post(sim: &DiscordSim, path: &str, body: &Value) -> (u16, Value) {
    call(request(sim, Method::POST, path).json(body)).await
}

fn message(content: &str, nonce: &str) -> Value {
    json!({"content": content, "nonce": nonce, "enforce_nonce": true, "allowed_mentions": {"parse": []}})
}

fn messages_of(channel: u64) -> String {
    format!("/channels/{channel}/messages")
}

fn id(value: &Value) -> u64 {
    value["id"].as_str().unwrap().parse().unwrap()
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(sim: &DiscordSim) -> Self {
        let (_, gateway) = get(sim, "/gateway").await;
        let url = format!("{}/?v=10&encoding=json", gateway["url"].as_str().unwrap());
        let mut socket = Self(connect_async(url).await.unwrap().0);
        assert_eq!(socket.next().await["op"], 10);
        socket
    }

    /// Connects, identifies, and reads the events of the start.
    async fn identified(sim: &DiscordSim, intents: u64) -> (Self, Value) {
        let mut socket = Self::open(sim).await;
        socket.identify(sim, intents).await;
        let ready = socket.event("READY").await;
        socket.event("GUILD_CREATE").await;
        (socket, ready)
    }

    async fn resumed(sim: &DiscordSim, session: &Value, seq: u64) -> Self {
        let mut socket = Self::open(sim).await;
        let data = json!({"token": sim.token(), "session_id": session, "seq": seq});
        socket.send(json!({"op": 6, "d": data})).await;
        socket
    }

    async fn identify(&mut self, sim: &DiscordSim, intents: u64) {
        let properties = json!({"os": "linux", "browser": "test", "device": "test"});
        let data = json!({"token": sim.token(), "intents": intents, "properties": properties, "shard": [0, 1]});
        self.send(json!({"op": 2, "d": data})).await;
    }

    async fn send(&mut self, payload: Value) {
        self.0.send(Message::text(payload.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a payload: {other:?}"),
            }
        }
    }

    /// Reads the next payload, which must be this event.
    async fn event(&mut self, name: &str) -> Value {
        let payload = self.next().await;
        assert_eq!(payload["t"], name, "{payload}");
        payload["d"].clone()
    }

    /// Reads a close frame and returns its code.
    async fn close_code(&mut self) -> u16 {
        match self.0.next().await {
            Some(Ok(Message::Close(Some(frame)))) => frame.code.into(),
            other => panic!("not closed: {other:?}"),
        }
    }
}

#[tokio::test]
async fn session_starts_with_ready_and_guilds_and_receives_messages() {
    let sim = start(|_| {}).await;
    let (mut socket, ready) = Socket::identified(&sim, INTENTS).await;
    assert_eq!(ready["user"]["id"], sim.bot_id().to_string());
    assert_eq!(ready["application"]["id"], sim.application_id().to_string());
    assert_eq!(ready["guilds"][0]["unavailable"], true);
    let said = sim.say(sim.general(), "alice", "hi");
    let event = socket.event("MESSAGE_CREATE").await;
    assert_eq!((id(&event), &event["content"], &event["channel_type"]), (said, &json!("hi"), &json!(0)));
    assert!(event["guild_id"].is_string() && event["member"].is_object());
    assert_eq!(sim.violations(), [""; 0]);
}

#[tokio::test]
async fn wrong_token_gets_401_and_close_4004() {
    let sim = start(|_| {}).await;
    let wrong = reqwest::Client::new().get(format!("{}/api/v10/users/@me", sim.url()));
    let wrong = wrong.header("authorization", "Bot wrong").header("user-agent", "DiscordBot (x, 1)");
    assert_eq!(call(wrong).await.0, 401);
    assert_eq!(sim.invalid_requests(), 1);
    let mut socket = Socket::open(&sim).await;
    socket.send(json!({"op": 2, "d": {"token": "wrong", "intents": 1, "properties": {}}})).await;
    assert_eq!(socket.close_code().await, 4004);
}

#[tokio::test]
async fn disallowed_message_content_intent_gets_close_4014() {
    let sim = start(|options| options.message_content = false).await;
    let mut socket = Socket::open(&sim).await;
    socket.identify(&sim, INTENTS).await;
    assert_eq!(socket.close_code().await, 4014);
    sim.say(sim.general(), "alice", "secret");
    sim.say(sim.general(), "alice", &format!("{} open", sim.mention()));
    let (_, page) = get(&sim, &messages_of(sim.general())).await;
    assert_eq!((&page[1]["content"], page[0]["content"].as_str().unwrap().ends_with("open")), (&json!(""), true));
}

#[tokio::test]
async fn heartbeat_is_acknowledged_unless_the_gateway_is_silent() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    sim.silence_gateway(true);
    socket.send(json!({"op": 1, "d": 2})).await;
    sim.say(sim.general(), "alice", "hi");
    sim.silence_gateway(false);
    socket.send(json!({"op": 1, "d": 2})).await;
    let (first, second) = (socket.next().await, socket.next().await);
    assert!([&first, &second].iter().any(|payload| payload["op"] == 11));
    assert!([&first, &second].iter().any(|payload| payload["t"] == "MESSAGE_CREATE"));
}

#[tokio::test]
async fn connection_without_heartbeats_is_closed() {
    let sim = start(|options| options.heartbeat_interval = Duration::from_millis(400)).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    assert_eq!(socket.close_code().await, 4000);
    sim.expect_violation("no heartbeat");
}

#[tokio::test]
async fn resume_replays_missed_events_in_order() {
    let sim = start(|_| {}).await;
    let (mut socket, ready) = Socket::identified(&sim, INTENTS).await;
    sim.drop_connection();
    assert!(socket.0.next().await.is_none_or(|frame| frame.is_err()), "no close frame was received");
    sim.wait_disconnected().await;
    sim.say(sim.general(), "alice", "one");
    sim.say(sim.general(), "alice", "two");
    let mut socket = Socket::resumed(&sim, &ready["session_id"], 2).await;
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "one");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "two");
    socket.event("RESUMED").await;
    assert_eq!((sim.identifies(), sim.resumes(), sim.connections()), (1, 1, 2));
}

#[tokio::test]
async fn refused_or_unknown_resume_gets_opcode_9() {
    let sim = start(|_| {}).await;
    let (_socket, ready) = Socket::identified(&sim, INTENTS).await;
    sim.refuse_resume(1);
    for session in [&ready["session_id"], &json!("unknown")] {
        let mut socket = Socket::resumed(&sim, session, 2).await;
        assert_eq!(socket.next().await, json!({"op": 9, "d": false}));
    }
}

#[tokio::test]
async fn refused_identify_can_be_repeated_on_the_same_connection() {
    let sim = start(|_| {}).await;
    sim.refuse_identify(1);
    let mut socket = Socket::open(&sim).await;
    socket.identify(&sim, INTENTS).await;
    assert_eq!(socket.next().await, json!({"op": 9, "d": false}));
    socket.identify(&sim, INTENTS).await;
    socket.event("READY").await;
    assert_eq!((sim.identifies(), sim.violations().len()), (2, 0));
}

#[tokio::test]
async fn strict_gateway_refuses_two_identifies_within_five_seconds() {
    let sim = start(|options| options.strict_identify = true).await;
    let _first = Socket::identified(&sim, INTENTS).await;
    let mut socket = Socket::open(&sim).await;
    socket.identify(&sim, INTENTS).await;
    assert_eq!(socket.next().await, json!({"op": 9, "d": false}));
    sim.expect_violation("within five seconds");
}

#[tokio::test]
async fn reconnect_request_keeps_the_session_and_invalid_session_ends_it() {
    let sim = start(|_| {}).await;
    let (mut socket, ready) = Socket::identified(&sim, INTENTS).await;
    sim.send_reconnect();
    assert_eq!(socket.next().await["op"], 7);
    let mut socket = Socket::resumed(&sim, &ready["session_id"], 2).await;
    socket.event("RESUMED").await;
    sim.send_invalid_session(false);
    assert_eq!(socket.next().await, json!({"op": 9, "d": false}));
    sim.wait_disconnected().await;
    let mut socket = Socket::resumed(&sim, &ready["session_id"], 3).await;
    assert_eq!(socket.next().await, json!({"op": 9, "d": false}));
}

#[tokio::test]
async fn typing_is_counted_and_can_be_awaited() {
    let sim = start(|_| {}).await;
    let typing = format!("/channels/{}/typing", sim.general());
    let sent = async { call(request(&sim, Method::POST, &typing)).await };
    let ((), (status, _)) = tokio::join!(sim.wait_for_typing(sim.general()), sent);
    assert_eq!((status, sim.typing_count(sim.general()), sim.requests_of(Route::Typing)), (204, 1, 1));
}

#[tokio::test]
async fn close_frame_of_the_client_is_answered_and_ends_the_session() {
    let sim = start(|_| {}).await;
    let (mut socket, ready) = Socket::identified(&sim, INTENTS).await;
    let goodbye = CloseFrame { code: 1000.into(), reason: "".into() };
    socket.0.send(Message::Close(Some(goodbye))).await.unwrap();
    assert_eq!(socket.close_code().await, 1000);
    let mut socket = Socket::resumed(&sim, &ready["session_id"], 2).await;
    assert_eq!(socket.next().await, json!({"op": 9, "d": false}));
}

#[tokio::test]
async fn second_identify_and_early_payload_are_violations() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    socket.identify(&sim, INTENTS).await;
    assert_eq!(socket.close_code().await, 4005);
    sim.expect_violation("IDENTIFY twice");
    let mut socket = Socket::open(&sim).await;
    socket.send(json!({"op": 3, "d": {}})).await;
    assert_eq!(socket.close_code().await, 4003);
    sim.expect_violation("before IDENTIFY");
    assert_eq!(sim.violations(), [""; 0]);
}

#[tokio::test]
async fn identifies_count_towards_the_session_limit() {
    let sim = start(|_| {}).await;
    sim.set_session_limit(1, Duration::from_secs(60));
    let _first = Socket::identified(&sim, INTENTS).await;
    let (_, limit) = get(&sim, "/gateway/bot").await;
    assert_eq!(limit["session_start_limit"]["remaining"], 0);
    let mut socket = Socket::open(&sim).await;
    socket.identify(&sim, INTENTS).await;
    assert_eq!(socket.close_code().await, 4004);
    sim.expect_violation("session start limit");
}

#[tokio::test]
async fn close_code_decides_whether_a_session_can_be_resumed() {
    let sim = start(|_| {}).await;
    for (code, resumable) in [(4000, true), (4009, false)] {
        let (mut socket, ready) = Socket::identified(&sim, INTENTS).await;
        sim.close_with(code);
        assert_eq!(socket.close_code().await, code);
        let mut socket = Socket::resumed(&sim, &ready["session_id"], 2).await;
        assert_eq!(socket.next().await["t"] == "RESUMED", resumable, "{code}");
    }
}

#[tokio::test]
async fn events_can_be_repeated_and_reordered() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    sim.reverse_next_events(2);
    let first = sim.say(sim.general(), "alice", "first");
    sim.say(sim.general(), "alice", "second");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "second");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "first");
    sim.redeliver(first);
    let again = socket.next().await;
    assert_eq!((id(&again["d"]), again["s"].as_u64()), (first, Some(5)));
}

#[tokio::test]
async fn gateway_can_refuse_connections_and_withhold_hello() {
    let sim = start(|_| {}).await;
    let url = format!("{}/?v=10&encoding=json", sim.url().replace("http", "ws"));
    sim.refuse_connections(true);
    assert!(connect_async(&url).await.is_err());
    sim.refuse_connections(false);
    sim.withhold_hello(true);
    let mut socket = Socket(connect_async(&url).await.unwrap().0);
    let hello = tokio::time::timeout(Duration::from_millis(20), socket.next()).await;
    assert!(hello.is_err());
    sim.withhold_hello(false);
    assert_eq!(socket.next().await["op"], 10);
}

#[tokio::test]
async fn posted_message_is_visible_and_dispatched() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    let said = sim.say(sim.general(), "alice", "hi");
    socket.event("MESSAGE_CREATE").await;
    let mut reply = message("hello", "n1");
    reply["message_reference"] = json!({"message_id": said.to_string(), "fail_if_not_exists": false});
    let (status, sent) = post(&sim, &messages_of(sim.general()), &reply).await;
    assert_eq!((status, &sent["nonce"], &sent["type"]), (200, &json!("n1"), &json!(19)));
    assert_eq!(id(&socket.event("MESSAGE_CREATE").await), id(&sent));
    assert_eq!(sim.unread().len(), 1);
    let seen = sim.next_message(sim.general()).await;
    assert_eq!((seen.content.as_str(), seen.reply_to, seen.nonce.as_deref()), ("hello", Some(said), Some("n1")));
    assert!(sim.unread().is_empty() && sim.try_next_message(sim.general()).is_none());
    assert_eq!(sim.transcript(sim.general()), "alice: hi\nbot: hello");
    assert_eq!(sim.violations(), [""; 0]);
}

#[tokio::test]
async fn repeated_nonce_returns_the_same_message_or_10008_once_deleted() {
    let sim = start(|_| {}).await;
    let path = messages_of(sim.general());
    sim.lose_response_next(Route::CreateMessage, LostResponse::BadGateway);
    assert_eq!(post(&sim, &path, &message("once", "n1")).await.0, 502);
    let (status, again) = post(&sim, &path, &message("once", "n1")).await;
    assert_eq!((status, sim.messages(sim.general()).len()), (200, 1));
    sim.delete(id(&again));
    let (status, error) = post(&sim, &path, &message("once", "n1")).await;
    assert_eq!((status, &error["code"]), (404, &json!(10008)));
}

#[tokio::test]
async fn lost_response_leaves_the_message_posted() {
    let sim = start(|_| {}).await;
    let path = messages_of(sim.general());
    sim.lose_response_next(Route::CreateMessage, LostResponse::Closed);
    let sent = request(&sim, Method::POST, &path).json(&message("one", "1")).send().await;
    assert!(sent.is_err(), "no response");
    sim.lose_response_next(Route::CreateMessage, LostResponse::Undecodable);
    assert_eq!(post(&sim, &path, &message("two", "2")).await, (200, Value::Null));
    sim.lose_response_next(Route::CreateMessage, LostResponse::BadGateway);
    assert_eq!(post(&sim, &path, &message("three", "3")).await.0, 502);
    assert_eq!(sim.transcript(sim.general()), "bot: one\nbot: two\nbot: three");
}

#[tokio::test]
async fn invalid_message_gets_discords_error_and_is_a_violation() {
    let sim = start(|_| {}).await;
    let path = messages_of(sim.general());
    for (body, code) in [
        (message(&"a".repeat(2_001), "1"), 50035),
        (message("  \n", "2"), 50006),
        (message("hi", &"n".repeat(26)), 50035),
    ] {
        let (status, error) = post(&sim, &path, &body).await;
        assert_eq!((status, &error["code"]), (400, &json!(code)));
        sim.expect_violation(&code.to_string());
    }
    let (status, _) = post(&sim, &path, &json!({"content": "@everyone"})).await;
    assert_eq!(status, 200, "Discord would let it pass");
    sim.expect_violation("could ping");
    sim.expect_violation("no enforced nonce");
    assert_eq!(sim.violations(), [""; 0]);
}

#[tokio::test]
async fn unknown_route_and_missing_header_are_violations() {
    let sim = start(|_| {}).await;
    assert_eq!(get(&sim, "/guilds/1/emojis").await.0, 404);
    sim.expect_violation("unknown route");
    let bare = reqwest::Client::new().get(format!("{}/api/v10/users/@me", sim.url()));
    assert_eq!(call(bare).await.0, 401);
    sim.expect_violation("no authorization");
    sim.expect_violation("user agent");
    assert_eq!(sim.violations(), [""; 0]);
}

#[tokio::test]
async fn pages_of_messages_are_newest_first() {
    let sim = start(|_| {}).await;
    let old = sim.say_in_past(sim.general(), "alice", "m0", 5);
    let ids: Vec<u64> = (1..6).map(|n| sim.say(sim.general(), "alice", &format!("m{n}"))).collect();
    assert!(old < ids[0]);
    let page = async |query: &str| {
        let (_, page) = get(&sim, &format!("{}?{query}", messages_of(sim.general()))).await;
        let texts = page.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap().to_owned());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(page("&limit=2").await, ["m5", "m4"]);
    assert_eq!(page(&format!("limit=2&before={}", ids[2])).await, ["m2", "m1"]);
    assert_eq!(page(&format!("limit=2&after={old}")).await, ["m2", "m1"]);
    assert_eq!(page(&format!("limit=3&around={}", ids[2])).await, ["m4", "m3", "m2"]);
    assert_eq!(get(&sim, &format!("{}?limit=101", messages_of(sim.general()))).await.0, 400);
    sim.expect_violation("limit");
}

#[tokio::test]
async fn uploaded_files_have_their_names_and_content() {
    let sim = start(|_| {}).await;
    let mut payload = message("see", "1");
    payload["attachments"] = json!([{"id": 0, "filename": "a.md"}]);
    let form = Form::new().text("payload_json", payload.to_string());
    let form = form.part("files[0]", Part::bytes(b"# hi".to_vec()).file_name("a.md"));
    let (status, sent) = call(request(&sim, Method::POST, &messages_of(sim.general())).multipart(form)).await;
    assert_eq!((status, &sent["attachments"][0]["size"]), (200, &json!(4)));
    let seen = sim.next_message(sim.general()).await;
    assert_eq!((seen.files[0].0.as_str(), &seen.files[0].1[..]), ("a.md", &b"# hi"[..]));
    assert_eq!(sim.violations(), [""; 0]);
}

#[tokio::test]
async fn message_beyond_the_limit_gets_429_and_ignoring_it_is_a_violation() {
    let five = Limit { requests: 5, per: Duration::from_secs(5) };
    let sim = start(|options| options.message_limit = five).await;
    let path = messages_of(sim.general());
    for n in 0..5 {
        let sent = request(&sim, Method::POST, &path).json(&message("hi", &n.to_string())).send().await.unwrap();
        assert_eq!(sent.headers()["x-ratelimit-remaining"], (4 - n).to_string());
    }
    let (status, body) = post(&sim, &path, &message("hi", "5")).await;
    assert_eq!((status, &body["global"]), (429, &json!(false)));
    assert!(body["retry_after"].as_f64().unwrap() <= 5.0);
    assert_eq!((sim.violations().len(), sim.invalid_requests()), (0, 1));
    assert_eq!(post(&sim, &path, &message("hi", "5")).await.0, 429);
    sim.expect_violation("sent during a 429");
}

#[tokio::test(start_paused = true)]
async fn injected_429_has_the_headers_of_its_scope() {
    let sim = start(|_| {}).await;
    let typing = format!("/channels/{}/typing", sim.general());
    for (scope, name) in [(Scope::Shared, "shared"), (Scope::Global, "global")] {
        sim.rate_limit_next(Route::Typing, Duration::from_millis(1), scope, 1);
        let answer = request(&sim, Method::POST, &typing).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"0.001".parse().unwrap()));
        assert_eq!(answer.headers()["x-ratelimit-scope"], name);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(post(&sim, &typing, &json!({})).await.0, 204);
    assert_eq!((sim.typing_count(sim.general()), sim.invalid_requests()), (1, 1), "a shared limit does not count");
}

#[tokio::test]
async fn injected_failure_does_not_perform_the_request() {
    let sim = start(|_| {}).await;
    let path = messages_of(sim.general());
    sim.fail_next("POST", "/channels/*/messages", 503, json!("busy"), 2);
    assert_eq!(post(&sim, &path, &message("hi", "1")).await.0, 503);
    assert_eq!(post(&sim, &path, &message("hi", "1")).await.0, 503);
    assert!(sim.messages(sim.general()).is_empty());
    assert_eq!(post(&sim, &path, &message("hi", "1")).await.0, 200);
    sim.hang_next(Route::CreateMessage);
    let hung = request(&sim, Method::POST, &path).json(&message("hi", "2")).timeout(Duration::from_millis(20));
    assert!(hung.send().await.unwrap_err().is_timeout());
    sim.set_down(true);
    assert_eq!(get(&sim, "/users/@me").await.0, 503);
    assert_eq!(sim.messages(sim.general()).len(), 1);
}

#[tokio::test]
async fn channel_can_be_refused_or_deleted_and_content_blocked() {
    let sim = start(|_| {}).await;
    let path = messages_of(sim.general());
    sim.refuse_channel(sim.general(), 403, 50013);
    let (status, error) = post(&sim, &path, &message("hi", "1")).await;
    assert_eq!((status, &error["code"]), (403, &json!(50013)));
    sim.allow_channel(sim.general());
    sim.block_content("rude");
    assert_eq!(post(&sim, &path, &message("so rude", "1")).await.1["code"], 200_000);
    sim.delete_channel(sim.general());
    assert_eq!(post(&sim, &path, &message("hi", "1")).await.1["code"], 10003);
    assert_eq!(sim.violations(), [""; 0], "a refusal that the bot could not foresee is no violation");
}

#[tokio::test]
async fn edits_deletions_and_previews_are_dispatched() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    let first = sim.say(sim.general(), "alice", "teh");
    let second = sim.say(sim.general(), "alice", "bye");
    socket.event("MESSAGE_CREATE").await;
    socket.event("MESSAGE_CREATE").await;
    sim.unfurl(first);
    let preview = socket.event("MESSAGE_UPDATE").await;
    assert_eq!((&preview["content"], &preview["edited_timestamp"]), (&json!("teh"), &Value::Null));
    sim.edit(first, "the");
    let edit = socket.event("MESSAGE_UPDATE").await;
    assert_eq!((&edit["content"], edit["edited_timestamp"].is_string()), (&json!("the"), true));
    sim.delete_bulk(&[first, second]);
    assert_eq!(socket.event("MESSAGE_DELETE_BULK").await["ids"], json!([first.to_string(), second.to_string()]));
}

#[tokio::test]
async fn direct_message_has_no_guild_and_thread_has_a_parent() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    sim.say(sim.dm("alice"), "alice", "psst");
    let direct = socket.event("MESSAGE_CREATE").await;
    assert_eq!((direct.get("guild_id"), &direct["channel_type"]), (None, &json!(1)));
    let thread = sim.thread(sim.general(), "plans");
    let created = socket.event("THREAD_CREATE").await;
    assert_eq!((id(&created), &created["parent_id"]), (thread, &json!(sim.general().to_string())));
}

#[tokio::test]
async fn command_is_answered_through_its_token() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    let used = sim.slash(sim.general(), "alice", "ask", &json!({"prompt": "why?"}));
    let event = socket.event("INTERACTION_CREATE").await;
    assert_eq!(event["data"]["options"], json!([{"name": "prompt", "type": 3, "value": "why?"}]));
    assert!(event["member"]["permissions"].is_string());
    let token = event["token"].as_str().unwrap();
    let callback = format!("/interactions/{}/{token}/callback", used.id());
    assert_eq!(post(&sim, &callback, &json!({"type": 5, "data": {"flags": 64}})).await.0, 204);
    assert_eq!(post(&sim, &callback, &json!({"type": 5})).await.1["code"], 40060);
    sim.expect_violation("40060");
    let original = format!("/webhooks/{}/{token}/messages/@original", sim.application_id());
    let edit = json!({"content": "because", "allowed_mentions": {"parse": []}});
    assert_eq!(call(request(&sim, Method::PATCH, &original).json(&edit)).await.0, 200);
    let response = used.response().await;
    assert_eq!((response.content.as_str(), response.ephemeral, response.deferred), ("because", true, true));
    let (_, page) = get(&sim, &messages_of(sim.general())).await;
    assert_eq!(page, json!([]), "an ephemeral message is not listed");
    let follow_up = format!("/webhooks/{}/{token}", sim.application_id());
    assert_eq!(post(&sim, &follow_up, &edit).await.0, 200);
    assert_eq!(used.followups().len(), 1);
    assert_eq!(sim.violations(), [""; 0]);
}

#[tokio::test]
async fn buttons_and_autocompletion_can_be_used() {
    let sim = start(|_| {}).await;
    let (mut socket, _) = Socket::identified(&sim, INTENTS).await;
    let mut offer = message("again?", "1");
    let button = json!({"type": 2, "style": 1, "label": "Retry", "custom_id": "retry"});
    offer["components"] = json!([{"type": 1, "components": [button]}]);
    let (_, sent) = post(&sim, &messages_of(sim.general()), &offer).await;
    socket.event("MESSAGE_CREATE").await;
    let answer = async |event: Value, body: Value| {
        let path = format!("/interactions/{}/{}/callback", id(&event), event["token"].as_str().unwrap());
        assert_eq!(post(&sim, &path, &body).await, (204, Value::Null));
    };
    let pressed = sim.press(id(&sent), "retry", "alice");
    let event = socket.event("INTERACTION_CREATE").await;
    assert_eq!(event["message"]["id"], sent["id"]);
    answer(
        event,
        json!({"type": 7, "data": {"content": "again!", "components": [], "allowed_mentions": {"parse": []}}}),
    )
    .await;
    assert_eq!(pressed.response().await.content, "again!");
    assert_eq!(socket.event("MESSAGE_UPDATE").await["components"], json!([]));
    let typed = sim.autocomplete(sim.general(), "alice", "agent", "name", "he");
    let event = socket.event("INTERACTION_CREATE").await;
    assert_eq!(event["data"]["options"][0]["focused"], true);
    answer(event, json!({"type": 8, "data": {"choices": [{"name": "Helper", "value": "7"}]}})).await;
    assert_eq!(typed.response().await.choices, [("Helper".to_owned(), json!("7"))]);
}

#[tokio::test(start_paused = true)]
async fn late_callback_gets_unknown_interaction() {
    let sim = start(|_| {}).await;
    let used = sim.slash(sim.general(), "alice", "ask", &json!({}));
    tokio::time::advance(Duration::from_millis(3_001)).await;
    let path = format!("/interactions/{0}/sim-interaction-{0}/callback", used.id());
    assert_eq!(post(&sim, &path, &json!({"type": 5})).await.1["code"], 10062);
    sim.expect_violation("10062");
}

#[tokio::test]
async fn registered_commands_are_checked_and_keep_their_ids() {
    let sim = start(|_| {}).await;
    let path = format!("/applications/{}/commands", sim.application_id());
    let put = async |definitions: Value| call(request(&sim, Method::PUT, &path).json(&definitions)).await;
    let ask = json!({"name": "ask", "description": "Ask the agent", "default_member_permissions": null});
    let (status, first) = put(json!([ask])).await;
    assert_eq!((status, sim.command_puts()), (200, 1));
    let (_, second) = put(json!([ask])).await;
    assert_eq!(first[0]["id"], second[0]["id"]);
    assert_eq!(put(json!([{"name": "Ask Me", "description": "x"}])).await.0, 400);
    sim.expect_violation("name");
    assert_eq!(get(&sim, &path).await.1, second);
    assert_eq!(sim.commands(), second);
}

#[tokio::test]
async fn shutdown_frees_the_port() {
    let sim = start(|_| {}).await;
    let _socket = Socket::identified(&sim, INTENTS).await;
    let port = sim.url().rsplit(':').next().unwrap().parse().unwrap();
    sim.shutdown().await;
    let again = start(|options| options.port = port).await;
    assert_eq!(get(&again, "/users/@me").await.0, 200);
}
