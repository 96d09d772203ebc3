//! `/settings`: a channel's own answers to its agent's questions.
//!
//! One message, for the caller alone, goes from view to view: all settings with a menu of them; then the options of one, or a form for a
//! text. What is pressed carries all that is needed in its custom id, so no state is kept between two presses:
//! `settings:question`, `settings:page:{page}:{question}`, `settings:option:{question}`, `settings:text:{question}`, `settings:back`.

use poise::{
    CreateReply,
    serenity_prelude::{
        ActionRowComponent, Builder, ButtonStyle, ChannelId, ComponentInteraction, ComponentInteractionDataKind,
        CreateActionRow, CreateAllowedMentions, CreateButton, CreateInputText, CreateInteractionResponse,
        CreateInteractionResponseMessage, CreateModal, CreateSelectMenu, CreateSelectMenuKind, CreateSelectMenuOption,
        EditInteractionResponse, Http, InputTextStyle, InteractionId, Member, ModalInteraction, Permissions,
    },
};
use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{ACKNOWLEDGE_AFTER, Context, Data, Error, acknowledged, language, may_manage};
use crate::{
    config::Language,
    reply::texts::{
        self,
        settings::{Setting, SettingValue},
    },
    tess::{Agent, Options, Question},
};

/// What the custom ids of this command begin with, up to the colon.
pub(super) const PREFIX: &str = "settings";

/// Most options of a menu, and most characters of one. A custom id has as many.
/// <https://discord.com/developers/docs/components/reference#string-select>
const MENU_OPTIONS: usize = 25;
const OPTION_CHARS: usize = 100;

/// Options of a question on one page of its menu: one place is the default's.
const PAGE: usize = MENU_OPTIONS - 1;

/// Longest name of a question that fits into a custom id with the rest of it, in characters.
const NAME_CHARS: usize = 70;

/// Most characters of a form's title, and of the label of a field. <https://discord.com/developers/docs/components/reference#text-input>
const LABEL_CHARS: usize = 45;

/// Most characters of a field.
const FIELD_CHARS: u16 = 4_000;

/// The choice of the default; any other value begins with [`CHOSEN`].
const DEFAULT: &str = "default";
const CHOSEN: char = '=';

/// Show how the agent of this channel is set, or change it
#[poise::command(
    slash_command,
    description_localized("pt-BR", "Mostra como o agente deste canal está configurado, ou muda isso")
)]
pub(super) async fn settings(ctx: Context<'_>) -> Result<(), Error> {
    let here = Here { data: ctx.data(), channel: ctx.channel_id(), language: language(ctx) };
    let can_change = may_manage(ctx).await;
    let view = match acknowledged(ctx, true, here.agent()).await? {
        Some(agent) => here.overview(&agent, can_change, None),
        None => View::of(texts::settings::unavailable(here.language)),
    };
    ctx.send(CreateReply::default().content(view.content).components(view.rows).ephemeral(true)).await.map(drop)
}

/// A menu or a button of this command; `about` is its custom id behind the prefix.
pub(super) async fn press(data: &Data, http: &Http, press: &ComponentInteraction, about: &str) {
    if let Err(error) = answer_press(data, http, press, about).await {
        warn!(%error, "a settings menu could not be answered");
    }
}

async fn answer_press(data: &Data, http: &Http, press: &ComponentInteraction, about: &str) -> Result<(), Error> {
    let answer = Answer { http, id: press.id, token: &press.token };
    let here = Here { data, channel: press.channel_id, language: data.language_for(&press.locale) };
    if !manages(press.member.as_ref()) {
        return answer.update(View::of(texts::commands::needs_manage_channels(here.language))).await;
    }
    let chosen: &[String] = match &press.data.kind {
        ComponentInteractionDataKind::StringSelect { values } => values,
        _ => &[],
    };
    match Step::read(about, chosen) {
        Some(Step::Write { question }) => {
            let value = data.conversations.options(press.channel_id).get(question).map(in_words);
            answer.respond(CreateInteractionResponse::Modal(form(here.language, question, value))).await
        }
        Some(step) => answer.update_with(here.view(step)).await,
        None => {
            warn!(about, "a settings menu of another version was used");
            Ok(())
        }
    }
}

/// A form of this command was sent.
pub(super) async fn submit(data: &Data, http: &Http, modal: &ModalInteraction, about: &str) {
    if let Err(error) = answer_form(data, http, modal, about).await {
        warn!(%error, "a settings form could not be answered");
    }
}

