//! Texts about a channel's settings of its agent.

use std::fmt::Write;

use super::{
    format::{code, escape},
    marks::{DONE_MARK, ERROR_MARK, INFO_MARK},
};
use crate::{config::Language, tess::InvalidOption};

/// Most settings that are listed; with names and values cut to [`SHOWN_CHARS`], they fit into one message.
const MAX_LINES: usize = 15;

/// Most characters of a setting's name, and of its value, that are shown.
const SHOWN_CHARS: usize = 30;

/// Most characters of the reason why a value is invalid.
const REASON_CHARS: usize = 240;

/// A setting, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<'a> {
    /// The name of the agent's question.
    pub name: &'a str,
    /// Its value, and where that comes from.
    pub value: SettingValue,
}

/// The value of a setting, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingValue {
    /// Set in the channel.
    Channel(String),
    /// Set by the bot's configuration.
    BotDefault(String),
    /// The agent's default; `None` when Tess does not report it.
    AgentDefault(Option<String>),
    /// Not set, although the agent needs a value.
    Missing,
}

/// Lists all settings of a channel's agent. `can_change` tells whether the reader may change them.
#[must_use]
pub(crate) fn overview(language: Language, title: &str, settings: &[Setting<'_>], can_change: bool) -> String {
    let title = escape(title);
    if settings.is_empty() {
        let nothing = language.say("has no settings", "não tem configurações");
        return format!("{INFO_MARK} **{title}** {nothing}.");
    }
    let answers = language.say("answers in this channel with", "responde neste canal com");
    let mut text = format!("{INFO_MARK} **{title}** {answers}:");
    for Setting { name, value } in settings.iter().take(MAX_LINES) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n- {}: {}", code(name, SHOWN_CHARS), show_value(language, value));
    }
    if settings.len() > MAX_LINES {
        let more = settings.len() - MAX_LINES;
        text.push_str(&language.say(format!("\n- and {more} more"), format!("\n- e mais {more}")));
    }
    if !can_change {
        text.push_str(language.say(
            "\nTo change them, you need the permission **Manage Channels**.",
            "\nPara mudá-las, é preciso ter a permissão **Gerenciar canais**.",
        ));
    }
    text
}

fn show_value(language: Language, value: &SettingValue) -> String {
    match value {
        SettingValue::Channel(value) => code(value, SHOWN_CHARS),
        SettingValue::BotDefault(value) => format!("{}, {}", bot_default(language), code(value, SHOWN_CHARS)),
        SettingValue::AgentDefault(Some(value)) => format!("{}, {}", agent_default(language), code(value, SHOWN_CHARS)),
        SettingValue::AgentDefault(None) => agent_default(language).to_owned(),
        SettingValue::Missing => {
            let nothing = "nothing yet, but the agent needs a value";
            language.say(nothing, "nada ainda, mas o agente precisa de um valor").to_owned()
        }
    }
}

/// Names a value from the bot's configuration, within a sentence.
#[must_use]
pub(crate) fn bot_default(language: Language) -> &'static str {
    language.say("the bot's default", "o padrão do bot")
}

/// Names a value that is the agent's default, within a sentence.
#[must_use]
pub(crate) fn agent_default(language: Language) -> &'static str {
    language.say("the agent's default", "o padrão do agente")
}

/// The placeholder of an empty text field.
#[must_use]
pub(crate) fn empty_field(language: Language) -> String {
    let empty = language.say("Empty", "Vazio");
    format!("{empty}: {}", agent_default(language))
}

/// The label of the button that returns to the [`overview`].
#[must_use]
pub(crate) fn back_label(language: Language) -> &'static str {
    language.say("Back", "Voltar")
}

/// Asks for the value of a setting, above the menu of values.
#[must_use]
pub(crate) fn prompt(language: Language, name: &str, description: Option<&str>) -> String {
    let (description, name) =
        (description.map(|text| format!("\n{}", escape(text))).unwrap_or_default(), code(name, SHOWN_CHARS));
    language.say(
        format!("{INFO_MARK} What shall {name} be in this channel?{description}"),
        format!("{INFO_MARK} Qual deve ser {name} neste canal?{description}"),
    )
}

