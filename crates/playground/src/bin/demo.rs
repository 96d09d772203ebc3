//! The demo: the real bot between simulators of Discord and Tess, in a terminal. It needs no account.

use std::{
    cell::Cell,
    env,
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use lexopt::{Arg, ValueExt};
use playground::RunFolder;
use serde_json::{Value, json};
use sim::{
    discord::{DiscordOptions, DiscordSim},
    tess::{TessOptions, TessSim},
};
use tess_discord::{Bot, Config, LogFormat, Metrics, init_logs};
use tokio::{
    signal,
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Level;
use tracing_subscriber::filter::Targets;

const USAGE: &str = "\
The real bot between simulators of Discord and Tess, in your terminal. No account is needed.

Usage: cargo run --bin demo [-- --tess real]

Options:
      --tess real  Use the real Tess, with TESS_API_KEY, TESS_AGENT_ID and the other TESS_ settings from the
                   environment or .env. Discord is still simulated.
  -h, --help       Print this text

Type a line to post it as alice. Other input:
  bob: hi            post as another user
  @bot hi            mention the bot
  /agent             show the agent of this channel
  /agent id:46589    change the agent
  /reset             start a new conversation
  /help              show the bot's help
  Ctrl-C or Ctrl-D   stop
";

/// The user who posts lines without a name.
const DEFAULT_USER: &str = "alice";

/// How often the channel is checked for new messages.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// How long the answer to a line of piped input may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(330);

/// Lines of input that are read ahead.
const LINE_BUFFER: usize = 64;

fn main() -> ExitCode {
    let real_tess = match arguments() {
        Ok(Some(real_tess)) => real_tess,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("demo: {error}; see --help");
            return ExitCode::from(2);
        }
    };
    let filter = env::var("RUST_LOG").ok().and_then(|filter| filter.parse().ok());
    init_logs(LogFormat::Text, filter.unwrap_or_else(|| Targets::new().with_default(Level::WARN)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.context("the runtime cannot start").and_then(|runtime| {
        let result = runtime.block_on(Demo::run(real_tess));
        // The thread that reads the terminal may wait for a line forever.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether to use the real Tess; `None` when only the usage is to be printed.
fn arguments() -> Result<Option<bool>, lexopt::Error> {
    let mut real = false;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long("tess") => match parser.value()?.string()?.as_str() {
                "real" => real = true,
                "simulated" => real = false,
                other => return Err(format!("--tess is real or simulated, not {other:?}").into()),
            },
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(real))
}

/// A terminal connected to a simulated channel.
struct Demo {
    discord: DiscordSim,
    channel: u64,
    metrics: Metrics,
    /// Messages posted so far.
    posted: Cell<u64>,
    /// Whether the input is a terminal.
    interactive: bool,
}

impl Demo {
    async fn run(real_tess: bool) -> anyhow::Result<()> {
        let discord = DiscordSim::start(DiscordOptions::default()).await?;
        let tess = TessSim::start(TessOptions::for_demo()).await?;
        let folder = RunFolder::new("demo")?;
        let config = config(&discord, (!real_tess).then_some(&tess), &folder)?;
        let bot = Bot::build(config).await?;
        let demo = Self {
            channel: discord.general(),
            discord,
            metrics: bot.metrics().clone(),
            posted: Cell::new(0),
            interactive: io::stdin().is_terminal(),
        };
        let stop = CancellationToken::new();
        let mut running = tokio::spawn(bot.run(stop.clone()));
        demo.print_greeting(&tess, real_tess);
        tokio::select! {
            ended = &mut running => return ended?.context("the bot ended"),
            () = demo.wait_until_ready() => {}
        }
        tokio::select! {
            ended = &mut running => return ended?.context("the bot ended"),
            result = demo.chat() => result?,
            _ = signal::ctrl_c() => eprintln!("\nstopping after the current answers; press Ctrl-C again to stop at once"),
        }
        stop.cancel();
        tokio::select! {
            ended = &mut running => ended??,
            _ = signal::ctrl_c() => {}
        }
        demo.show_new();
        Ok(())
    }

    fn print_greeting(&self, tess: &TessSim, real_tess: bool) {
        if !self.interactive {
            return;
        }
        let who = if real_tess {
            "the real Tess".to_owned()
        } else {
            format!("a simulated Tess ({})", tess.title(tess.default_agent()))
        };
        println!(
            "#general on a simulated Discord, answered by {who}. Type a message, /help for help, or Ctrl-C to stop.\n"
        );
    }

    /// Waits until the bot is connected and has registered its commands.
    async fn wait_until_ready(&self) {
        self.discord.wait_connected().await;
        self.discord.wait_until("the registration of the commands", |discord| discord.command_puts() > 0).await;
    }

    /// Reads lines until the end of the input.
    async fn chat(&self) -> anyhow::Result<()> {
        let mut lines = lines();
        if self.interactive {
            return self.chat_interactively(&mut lines).await;
        }
        while let Some(line) = lines.recv().await {
            println!("> {line}");
            self.enter(&line).await;
            timeout(ANSWER_TIMEOUT, self.wait_for_answers()).await.context("a line was not answered in time")?;
        }
        Ok(())
    }

    /// Reads lines and shows new messages as they come.
    async fn chat_interactively(&self, lines: &mut mpsc::Receiver<String>) -> anyhow::Result<()> {
        let mut typing = self.discord.typing_count(self.channel);
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => self.enter(&line).await,
                    None => {
                        self.wait_for_answers().await;
                        return Ok(());
                    }
                },
                () = sleep(CHECK_INTERVAL) => {}
            }
            let now = self.discord.typing_count(self.channel);
            if now > typing && self.metrics.in_flight() > 0 {
                print!("\r\x1b[2mTess is typing…\x1b[0m");
                io::stdout().flush()?;
            }
            typing = now;
            self.show_new();
        }
    }

    /// Posts a line, or runs it as a command.
    async fn enter(&self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        if let Some(command) = line.strip_prefix('/') {
            return self.command(command).await;
        }
        let (user, text) = match line.split_once(": ") {
            Some((user, text)) if is_name(user) => (user, text),
            _ => (DEFAULT_USER, line),
        };
        let text = text.replace("@bot", &self.discord.mention());
        self.discord.say(self.channel, user, &text);
        self.posted.set(self.posted.get() + 1);
    }

    /// Runs a slash command and shows its response.
    async fn command(&self, command: &str) {
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let known = self.discord.commands().as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name));
        if !known {
            println!("  (there is no command /{name}; /help lists the commands)\n");
            return;
        }
        self.discord.make_manager(DEFAULT_USER);
        let response = self.discord.slash(self.channel, DEFAULT_USER, name, &options(rest)).response().await;
        let ephemeral = if response.ephemeral { " (only you can see this)" } else { "" };
        println!("Tess{ephemeral}:\n{}\n", indented(&response.content));
    }

    /// Waits until every posted message has its outcome, and shows the answers.
    async fn wait_for_answers(&self) {
        let discord = &self.discord;
        loop {
            sleep(CHECK_INTERVAL).await;
            self.show_new();
            let received = self.metrics.taken() >= self.posted.get();
            if received && self.metrics.in_flight() == 0 && discord.unread().is_empty() {
                return;
            }
        }
    }

    /// Prints the new messages of the bot.
    fn show_new(&self) {
        while let Some(message) = self.discord.try_next_message(self.channel) {
            let clear = if self.interactive { "\r\x1b[K" } else { "" };
            println!("{clear}Tess:\n{}", indented(&message.content));
            for (name, content) in &message.files {
                println!("  [{name}, {} characters]", String::from_utf8_lossy(content).chars().count());
            }
            println!();
        }
    }
}

/// Reads lines of standard input on a separate thread.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(LINE_BUFFER);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The options of a command from `id:46589` or `46589`.
fn options(rest: &str) -> Value {
    let value = rest.trim();
    let value = value.strip_prefix("id:").unwrap_or(value).trim();
    if value.is_empty() { json!([]) } else { json!([{"type": 3, "name": "id", "value": value}]) }
}

/// Whether a text can be the name of a user.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= 32
        && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The configuration of the bot: simulated services, or the environment's settings for the real Tess without `tess`.
fn config(discord: &DiscordSim, tess: Option<&TessSim>, folder: &RunFolder) -> anyhow::Result<Config> {
    let mut settings = playground::discord_settings(discord);
    settings.push(("STATE_URL", folder.state_url()));
    settings.extend(tess.into_iter().flat_map(playground::tess_settings));
    let mut vars: Vec<_> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if tess.is_none() {
        // A missing or broken file shows in the settings that are then missing.
        let _ = dotenvy::dotenv();
        vars.extend(env::vars().filter(|(name, _)| name.starts_with("TESS_")));
    }
    Config::from_vars(vars.into_iter()).map_err(|problems| anyhow::anyhow!("{problems}"))
}
