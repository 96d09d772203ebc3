//! What `/settings` shows: menus, buttons and forms.

use serde_json::Value;
use serenity::{
    all::{ButtonStyle, InputTextStyle},
    builder::{
        CreateActionRow, CreateButton, CreateInputText, CreateModal, CreateSelectMenu, CreateSelectMenuKind,
        CreateSelectMenuOption,
    },
};
use tracing::warn;

use crate::{
    commands::{caller::Caller, data::Data, error::CommandError, respond::Reply},
    config::Language,
    ids::ChannelId,
    reply::texts::{
        self,
        settings::{Setting, SettingValue},
    },
    tess::{Agent, Question},
};

/// What the custom ids of this command begin with, up to the colon.
pub(super) const PREFIX: &str = "settings";

/// The value of the menu entry for the default; the value of any other entry begins with [`CHOSEN`].
const DEFAULT: &str = "default";
pub(super) const CHOSEN: char = '=';

/// Most options of a menu, and most characters of one. A custom id has as many.
/// <https://discord.com/developers/docs/components/reference#string-select>
const MENU_OPTIONS: usize = 25;
const OPTION_CHARS: usize = 100;

/// Options of a question on one page of its menu; one entry is the default's.
const PAGE: usize = MENU_OPTIONS - 1;

/// Longest name of a question that fits into a custom id with the rest of it, in characters.
const NAME_CHARS: usize = 70;

/// Most characters of a form's title, and of the label of a field.
/// <https://discord.com/developers/docs/components/reference#text-input>
const LABEL_CHARS: usize = 45;

/// Most characters of a field.
const FIELD_CHARS: u16 = 4_000;

/// The settings of a channel, and the language in which they are shown.
pub(super) struct ChannelSettings<'a> {
    pub(super) data: &'a Data,
    pub(super) channel: ChannelId,
    pub(super) language: Language,
}

impl<'a> ChannelSettings<'a> {
    pub(super) fn new(data: &'a Data, caller: &Caller) -> Result<Self, CommandError> {
        Ok(Self { data, channel: caller.channel()?, language: caller.language })
    }

    /// The channel's agent, as Tess has it now.
    pub(super) async fn agent(&self) -> Option<Agent> {
        let id = self.data.conversations.agent(self.channel);
        let agent = self.data.tess.agent(id).await;
        agent.inspect_err(|error| warn!(%error, agent.id = %id, "agent questions unavailable")).ok()
    }

    /// Shows all settings and, to those who may change them, a menu of them.
    pub(super) fn overview(&self, agent: &Agent, can_change: bool, change: Option<String>) -> Reply {
        let options = self.data.conversations.options(self.channel);
        let missing = agent.missing(&options);
        let settings: Vec<_> = agent
            .settings()
            .map(|question| {
                let name = question.name.as_str();
                let own = options.get(name).map(|value| SettingValue::Channel(as_text(value)));
                let bots = self.data.tess.default_option(name).map(|value| SettingValue::BotDefault(value.to_owned()));
                let none = if missing.contains(&question) {
                    SettingValue::Missing
                } else {
                    SettingValue::AgentDefault(question.default.clone())
                };
                Setting { name, value: own.or(bots).unwrap_or(none) }
            })
            .collect();
        let text = texts::settings::overview(self.language, &agent.title, &settings, can_change);
        let content = change.map_or_else(|| text.clone(), |change| format!("{change}\n{text}"));
        let entries: Vec<_> = agent.settings().filter(|question| fits(&question.name)).map(entry).collect();
        let rows = if can_change && !entries.is_empty() { vec![menu("question", entries, 1)] } else { Vec::new() };
        Reply::private(content).rows(rows)
    }

