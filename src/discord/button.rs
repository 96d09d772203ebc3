//! Buttons under the bot's messages.

use serenity::{
    builder::{CreateActionRow, CreateButton},
    model::application::ButtonStyle,
};

/// A button, shown in the secondary style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Button {
    /// Its custom id, 1 to 100 characters: what it does, a colon, and what it refers to.
    pub id: String,
    /// Its label, at most 80 characters.
    pub label: &'static str,
}

/// The `components` of a message: one row, or none without a button, so that an edit removes the buttons it had.
pub(super) fn rows(buttons: &[Button]) -> Vec<CreateActionRow> {
    if buttons.is_empty() {
        return Vec::new();
    }
    let button = |Button { id, label }: &Button| CreateButton::new(id).label(*label).style(ButtonStyle::Secondary);
    vec![CreateActionRow::Buttons(buttons.iter().map(button).collect())]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn buttons_share_one_row_and_no_button_makes_no_row() {
        assert!(rows(&[]).is_empty());
        let rows = serde_json::to_value(rows(&[Button { id: "stop:1".to_owned(), label: "Stop" }])).unwrap();
        let button = json!({"type": 2, "style": 2, "label": "Stop", "custom_id": "stop:1", "disabled": false});
        assert_eq!(rows, json!([{"type": 1, "components": [button]}]));
    }
}
