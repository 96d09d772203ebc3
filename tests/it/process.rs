//! The program as a process: its output, its exit codes, and what it never logs.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use sim::{
    discord::{DiscordOptions, DiscordSim},
    tess::{TessOptions, TessSim},
};
use tokio::process::{Child, Command};

use crate::support::within;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tess-discord"));
    // A folder without a `.env`, and an empty environment.
    command.current_dir(std::env::temp_dir()).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn output(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = within("the program to exit", command.output()).await.unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// The bot's process between both simulators.
struct Started {
    discord: DiscordSim,
    tess: TessSim,
    bot: Child,
    _state: tempfile::TempDir,
}

async fn start(settings: &[(&str, &str)]) -> Started {
    let discord = DiscordSim::start(DiscordOptions::default()).await.unwrap();
    let tess = TessSim::start(TessOptions::default()).await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let bot = program()
        .env("DISCORD_TOKEN", discord.token())
        .env("DISCORD_API_URL", discord.url())
        .env("TESS_API_KEY", tess.key())
        .env("TESS_API_URL", tess.url())
        .env("TESS_AGENT_ID", tess.default_agent().to_string())
        .env("TESS_REQUESTS_PER_SECOND", "0")
        .env("STATE_URL", format!("sqlite:{}", state.path().join("new folder/state.db").display()))
        .envs(settings.iter().copied())
        .spawn()
        .unwrap();
    within("the bot to connect", discord.wait_connected()).await;
    Started { discord, tess, bot, _state: state }
}

fn signal(bot: &Child, signal: &str) {
    let id = bot.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
}

#[tokio::test]
async fn missing_settings_are_all_named_and_exit_with_2() {
    let (code, said) = output(&mut program()).await;
    assert_eq!(code, Some(2), "{said}");
    for name in ["DISCORD_TOKEN", "TESS_API_KEY", "TESS_AGENT_ID"] {
        assert!(said.contains(name), "{said}");
    }
}

#[tokio::test]
async fn unknown_command_exits_with_2_and_help_and_version_with_0() {
    assert_eq!(output(program().arg("dance")).await.0, Some(2));
    let (code, said) = output(program().arg("--help")).await;
    assert_eq!(code, Some(0));
    assert!(said.contains("Usage"), "{said}");
    let (code, said) = output(program().arg("--version")).await;
    assert_eq!((code, said.trim()), (Some(0), concat!("tess-discord ", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn sigterm_and_ctrl_c_exit_with_0() {
    for name in ["-TERM", "-INT"] {
        let mut started = start(&[]).await;
        signal(&started.bot, name);
        let status = within("the bot to stop", started.bot.wait()).await.unwrap();
        assert_eq!(status.code(), Some(0), "{name}");
        assert_eq!(started.discord.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn wrong_token_exits_with_1_and_one_line() {
    let discord = DiscordSim::start(DiscordOptions::default()).await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .env("DISCORD_TOKEN", "not.the.token")
        .env("DISCORD_API_URL", discord.url())
        .env("TESS_API_KEY", "key")
        .env("TESS_API_URL", "http://127.0.0.1:9/api")
        .env("TESS_AGENT_ID", "1")
        .env("LOG_FORMAT", "json")
        .env("STATE_URL", format!("sqlite:{}", state.path().join("state.db").display()));
    let (code, said) = output(&mut command).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.lines().last().unwrap().contains("DISCORD_TOKEN"), "{said}");
    assert!(!said.contains("not.the.token"), "{said}");
}

#[tokio::test]
async fn unusable_state_file_exits_with_2() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("state.db");
    std::fs::write(&file, "this is no database, whatever its name says".repeat(40)).unwrap();
    let mut command = program();
    command
        .env("DISCORD_TOKEN", "a.b.c")
        .env("TESS_API_KEY", "key")
        .env("TESS_AGENT_ID", "1")
        .env("STATE_URL", format!("sqlite:{}", file.display()));
    let (code, said) = output(&mut command).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&file.display().to_string()), "{said}");
}

#[tokio::test]
async fn logs_contain_neither_messages_nor_secrets_at_any_level() {
    for format in ["text", "json"] {
        let started = start(&[("RUST_LOG", "trace"), ("LOG_FORMAT", format)]).await;
        let channel = started.discord.general();
        started.tess.answers(["the answer is a WOMBAT"]);
        started.discord.say(channel, "alice", "my secret is an AARDVARK");
        started.discord.next_message(channel).await;
        started.tess.fail_execution_next(serde_json::json!("could not do: AARDVARK again"));
        started.discord.say(channel, "alice", "AARDVARK again");
        started.discord.next_message(channel).await;
        let odd = serde_json::json!({"content": "an odd AARDVARK", "mentions": 7});
        started.discord.say_with(channel, "alice", &odd);
        started.discord.next_message(channel).await;
        signal(&started.bot, "-TERM");
        let printed = within("the bot to stop", started.bot.wait_with_output()).await.unwrap();
        let printed = String::from_utf8_lossy(&[printed.stdout, printed.stderr].concat()).into_owned();
        let ended = printed.lines().find(|line| line.contains("turn finished")).unwrap_or_else(|| panic!("{printed}"));
        for field in ["message.id", "agent.id", "execution.id", "credits", "outcome", "reason", "duration_ms"] {
            assert!(ended.contains(field), "{field} is not in {ended}");
        }
        let token = started.discord.token();
        for secret in ["AARDVARK", "WOMBAT", started.tess.key(), &token] {
            assert!(!printed.contains(secret), "{secret} was printed:\n{printed}");
        }
    }
}

#[tokio::test]
async fn killed_bot_answers_open_messages_after_its_next_start() {
    let mut started = start(&[]).await;
    let channel = started.discord.general();
    started.tess.answers(["First.", "Never posted.", "After the kill."]);
    started.discord.say(channel, "alice", "hi");
    assert_eq!(started.discord.next_message(channel).await.content, "First.");
    started.tess.hold_next();
    let left = started.discord.say(channel, "alice", "are you still there?");
    started.tess.next_execution().await;
    started.tess.next_execution().await;
    started.bot.kill().await.unwrap();
    started.discord.wait_disconnected().await;
    let Started { discord, tess, _state: state, .. } = started;
    let _bot = program()
        .env("DISCORD_TOKEN", discord.token())
        .env("DISCORD_API_URL", discord.url())
        .env("TESS_API_KEY", tess.key())
        .env("TESS_API_URL", tess.url())
        .env("TESS_AGENT_ID", tess.default_agent().to_string())
        .env("STATE_URL", format!("sqlite:{}", state.path().join("new folder/state.db").display()))
        .spawn()
        .unwrap();
    let reply = discord.next_message(channel).await;
    assert_eq!((reply.content.as_str(), reply.reply_to), ("After the kill.", Some(left)));
    assert_eq!(discord.unread().len(), 0);
}

#[tokio::test]
async fn health_endpoints_report_the_state() {
    // A port that was free just now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let started = start(&[("HEALTH_ADDR", &address)]).await;
    let get = async |path: &str| {
        let response = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let ready = async {
        while get("/readyz").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the bot to be ready", ready).await;
    assert_eq!(get("/healthz").await.0, 200);
    assert!(get("/metrics").await.1.contains("tess_discord_messages_taken_total 0"));
    let (code, said) = output(
        program()
            .arg("health")
            .env("HEALTH_ADDR", &address)
            .env("DISCORD_TOKEN", "a.b.c")
            .env("TESS_API_KEY", "key")
            .env("TESS_AGENT_ID", "1"),
    )
    .await;
    assert_eq!(code, Some(0), "{said}");
    drop(started);
}
