//! The Tess client: executes an agent with a conversation and waits for the end.
//!
//! An execution costs credits, and Tess has no idempotency key. `POST execute` is therefore repeated only if it certainly
//! did not run: after a 429, or if no connection was made. Any other failure before an execution's id is known is
//! [`TessError::OutcomeUnknown`], and a person decides. Polls and look-ups cost nothing and may be repeated.
//!
//! There are two ways to wait: [`Tess::execute`] returns the complete answer, and [`Tess::stream`] also reports
//! the text while it is written. They share the limiter, the errors and the polls.
//!
//! Imports go down this list: `client` -> `execution`, `upload` -> `transport` -> `refusal` -> `http`, `limiter`, `redact` ->
//! `stream` -> `wire` -> `agent`, `defaults`, `files`, `options`, `request` -> `error`, `json`.
//!
//! The facts about Tess that the client relies on, from <https://docs.tess.im> and public clients, and the test of each
//! (in `tests` unless a module is named):
//!
//! | fact | test |
//! |---|---|
//! | the bearer key, `Accept` and, when set, `x-workspace-id` | `an_execution_carries_the_key_the_workspace_and_the_options_that_are_set` |
//! | `temperature`, `model` and `tools` are optional | `options_that_are_not_set_are_not_sent` |
//! | one token, about one request a second | `requests_keep_the_interval_of_the_token` |
//! | a 429 says `retry_after` in its body, else `Retry-After`, else nothing | `wire::a_pause_is_read_from_the_body_then_the_header_then_the_default` |
//! | a 429 ran nothing | `a_rate_limited_execution_waits_as_asked_and_runs_once` |
//! | a wait is cut at 100 s with an unfinished answer | `an_execution_longer_than_the_wait_is_polled_to_its_end` |
//! | or by 524 in plain text, while the run goes on | `a_524_in_plain_text_is_an_unknown_outcome_and_not_repeated` |
//! | succeeded, completed and done are the end | `every_status_for_success_returns_an_answer` |
//! | failed, error, canceled and cancelled too, at HTTP 200 | `every_status_for_failure_returns_an_error` |
//! | any other status is not the end | `an_unknown_status_is_polled_as_unfinished` |
//! | `error` is absent, null, a string or an object | `the_error_of_a_failed_execution_is_read_in_every_form` |
//! | ids are numbers or strings of digits | `wire::ids_may_be_numbers_or_strings` |
//! | `credits` may be null | `unknown_credits_count_as_zero` |
//! | a success may have no output | `a_success_without_output_is_empty` |
//! | 401 and 403 for a wrong key | `a_wrong_key_is_unauthorized`, `refusal::each_status_and_body_becomes_one_variant` |
//! | 403 for a foreign workspace | `a_foreign_workspace_is_distinguished_from_a_wrong_key` |
//! | 422 when the workspace's header is missing | `a_missing_workspace_is_reported` |
//! | 404 for an agent that is unknown or not visible | `a_deleted_agent_is_not_found` |
//! | a 404 with a web page comes from another host than the API | `refusal::each_status_and_body_becomes_one_variant` |
//! | the API is at two addresses | `advice::the_other_host_is_suggested_where_the_set_one_fails` |
//! | 422 for an option that the agent does not have | `an_option_that_the_agent_lacks_is_refused` |
//! | "no credits", whatever the status | `missing_credits_are_recognised`, `refusal::each_status_and_body_becomes_one_variant` |
//! | agents come in pages, with other types among them | `the_chat_agents_of_every_page_are_listed` |
//! | an agent's own fields are at the root of the body | `the_options_of_a_channel_override_the_defaults` |
//! | options are texts, numbers or booleans | `agent::a_select_accepts_its_options_as_tess_sent_them` |
//! | the options of a `multiselect` may be in its description | `agent::a_multiselect_accepts_several_of_its_options_each_once` |
//! | `required` is not enforced for the usual questions | `agent::only_required_questions_beyond_the_standard_ones_are_missing` |
//! | `temperature` is one of the agent's texts, not any number | `invalid_defaults_are_reported_with_the_options_of_the_agent` |
//! | `stream: true` answers with events, one JSON a `data:` line | `a_streamed_text_grows_piece_by_piece` |
//! | `output` of an event is a piece | `a_streamed_text_grows_piece_by_piece` |
//! | comments, `[DONE]`, CRLF, lines that are not JSON | `stream::only_the_events_are_parsed`, `a_line_that_is_not_json_is_ignored` |
//! | a stream may break off, and its execution goes on | `a_stream_that_breaks_off_is_completed_by_polling` |
//! | a stream may end as failed | `a_stream_that_ends_as_failed_is_a_failure` |
//! | `generated_files` in an answer, in a form that no source shows | `files::generated_files_are_read_in_every_form_that_has_a_url` |
//! | a file is `waiting`, then `completed` or `failed` | `a_file_is_uploaded_processed_and_read_by_an_execution` |
//! | `file_ids` takes 5 files that are `completed` | `a_file_that_tess_does_not_know_is_refused` |
//! | 413 for a file that is too long | `a_file_that_is_too_long_is_refused` |
//! | an account stores 30 files | `a_full_storage_is_distinguished_from_a_refused_file` |

mod advice;
mod agent;
mod client;
mod defaults;
mod error;
mod execution;
mod files;
mod http;
mod json;
mod limiter;
mod options;
mod redact;
mod refusal;
mod request;
mod stream;
mod transport;
mod upload;
mod wire;

pub use self::{
    agent::{Agent, Question},
    client::Tess,
    defaults::InvalidDefault,
    error::TessError,
    files::{
        AUDIO_EXTENSIONS, DOCUMENT_EXTENSIONS, FileKind, GeneratedFile, IMAGE_EXTENSIONS, MAX_AUDIO_BYTES,
        MAX_FILE_BYTES, MAX_FILES_PER_EXECUTION, MAX_STORED_FILES, VIDEO_EXTENSIONS,
    },
    options::{InvalidOption, Options},
    request::{Answer, ChatMessage, Request, Role},
};

#[cfg(test)]
mod tests;
