//! A measured program as a process. The figures come from Linux's `/proc`.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// A program to measure.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) executable: PathBuf,
    /// Whether the agent sees earlier messages.
    pub(crate) has_history: bool,
}

impl Program {
    /// The bot, which `cargo bench` has built.
    pub(crate) fn bot() -> Self {
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_tess-discord"));
        Self { name: "bot", executable, has_history: true }
    }

    /// Another build of the bot, to compare this one with.
    pub(crate) fn other_build(executable: PathBuf) -> Self {
        Self { name: "baseline", executable, has_history: true }
    }

    /// The baseline, which this builds.
    pub(crate) fn baseline() -> anyhow::Result<Self> {
        let bot = Self::bot().executable;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--locked", "--example", "baseline"]);
        // Build scripts that depend on these variables would run again each time, and their dependents be rebuilt.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
                build.env_remove(name);
            }
        }
        // `cargo test --bench bot` runs unoptimised programs, which is enough to check that everything works.
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        ensure!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success(), "the baseline does not build");
        let folder = bot.parent().context("the executable has no folder")?;
        let baseline = folder.join("examples/baseline");
        Ok(Self { name: "baseline", executable: baseline, has_history: false })
    }

    pub(crate) fn bytes(&self) -> anyhow::Result<u64> {
        Ok(fs::metadata(&self.executable)?.len())
    }
}

/// A running program, which is killed on drop.
pub(crate) struct Process {
    child: Child,
    pub(crate) started: Instant,
    folder: TempDir,
}

impl Process {
    /// Starts a program in its own folder, with an environment of these variables alone.
    pub(crate) fn start(executable: &Path, vars: Vec<(String, String)>) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let state = format!("sqlite:{}", folder.path().join("state.db").display());
        let log = File::create(folder.path().join("log"))?;
        let started = Instant::now();
        let mut command = Command::new(executable);
        command.env_clear().env("STATE_URL", state).envs(vars).current_dir(folder.path()).stderr(log);
        let child = command.spawn().with_context(|| format!("{} does not start", executable.display()))?;
        Ok(Self { child, started, folder })
    }

    /// User and system time so far, from the scheduler, in nanoseconds. The ticks of `/proc/PID/stat` are samples that miss
    /// short work.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).context("the program has ended")?;
        let mut sum = Duration::ZERO;
        for thread in threads {
            // A thread that ended meanwhile was idle for seconds.
            let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let ns = times.split_whitespace().next().context("an unknown format of schedstat")?.parse()?;
            sum += Duration::from_nanos(ns);
        }
        Ok(sum)
    }

    /// Memory in use, in bytes.
    pub(crate) fn rss(&self) -> anyhow::Result<f64> {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("the program has ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1_024.0)
    }

    /// The last lines of the log.
    pub(crate) fn last_lines(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.reverse();
        lines.join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