async fn answer_form(data: &Data, http: &Http, modal: &ModalInteraction, about: &str) -> Result<(), Error> {
    let answer = Answer { http, id: modal.id, token: &modal.token };
    let here = Here { data, channel: modal.channel_id, language: data.language_for(&modal.locale) };
    if !manages(modal.member.as_ref()) {
        return answer.update(View::of(texts::commands::needs_manage_channels(here.language))).await;
    }
    let Some(question) = about.strip_prefix("text:") else { return Ok(()) };
    let fields = modal.data.components.iter().flat_map(|row| &row.components);
    let text = fields.filter_map(|field| match field {
        ActionRowComponent::InputText(input) => input.value.clone(),
        _ => None,
    });
    let text = text.into_iter().next().filter(|text| !text.trim().is_empty());
    answer.update_with(here.view(Step::Set { question, text })).await
}

/// In a guild, whether the member may manage the channel; in a direct message there is no member, and everyone may.
fn manages(member: Option<&Member>) -> bool {
    let enough = Permissions::MANAGE_CHANNELS | Permissions::ADMINISTRATOR;
    member.is_none_or(|member| member.permissions.is_some_and(|permissions| permissions.intersects(enough)))
}

/// What a press asks for.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Overview,
    /// A page of a question's options.
    Choose {
        question: &'a str,
        page: usize,
    },
    /// A question that is answered in writing.
    Write {
        question: &'a str,
    },
    /// A new value; `None` is the default.
    Set {
        question: &'a str,
        text: Option<String>,
    },
}

impl<'a> Step<'a> {
    fn read(about: &'a str, chosen: &'a [String]) -> Option<Self> {
        let (what, rest) = about.split_once(':').unwrap_or((about, ""));
        match what {
            "back" => Some(Self::Overview),
            "question" => match chosen.first()?.split_once(':')? {
                ("choose", question) => Some(Self::Choose { question, page: 0 }),
                ("write", question) => Some(Self::Write { question }),
                _ => None,
            },
            "page" => {
                let (page, question) = rest.split_once(':')?;
                Some(Self::Choose { question, page: page.parse().ok()? })
            }
            "option" => {
                let values: Option<Vec<_>> = chosen.iter().map(|value| value.strip_prefix(CHOSEN)).collect();
                Some(Self::Set { question: rest, text: values.map(|values| values.join(", ")) })
            }
            _ => None,
        }
    }
}

/// A message of this command.
struct View {
    content: String,
    rows: Vec<CreateActionRow>,
}

impl View {
    fn of(text: impl Into<String>) -> Self {
        Self { content: text.into(), rows: Vec::new() }
    }
}

/// Whose settings are looked at, and in what language.
struct Here<'a> {
    data: &'a Data,
    channel: ChannelId,
    language: Language,
}

