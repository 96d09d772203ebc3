//! The answers to `/usage`: what was spent.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serenity::model::Timestamp;

use super::{
    format::{amount, escape_to},
    marks::INFO_MARK,
};
use crate::{
    config::{Credits, Language},
    ids::{AgentId, ChannelId, UserId},
};

/// Number of days in the chart.
pub(crate) const CHART_DAYS: usize = 14;

/// Most characters of an agent's title that are shown.
const TITLE_CHARS: usize = 40;

/// Most users, channels and agents that are listed.
pub(crate) const TOP_COUNT: usize = 5;

/// Length of the longest bar in characters: with the date and the amount, a line fits the width of a phone.
const BAR_CHARS: usize = 16;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What one user has spent; the days are UTC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserUsage {
    /// Today.
    pub today: Credits,
    /// In the last 7 days, today included.
    pub week: Credits,
    /// In the last 30 days, today included.
    pub month: Credits,
    /// The user's limit for a day, if there is one.
    pub day_limit: Option<Credits>,
}

/// What a guild has spent; the days are UTC's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUsage {
    /// Today.
    pub today: Credits,
    /// In the last 7 days, today included.
    pub week: Credits,
    /// In the last 30 days, today included.
    pub month: Credits,
    /// The users who spent the most in 30 days, at most [`TOP_COUNT`].
    pub users: Vec<(UserId, Credits)>,
    /// The channels and threads with the most spent in 30 days, at most [`TOP_COUNT`].
    pub channels: Vec<(ChannelId, Credits)>,
    /// The agents with the most spent in 30 days, at most [`TOP_COUNT`].
    pub agents: Vec<(AgentId, Credits)>,
    /// What was spent on each of the last days, oldest first.
    pub days: [Credits; CHART_DAYS],
    /// When the last of [`Self::days`] began.
    pub last_day: SystemTime,
}

/// Reports what a user has spent.
#[must_use]
pub(crate) fn user_report(language: Language, usage: &UserUsage) -> String {
    let [today, week, month] = [usage.today, usage.week, usage.month].map(|credits| amount(language, credits));
    let limit = usage.day_limit.map(|limit| {
        let limit = amount(language, limit);
        language
            .say(format!(" of the {limit} a day that you may use"), format!(" dos {limit} por dia que você pode usar"))
    });
    let limit = limit.unwrap_or_default();
    language.say(
        format!(
            "{INFO_MARK} Your messages have cost, in Tess credits:\n\
             - today: **{today}**{limit}\n\
             - in 7 days: **{week}**\n\
             - in 30 days: **{month}**"
        ),
        format!(
            "{INFO_MARK} Suas mensagens custaram, em créditos da Tess:\n\
             - hoje: **{today}**{limit}\n\
             - em 7 dias: **{week}**\n\
             - em 30 dias: **{month}**"
        ),
    )
}

/// Reports what a guild has spent; `title_of` looks up agents' titles.
///
/// Users are shown as mentions. They ping nobody, since only the requester sees the answer.
#[must_use]
pub(crate) fn server_report(
    language: Language,
    usage: &ServerUsage,
    title_of: impl Fn(AgentId) -> Option<String>,
) -> String {
    if usage.month == Credits::ZERO {
        let nothing = language.say(
            "Nothing was spent on this server in the last 30 days.",
            "Nada foi gasto neste servidor nos últimos 30 dias.",
        );
        return format!("{INFO_MARK} {nothing}");
    }
    let [today, week, month] = [usage.today, usage.week, usage.month].map(|credits| amount(language, credits));
    let spent = language.say(
        format!(
            "This server has spent, in Tess credits: today **{today}**, in 7 days **{week}**, in 30 days **{month}**."
        ),
        format!(
            "Este servidor gastou, em créditos da Tess: hoje **{today}**, em 7 dias **{week}**, em 30 dias **{month}**."
        ),
    );
    let mut text = format!("{INFO_MARK} {spent}\n```text\n{}```\n", chart(language, &usage.days, usage.last_day));
    text += language.say("Most in 30 days\n", "Os maiores gastos em 30 dias\n");
    let (who, place, agents) = language.say(("who", "where", "agents"), ("quem", "onde", "agentes"));
    list(language, &mut text, who, &usage.users, |user| format!("<@{user}>"));
    list(language, &mut text, place, &usage.channels, |channel| format!("<#{channel}>"));
    list(language, &mut text, agents, &usage.agents, |agent| match title_of(*agent) {
        Some(title) => format!("{} ({agent})", escape_to(&title, TITLE_CHARS)),
        None => agent.to_string(),
    });
    text.truncate(text.trim_end().len());
    text
}

