//! An agent as `GET /agents/{id}` describes it, with the questions that an execution can answer.

use serde_json::{Value, json};

use super::{
    json::{id, number, text},
    options::{InvalidOption, Options, is_reserved},
};
use crate::ids::{AgentId, WorkspaceId};

/// Longest answer to a text question without a bound, in characters: what a field of a Discord form accepts.
const DEFAULT_MAX_CHARS: usize = 4_000;

/// The questions of every chat agent. They are marked as required, which Tess does not enforce.
const STANDARD_QUESTIONS: [&str; 5] = ["messages", "root_id", "temperature", "model", "tools"];

/// An agent, `GET /agents/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its display name.
    pub title: String,
    /// Its name in URLs.
    pub slug: String,
    /// What it is for, if its author wrote it down.
    pub description: Option<String>,
    /// The workspace that it belongs to, if Tess says.
    pub workspace: Option<WorkspaceId>,
    /// `chat`, `image`, `text` or `video`.
    pub kind: String,
    /// The fields of an execution; empty if Tess omits them.
    pub questions: Vec<Question>,
}

/// One field of an agent's executions, such as `temperature`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The field's name.
    pub name: String,
    /// `select`, `multiselect`, `number`, `boolean`, `text`, `textarea`, `file`, `array`, `object` and others.
    pub kind: String,
    /// The values that a `select` or `multiselect` accepts, as text.
    pub options: Vec<String>,
    /// Whether Tess marks it as required; not enforced for `temperature`, `model` and `tools`.
    pub required: bool,
    /// What it is for.
    pub description: Option<String>,
    /// The value that applies when nothing is sent, as text.
    pub default: Option<String>,
    /// An example.
    pub placeholder: Option<String>,
    /// Longest text, in characters.
    pub max_length: Option<usize>,
    /// The options as Tess sent them, in the same order, so that a boolean is sent back as one.
    values: Vec<Value>,
}

impl Agent {
    /// Whether it accepts a conversation.
    pub(crate) fn is_chat(&self) -> bool {
        self.kind == "chat"
    }

    /// Returns the question of a name.
    pub(crate) fn question(&self, name: &str) -> Option<&Question> {
        self.questions.iter().find(|question| question.name == name)
    }

    /// Returns the questions that a person can answer in a channel.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &Question> {
        self.questions.iter().filter(|question| question.can_be_set())
    }

    /// Returns the required questions without an answer, except those of every chat agent, those with a default, and those
    /// that the bot answers itself.
    pub(crate) fn missing(&self, options: &Options) -> Vec<&Question> {
        let is_missing = |question: &&Question| {
            question.required
                && question.default.is_none()
                && !STANDARD_QUESTIONS.contains(&question.name.as_str())
                && !is_reserved(&question.name)
                && options.get(&question.name).is_none()
        };
        self.questions.iter().filter(is_missing).collect()
    }

    pub(super) fn read(agent: &Value) -> Option<Self> {
        let field = |name| agent.get(name).map(text).unwrap_or_default();
        let questions = agent.get("questions").and_then(Value::as_array);
        Some(Self {
            id: AgentId(id(agent.get("id")?)?),
            title: field("title"),
            slug: field("slug"),
            description: non_blank(agent.get("description")),
            workspace: agent.get("workspace_id").and_then(id).map(WorkspaceId),
            kind: field("type"),
            questions: questions.into_iter().flatten().map(Question::read).collect(),
        })
    }
}

impl Question {
    /// Whether a person can answer it in a channel: the bot does not set it, and text can express it.
    pub(crate) fn can_be_set(&self) -> bool {
        !is_reserved(&self.name) && !["array", "object", "file"].contains(&self.kind.as_str())
    }

    /// Parses the value that `text` stands for. A `multiselect` accepts its options with commas between them.
    ///
    /// # Errors
    ///
    /// What the question accepts instead, for the person who wrote `text`.
    pub(crate) fn check(&self, text: &str) -> Result<Value, InvalidOption> {
        let text = text.trim();
        if !self.can_be_set() {
            return Err(InvalidOption::NotSettable);
        }
        if text.is_empty() {
            return Err(InvalidOption::Empty);
        }
        match self.kind.as_str() {
            "select" if !self.values.is_empty() => self.parse_option(text),
            "multiselect" if !self.values.is_empty() => self.parse_options(text),
            "number" => parse_number(text).ok_or(InvalidOption::NotANumber),
            "boolean" => parse_boolean(text).ok_or(InvalidOption::NotABoolean),
            _ => self.parse_text(text),
        }
    }

