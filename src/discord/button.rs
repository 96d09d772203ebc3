//! Buttons under the bot's messages.

use serde_json::{Value, json};

/// `type` of a row of components, and of a button in it.
/// <https://discord.com/developers/docs/components/reference#component-object-component-types>
const ROW: u8 = 1;
const BUTTON: u8 = 2;

/// `style` of a button that is not the main thing to do: grey.
const SECONDARY: u8 = 2;

/// A button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What pressing it tells the bot, 1 to 100 characters: what it is for, a colon, and what it is about.
    pub id: String,
    /// What people read, at most 80 characters.
    pub label: &'static str,
}

/// The `components` of a message: one row, or none without a button.
pub(super) fn rows(buttons: &[Button]) -> Value {
    if buttons.is_empty() {
        return json!([]);
    }
    let button =
        |Button { id, label }: &Button| json!({"type": BUTTON, "style": SECONDARY, "label": label, "custom_id": id});
    json!([{"type": ROW, "components": buttons.iter().map(button).collect::<Vec<_>>()}])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_button_is_no_row_so_that_an_edit_takes_the_old_ones_away() {
        assert_eq!(rows(&[]), json!([]));
        let rows = rows(&[Button { id: "stop:1".to_owned(), label: "Stop" }]);
        assert_eq!(rows[0]["components"][0]["custom_id"], "stop:1");
    }
}