/// Says that a setting was changed; without a `value`, that it has its default again.
#[must_use]
pub(crate) fn changed(language: Language, name: &str, value: Option<&str>) -> String {
    let name = code(name, SHOWN_CHARS);
    match value.map(|value| code(value, SHOWN_CHARS)) {
        Some(value) => language.say(
            format!("{DONE_MARK} {name} is now {value}, from the next answer on."),
            format!("{DONE_MARK} {name} agora é {value}, a partir da próxima resposta."),
        ),
        None => language.say(
            format!("{DONE_MARK} {name} is the default again, from the next answer on."),
            format!("{DONE_MARK} {name} volta ao padrão, a partir da próxima resposta."),
        ),
    }
}

/// Says that a value is not valid for a setting, and why.
#[must_use]
pub(crate) fn invalid_value(language: Language, name: &str, invalid: &InvalidOption) -> String {
    let reason: String = reason(language, invalid).chars().take(REASON_CHARS).collect();
    format!("{ERROR_MARK} {} {reason}. {}", code(name, SHOWN_CHARS), nothing_changed(language))
}

fn reason(language: Language, invalid: &InvalidOption) -> String {
    let (english, portuguese) = match invalid {
        InvalidOption::NotSettable => ("cannot be set here", "não pode ser definido aqui"),
        InvalidOption::Empty => ("cannot be empty", "não pode ficar vazio"),
        InvalidOption::NotANumber => ("takes a number, such as 5 or 0.5", "aceita um número, como 5 ou 0,5"),
        InvalidOption::NotABoolean => ("takes yes or no", "aceita sim ou não"),
        InvalidOption::UnknownOption { options } => {
            let options = options.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", ");
            return language.say(format!("takes one of {options}"), format!("aceita um destes: {options}"));
        }
        InvalidOption::TooLong { max, length } => {
            return language.say(
                format!("takes at most {max} characters, this has {length}"),
                format!("aceita no máximo {max} caracteres, e aqui há {length}"),
            );
        }
    };
    language.say(english, portuguese).to_owned()
}

fn nothing_changed(language: Language) -> &'static str {
    language.say("Nothing was changed.", "Nada mudou.")
}

/// Says that the agent has no such setting.
#[must_use]
pub(crate) fn unknown_setting(language: Language, name: &str) -> String {
    let has_no = language.say("This channel's agent has no", "O agente deste canal não tem");
    format!("{ERROR_MARK} {has_no} {}. {}", code(name, SHOWN_CHARS), nothing_changed(language))
}

/// Says that all values together are too long.
#[must_use]
pub(crate) fn too_long(language: Language) -> &'static str {
    language.say(
        "⚠️ All settings of this channel together are too long. Nothing was changed. Try a shorter text.",
        "⚠️ As configurações deste canal, juntas, são longas demais. Nada mudou. Tente um texto mais curto.",
    )
}

/// Says that Tess could not be asked for the agent's settings.
#[must_use]
pub(crate) fn unavailable(language: Language) -> &'static str {
    language.say(
        "⚠️ Tess could not be asked about this channel's agent. Nothing was changed. Try again in a minute.",
        "⚠️ Não foi possível consultar a Tess sobre o agente deste canal. Nada mudou. Tente de novo em um minuto.",
    )
}