    fn parse_option(&self, text: &str) -> Result<Value, InvalidOption> {
        let exact = self.options.iter().position(|option| option == text);
        let same = || self.options.iter().position(|option| option.to_lowercase() == text.to_lowercase());
        let value = exact.or_else(same).and_then(|index| self.values.get(index));
        value.cloned().ok_or_else(|| InvalidOption::UnknownOption { options: self.options.clone() })
    }

    fn parse_options(&self, text: &str) -> Result<Value, InvalidOption> {
        let mut values = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let value = self.parse_option(part)?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if values.is_empty() { Err(InvalidOption::Empty) } else { Ok(Value::Array(values)) }
    }

    fn parse_text(&self, text: &str) -> Result<Value, InvalidOption> {
        let (length, max) = (text.chars().count(), self.max_length.unwrap_or(DEFAULT_MAX_CHARS));
        if length > max {
            return Err(InvalidOption::TooLong { max, length });
        }
        Ok(json!(text))
    }

    fn read(question: &Value) -> Self {
        let field = |name| question.get(name).map(text).unwrap_or_default();
        let kind = field("type");
        let description = non_blank(question.get("description"));
        let values = match question.get("options").and_then(Value::as_array) {
            Some(values) => values.clone(),
            None if kind == "multiselect" => options_in(description.as_deref()),
            None => Vec::new(),
        };
        let bound = ["max_length", "maxlength"].iter().find_map(|name| id(question.get(name)?));
        Self {
            name: field("name"),
            kind,
            options: values.iter().map(text).collect(),
            required: question.get("required").and_then(Value::as_bool).unwrap_or_default(),
            description,
            default: non_blank(question.get("default")),
            placeholder: non_blank(question.get("placeholder")),
            max_length: bound.and_then(|bound| bound.try_into().ok()),
            values,
        }
    }
}

/// Reads options that are only in the description: "red, green, blue", possibly after a colon.
fn options_in(description: Option<&str>) -> Vec<Value> {
    let list = description.unwrap_or_default();
    let list = list.rsplit_once(':').map_or(list, |(_, list)| list);
    if !list.contains(',') {
        return Vec::new();
    }
    list.split(',').map(str::trim).filter(|option| !option.is_empty()).map(|option| json!(option)).collect()
}

fn non_blank(value: Option<&Value>) -> Option<String> {
    value.map(text).filter(|text| !text.trim().is_empty())
}

/// Parses a number; its decimal separator may be a comma.
fn parse_number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(json!(whole));
    }
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
    number(&json!(digits.replace(',', "."))).map(|magnitude| json!(sign * magnitude))
}