/// Says that the usage of a server cannot be shown in a direct message.
#[must_use]
pub(crate) fn needs_server(language: Language) -> &'static str {
    language.say(
        "⚠️ This is a direct message, so there is no server here. Use `/usage scope:server` in a channel of the \
         server.",
        "⚠️ Esta é uma mensagem direta, e por isso não há servidor aqui. Use `/usage scope:server` em um canal do \
         servidor.",
    )
}

/// Says that the usage of a server takes a permission.
#[must_use]
pub(crate) fn needs_permission(language: Language) -> &'static str {
    language.say(
        "⚠️ This needs the permission **Manage Server** or **Manage Channels**. `/usage` shows your own use.",
        "⚠️ Isso exige a permissão **Gerenciar servidor** ou **Gerenciar canais**. `/usage` mostra o seu próprio uso.",
    )
}

/// One line a day: the date, a bar and the amount.
fn chart(language: Language, days: &[Credits; CHART_DAYS], last_day: SystemTime) -> String {
    let highest = days.iter().copied().max().unwrap_or_default();
    let mut chart = String::new();
    for (at, credits) in days.iter().enumerate() {
        let ago = (CHART_DAYS - 1 - at) as u32;
        let date = month_and_day(language, last_day.checked_sub(DAY * ago).unwrap_or(UNIX_EPOCH));
        let bar = bar(credits.share_of(highest));
        let line = format!("{date} {bar:<BAR_CHARS$} {}", amount(language, *credits));
        chart.push_str(line.trim_end());
        chart.push('\n');
    }
    chart
}

/// A bar in steps of half a character; any share above 0 is visible.
fn bar(share: f64) -> String {
    let halves = (share * 2.0 * BAR_CHARS as f64).ceil() as usize;
    let half = if halves % 2 == 1 { "▌" } else { "" };
    format!("{}{half}", "█".repeat(halves / 2))
}

/// `03-14`, or `14/03`.
fn month_and_day(language: Language, moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let timestamp = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_unix_timestamp(seconds).ok());
    let date = timestamp.map(|timestamp| timestamp.to_string()).unwrap_or_default();
    match (date.get(5..7), date.get(8..10)) {
        (Some(month), Some(day)) => language.say(format!("{month}-{day}"), format!("{day}/{month}")),
        _ => "??-??".to_owned(),
    }
}