impl Here<'_> {
    /// The channel's agent, as Tess has it now.
    async fn agent(&self) -> Option<Agent> {
        let id = self.data.conversations.agent(self.channel);
        let agent = self.data.tess.agent(id).await;
        agent.inspect_err(|error| warn!(%error, agent.id = %id, "the agent's questions could not be asked for")).ok()
    }

    async fn view(&self, step: Step<'_>) -> View {
        let Some(agent) = self.agent().await else { return View::of(texts::settings::unavailable(self.language)) };
        let known = |name: &str| agent.settings().find(|question| question.name == name);
        let (question, change) = match step {
            Step::Overview => return self.overview(&agent, true, None),
            Step::Choose { question: name, page } => match known(name) {
                Some(question) => return self.options(question, page),
                None => (name, None),
            },
            Step::Write { question } => (question, None),
            Step::Set { question: name, text } => {
                (name, known(name).map(|question| self.set(&agent, question, text.as_deref())))
            }
        };
        let change = change.unwrap_or_else(|| texts::settings::unknown_setting(self.language, question));
        self.overview(&agent, true, Some(change))
    }

    /// Changes a setting; what to say about it. Answers to questions that the agent does not have any more are dropped along.
    fn set(&self, agent: &Agent, question: &Question, text: Option<&str>) -> String {
        // Another one may have been chosen while this one was asked for.
        if self.data.conversations.agent(self.channel) != agent.id {
            return texts::settings::unknown_setting(self.language, &question.name);
        }
        let before = self.data.conversations.options(self.channel);
        let mut options = Options::default();
        let kept = before.iter().filter(|(name, _)| *name != question.name && agent.question(name).is_some());
        let known = kept.map(|(name, value)| (name, value.clone()));
        let new = match text.map(|text| question.check(text)).transpose() {
            Ok(new) => new,
            Err(invalid) => return texts::settings::invalid_value(self.language, &question.name, &invalid),
        };
        for (name, value) in known.chain(new.clone().map(|value| (question.name.as_str(), value))) {
            if let Err(invalid) = options.set(name, value) {
                return texts::settings::invalid_value(self.language, name, &invalid);
            }
        }
        if !self.data.conversations.set_options(self.channel, &options) {
            return texts::settings::too_long(self.language).to_owned();
        }
        info!(channel.id = %self.channel, agent.id = %agent.id, "settings changed");
        texts::settings::changed(self.language, &question.name, new.as_ref().map(in_words).as_deref())
    }

    /// All settings and, for those who may change them, a menu of them.
    fn overview(&self, agent: &Agent, can_change: bool, change: Option<String>) -> View {
        let options = self.data.conversations.options(self.channel);
        let missing = agent.missing(&options);
        let settings: Vec<_> = agent
            .settings()
            .map(|question| {
                let name = question.name.as_str();
                let own = options.get(name).map(|value| SettingValue::Channel(in_words(value)));
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
        View { content, rows }
    }

    /// One page of a question's options.
    fn options(&self, question: &Question, page: usize) -> View {
        let name = &question.name;
        let choices = choices(question);
        let pages = choices.len().div_ceil(PAGE).max(1);
        let page = page.min(pages - 1);
        let own = self.data.conversations.options(self.channel).get(name).cloned();
        let is_own = |choice: &str| match &own {
            Some(Value::Array(several)) => several.iter().any(|value| in_words(value) == choice),
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
        View { content: texts::settings::prompt(self.language, name, question.description.as_deref()), rows }
    }

    /// Back to all settings, and from page to page of a question's options.
    fn buttons(&self, question: &str, page: usize, pages: usize) -> CreateActionRow {
        let turn = |label: &str, to: Option<usize>| {
            // A button that is off still needs an id of its own.
            let place = to.map_or_else(|| label.to_owned(), |page| page.to_string());
            let button = CreateButton::new(format!("{PREFIX}:page:{place}:{question}")).label(label);
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

fn fits(name: &str) -> bool {
    (1..=NAME_CHARS).contains(&name.chars().count())
}

/// A question in the menu of all.
fn entry(question: &Question) -> CreateSelectMenuOption {
    // How it is answered stands in the value: a form has to be opened at once, without asking Tess.
    let how = if choices(question).is_empty() { "write" } else { "choose" };
    let entry = CreateSelectMenuOption::new(&question.name, format!("{how}:{}", question.name));
    match &question.description {
        Some(description) => entry.description(cut(description, OPTION_CHARS)),
        None => entry,
    }
}

/// The options of a question that a menu can show, each once.
fn choices(question: &Question) -> Vec<&str> {
    if question.kind == "boolean" && question.options.is_empty() {
        return vec!["yes", "no"];
    }
    let mut choices: Vec<&str> = Vec::new();
    for option in &question.options {
        // The mark before it takes one.
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
fn form(language: Language, question: &str, value: Option<String>) -> CreateModal {
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

/// A value as a person would write it.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(several) => several.iter().map(in_words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// How a press is answered.
struct Answer<'a> {
    http: &'a Http,
    id: InteractionId,
    token: &'a str,
}

impl Answer<'_> {
    async fn respond(&self, response: CreateInteractionResponse) -> Result<(), Error> {
        response.execute(self.http, (self.id, self.token)).await
    }

    /// Changes the message that was pressed on.
    async fn update(&self, view: View) -> Result<(), Error> {
        let message = CreateInteractionResponseMessage::new().content(view.content).components(view.rows);
        let message = message.allowed_mentions(CreateAllowedMentions::new());
        self.respond(CreateInteractionResponse::UpdateMessage(message)).await
    }

    /// Changes the message as soon as it is known how, and tells Discord in time that it will be changed.
    async fn update_with(&self, view: impl Future<Output = View>) -> Result<(), Error> {
        tokio::pin!(view);
        tokio::select! {
            view = &mut view => return self.update(view).await,
            () = sleep(ACKNOWLEDGE_AFTER) => self.respond(CreateInteractionResponse::Acknowledge).await?,
        }
        let view = view.await;
        let edit = EditInteractionResponse::new().content(view.content).components(view.rows);
        edit.allowed_mentions(CreateAllowedMentions::new()).execute(self.http, self.token).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(about: &'a str, chosen: &'a [String]) -> Option<Step<'a>> {
        Step::read(about, chosen)
    }

    #[test]
    fn a_press_says_all_that_is_needed() {
        let chosen = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert_eq!(step("back", &[]), Some(Step::Overview));
        assert_eq!(step("question", &chosen(&["choose:a:b"])), Some(Step::Choose { question: "a:b", page: 0 }));
        assert_eq!(step("question", &chosen(&["write:a"])), Some(Step::Write { question: "a" }));
        assert_eq!(step("page:2:a:b", &[]), Some(Step::Choose { question: "a:b", page: 2 }));
        let set = |text: Option<&str>| Some(Step::Set { question: "a:b", text: text.map(str::to_owned) });
        assert_eq!(step("option:a:b", &chosen(&["=x", "=default"])), set(Some("x, default")));
        assert_eq!(step("option:a:b", &chosen(&["=x", "default"])), set(None));
        for odd in ["", "question", "page:x:a", "page:1", "other:a"] {
            assert_eq!(step(odd, &[]), None, "{odd}");
        }
    }
}