fn parse_boolean(text: &str) -> Option<Value> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "sim" => Some(json!(true)),
        "false" | "no" | "off" | "0" | "não" | "nao" => Some(json!(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(question: &Value) -> Question {
        Question::read(question)
    }

    fn checked(question: &Question, text: &str) -> String {
        question.check(text).map_or_else(|invalid| invalid.to_string(), |value| value.to_string())
    }

    #[test]
    fn an_agent_is_read_with_its_questions() {
        let agent = Agent::read(&json!({
            "id": 8794, "title": "Docs Helper", "description": null, "slug": "docs-helper-pB9ujA", "active": 1,
            "type": "chat", "questions": [
                {"type": "select", "name": "temperature", "required": true, "options": ["0", "0.25", true, 1]},
                {"type": "array", "name": "messages"},
                {"type": "text", "name": "tom", "description": "Tom de voz", "default": 3, "placeholder": "formal",
                 "max_length": "80"},
            ],
        }));
        let agent = agent.unwrap();
        assert!(agent.is_chat() && agent.description.is_none());
        assert_eq!(agent.slug, "docs-helper-pB9ujA");
        assert_eq!(agent.questions[0].options, ["0", "0.25", "true", "1"]);
        assert!(agent.questions[0].required && !agent.questions[1].required);
        let tone = agent.question("tom").unwrap();
        let texts = (tone.description.as_deref(), tone.default.as_deref(), tone.placeholder.as_deref());
        assert_eq!(texts, (Some("Tom de voz"), Some("3"), Some("formal")));
        assert_eq!(tone.max_length, Some(80));
        let settings: Vec<_> = agent.settings().map(|question| question.name.as_str()).collect();
        assert_eq!(settings, ["temperature", "tom"]);
    }

    #[test]
    fn an_agents_workspace_may_be_a_number_a_string_or_unknown() {
        for (workspace, expected) in [(json!(11), Some(11)), (json!("11"), Some(11)), (json!(null), None)] {
            let agent = Agent::read(&json!({"id": 1, "workspace_id": workspace})).unwrap();
            assert_eq!(agent.workspace, expected.map(WorkspaceId), "{workspace}");
        }
        assert_eq!(Agent::read(&json!({"id": 1})).unwrap().workspace, None);
    }

    #[test]
    fn a_select_accepts_its_options_as_tess_sent_them() {
        let select = question(&json!({"type": "select", "name": "model", "options": ["auto", "GPT-4o", true, 1]}));
        for (text, expected) in [
            ("auto", r#""auto""#),
            (" gpt-4O ", r#""GPT-4o""#),
            ("TRUE", "true"),
            ("1", "1"),
            ("gpt", "takes one of `auto`, `GPT-4o`, `true`, `1`"),
            ("  ", "cannot be empty"),
        ] {
            assert_eq!(checked(&select, text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_multiselect_accepts_several_of_its_options_each_once() {
        let given = json!({"type": "multiselect", "name": "nets", "options": ["a b", "c"]});
        let described = json!({"type": "multiselect", "name": "nets", "description": "Which ones: a b, c"});
        for nets in [question(&given), question(&described)] {
            assert_eq!(checked(&nets, "c, a b,, C"), r#"["c","a b"]"#);
            assert_eq!(checked(&nets, "c, d"), "takes one of `a b`, `c`");
            assert_eq!(checked(&nets, " , "), "cannot be empty");
        }
    }

    #[test]
    fn numbers_booleans_and_texts_are_read_as_people_write_them() {
        for (kind, text, expected) in [
            ("number", "5", "5"),
            ("number", "-5", "-5"),
            ("number", "0,5", "0.5"),
            ("number", "-0.5", "-0.5"),
            ("number", "inf", "takes a number, such as 5 or 0.5"),
            ("number", "five", "takes a number, such as 5 or 0.5"),
            ("boolean", "Sim", "true"),
            ("boolean", "off", "false"),
            ("boolean", "maybe", "takes yes or no"),
            ("text", " a \"b\" ", r#""a \"b\"""#),
            ("textarea", "abcdefghi", "takes at most 8 characters, this has 9"),
            ("of a new kind", "abc", r#""abc""#),
            ("object", "{}", "cannot be set here"),
            ("file", "https://example.com", "cannot be set here"),
        ] {
            let question = question(&json!({"type": kind, "name": "q", "maxlength": 8}));
            assert_eq!(checked(&question, text), expected, "{kind} {text:?}");
        }
        let unbounded = question(&json!({"type": "text", "name": "q"}));
        assert!(unbounded.check(&"é".repeat(DEFAULT_MAX_CHARS)).is_ok());
        assert!(unbounded.check(&"é".repeat(DEFAULT_MAX_CHARS + 1)).is_err());
    }

    #[test]
    fn a_field_that_the_bot_sets_itself_cannot_be_set() {
        let root = question(&json!({"type": "number", "name": "root_id"}));
        assert_eq!(root.check("5"), Err(InvalidOption::NotSettable));
    }

    #[test]
    fn only_required_questions_beyond_the_standard_ones_are_missing() {
        let required = |name: &str| json!({"type": "text", "name": name, "required": true});
        let mut questions: Vec<_> = STANDARD_QUESTIONS.iter().map(|name| required(name)).collect();
        questions.extend([required("empresa"), required("tom"), required("waitExecution")]);
        questions.push(json!({"type": "text", "name": "língua", "required": true, "default": "pt"}));
        questions.push(json!({"type": "text", "name": "extra", "required": false}));
        let agent = Agent::read(&json!({"id": 1, "type": "chat", "questions": questions})).unwrap();
        let mut options = Options::default();
        options.set("tom", json!("formal")).unwrap();
        let missing: Vec<_> = agent.missing(&options).iter().map(|question| question.name.as_str()).collect();
        assert_eq!(missing, ["empresa"]);
    }
}