    /// Shows one page of a question's options.
    pub(super) fn options(&self, question: &Question, page: usize) -> Reply {
        let name = &question.name;
        let choices = choices(question);
        let pages = choices.len().div_ceil(PAGE).max(1);
        let page = page.min(pages - 1);
        let own = self.data.conversations.options(self.channel).get(name).cloned();
        let is_own = |choice: &str| match &own {
            Some(Value::Array(several)) => several.iter().any(|value| as_text(value) == choice),
            Some(value) => question.check(choice).as_ref() == Ok(value),
            None => false,
        };
        let default = match self.data.tess.default_option(name) {
            Some(value) => format!("{} ({value})", texts::settings::bot_default(self.language)),
            None => texts::settings::agent_default(self.language).to_owned(),
        };
        let default = CreateSelectMenuOption::new(cut(&default, OPTION_CHARS), DEFAULT);
        let mut entries = vec![default.default_selection(own.is_none())];
        entries.extend(choices.iter().skip(page * PAGE).take(PAGE).map(|choice| {
            CreateSelectMenuOption::new(*choice, format!("{CHOSEN}{choice}")).default_selection(is_own(choice))
        }));
        let most = if question.kind == "multiselect" { entries.len() } else { 1 };
        let rows = vec![menu(&format!("option:{name}"), entries, most), self.buttons(name, page, pages)];
        let text = texts::settings::prompt(self.language, name, question.description.as_deref());
        Reply::private(text).rows(rows)
    }

    /// The buttons back to all settings, and from page to page of a question's options.
    fn buttons(&self, question: &str, page: usize, pages: usize) -> CreateActionRow {
        let turn = |label: &str, to: Option<usize>| {
            // A disabled button still needs a custom id of its own.
            let target = to.map_or_else(|| label.to_owned(), |page| page.to_string());
            let button = CreateButton::new(format!("{PREFIX}:page:{target}:{question}")).label(label);
            button.style(ButtonStyle::Secondary).disabled(to.is_none())
        };
        let back = CreateButton::new(format!("{PREFIX}:back")).label(texts::settings::back_label(self.language));
        let mut buttons = vec![back.style(ButtonStyle::Secondary)];
        if pages > 1 {
            buttons.push(turn("◀", page.checked_sub(1)));
            buttons.push(turn("▶", Some(page + 1).filter(|next| *next < pages)));
        }
        CreateActionRow::Buttons(buttons)
    }
}

/// A value as a person would write it.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(several) => several.iter().map(as_text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Whether a question's name fits into a custom id.
fn fits(name: &str) -> bool {
    (1..=NAME_CHARS).contains(&name.chars().count())
}

/// The menu entry of a question.
fn entry(question: &Question) -> CreateSelectMenuOption {
    // The value states how it is answered, because a form has to be opened at once, without asking Tess.
    let how = if choices(question).is_empty() { "write" } else { "choose" };
    let entry = CreateSelectMenuOption::new(&question.name, format!("{how}:{}", question.name));
    match &question.description {
        Some(description) => entry.description(cut(description, OPTION_CHARS)),
        None => entry,
    }
}

/// The distinct options of a question that a menu can show.
fn choices(question: &Question) -> Vec<&str> {
    if question.kind == "boolean" && question.options.is_empty() {
        return vec!["yes", "no"];
    }
    let mut choices: Vec<&str> = Vec::new();
    for option in &question.options {
        // The prefix of the value takes one character.
        if (1..OPTION_CHARS).contains(&option.trim().chars().count()) && !choices.contains(&option.as_str()) {
            choices.push(option);
        }
    }
    choices
}

fn menu(id: &str, mut entries: Vec<CreateSelectMenuOption>, most: usize) -> CreateActionRow {
    entries.truncate(MENU_OPTIONS);
    let kind = CreateSelectMenuKind::String { options: entries };
    let most = u8::try_from(most).unwrap_or(1);
    CreateActionRow::SelectMenu(CreateSelectMenu::new(format!("{PREFIX}:{id}"), kind).min_values(1).max_values(most))
}

/// The form of a question that is answered in writing.
pub(super) fn form(language: Language, question: &str, value: Option<String>) -> CreateModal {
    let label = cut(question, LABEL_CHARS);
    let field = CreateInputText::new(InputTextStyle::Paragraph, &label, "value")
        .placeholder(texts::settings::empty_field(language))
        .max_length(FIELD_CHARS)
        .required(false);
    let field = match value {
        Some(value) => field.value(cut(&value, usize::from(FIELD_CHARS))),
        None => field,
    };
    CreateModal::new(format!("{PREFIX}:text:{question}"), label).components(vec![CreateActionRow::InputText(field)])
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
