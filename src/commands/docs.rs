//! The tables of commands in the READMEs are made from the definitions. `UPDATE_DOCS=1 cargo test docs` writes them.

use std::fmt::Write;

use super::{
    COMMANDS,
    caller::Right,
    table::{Text, Users},
};
use crate::config::{Language, check_section};

fn say(language: Language, Text { english, portuguese }: Text) -> &'static str {
    language.say(english, portuguese)
}

/// Names those who have a right.
fn holders(language: Language, right: Right) -> &'static str {
    match right {
        Right::ManageChannel => language.say("who may manage the channel", "quem gerencia o canal"),
        Right::ModerateTurns => language.say("who may manage messages", "quem gerencia mensagens"),
        Right::SeeServerUsage => {
            language.say("who may manage the server or the channel", "quem gerencia o servidor ou o canal")
        }
    }
}

fn users(language: Language, users: Users) -> String {
    let holders = |right| holders(language, right);
    let (everyone, to_change, requester) =
        language.say(("everyone", "to change", "who asked, or"), ("todos", "para mudar", "quem perguntou, ou"));
    match users {
        Users::Everyone => everyone.to_owned(),
        Users::With(right) => holders(right).to_owned(),
        Users::ToChange(right) => format!("{everyone}; {to_change}, {}", holders(right)),
        Users::RequesterOr(right) => format!("{requester} {}", holders(right)),
    }
}

fn table(language: Language) -> String {
    let head = language.say("| command | what it does | who may use it |", "| comando | o que faz | quem pode usar |");
    let mut table = format!("{head}\n|---|---|---|\n");
    for command in COMMANDS {
        for usage in command.usage {
            let (effect, users) = (say(language, usage.effect), users(language, usage.users));
            writeln!(table, "| `/{}{}` | {effect} | {users} |", command.name, usage.options).unwrap();
        }
    }
    table
}

#[test]
fn the_readmes_list_every_command_as_it_is_defined() {
    check_section("README.md", "commands", &table(Language::English));
    check_section("README.pt-BR.md", "commands", &table(Language::Portuguese));
}

#[test]
fn every_command_and_option_has_a_row() {
    for command in COMMANDS {
        let rows: Vec<_> = command.usage.iter().map(|usage| usage.options).collect();
        assert!(rows.contains(&""), "/{} has no row without options", command.name);
        for option in command.options {
            let has_row = rows.iter().any(|row| row.starts_with(&format!(" {}:", option.name)));
            assert!(has_row, "/{} {}: has no row", command.name, option.name);
        }
    }
}
