//! Figures and their medians, as a table and as JSON.

use std::{fs, time::Duration};

use serde_json::{Value, json};

/// The figures of one run, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Clone, Debug)]
struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
}

impl Figures {
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        self.0.push(Figure { name: name.to_owned(), unit, value });
    }

    /// Adds the 50th, 95th and 99th percentile, in milliseconds.
    pub(crate) fn add_percentiles(&mut self, name: &str, mut times: Vec<Duration>) {
        times.sort_unstable();
        for percent in [50, 95, 99] {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            let value = times.get(at).map_or(f64::NAN, Duration::as_secs_f64) * 1e3;
            self.add(&format!("{name}, p{percent}"), "ms", value);
        }
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

/// All runs of one program.
#[derive(Debug, Default)]
pub(crate) struct Runs(pub(crate) Vec<Figures>);

impl Runs {
    fn values(&self, name: &str) -> Vec<f64> {
        self.0.iter().filter_map(|run| run.value(name)).collect()
    }

    fn median(&self, name: &str) -> Option<f64> {
        let mut values = self.values(name);
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// A table of medians in Markdown.
pub(crate) fn table(bot: &Runs, baseline: &Runs) -> String {
    let mut table = "| figure | bot | baseline | difference | ratio |\n|---|---|---|---|---|\n".to_owned();
    for Figure { name, unit, .. } in bot.0.first().into_iter().flat_map(|run| &run.0) {
        let (ours, theirs) = (bot.median(name), baseline.median(name));
        let show = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2} {unit}"));
        let difference = ours.zip(theirs).map(|(ours, theirs)| ours - theirs);
        let ratio = ours.zip(theirs).filter(|(_, theirs)| *theirs > 0.0).map(|(ours, theirs)| ours / theirs);
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        table += &format!("| {name} | {} | {} | {} | {ratio} |\n", show(ours), show(theirs), show(difference));
    }
    table
}

/// All figures of all runs as JSON.
pub(crate) fn json(bot: &Runs, baseline: &Runs, machine: &str) -> Value {
    let figures = bot.0.first().into_iter().flat_map(|run| &run.0).map(|Figure { name, unit, .. }| {
        let program = |runs: &Runs| json!({"median": runs.median(name), "runs": runs.values(name)});
        json!({"name": name, "unit": unit, "bot": program(bot), "baseline": program(baseline)})
    });
    json!({"machine": machine, "figures": figures.collect::<Vec<_>>()})
}

/// The processor, the number of cores, and the load of the machine.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("?");
    format!("{cores} x {}, load {load}", model.unwrap_or("unknown processor"))
}
