//! What a command is: its definition in both languages, who may use it, and its handlers.

use std::{future::Future, pin::Pin};

use serde_json::Value;
use serenity::{
    all::CommandOptionType,
    builder::{AutocompleteChoice, CreateCommand, CreateCommandOption},
};

use super::{
    caller::{Caller, Right},
    data::Data,
    error::CommandError,
    respond::Responder,
};
use crate::{discord::interaction::CommandOption, ids::InteractionId};

/// The language of the localized descriptions. <https://discord.com/developers/docs/reference#locales>
const PORTUGUESE: &str = "pt-BR";

/// A slash command, and the buttons, menus and forms of its messages.
pub(super) struct Command {
    /// 1 to 32 lower-case characters.
    pub(super) name: &'static str,
    pub(super) description: Text,
    pub(super) options: &'static [CommandOptionDef],
    /// Its rows in the tables of the READMEs, which `UPDATE_DOCS=1 cargo test docs` writes.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the documentation is made from it"))]
    pub(super) usage: &'static [Usage],
    /// What a caller needs to use it; `None`: everybody may.
    pub(super) requires: Option<Right>,
    pub(super) run: Run,
    /// Completes the option that is being typed.
    pub(super) complete: Option<Complete>,
    pub(super) components: Option<Components>,
}

/// One way of using a command, for the documentation.
#[cfg_attr(not(test), expect(dead_code, reason = "only the documentation is made from it"))]
pub(super) struct Usage {
    /// What follows the command's name, with the space before it.
    pub(super) options: &'static str,
    /// What it does, in the third person and of any length.
    pub(super) effect: Text,
    pub(super) users: Users,
}

/// Who may use a command in one of its ways.
#[cfg_attr(not(test), expect(dead_code, reason = "only the documentation is made from it"))]
#[derive(Clone, Copy)]
pub(super) enum Users {
    Everyone,
    /// Who has the right.
    With(Right),
    /// Everyone may see what it shows; changing it takes the right.
    ToChange(Right),
    /// Whoever asked the question, and who has the right.
    RequesterOr(Right),
}

/// A text in each language of the bot. Discord limits that of a description to 1 to 100 characters.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) english: &'static str,
    pub(super) portuguese: &'static str,
}

/// An option of a command. None is required.
pub(super) struct CommandOptionDef {
    pub(super) name: &'static str,
    pub(super) description: Text,
    pub(super) kind: OptionKind,
}

/// What an option takes.
#[derive(Clone, Copy)]
pub(super) enum OptionKind {
    /// A text that Discord completes while it is typed.
    Completed,
    /// One of these; its value is its index.
    Choice(&'static [&'static str]),
}

/// The components in the messages of a command.
pub(super) struct Components {
    /// What their custom ids begin with, up to a colon.
    pub(super) prefix: &'static str,
    /// As for the command. The refusal replaces the message, so only private messages may have components that require a right.
    pub(super) requires: Option<Right>,
    pub(super) press: Press,
    pub(super) submit: Option<Submit>,
}

/// What a handler works with.
pub(super) struct Call<'a> {
    pub(super) data: &'a Data,
    pub(super) caller: &'a Caller,
    pub(super) respond: &'a mut Responder,
    /// The interaction's id: a snowflake, later than every message that was posted before it.
    pub(super) id: InteractionId,
}

/// The options of a command as they were filled in.
#[derive(Clone, Copy)]
pub(super) struct Options<'a>(pub(super) &'a [CommandOption]);

impl<'a> Options<'a> {
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|option| option.name == name).map(|option| option.value.as_str())
    }
}

/// A button or a menu that was used.
#[derive(Clone, Copy)]
pub(super) struct Pressed<'a> {
    /// Its custom id behind the prefix.
    pub(super) subject: &'a str,
    /// What was chosen; empty for a button.
    pub(super) values: &'a [String],
}

/// A form that was sent.
#[derive(Clone, Copy)]
pub(super) struct Submitted<'a> {
    /// Its custom id behind the prefix.
    pub(super) subject: &'a str,
    /// The text of its first field.
    pub(super) text: Option<&'a str>,
}

pub(super) type Handled<'a> = Pin<Box<dyn Future<Output = Result<(), CommandError>> + Send + 'a>>;
pub(super) type Run = for<'a> fn(Call<'a>, Options<'a>) -> Handled<'a>;
pub(super) type Press = for<'a> fn(Call<'a>, Pressed<'a>) -> Handled<'a>;
pub(super) type Submit = for<'a> fn(Call<'a>, Submitted<'a>) -> Handled<'a>;
pub(super) type Complete =
    for<'a> fn(&'a Data, &'a str) -> Pin<Box<dyn Future<Output = Vec<AutocompleteChoice>> + Send + 'a>>;

/// The command of that name.
pub(super) fn command<'a>(commands: &'a [Command], name: &str) -> Result<&'a Command, CommandError> {
    commands.iter().find(|command| command.name == name).ok_or(CommandError::Unknown)
}

/// The components that a custom id belongs to, and the rest of the id.
pub(super) fn components<'a, 'b>(
    commands: &'a [Command],
    custom_id: &'b str,
) -> Result<(&'a Components, &'b str), CommandError> {
    let (prefix, subject) = custom_id.split_once(':').unwrap_or((custom_id, ""));
    let mut all = commands.iter().filter_map(|command| command.components.as_ref());
    let components = all.find(|components| components.prefix == prefix).ok_or(CommandError::Unknown)?;
    Ok((components, subject))
}

/// The commands as Discord registers them.
pub(super) fn definition(commands: &[Command]) -> Value {
    let commands: Vec<_> = commands.iter().map(create_command).collect();
    serde_json::to_value(commands).unwrap_or_default()
}

fn create_command(command: &Command) -> CreateCommand {
    let Text { english, portuguese } = command.description;
    let created = CreateCommand::new(command.name).description(english).description_localized(PORTUGUESE, portuguese);
    created.set_options(command.options.iter().map(create_option).collect())
}

fn create_option(option: &CommandOptionDef) -> CreateCommandOption {
    let Text { english, portuguese } = option.description;
    let created =
        |kind| CreateCommandOption::new(kind, option.name, english).description_localized(PORTUGUESE, portuguese);
    match option.kind {
        OptionKind::Completed => created(CommandOptionType::String).set_autocomplete(true),
        OptionKind::Choice(names) => (0..)
            .zip(names)
            .fold(created(CommandOptionType::Integer), |option, (index, name)| option.add_int_choice(*name, index)),
    }
}
