//! The documentation of the settings is made from their definitions. `UPDATE_DOCS=1 cargo test` writes it.

use std::{collections::BTreeMap, env, fmt::Write, fs, path::PathBuf};

use super::{
    Config,
    setting::{DefaultValue, Section, Setting, assignment},
};

/// Longest line of `.env.example`, in characters.
const LINE_CHARS: usize = 120;

const HEADER: &str = "\
Copy this file to .env and fill in the first three settings, and usually TESS_WORKSPACE_ID. Everything else is optional; \
it is shown with its default, or with an example where there is none. Variables of the environment win over this file. Put a \
value that contains spaces, # or $ into 'single quotes'. With the defaults, each message in each channel that the bot can read \
is answered, which costs credits: see DISCORD_CHANNEL_IDS and RESPOND_TO.";

fn heading(section: Section) -> &'static str {
    match section {
        Section::Required => "Required",
        Section::Messages => "Messages and replies",
        Section::Agent => "Agent",
        Section::Budgets => "Budgets",
        Section::Memory => "Memory",
        Section::Process => "Process",
        Section::Connections => "Connections",
    }
}

/// The text as comment lines.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > LINE_CHARS {
            lines += &std::mem::replace(&mut line, "#".to_owned());
            lines.push('\n');
        }
        line.push(' ');
        line += word;
    }
    lines + &line + "\n"
}

fn env_example() -> String {
    let mut text = comment(HEADER);
    let mut section = None;
    for setting in Config::settings() {
        if section.replace(setting.section) != Some(setting.section) {
            let heading = format!("# --- {} ", heading(setting.section));
            writeln!(text, "\n{heading:-<LINE_CHARS$}").unwrap();
        }
        let Setting { name, default, accepts, summary, details, .. } = setting;
        text.push('\n');
        text += &comment(&format!("{summary} {details}"));
        text += &comment(&format!("Write {accepts}."));
        text += &match default {
            DefaultValue::Required { placeholder, .. } => assignment(name, placeholder),
            DefaultValue::Unset { example } => format!("#{}", assignment(name, example)),
            DefaultValue::Value(value) => format!("#{}", assignment(name, value)),
        };
        text.push('\n');
    }
    text
}

fn table() -> String {
    let mut table = "| variable | default | what it does |\n|---|---|---|\n".to_owned();
    for setting in Config::settings() {
        let default = match setting.default {
            DefaultValue::Required { .. } => "**required**".to_owned(),
            DefaultValue::Unset { .. } => "—".to_owned(),
            DefaultValue::Value(value) => format!("`{value}`"),
        };
        writeln!(table, "| `{}` | {default} | {} |", setting.name, setting.summary.replace('|', "\\|")).unwrap();
    }
    table
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), name].iter().collect()
}

/// Compares a file with what it should be; writes it if `UPDATE_DOCS` is set.
fn check(name: &str, expected: &str) {
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path(name), expected).unwrap();
    }
    let is_current = fs::read_to_string(path(name)).unwrap() == expected;
    assert!(is_current, "{name} is not up to date; run: UPDATE_DOCS=1 cargo test");
}

/// The same as [`check`] for what a document has between `<!-- section -->` and `<!-- /section -->`.
pub(crate) fn check_section(file: &str, section: &str, expected: &str) {
    let (opening, closing) = (format!("<!-- {section} -->\n"), format!("<!-- /{section} -->"));
    let document = fs::read_to_string(path(file)).unwrap();
    let start = document.find(&opening).expect("the start of the section") + opening.len();
    let end = document.find(&closing).expect("the end of the section");
    check(file, &format!("{}{expected}{}", &document[..start], &document[end..]));
}

#[test]
fn the_example_file_is_made_from_the_settings() {
    check(".env.example", &env_example());
}

#[test]
fn the_operations_document_lists_every_setting_with_its_default() {
    check_section("docs/operations.md", "settings", &table());
}

#[test]
fn every_example_is_accepted() {
    let example = |setting: &&Setting| match setting.default {
        DefaultValue::Required { example, .. } | DefaultValue::Unset { example } => example.to_owned(),
        DefaultValue::Value(value) => value.to_owned(),
    };
    let mut vars: BTreeMap<_, _> =
        Config::settings().iter().map(|setting| (setting.name.to_owned(), example(setting))).collect();
    vars.insert("DISCORD_TOKEN".into(), "a.b.c".into());
    vars.insert("TESS_API_KEY".into(), "1|key".into());
    Config::from_vars(vars.into_iter()).unwrap();
}

#[test]
fn every_placeholder_is_refused() {
    let vars = dotenvy::from_read_iter(env_example().as_bytes()).map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(vars.len(), 3);
    let problems = Config::from_vars(vars.into_iter()).unwrap_err().to_string();
    assert_eq!(problems.matches("is still the example's text").count(), 3, "{problems}");
}
