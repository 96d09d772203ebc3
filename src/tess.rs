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
//! The facts about Tess that the client relies on, with the source and the test of each (in `tests` unless a module is
//! named). Sources: the documentation (<https://docs.tess.im>), what public clients do, or an assumption where neither
//! says it.
//!
//! | fact | source | test |
//! |---|---|---|
//! | the bearer key, `Accept` and, when set, `x-workspace-id` are sent | docs | `an_execution_carries_the_key_the_workspace_and_the_options_that_are_set` |
//! | `temperature`, `model` and `tools` are optional | clients | `options_that_are_not_set_are_not_sent` |
//! | a token may send about one request a second | clients | `requests_keep_the_interval_of_the_token` |
//! | a 429 has `retry_after` in its body, or `Retry-After`, or neither | docs, clients | `wire::a_pause_is_read_from_the_body_then_the_header_then_the_default` |
//! | after a 429 nothing ran | clients | `a_rate_limited_execution_waits_as_asked_and_runs_once` |
//! | a wait ends after 100 s with an unfinished execution | docs | `an_execution_longer_than_the_wait_is_polled_to_its_end` |
//! | or with 524 in plain text, while the execution goes on | clients | `a_524_in_plain_text_is_an_unknown_outcome_and_not_repeated` |
//! | `succeeded`, `completed` and `done` end an execution | docs, clients | `every_status_for_success_returns_an_answer` |
//! | so do `failed`, `error`, `canceled` and `cancelled`, with HTTP 200 | clients | `every_status_for_failure_returns_an_error` |
//! | no other status ends it | assumed | `an_unknown_status_is_polled_as_unfinished` |
//! | `error` is absent, null, a string or an object | clients | `the_error_of_a_failed_execution_is_read_in_every_form` |
//! | ids are numbers or strings of digits | docs | `wire::ids_may_be_numbers_or_strings` |
//! | `credits` may be null | docs | `unknown_credits_count_as_zero` |
//! | a success may have no output | assumed | `a_success_without_output_is_empty` |
//! | a wrong key is 401 or 403 | docs, clients | `a_wrong_key_is_unauthorized`, `refusal::each_status_and_body_becomes_one_variant` |
//! | a foreign workspace is 403 | docs | `a_foreign_workspace_is_distinguished_from_a_wrong_key` |
//! | a missing `x-workspace-id` is 422 since September 2026 | docs | `a_missing_workspace_is_reported` |
//! | an agent that is unknown or not visible is 404 | clients | `a_deleted_agent_is_not_found` |
//! | a 404 with a web page comes from a host that is not the API | assumed | `refusal::each_status_and_body_becomes_one_variant` |
//! | the API has two addresses | docs, clients | `advice::the_other_host_is_suggested_where_the_set_one_fails` |
//! | an option that the agent lacks is 422 | clients | `an_option_that_the_agent_lacks_is_refused` |
//! | missing credits are reported in a text; the status is unknown | [Pipedream](https://github.com/PipedreamHQ/pipedream/pull/14381) | `missing_credits_are_recognised`, `refusal::each_status_and_body_becomes_one_variant` |
//! | agents are listed in pages, among other types | docs | `the_chat_agents_of_every_page_are_listed` |
//! | an agent's own fields stand at the root of the body | docs | `the_options_of_a_channel_override_the_defaults` |
//! | options are texts, numbers or booleans | clients | `agent::a_select_accepts_its_options_as_tess_sent_them` |
//! | the options of a `multiselect` may be in its description | clients | `agent::a_multiselect_accepts_several_of_its_options_each_once` |
//! | `required` is not enforced for the standard questions | clients | `agent::only_required_questions_beyond_the_standard_ones_are_missing` |
//! | `temperature` is one of the agent's texts, not any number | clients | `invalid_defaults_are_reported_with_the_options_of_the_agent` |
//! | `stream: true` is answered with events, one JSON object in a `data:` line | docs | `a_streamed_text_grows_piece_by_piece` |
//! | the `output` of an event is a piece | docs | `a_streamed_text_grows_piece_by_piece` |
//! | streams may have comments, `[DONE]`, CRLF, lines that are not JSON | assumed | `stream::only_the_events_are_parsed`, `a_line_that_is_not_json_is_ignored` |
//! | a stream may break off, and its execution goes on | assumed | `a_stream_that_breaks_off_is_completed_by_polling` |
//! | a stream may end as failed | docs | `a_stream_that_ends_as_failed_is_a_failure` |
//! | an answer may have `generated_files`, in an unknown form | clients | `files::generated_files_are_read_in_every_form_that_has_a_url` |
//! | a file is `waiting`, then `completed` or `failed` | docs | `a_file_is_uploaded_processed_and_read_by_an_execution` |
//! | `file_ids` accepts 5 files that are `completed` | docs | `a_file_that_tess_does_not_know_is_refused` |
//! | a file that is too long is 413 | docs | `a_file_that_is_too_long_is_refused` |
//! | an account stores 30 files | docs | `a_full_storage_is_distinguished_from_a_refused_file` |

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

pub(crate) use self::{
    agent::{Agent, Question},
    client::Tess,
    error::TessError,
    files::{FileKind, GeneratedFile, MAX_FILES_PER_EXECUTION},
    options::{InvalidOption, Options},
    request::{Answer, ChatMessage, Request, Role},
};

#[cfg(test)]
mod tests;
