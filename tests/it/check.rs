//! `tess-discord check`, which prints one line per item with what to do, and the same warnings at the start.

use std::time::Duration;

use serde_json::json;
use sim::{
    discord::DiscordOptions,
    tess::{Fault, PAINTER, Route, TessOptions},
};
use tess_discord::check::{self, Report};

use crate::support::{Chat, Setup};

/// The six permissions that the bot needs.
const VIEW: u64 = 1 << 10;
const SEND: u64 = 1 << 11;
const EMBED: u64 = 1 << 14;
const ATTACH: u64 = 1 << 15;
const HISTORY: u64 = 1 << 16;
const SEND_IN_THREADS: u64 = 1 << 38;
const ALL: u64 = VIEW | SEND | EMBED | ATTACH | HISTORY | SEND_IN_THREADS;

/// Runs the checks without a running bot.
async fn checked(chat: &Chat, execute: bool) -> Report {
    check::run(chat.config(), execute).await.unwrap()
}

/// The report as text, with placeholders for what differs between runs.
async fn text(chat: &Chat, execute: bool) -> String {
    let report = checked(chat, execute).await;
    let text = report.to_string().replace(&chat.config().state_path.display().to_string(), "data/tess-discord.db");
    let text = text.replace(&chat.tess.url(), "https://tess.pareto.io/api");
    text.replace(&chat.discord.bot_id().to_string(), "112233445566778899")
}