/// Appends one line: a label, then each name with its amount.
fn list<T>(language: Language, text: &mut String, label: &str, amounts: &[(T, Credits)], name: impl Fn(&T) -> String) {
    let entries = amounts.iter().map(|(key, credits)| format!("{} {}", name(key), amount(language, *credits)));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "- {label}: {}", entries.collect::<Vec<_>>().join(" · "));
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const EN: Language = Language::English;
    const PT: Language = Language::Portuguese;

    fn credits(number: f64) -> Credits {
        Credits::from_number(number)
    }

    /// 2026-03-03.
    fn last_day() -> SystemTime {
        UNIX_EPOCH + DAY * 20_515
    }

    fn usage() -> ServerUsage {
        let days = [0.0, 0.5, 3.25, 0.0, 0.001, 12.0, 6.0, 1.0, 0.0, 0.0, 9.5, 11.0, 4.0, 2.0];
        ServerUsage {
            today: credits(2.0),
            week: credits(27.5),
            month: credits(60.125),
            users: vec![(UserId::new(11), credits(50.0)), (UserId::new(12), credits(10.125))],
            channels: vec![(ChannelId::new(21), credits(60.125))],
            agents: vec![(AgentId(8794), credits(60.0)), (AgentId(77), credits(0.125))],
            days: days.map(credits),
            last_day: last_day(),
        }
    }

    #[test]
    fn user_report_has_three_amounts_and_the_limit_if_there_is_one() {
        let usage = UserUsage { today: credits(0.0061), week: credits(1.5), month: credits(42.0), day_limit: None };
        assert_snapshot!(user_report(PT, &UserUsage { day_limit: Some(credits(2.5)), ..usage }), @"
        ℹ️ Suas mensagens custaram, em créditos da Tess:
        - hoje: **0,0061** dos 2,50 por dia que você pode usar
        - em 7 dias: **1,50**
        - em 30 dias: **42,00**
        ");
        assert_snapshot!(user_report(EN, &usage), @"
        ℹ️ Your messages have cost, in Tess credits:
        - today: **0.0061**
        - in 7 days: **1.50**
        - in 30 days: **42.00**
        ");
        let limited = user_report(EN, &UserUsage { day_limit: Some(credits(2.5)), ..usage });
        assert_snapshot!(limited.lines().nth(1).unwrap(), @"- today: **0.0061** of the 2.50 a day that you may use");
    }

    #[test]
    fn server_report_has_a_chart_and_the_greatest_spenders() {
        let title_of = |id| (id == AgentId(8794)).then(|| "Helper*".to_owned());
        assert_snapshot!(server_report(EN, &usage(), title_of), @r"
        ℹ️ This server has spent, in Tess credits: today **2.00**, in 7 days **27.50**, in 30 days **60.12**.
        ```text
        02-18                  0
        02-19 █                0.5000
        02-20 ████▌            3.25
        02-21                  0
        02-22 ▌                0.0010
        02-23 ████████████████ 12.00
        02-24 ████████         6.00
        02-25 █▌               1.00
        02-26                  0
        02-27                  0
        02-28 █████████████    9.50
        03-01 ███████████████  11.00
        03-02 █████▌           4.00
        03-03 ███              2.00
        ```
        Most in 30 days
        - who: <@11> 50.00 · <@12> 10.12
        - where: <#21> 60.12
        - agents: Helper\* (8794) 60.00 · 77 0.1250
        ");
        let portuguese = server_report(PT, &usage(), title_of).replace(&chart(PT, &usage().days, last_day()), "…\n");
        assert!(chart(PT, &usage().days, last_day()).starts_with("18/02"));
        assert_snapshot!(portuguese, @r"
        ℹ️ Este servidor gastou, em créditos da Tess: hoje **2,00**, em 7 dias **27,50**, em 30 dias **60,12**.
        ```text
        …
        ```
        Os maiores gastos em 30 dias
        - quem: <@11> 50,00 · <@12> 10,12
        - onde: <#21> 60,12
        - agentes: Helper\* (8794) 60,00 · 77 0,1250
        ");
    }

    #[test]
    fn server_report_says_when_nothing_was_spent() {
        let usage = ServerUsage { month: Credits::ZERO, ..usage() };
        assert_snapshot!(server_report(EN, &usage, |_| None), @"ℹ️ Nothing was spent on this server in the last 30 days.");
    }

    #[test]
    fn any_share_above_zero_has_a_visible_bar() {
        assert_eq!([bar(0.0), bar(1e-9), bar(0.5), bar(1.0)], ["", "▌", "████████", "████████████████"]);
    }

    #[test]
    fn largest_amounts_fit_into_one_message() {
        let most = Credits::from_micro(u64::MAX);
        let largest = ServerUsage {
            today: most,
            week: most,
            month: most,
            users: vec![(UserId::new(u64::MAX), most); TOP_COUNT],
            channels: vec![(ChannelId::new(u64::MAX), most); TOP_COUNT],
            agents: vec![(AgentId(u64::MAX), most); TOP_COUNT],
            days: [most; CHART_DAYS],
            last_day: last_day(),
        };
        // Escaping can double its length.
        let title = |_| Some("*".repeat(2 * TITLE_CHARS));
        for language in Language::ALL {
            assert!(server_report(language, &largest, title).chars().count() <= crate::reply::split::MESSAGE_CHARS);
        }
    }
}
