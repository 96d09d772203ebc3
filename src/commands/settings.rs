//! `/settings`: a channel's own answers to its agent's questions.
//!
//! One private message goes from view to view: all settings with a menu of them; then the options of one, or a form for a text.
//! The custom ids carry all that is needed, so no state is kept between two presses: `settings:question`,
//! `settings:page:{page}:{question}`, `settings:option:{question}`, `settings:text:{question}`, `settings:back`.

mod view;

use tracing::info;

use self::view::{CHOSEN, ChannelSettings, PREFIX, as_text};
use super::{
    caller::Right,
    error::CommandError,
    respond::{Reply, Visibility},
    table::{Call, Command, Components, Pressed, Submitted, Text, Usage, Users},
};
use crate::{
    reply::texts,
    tess::{Agent, Options, Question},
};

pub(super) const COMMAND: Command = Command {
    name: "settings",
    description: Text {
        english: "Show how the agent of this channel is set, or change it",
        portuguese: "Mostra como o agente deste canal está configurado, ou muda isso",
    },
    options: &[],
    usage: &[Usage {
        options: "",
        effect: Text {
            english: "shows the agent's settings in this channel (model, temperature, tools, the agent's own questions), or changes them",
            portuguese: "mostra como o agente está configurado no canal (modelo, temperatura, ferramentas e as perguntas dele), ou muda",
        },
        users: Users::ToChange(Right::ManageChannel),
    }],
    // Everybody may see the settings.
    requires: None,
    run: |call, _| Box::pin(settings(call)),
    complete: None,
    components: Some(Components {
        prefix: PREFIX,
        requires: Some(Right::ManageChannel),
        press: |call, pressed| Box::pin(press(call, pressed)),
        submit: Some(|call, submitted| Box::pin(submit(call, submitted))),
    }),
};

async fn settings(call: Call<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    let settings = ChannelSettings::new(data, caller)?;
    let can_change = caller.may(Right::ManageChannel);
    let shown = async {
        match settings.agent().await {
            Some(agent) => settings.overview(&agent, can_change, None),
            None => Reply::private(texts::settings::unavailable(settings.language)),
        }
    };
    Ok(respond.reply_with(Visibility::Private, shown).await?)
}

async fn press(call: Call<'_>, pressed: Pressed<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    let settings = ChannelSettings::new(data, caller)?;
    match Step::read(pressed.subject, pressed.values).ok_or(CommandError::Unknown)? {
        Step::Write { question } => {
            let value = data.conversations.options(settings.channel).get(question).map(as_text);
            respond.open_form(view::form(settings.language, question, value)).await?;
        }
        step => respond.update_with(settings.apply(step)).await?,
    }
    Ok(())
}

async fn submit(call: Call<'_>, submitted: Submitted<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    let settings = ChannelSettings::new(data, caller)?;
    let question = submitted.subject.strip_prefix("text:").ok_or(CommandError::Unknown)?;
    let text = submitted.text.filter(|text| !text.trim().is_empty()).map(str::to_owned);
    Ok(respond.update_with(settings.apply(Step::Set { question, text })).await?)
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
    fn read(subject: &'a str, chosen: &'a [String]) -> Option<Self> {
        let (action, rest) = subject.split_once(':').unwrap_or((subject, ""));
        match action {
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
            "option" if !chosen.is_empty() => {
                let values: Option<Vec<_>> = chosen.iter().map(|value| value.strip_prefix(CHOSEN)).collect();
                Some(Self::Set { question: rest, text: values.map(|values| values.join(", ")) })
            }
            _ => None,
        }
    }
}

impl ChannelSettings<'_> {
    /// Does what a press asks for, and shows the result.
    async fn apply(&self, step: Step<'_>) -> Reply {
        let Some(agent) = self.agent().await else {
            return Reply::private(texts::settings::unavailable(self.language));
        };
        let known = |name: &str| agent.settings().find(|question| question.name == name);
        let (name, change) = match step {
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
        let change = change.unwrap_or_else(|| texts::settings::unknown_setting(self.language, name));
        self.overview(&agent, true, Some(change))
    }

    /// Changes a setting and returns the text about it. Answers to questions that the agent no longer has are dropped.
    fn set(&self, agent: &Agent, question: &Question, text: Option<&str>) -> String {
        // The channel may have switched to another agent meanwhile.
        if self.data.conversations.agent(self.channel) != agent.id {
            return texts::settings::unknown_setting(self.language, &question.name);
        }
        let before = self.data.conversations.options(self.channel);
        let mut options = Options::default();
        let kept = before.iter().filter(|(name, _)| *name != question.name && agent.question(name).is_some());
        let kept = kept.map(|(name, value)| (name, value.clone()));
        let new = match text.map(|text| question.check(text)).transpose() {
            Ok(new) => new,
            Err(invalid) => return texts::settings::invalid_value(self.language, &question.name, &invalid),
        };
        for (name, value) in kept.chain(new.clone().map(|value| (question.name.as_str(), value))) {
            if let Err(invalid) = options.set(name, value) {
                return texts::settings::invalid_value(self.language, name, &invalid);
            }
        }
        if !self.data.conversations.set_options(self.channel, &options) {
            return texts::settings::too_long(self.language).to_owned();
        }
        info!(channel.id = %self.channel, agent.id = %agent.id, "settings changed");
        texts::settings::changed(self.language, &question.name, new.as_ref().map(as_text).as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(subject: &'a str, chosen: &'a [String]) -> Option<Step<'a>> {
        Step::read(subject, chosen)
    }

    #[test]
    fn custom_id_and_its_values_determine_the_step() {
        let chosen = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert_eq!(step("back", &[]), Some(Step::Overview));
        assert_eq!(step("question", &chosen(&["choose:a:b"])), Some(Step::Choose { question: "a:b", page: 0 }));
        assert_eq!(step("question", &chosen(&["write:a"])), Some(Step::Write { question: "a" }));
        assert_eq!(step("page:2:a:b", &[]), Some(Step::Choose { question: "a:b", page: 2 }));
        let set = |text: Option<&str>| Some(Step::Set { question: "a:b", text: text.map(str::to_owned) });
        assert_eq!(step("option:a:b", &chosen(&["=x", "=default"])), set(Some("x, default")));
        assert_eq!(step("option:a:b", &chosen(&["=x", "default"])), set(None));
        for odd in ["", "question", "option:a", "page:x:a", "page:1", "other:a"] {
            assert_eq!(step(odd, &[]), None, "{odd}");
        }
    }
}