/// The only line of the report with a problem, without its mark.
async fn problem(chat: &Chat) -> String {
    let report = checked(chat, false).await;
    assert!(!report.passed(), "{report}");
    let text = report.to_string();
    let mut problems = text.lines().filter_map(|line| line.strip_prefix("✗ "));
    let problem = problems.next().unwrap().to_owned();
    assert_eq!(problems.next(), None, "{text}");
    problem.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The problem that the checks find in a setup.
async fn problem_of(setup: Setup) -> String {
    let chat = setup.prepare().await;
    let problem = problem(&chat).await;
    chat.finish().await;
    problem
}

fn workspace(workspace: u64) -> TessOptions {
    TessOptions { workspace: Some(workspace), ..TessOptions::default() }
}

#[tokio::test]
async fn check_prints_one_line_per_item_when_everything_is_right() {
    let chat = Chat::setup().tess(workspace(11)).set("TESS_MODEL", "tess-5").prepare().await;
    assert!(checked(&chat, false).await.passed());
    insta::assert_snapshot!(text(&chat, false).await, @"
    ✓ Configuration   nothing is missing or misspelt
    ✓ Discord token   belongs to tess (user 112233445566778899)
    ✓ Intents         the bot may read messages (Message Content Intent)
    ✓ Session starts  1000 left
    ✓ Channel         every channel that the bot can read (DISCORD_CHANNEL_IDS is not set)
    ✓ State file      data/tess-discord.db can be written
    ✓ Tess host       https://tess.pareto.io/api answers
    ✓ Tess key        accepted
    ✓ Workspace       11 accepted
    ✓ Agent           Tess Helper (8794), a chat agent
    ✓ Options         TESS_MODEL, TESS_TEMPERATURE and TESS_TOOLS are the agent's, or not set

    The bot can run.
    ");
    assert_eq!(chat.tess.execute_requests(), 0);
    chat.finish().await;
}

#[tokio::test]
async fn operations_page_shows_a_real_report() {
    let mut chat = Chat::setup().tess(workspace(11)).set("TESS_MODEL", "gpt-9").prepare().await;
    let channel = chat.channel;
    chat.reconfigure(|config| config.intake.channels = [channel.into()].into());
    let text = text(&chat, false).await;
    assert!(include_str!("../../docs/operations.md").contains(&text), "{text}");
    chat.finish().await;
}

#[tokio::test]
async fn execute_option_runs_the_agent_once_and_shows_cost_and_time() {
    let chat = Chat::setup().prepare().await;
    let text = text(&chat, true).await;
    let line = text.lines().find(|line| line.contains("Execution")).unwrap();
    assert!(line.starts_with('✓') && line.contains(" s for ") && line.ends_with(" credits"), "{line}");
    assert_eq!(chat.tess.charged(), 1);
    chat.tess.no_credits_next();
    let text = self::text(&chat, true).await;
    assert!(text.contains("✗ Execution") && text.contains("top up the workspace's credits"), "{text}");
    chat.finish().await;
}

#[tokio::test]
async fn nothing_is_executed_after_another_problem_with_tess() {
    let chat = Chat::setup().set("TESS_MODEL", "gpt-9").prepare().await;
    assert!(!checked(&chat, true).await.passed());
    assert_eq!(chat.tess.execute_requests(), 0);
    chat.finish().await;
}

// Discord.

#[tokio::test]
async fn wrong_token_is_reported_and_ends_the_checks_of_discord() {
    let chat = Chat::setup().set("DISCORD_TOKEN", "x.y.z").prepare().await;
    insta::assert_snapshot!(problem(&chat).await, @"Discord token Discord refused the bot's token; at https://discord.com/developers/applications choose the application, Bot, Reset Token, and put it into DISCORD_TOKEN");
    assert_eq!(chat.discord.requests().len(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn unreachable_discord_is_reported() {
    let chat = Chat::setup().prepare().await;
    chat.discord.set_down(true);
    insta::assert_snapshot!(problem(&chat).await, @"Discord token Discord did not answer for certain: HTTP 503; check the network and DISCORD_API_URL, and try again");
    chat.finish().await;
}

#[tokio::test]
async fn missing_intent_is_reported() {
    let options = DiscordOptions { message_content: false, ..DiscordOptions::default() };
    insta::assert_snapshot!(problem_of(Chat::setup().discord(options)).await, @"Intents the bot may not read messages; at https://discord.com/developers/applications choose the application, Bot, and switch on Message Content Intent");
}

#[tokio::test]
async fn exhausted_identify_budget_is_reported() {
    let chat = Chat::setup().prepare().await;
    chat.discord.set_session_limit(0, Duration::from_secs(3_601));
    insta::assert_snapshot!(problem(&chat).await, @"Session starts none left, because the bot was started too often; wait 61 minutes");
    chat.finish().await;
}

#[tokio::test]
async fn missing_permissions_of_a_configured_channel_are_named() {
    let mut chat = Chat::setup().prepare().await;
    let (guild, channel, bot) = (chat.guild, chat.channel, chat.discord.bot_id());
    chat.reconfigure(|config| config.intake.channels = [channel.into()].into());
    assert!(checked(&chat, false).await.to_string().contains("#general in Sim: the bot has every permission it needs"));
    chat.discord.overwrite(channel, guild, 0, ATTACH | HISTORY);
    insta::assert_snapshot!(problem(&chat).await, @"Channel #general in Sim: in the channel's settings, Permissions, allow the bot's role: Read Message History, Attach Files");
    chat.discord.overwrite(channel, bot, ATTACH | HISTORY, 0);
    assert!(checked(&chat, false).await.passed());
    chat.discord.allow_everyone(guild, VIEW);
    insta::assert_snapshot!(problem(&chat).await, @"Channel #general in Sim: in the channel's settings, Permissions, allow the bot's role: Send Messages, Send Messages in Threads, Embed Links");
    let role = chat.discord.give_bot_role(guild, ALL);
    assert!(checked(&chat, false).await.passed());
    chat.discord.overwrite(channel, role, 0, SEND);
    insta::assert_snapshot!(problem(&chat).await, @"Channel #general in Sim: in the channel's settings, Permissions, allow the bot's role: Send Messages");
    chat.finish().await;
}

#[tokio::test]
async fn thread_has_the_permissions_of_its_channel() {
    let mut chat = Chat::setup().prepare().await;
    let thread = chat.discord.thread(chat.channel, "aside");
    chat.reconfigure(|config| config.intake.channels = [thread.into()].into());
    assert!(checked(&chat, false).await.passed());
    chat.discord.overwrite(chat.channel, chat.guild, 0, SEND_IN_THREADS);
    insta::assert_snapshot!(problem(&chat).await, @"Channel #aside in Sim: in the channel's settings, Permissions, allow the bot's role: Send Messages in Threads");
    chat.finish().await;
}

#[tokio::test]
async fn unknown_or_invisible_channel_is_reported() {
    let mut chat = Chat::setup().prepare().await;
    chat.reconfigure(|config| config.intake.channels = [4242.into()].into());
    insta::assert_snapshot!(problem(&chat).await, @"Channel 4242: Discord refused: 404, code 10003: Unknown Channel; remove it from DISCORD_CHANNEL_IDS, or correct the number");
    chat.discord.refuse_channel(4242, 403, 50001);
    insta::assert_snapshot!(problem(&chat).await, @"Channel 4242: Discord refused: 403, code 50001: Missing Access; invite the bot to the server, or give its role View Channel in this channel");
    chat.finish().await;
}

#[tokio::test]
async fn category_is_not_accepted_as_a_channel() {
    let mut chat = Chat::setup().prepare().await;
    chat.reconfigure(|config| config.intake.channels = [4242.into()].into());
    let category = json!({"id": "4242", "type": 4, "name": "Text", "guild_id": chat.guild.to_string()});
    chat.discord.fail_next("GET", "/channels/*", 200, category, 1);
    insta::assert_snapshot!(problem(&chat).await, @"Channel Text (4242) is a category; put its channels into DISCORD_CHANNEL_IDS");
    chat.finish().await;
}

// The state file.

#[tokio::test]
async fn unwritable_state_file_is_reported() {
    let problem = problem_of(Chat::setup().set("STATE_URL", "sqlite:/proc/nowhere/state.db")).await;
    assert!(problem.starts_with("State file the state's folder /proc/nowhere cannot be created"), "{problem}");
    assert!(problem.ends_with("set STATE_URL to a path that the bot may write to"), "{problem}");
}

#[tokio::test]
async fn state_file_of_a_running_bot_is_no_problem() {
    let chat = Chat::start().await;
    let report = checked(&chat, false).await;
    assert!(report.passed() && report.to_string().contains("is in use"), "{report}");
    chat.finish().await;
}

// Tess.

#[tokio::test]
async fn unreachable_tess_is_reported_with_the_other_host() {
    let chat = Chat::setup().prepare().await;
    chat.tess.refuse_connections(true).await;
    let problem = problem(&chat).await;
    assert!(problem.starts_with("Tess host Tess could not be reached: "), "{problem}");
    assert!(problem.contains("https://api.tess.im"), "{problem}");
    chat.finish().await;
}

#[tokio::test]
async fn html_in_place_of_the_api_is_reported_with_the_other_host() {
    let chat = Chat::setup().prepare().await;
    let body = "<!DOCTYPE html><html>404</html>".to_owned();
    chat.tess.fault_on(Route::Agents, Fault::Answer { status: 404, content_type: "text/html", body });
    insta::assert_snapshot!(problem(&chat).await, @"Tess host this is not Tess's API: HTTP 404; set TESS_API_URL to https://tess.pareto.io/api or https://api.tess.im");
    chat.finish().await;
}

#[tokio::test]
async fn wrong_key_is_reported() {
    insta::assert_snapshot!(problem_of(Chat::setup().set("TESS_API_KEY", "1|wrong")).await, @"Tess key Tess refused the API key: HTTP 403: Invalid authentication; make a new key in Tess under API Tokens and put it into TESS_API_KEY");
}

#[tokio::test]
async fn missing_and_foreign_workspaces_are_reported() {
    let setup = || Chat::setup().tess(workspace(11));
    insta::assert_snapshot!(problem_of(setup().set("TESS_WORKSPACE_ID", "")).await, @"Workspace Tess wants a workspace id: HTTP 422: The x-workspace-id header is required; set TESS_WORKSPACE_ID to the workspace's number, which Tess shows under Settings > Workspace");
    insta::assert_snapshot!(problem_of(setup().set("TESS_WORKSPACE_ID", "12")).await, @"Workspace Tess refused the workspace: HTTP 403: You do not have access to this workspace; put the number of a workspace that the key belongs to into TESS_WORKSPACE_ID; Tess shows it under Settings > Workspace");
}

#[tokio::test]
async fn unknown_agent_and_non_chat_agent_are_reported() {
    insta::assert_snapshot!(problem_of(Chat::setup().set("TESS_AGENT_ID", "424242")).await, @"Agent Tess does not know agent 424242: HTTP 404: Agent not found; the agent is gone, or the workspace does not see it: check TESS_AGENT_ID (the number in the URL of the agent's page) and TESS_WORKSPACE_ID");
    insta::assert_snapshot!(problem_of(Chat::setup().set("TESS_AGENT_ID", &PAINTER.to_string())).await, @"Agent Aquarela (60314) is of type image, which accepts no conversation; set TESS_AGENT_ID to a plain chat agent");
}

#[tokio::test]
async fn agent_with_required_questions_is_reported() {
    let chat = Chat::setup().prepare().await;
    chat.tess
        .add_question(chat.tess.default_agent(), json!({"type": "text", "name": "nome-da-empresa", "required": true}));
    insta::assert_snapshot!(problem(&chat).await, @"Agent Tess Helper (8794) requires an answer to nome-da-empresa with every message; set TESS_AGENT_ID to a plain chat agent");
    chat.finish().await;
}

#[tokio::test]
async fn each_invalid_default_option_is_reported() {
    let chat = Chat::setup().set("TESS_MODEL", "gpt-9").set("TESS_TEMPERATURE", "0.3").prepare().await;
    let text = text(&chat, false).await;
    let options: Vec<_> = text.lines().filter(|line| line.contains("Options")).collect();
    insta::assert_snapshot!(options.join("\n"), @"
    ✗ Options         TESS_TEMPERATURE=0.3: the agent takes one of `0`, `0.25`, `0.5`, `0.75`, `1`
    ✗ Options         TESS_MODEL=gpt-9: the agent takes one of `auto`, `tess-5`, `gpt-4o-mini`, `claude-4-sonnet`
    ");
    assert!(text.ends_with("\n2 problems found.\n"), "{text}");
    chat.finish().await;
}

// The start of the bot.

#[tokio::test]
async fn defaults_are_checked_with_one_request_and_an_invalid_one_does_not_stop_the_bot() {
    let chat = Chat::setup().set("TESS_TOOLS", "hammer").start().await;
    let tess = chat.tess.clone();
    chat.until("the request for the agent", move || tess.agent_requests() == 1).await;
    chat.say("alice", "hi");
    let text = chat.next_message().await;
    assert!(text.content.starts_with("⚠️ Tess did not accept"), "{}", text.content);
    assert_eq!(chat.tess.agent_requests(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn start_logs_a_warning_for_each_problem() {
    let warnings = async |setup: Setup| {
        let chat = setup.prepare().await;
        let warnings = check::default_agent(chat.config()).await.unwrap();
        chat.finish().await;
        warnings
    };
    assert_eq!(warnings(Chat::setup()).await, [""; 0]);
    let bad = warnings(Chat::setup().set("TESS_AGENT_ID", &PAINTER.to_string()).set("TESS_MODEL", "gpt-9")).await;
    insta::assert_snapshot!(bad.join("\n"), @"
    Aquarela (60314) is of type image, which accepts no conversation; set TESS_AGENT_ID to a plain chat agent
    TESS_MODEL=gpt-9: the agent takes one of `auto`, `tess-5`, `gpt-4o-mini`, `claude-4-sonnet`
    ");
    let gone = warnings(Chat::setup().set("TESS_AGENT_ID", "424242")).await;
    insta::assert_snapshot!(gone.join("\n"), @"Tess does not know agent 424242: HTTP 404: Agent not found; the agent is gone, or the workspace does not see it: check TESS_AGENT_ID (the number in the URL of the agent's page) and TESS_WORKSPACE_ID");
}

#[tokio::test]
async fn hanging_tess_does_not_delay_the_start() {
    let mut chat = Chat::setup().prepare().await;
    chat.tess.fault_on(Route::Agents, Fault::Hang);
    chat.start_bot().await;
    chat.tess.answers(["Here."]);
    chat.say("alice", "hi");
    chat.expect_reply("Here.").await;
    chat.finish().await;
}