/// Ends the text about a change of agent when the channel had settings, which were removed.
#[must_use]
pub(crate) fn dropped(language: Language) -> &'static str {
    language.say(
        " The settings of this channel were for the previous agent and were removed.",
        " As configurações deste canal eram do agente anterior e foram removidas.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::split::MESSAGE_CHARS;

    #[test]
    fn overview_lists_values_and_where_they_come_from() {
        let own = SettingValue::Channel("a `b`\nc".to_owned());
        let settings = [
            Setting { name: "temperature", value: own },
            Setting { name: "model", value: SettingValue::BotDefault("tess-5".to_owned()) },
            Setting { name: "tools", value: SettingValue::AgentDefault(None) },
            Setting { name: "language", value: SettingValue::AgentDefault(Some("pt".to_owned())) },
            Setting { name: "empresa", value: SettingValue::Missing },
        ];
        insta::assert_snapshot!(overview(Language::Portuguese, "Docs *Helper*", &settings, false), @r"
        ℹ️ **Docs \*Helper\*** responde neste canal com:
        - `temperature`: `a 'b' c`
        - `model`: o padrão do bot, `tess-5`
        - `tools`: o padrão do agente
        - `language`: o padrão do agente, `pt`
        - `empresa`: nada ainda, mas o agente precisa de um valor
        Para mudá-las, é preciso ter a permissão **Gerenciar canais**.
        ");
        insta::assert_snapshot!(overview(Language::English, "Docs *Helper*", &settings, false), @r"
        ℹ️ **Docs \*Helper\*** answers in this channel with:
        - `temperature`: `a 'b' c`
        - `model`: the bot's default, `tess-5`
        - `tools`: the agent's default
        - `language`: the agent's default, `pt`
        - `empresa`: nothing yet, but the agent needs a value
        To change them, you need the permission **Manage Channels**.
        ");
        insta::assert_snapshot!(overview(Language::English, "Plain", &[], true), @"ℹ️ **Plain** has no settings.");
    }

    #[test]
    fn other_texts_read_well_in_both_languages() {
        let texts = |language| {
            let whys = [
                InvalidOption::NotANumber,
                InvalidOption::NotSettable,
                InvalidOption::Empty,
                InvalidOption::NotABoolean,
                InvalidOption::UnknownOption { options: vec!["a".to_owned(), "b".to_owned()] },
                InvalidOption::TooLong { max: 8, length: 9 },
            ];
            let mut texts = vec![
                prompt(language, "model", Some("Which *one*")),
                changed(language, "model", Some("auto")),
                changed(language, "model", None),
                unknown_setting(language, "model"),
                too_long(language).to_owned(),
                unavailable(language).to_owned(),
                dropped(language).trim().to_owned(),
                empty_field(language),
            ];
            texts.extend(whys.iter().map(|why| invalid_value(language, "n", why)));
            texts.join("\n")
        };
        insta::assert_snapshot!(texts(Language::Portuguese), @r"
        ℹ️ Qual deve ser `model` neste canal?
        Which \*one\*
        ☑️ `model` agora é `auto`, a partir da próxima resposta.
        ☑️ `model` volta ao padrão, a partir da próxima resposta.
        ⚠️ O agente deste canal não tem `model`. Nada mudou.
        ⚠️ As configurações deste canal, juntas, são longas demais. Nada mudou. Tente um texto mais curto.
        ⚠️ Não foi possível consultar a Tess sobre o agente deste canal. Nada mudou. Tente de novo em um minuto.
        As configurações deste canal eram do agente anterior e foram removidas.
        Vazio: o padrão do agente
        ⚠️ `n` aceita um número, como 5 ou 0,5. Nada mudou.
        ⚠️ `n` não pode ser definido aqui. Nada mudou.
        ⚠️ `n` não pode ficar vazio. Nada mudou.
        ⚠️ `n` aceita sim ou não. Nada mudou.
        ⚠️ `n` aceita um destes: `a`, `b`. Nada mudou.
        ⚠️ `n` aceita no máximo 8 caracteres, e aqui há 9. Nada mudou.
        ");
        insta::assert_snapshot!(texts(Language::English), @r"
        ℹ️ What shall `model` be in this channel?
        Which \*one\*
        ☑️ `model` is now `auto`, from the next answer on.
        ☑️ `model` is the default again, from the next answer on.
        ⚠️ This channel's agent has no `model`. Nothing was changed.
        ⚠️ All settings of this channel together are too long. Nothing was changed. Try a shorter text.
        ⚠️ Tess could not be asked about this channel's agent. Nothing was changed. Try again in a minute.
        The settings of this channel were for the previous agent and were removed.
        Empty: the agent's default
        ⚠️ `n` takes a number, such as 5 or 0.5. Nothing was changed.
        ⚠️ `n` cannot be set here. Nothing was changed.
        ⚠️ `n` cannot be empty. Nothing was changed.
        ⚠️ `n` takes yes or no. Nothing was changed.
        ⚠️ `n` takes one of `a`, `b`. Nothing was changed.
        ⚠️ `n` takes at most 8 characters, this has 9. Nothing was changed.
        ");
    }

    #[test]
    fn many_long_settings_fit_into_one_message_with_the_text_about_a_change() {
        let long = "x".repeat(200);
        let setting = Setting { name: &long, value: SettingValue::AgentDefault(Some(long.clone())) };
        let why = InvalidOption::UnknownOption { options: vec![long.clone(); 9] };
        for (language, more) in [(Language::English, "and 15 more"), (Language::Portuguese, "e mais 15")] {
            let text = overview(language, &"*".repeat(500), &vec![setting.clone(); 30], false);
            let both = text.chars().count() + invalid_value(language, &long, &why).chars().count() + 1;
            assert!(both <= MESSAGE_CHARS, "{both}");
            assert!(text.contains(more));
        }
    }
}
