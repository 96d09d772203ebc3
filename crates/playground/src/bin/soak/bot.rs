//! The bot under test: a separate process that is killed, stopped and restarted.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use playground::RunFolder;
use tokio::time::{Instant, sleep};

/// The bot's `SHUTDOWN_GRACE`.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// How long a stop may take: the grace period, then commands, the close of the gateway and the state file.
const STOP_TIMEOUT: Duration = Duration::from_secs(12);

/// How long reading the bot's metrics may take.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a stopping process is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The unit of times in `/proc/<pid>/stat` on every Linux.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;

/// Figures of all processes of the bot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) starts: usize,
    pub(crate) kills: usize,
    pub(crate) stops: usize,
    pub(crate) slowest_stop: Duration,
    /// `VmHWM`, in kilobytes.
    pub(crate) peak_memory_kb: u64,
    /// Processor time of the processes that ended.
    pub(crate) cpu_seconds: f64,
    pub(crate) metrics_read: usize,
}

/// The bot, running or not.
pub(crate) struct Bot {
    process: Option<Process>,
    settings: Vec<(&'static str, String)>,
    folder: RunFolder,
    health: SocketAddr,
    http: reqwest::Client,
    pub(crate) figures: Figures,
    /// Errors of the bot.
    pub(crate) problems: Vec<String>,
}

/// A process that is killed on drop.
struct Process {
    child: Child,
    /// When last measured.
    cpu_seconds: f64,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bot {
    /// A bot with these settings and with its files in `folder`. It is not started.
    pub(crate) fn new(folder: RunFolder, settings: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        let health = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (figures, problems) = (Figures::default(), Vec::new());
        Ok(Self { process: None, settings, folder, health, http: reqwest::Client::new(), figures, problems })
    }

    /// The path of the bot's log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("bot.log")
    }

    /// Keeps the bot's files after the run.
    pub(crate) fn keep_files(&mut self) {
        self.folder.keep();
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts the bot with an environment of its settings alone.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let program = env::current_exe()?.with_file_name("tess-discord");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let child = Command::new(&program)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value.as_str())))
            .env("STATE_URL", self.folder.state_url())
            .env("HEALTH_ADDR", self.health.to_string())
            .env("SHUTDOWN_GRACE", SHUTDOWN_GRACE.as_secs().to_string())
            // A notice about a file would be a second message about the same one, which the audit takes for an error.
            .env("TESS_FILES", "off")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: build the bot first, with the same profile", program.display()))?;
        self.process = Some(Process { child, cpu_seconds: 0.0 });
        self.figures.starts += 1;
        Ok(())
    }

    /// Measures the process, and records a problem when it ended by itself.
    pub(crate) fn measure(&mut self) {
        let Some(process) = &mut self.process else { return };
        let pid = process.child.id();
        let peak = peak_memory_kb(pid).unwrap_or(0);
        self.figures.peak_memory_kb = self.figures.peak_memory_kb.max(peak);
        process.cpu_seconds = cpu_seconds(pid).unwrap_or(process.cpu_seconds);
        if let Ok(Some(status)) = process.child.try_wait() {
            self.problems.push(format!("the bot ended by itself: {status}"));
            self.remove_process();
        }
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.measure();
        if self.process.is_some() {
            self.figures.kills += 1;
            self.remove_process();
        }
    }

    /// Sends SIGTERM; the bot has to exit in time and with success.
    pub(crate) async fn stop(&mut self) {
        self.measure();
        self.check_metrics().await;
        let Some(process) = &mut self.process else { return };
        let asked = Instant::now();
        let pid = process.child.id();
        let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
        if !sent.is_ok_and(|status| status.success()) {
            self.problems.push("SIGTERM could not be sent".to_owned());
        }
        let status = wait_until(&mut process.child, asked + STOP_TIMEOUT).await;
        match status {
            None => self.problems.push(format!("the bot did not stop within {STOP_TIMEOUT:?}")),
            Some(status) if !status.success() => self.problems.push(format!("the bot stopped with {status}")),
            Some(_) => {}
        }
        self.figures.stops += 1;
        self.figures.slowest_stop = self.figures.slowest_stop.max(asked.elapsed());
        self.remove_process();
    }

    fn remove_process(&mut self) {
        self.figures.cpu_seconds += self.process.take().map_or(0.0, |process| process.cpu_seconds);
    }

    /// Checks that `taken = answered + failed + skipped + cancelled + in flight`, and that nothing panicked. A bot that is
    /// still starting serves no metrics.
    pub(crate) async fn check_metrics(&mut self) {
        let url = format!("http://{}/metrics", self.health);
        let read = async { self.http.get(url).timeout(METRICS_TIMEOUT).send().await?.text().await };
        let Ok(text) = read.await else { return };
        let sum = |name: &str| -> f64 {
            let of_name =
                text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
            of_name.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
        };
        let taken = sum("tess_discord_messages_taken_total");
        let (settled, in_flight) = (sum("tess_discord_messages_outcome_total"), sum("tess_discord_messages_in_flight"));
        if taken != settled + in_flight {
            self.problems.push(format!("{taken} messages taken, {settled} settled and {in_flight} in flight"));
        }
        if sum("tess_discord_panics_total") > 0.0 {
            self.problems.push("a turn panicked".to_owned());
        }
        self.figures.metrics_read += 1;
    }
}

/// Waits for the end of a process; `None` at the deadline.
async fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        sleep(CHECK_INTERVAL).await;
    }
    None
}

fn peak_memory_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The second field is the name, which can contain spaces and parentheses. The third follows it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / CLOCK_TICKS_PER_SECOND)
}
