//! The demo: the real bot between simulators of Discord and Tess, in a terminal, with no account.

use std::{
    cell::Cell,
    env, fs,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use lexopt::{Arg, ValueExt};
use serde_json::{Value, json};
use sim::{
    discord::{DiscordOptions, DiscordSim},
    tess::{TessOptions, TessSim},
};
use tess_discord::{
    bot::Bot,
    config::{Config, LogFormat},
    telemetry::{self, Metrics},
};
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

Usage: cargo run --release --bin demo [-- --tess real]

Options:
      --tess real  Let the real Tess answer: TESS_API_KEY, TESS_AGENT_ID and the other TESS_ settings from the
                   environment or .env; Discord stays simulated
  -h, --help       Print this text

Type a line to say it as alice. Also:
  bob: hi            say it as somebody else
  @bot hi            mention the bot
  /agent             which agent answers here
  /agent id:46589    switch to another
  /reset             forget the conversation
  /help              what the bot says of itself
  Ctrl-C or Ctrl-D   stop
";

/// Who says a line that names nobody.
const SPEAKER: &str = "alice";

/// How often the channel is looked at for something new to show.
const LOOK: Duration = Duration::from_millis(20);

/// How long one line of piped input may take to be answered.
const PATIENCE: Duration = Duration::from_secs(330);

/// Lines that may be read ahead.
const LINES: usize = 64;

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
    telemetry::init(LogFormat::Text, filter.unwrap_or_else(|| Targets::new().with_default(Level::WARN)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.context("the runtime can not start").and_then(|runtime| {
        let result = runtime.block_on(Demo::run(real_tess));
        // The thread that reads the terminal may wait for a line for ever.
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

/// Whether the real Tess answers; `None`: only the usage was asked for.
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

/// A terminal in a simulated channel.
struct Demo {
    discord: DiscordSim,
    channel: u64,
    metrics: Metrics,
    /// Lines said so far.
    said: Cell<u64>,
    interactive: bool,
}

impl Demo {
    async fn run(real_tess: bool) -> anyhow::Result<()> {
        let discord = DiscordSim::start(DiscordOptions::default()).await?;
        let tess = TessSim::start(TessOptions::for_demo()).await?;
        let state = StateFile::new();
        let config = config(&discord, (!real_tess).then_some(&tess), &state)?;
        let bot = Bot::build(config).await?;
        let demo = Self {
            channel: discord.general(),
            discord,
            metrics: bot.metrics().clone(),
            said: Cell::new(0),
            interactive: io::stdin().is_terminal(),
        };
        let stop = CancellationToken::new();
        let mut running = tokio::spawn(bot.run(stop.clone()));
        demo.greet(&tess, real_tess);
        tokio::select! {
            ended = &mut running => return ended?.context("the bot ended"),
            () = demo.ready() => {}
        }
        tokio::select! {
            ended = &mut running => return ended?.context("the bot ended"),
            result = demo.talk() => result?,
            _ = signal::ctrl_c() => eprintln!("\nstopping: running turns may end; Ctrl-C once more stops at once"),
        }
        stop.cancel();
        tokio::select! {
            ended = &mut running => ended??,
            _ = signal::ctrl_c() => {}
        }
        demo.show_new();
        Ok(())
    }

    fn greet(&self, tess: &TessSim, real_tess: bool) {
        if !self.interactive {
            return;
        }
        let who = if real_tess {
            "the real Tess".to_owned()
        } else {
            format!("a simulated Tess ({})", tess.title(tess.default_agent()))
        };
        println!("#general, between a simulated Discord and {who}. Say something; /help helps, Ctrl-C stops.\n");
    }

    /// The bot is connected, and its commands are known.
    async fn ready(&self) {
        self.discord.wait_connected().await;
        self.discord.wait_until("the commands", |discord| discord.command_puts() > 0).await;
    }

    async fn talk(&self) -> anyhow::Result<()> {
        let mut lines = lines();
        if self.interactive {
            return self.talk_freely(&mut lines).await;
        }
        while let Some(line) = lines.recv().await {
            println!("> {line}");
            self.enter(&line).await;
            timeout(PATIENCE, self.quiet()).await.context("a line was not answered in time")?;
        }
        Ok(())
    }

    /// Lines whenever they come, and whatever is new in the channel.
    async fn talk_freely(&self, lines: &mut mpsc::Receiver<String>) -> anyhow::Result<()> {
        let mut typing = self.discord.typing_count(self.channel);
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => self.enter(&line).await,
                    None => {
                        self.quiet().await;
                        return Ok(());
                    }
                },
                () = sleep(LOOK) => {}
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

    /// Says a line, or runs it as a command.
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
            _ => (SPEAKER, line),
        };
        let text = text.replace("@bot", &self.discord.mention());
        self.discord.say(self.channel, user, &text);
        self.said.set(self.said.get() + 1);
    }

    async fn command(&self, command: &str) {
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let known = self.discord.commands().as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name));
        if !known {
            println!("  (there is no command /{name} here; /help lists them)\n");
            return;
        }
        self.discord.make_manager(SPEAKER);
        let answer = self.discord.slash(self.channel, SPEAKER, name, &options(rest)).response().await;
        let only = if answer.ephemeral { " (only you can see this)" } else { "" };
        println!("Tess{only}:\n{}\n", indented(&answer.content));
    }

    /// Waits until everything said has its outcome, and shows it.
    async fn quiet(&self) {
        let discord = &self.discord;
        loop {
            sleep(LOOK).await;
            self.show_new();
            let heard = self.metrics.taken() >= self.said.get();
            if heard && self.metrics.in_flight() == 0 && discord.unread().is_empty() {
                return;
            }
        }
    }

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

/// Lines of standard input, read by a thread of their own.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// `id:46589` or `46589` as an interaction carries it.
fn options(rest: &str) -> Value {
    let value = rest.trim();
    let value = value.strip_prefix("id:").unwrap_or(value).trim();
    if value.is_empty() { json!([]) } else { json!([{"type": 3, "name": "id", "value": value}]) }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= 32
        && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The settings of the demo: the simulators', and for the real Tess those of the environment.
fn config(discord: &DiscordSim, tess: Option<&TessSim>, state: &StateFile) -> anyhow::Result<Config> {
    let mut vars = vec![
        ("DISCORD_TOKEN".to_owned(), discord.token()),
        ("DISCORD_API_URL".to_owned(), discord.url().to_owned()),
        ("STATE_URL".to_owned(), format!("sqlite:{}", state.0.display())),
    ];
    match tess {
        Some(tess) => {
            vars.push(("TESS_API_KEY".to_owned(), tess.key().to_owned()));
            vars.push(("TESS_API_URL".to_owned(), tess.url()));
            vars.push(("TESS_AGENT_ID".to_owned(), tess.default_agent().to_string()));
            vars.extend(tess.workspace().map(|workspace| ("TESS_WORKSPACE_ID".to_owned(), workspace.to_string())));
        }
        None => {
            // Only a missing file is fine; a broken one is told by the settings' own check of what is then missing.
            let _ = dotenvy::dotenv();
            vars.extend(env::vars().filter(|(name, _)| name.starts_with("TESS_")));
        }
    }
    Config::from_vars(vars.into_iter()).map_err(|problems| anyhow::anyhow!("{problems}"))
}

/// A state file of this run alone.
struct StateFile(PathBuf);

impl StateFile {
    fn new() -> Self {
        Self(env::temp_dir().join(format!("tess-discord-demo-{}", std::process::id())).join("state.db"))
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        if let Some(folder) = self.0.parent() {
            // What is left in the temporary folder does no harm.
            let _ = fs::remove_dir_all(folder);
        }
    }
}
