//! What the documents say is what the program does.

use std::{fmt::Write, fs, path::Path};

use tess_discord::{
    config::{Fallback, SETTINGS},
    telemetry::names,
};

use crate::support::Chat;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What stands between `<!-- name -->` and `<!-- /name -->`.
fn section<'d>(document: &'d str, name: &str) -> &'d str {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let start = document.find(&open).unwrap_or_else(|| panic!("{open} is missing")) + open.len();
    document[start..document[start..].find(&close).unwrap() + start].trim()
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let mut table = "| variable | default | what it does |\n|---|---|---|\n".to_owned();
    for setting in &SETTINGS {
        let default = match setting.default {
            Fallback::Required => "**required**".to_owned(),
            Fallback::Unset => "—".to_owned(),
            Fallback::Value(value) => format!("`{value}`"),
        };
        writeln!(
            table,
            "| `{}` | {default} | {} |",
            setting.name,
            setting.meaning.replace('\n', " ").replace('|', "\\|")
        )
        .unwrap();
    }
    assert_eq!(section(&document("README.md"), "settings"), table.trim(), "put this table into the README:\n{table}");
}

#[test]
fn the_portuguese_readme_runs_nothing_that_the_english_one_does_not() {
    fn lines(text: &str) -> impl Iterator<Item = &str> {
        text.split("```sh")
            .skip(1)
            .flat_map(|block| block.split("```").next().unwrap_or_default().lines().map(str::trim))
    }
    let english = document("README.md");
    let portuguese = document("README.pt-BR.md");
    let known: Vec<&str> = lines(&english).collect();
    assert!(lines(&portuguese).count() > 3);
    assert!(lines(&portuguese).all(|line| known.contains(&line)), "{known:#?}");
    let link =
        |text: &str| text.split('`').find(|part| part.starts_with("https://discord.com/oauth2")).map(str::to_owned);
    assert_eq!(link(&portuguese), link(&english));
}

#[test]
fn the_readme_lists_every_metric() {
    let readme = document("README.md");
    let missing: Vec<_> = names::ALL.iter().filter(|name| !readme.contains(&format!("\n| `{name}` |"))).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test]
async fn the_readme_lists_every_command() {
    let chat = Chat::start().await;
    let discord = chat.discord.clone();
    chat.until("the commands to be registered", || discord.command_puts() == 1).await;
    let readmes = ["README.md", "README.pt-BR.md"].map(|name| (name, document(name)));
    for command in chat.discord.commands().as_array().unwrap() {
        let name = command["name"].as_str().unwrap();
        for (document, text) in &readmes {
            assert!(text.contains(&format!("| `/{name}")), "/{name} is not in the table of {document}");
        }
    }
    chat.finish().await;
}

#[test]
fn the_readme_runs_the_tests_as_ci_does() {
    let (readme, ci) = (document("README.md"), document(".ci/run"));
    assert!(readme.contains("\ncargo test --locked\n"));
    assert!(ci.contains("cargo test --locked"));
}
