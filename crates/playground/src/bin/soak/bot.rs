//! The bot under test: the real program as a process of its own, killed, stopped and started again.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use tess_discord::telemetry::names;
use tokio::time::{Instant, sleep};

/// `SHUTDOWN_GRACE` of the bot.
const GRACE: Duration = Duration::from_secs(3);

/// How long a stop may take: the grace, then what commands, the goodbye to the gateway and the state file may take.
const STOPPED_WITHIN: Duration = Duration::from_secs(12);

/// How long the bot's metrics may take to be read.
const METRICS_WITHIN: Duration = Duration::from_secs(2);

/// How often an ending process is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Of `/proc/<pid>/stat`, on every Linux. <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;

/// What the bot took and did, over all its lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) starts: usize,
    pub(crate) kills: usize,
    pub(crate) stops: usize,
    pub(crate) slowest_stop: Duration,
    /// `VmHWM`, in kilobytes.
    pub(crate) peak_memory_kb: u64,
    /// Of the lives that are over.
    pub(crate) cpu_seconds: f64,
    pub(crate) metrics_read: usize,
}

/// The bot, running or not.
pub(crate) struct Bot {
    child: Option<Running>,
    settings: Vec<(&'static str, String)>,
    folder: PathBuf,
    health: SocketAddr,
    http: reqwest::Client,
    pub(crate) figures: Figures,
    /// What must not happen.
    pub(crate) problems: Vec<String>,
}

struct Running {
    child: Child,
    cpu_seconds: f64,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bot {
    /// A bot that is not started, with `settings` on top of those of its kind, and all its files in `folder`.
    pub(crate) fn new(folder: PathBuf, settings: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let health = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (figures, problems) = (Figures::default(), Vec::new());
        Ok(Self { child: None, settings, folder, health, http: reqwest::Client::new(), figures, problems })
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("bot.log")
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it with nothing of this process's environment.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let program = env::current_exe()?.with_file_name("tess-discord");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let child = Command::new(&program)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value.as_str())))
            .env("STATE_URL", format!("sqlite:{}", self.folder.join("state.db").display()))
            .env("HEALTH_ADDR", self.health.to_string())
            .env("SHUTDOWN_GRACE", GRACE.as_secs().to_string())
            // A word about a file would be a second message to the same one, which is what is looked for here.
            .env("TESS_FILES", "off")
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: build the bot first, with the same profile", program.display()))?;
        self.child = Some(Running { child, cpu_seconds: 0.0 });
        self.figures.starts += 1;
        Ok(())
    }

    /// Takes its measure, and notices an end that nobody asked for.
    pub(crate) fn look(&mut self) {
        let Some(running) = &mut self.child else { return };
        let pid = running.child.id();
        let peak = peak_memory_kb(pid).unwrap_or(0);
        self.figures.peak_memory_kb = self.figures.peak_memory_kb.max(peak);
        running.cpu_seconds = cpu_seconds(pid).unwrap_or(running.cpu_seconds);
        if let Ok(Some(status)) = running.child.try_wait() {
            self.problems.push(format!("the bot ended by itself: {status}"));
            self.bury();
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.look();
        if self.child.is_some() {
            self.figures.kills += 1;
            self.bury();
        }
    }

    /// SIGTERM; it has to end in time and say that all is well.
    pub(crate) async fn stop(&mut self) {
        self.look();
        self.check_metrics().await;
        let Some(running) = &mut self.child else { return };
        let asked = Instant::now();
        let pid = running.child.id();
        let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
        if !sent.is_ok_and(|status| status.success()) {
            self.problems.push("SIGTERM could not be sent".to_owned());
        }
        let status = ended(&mut running.child, asked + STOPPED_WITHIN).await;
        match status {
            None => self.problems.push(format!("the bot did not stop within {STOPPED_WITHIN:?}")),
            Some(status) if !status.success() => self.problems.push(format!("the bot stopped with {status}")),
            Some(_) => {}
        }
        self.figures.stops += 1;
        self.figures.slowest_stop = self.figures.slowest_stop.max(asked.elapsed());
        self.bury();
    }

    fn bury(&mut self) {
        self.figures.cpu_seconds += self.child.take().map_or(0.0, |running| running.cpu_seconds);
    }

    /// `taken = answered + failed + skipped + cancelled + in flight`, and no panic. A bot that only just starts has nothing to
    /// tell yet.
    pub(crate) async fn check_metrics(&mut self) {
        let url = format!("http://{}/metrics", self.health);
        let read = async { self.http.get(url).timeout(METRICS_WITHIN).send().await?.text().await };
        let Ok(text) = read.await else { return };
        let sum = |name: &str| -> f64 {
            let of_name =
                text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
            of_name.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
        };
        let taken = sum(names::MESSAGES_TAKEN);
        let (settled, in_flight) = (sum(names::MESSAGES_OUTCOME), sum(names::MESSAGES_IN_FLIGHT));
        if taken != settled + in_flight {
            self.problems.push(format!("{taken} messages taken, {settled} settled and {in_flight} in flight"));
        }
        if sum(names::PANICS) > 0.0 {
            self.problems.push("a turn panicked".to_owned());
        }
        self.figures.metrics_read += 1;
    }
}

async fn ended(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        sleep(LOOK).await;
    }
    None
}

fn peak_memory_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name before it may hold anything; the third field follows it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / CLOCK_TICKS_PER_SECOND)
}
