//! Texts about an answer that could not be shown whole.

use crate::config::Language;

/// Ends the first part of an answer that is attached as a file.
#[must_use]
pub(crate) fn whole_answer_in_file(language: Language) -> &'static str {
    language.say(
        "*This is the beginning. The whole answer is in the attached file.*",
        "*Este é o começo. A resposta inteira está no arquivo anexado.*",
    )
}

/// Ends an answer that stays unfinished.
///
/// [`is_unfinished`] recognises such an answer in the channel later, so it must keep recognising every earlier wording.
#[must_use]
pub(crate) fn unfinished_line(language: Language) -> &'static str {
    language.say("-# ⚠️ Not finished.", "-# ⚠️ Não terminada.")
}

/// Whether one of the bot's messages ends an answer that stayed unfinished, in any language.
#[must_use]
pub(crate) fn is_unfinished(text: &str) -> bool {
    Language::ALL.iter().any(|language| text.trim_end().ends_with(unfinished_line(*language)))
}

/// Says that a part of an answer could not be posted.
#[must_use]
pub(crate) fn part_not_posted(language: Language) -> &'static str {
    language.say(
        "⚠️ A part of this answer could not be posted. Ask me to repeat it.",
        "⚠️ Uma parte desta resposta não pôde ser publicada. Peça que eu a repita.",
    )
}

/// Says that Discord refused the answer, most likely because of an AutoMod rule.
#[must_use]
pub(crate) fn blocked(language: Language) -> &'static str {
    language.say(
        "⚠️ Discord did not let this answer through. An AutoMod rule of the server may have blocked it. Ask in other \
         words.",
        "⚠️ O Discord não deixou esta resposta passar. Talvez uma regra do AutoMod do servidor a tenha bloqueado. \
         Pergunte com outras palavras.",
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::reply::is_answer;

    const EN: Language = Language::English;
    const PT: Language = Language::Portuguese;

    #[test]
    fn line_about_the_file_is_a_part_of_the_answer() {
        assert_snapshot!(whole_answer_in_file(EN), @"*This is the beginning. The whole answer is in the attached file.*");
        assert_snapshot!(whole_answer_in_file(PT), @"*Este é o começo. A resposta inteira está no arquivo anexado.*");
        assert!(Language::ALL.iter().all(|language| is_answer(whole_answer_in_file(*language))));
    }

    #[test]
    fn unfinished_answer_is_recognised_in_every_language() {
        for line in ["-# ⚠️ Not finished.", "-# ⚠️ Não terminada."] {
            assert!(is_unfinished(&format!("The answer is\n{line}")), "{line}");
        }
        for language in Language::ALL {
            assert!(is_unfinished(&format!("The answer is\n{}", unfinished_line(language))));
        }
        assert!(!is_unfinished("The answer is 42."));
    }

    #[test]
    fn delivery_failures_say_what_to_do() {
        let texts = |language| [part_not_posted(language), blocked(language)].join("\n");
        assert_snapshot!(texts(PT), @"
        ⚠️ Uma parte desta resposta não pôde ser publicada. Peça que eu a repita.
        ⚠️ O Discord não deixou esta resposta passar. Talvez uma regra do AutoMod do servidor a tenha bloqueado. Pergunte com outras palavras.
        ");
        assert_snapshot!(texts(EN), @"
        ⚠️ A part of this answer could not be posted. Ask me to repeat it.
        ⚠️ Discord did not let this answer through. An AutoMod rule of the server may have blocked it. Ask in other words.
        ");
        assert!(Language::ALL.iter().all(|language| texts(*language).lines().all(|text| !is_answer(text))));
    }
}
