//! How much may be asked before more is refused.

use super::{
    Credits, parse,
    reader::Reader,
    setting::{Accepts, DefaultValue, Section, Setting},
};

static USER_DAY: Setting = Setting {
    name: "CREDITS_PER_USER_DAY",
    section: Section::Budgets,
    default: DefaultValue::Unset { example: "2.5" },
    accepts: Accepts::CREDITS,
    summary: "What one user's messages may cost in a day (UTC), in Tess credits. More are refused until the next day. Unset: no limit.",
    details: "An answer to several people's messages counts for the author of the last one. Tess does not report the cost of an \
              answer that was stopped or took too long, so that it counts for nobody.",
};

static GUILD_DAY: Setting = Setting {
    name: "CREDITS_PER_GUILD_DAY",
    section: Section::Budgets,
    default: DefaultValue::Unset { example: "20" },
    accepts: Accepts::CREDITS,
    summary: "What one server may cost in a day (UTC), in Tess credits. Unset: no limit.",
    details: "",
};

static DAY: Setting = Setting {
    name: "CREDITS_PER_DAY",
    section: Section::Budgets,
    default: DefaultValue::Unset { example: "50" },
    accepts: Accepts::CREDITS,
    summary: "What everybody together may cost in a day (UTC), in Tess credits. Unset: no limit.",
    details: "",
};

static USER_MINUTE: Setting = Setting {
    name: "MESSAGES_PER_USER_MINUTE",
    section: Section::Budgets,
    default: DefaultValue::Unset { example: "10" },
    accepts: Accepts::Integer { unit: "messages", min: 1, max: 1_000 },
    summary: "The most messages of one user that are answered in any minute. Unset: no limit.",
    details: "",
};

/// How much may be asked before more is refused; each limit is `None` when unset. Days are UTC's.
#[derive(Clone, Copy, Debug, Default)]
pub struct BudgetConfig {
    /// `CREDITS_PER_USER_DAY`: what the messages of one user may cost a day.
    pub user_day: Option<Credits>,
    /// `CREDITS_PER_GUILD_DAY`: what one guild may cost a day.
    pub guild_day: Option<Credits>,
    /// `CREDITS_PER_DAY`: what all of them may cost a day, direct messages included.
    pub day: Option<Credits>,
    /// `MESSAGES_PER_USER_MINUTE`: most messages of one user that are answered in any minute; not 0.
    pub user_minute: Option<usize>,
}

impl BudgetConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            user_day: reader.optional(&USER_DAY, parse::credits),
            guild_day: reader.optional(&GUILD_DAY, parse::credits),
            day: reader.optional(&DAY, parse::credits),
            user_minute: reader.optional_integer(&USER_MINUTE),
        }
    }
}
