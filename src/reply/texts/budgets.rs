//! Refusals by a budget or a rate limit of the bot.

use super::format::amount;
use crate::config::{Credits, Language};

/// Says that the whole bot has spent its credits for today. `opens` is in seconds since the Unix epoch, as below.
#[must_use]
pub(crate) fn bot_day_spent(language: Language, limit: Credits, opens: u64) -> String {
    let limit = amount(language, limit);
    language.say(
        format!("⚠️ This bot has used up its {limit} Tess credits for today. It answers again <t:{opens}:R>."),
        format!("⚠️ Este bot já gastou os {limit} créditos da Tess de hoje. Ele volta a responder <t:{opens}:R>."),
    )
}

/// Says that a guild has spent its credits for today.
#[must_use]
pub(crate) fn guild_day_spent(language: Language, limit: Credits, opens: u64) -> String {
    let limit = amount(language, limit);
    language.say(
        format!("⚠️ This server has used up its {limit} Tess credits for today. I answer here again <t:{opens}:R>."),
        format!(
            "⚠️ Este servidor já gastou os {limit} créditos da Tess de hoje. Volto a responder aqui <t:{opens}:R>."
        ),
    )
}

/// Says that a user has spent their credits for today.
#[must_use]
pub(crate) fn user_day_spent(language: Language, limit: Credits, opens: u64) -> String {
    let limit = amount(language, limit);
    language.say(
        format!("⚠️ You have used up your {limit} Tess credits for today. I answer you again <t:{opens}:R>."),
        format!("⚠️ Você já gastou os seus {limit} créditos da Tess de hoje. Volto a responder a você <t:{opens}:R>."),
    )
}

/// Says that a user wrote more messages in a minute than are answered.
#[must_use]
pub(crate) fn user_minute_reached(language: Language, max: usize, opens: u64) -> String {
    let (message, mensagem) = if max == 1 { ("message", "mensagem") } else { ("messages", "mensagens") };
    language.say(
        format!("⚠️ I answer at most {max} {message} a minute from each person. Ask me again <t:{opens}:R>."),
        format!("⚠️ Respondo a no máximo {max} {mensagem} por minuto de cada pessoa. Pergunte de novo <t:{opens}:R>."),
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{super::marks::ERROR_MARK, *};

    const EN: Language = Language::English;
    const PT: Language = Language::Portuguese;

    #[test]
    fn refusals_say_when_the_bot_answers_again() {
        let (limit, opens) = (Credits::from_number(2.5), 1_772_582_400);
        let texts = |language| {
            let texts = [
                bot_day_spent(language, limit, opens),
                guild_day_spent(language, limit, opens),
                user_day_spent(language, limit, opens),
                user_minute_reached(language, 1, opens),
                user_minute_reached(language, 10, opens),
            ];
            assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK)));
            texts.join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ⚠️ Este bot já gastou os 2,50 créditos da Tess de hoje. Ele volta a responder <t:1772582400:R>.
        ⚠️ Este servidor já gastou os 2,50 créditos da Tess de hoje. Volto a responder aqui <t:1772582400:R>.
        ⚠️ Você já gastou os seus 2,50 créditos da Tess de hoje. Volto a responder a você <t:1772582400:R>.
        ⚠️ Respondo a no máximo 1 mensagem por minuto de cada pessoa. Pergunte de novo <t:1772582400:R>.
        ⚠️ Respondo a no máximo 10 mensagens por minuto de cada pessoa. Pergunte de novo <t:1772582400:R>.
        ");
        assert_snapshot!(texts(EN), @"
        ⚠️ This bot has used up its 2.50 Tess credits for today. It answers again <t:1772582400:R>.
        ⚠️ This server has used up its 2.50 Tess credits for today. I answer here again <t:1772582400:R>.
        ⚠️ You have used up your 2.50 Tess credits for today. I answer you again <t:1772582400:R>.
        ⚠️ I answer at most 1 message a minute from each person. Ask me again <t:1772582400:R>.
        ⚠️ I answer at most 10 messages a minute from each person. Ask me again <t:1772582400:R>.
        ");
    }
}
