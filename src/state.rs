//! The small durable facts: what Discord does not keep for the bot and a restart must not lose.
//!
//! Reads and writes only touch memory, so that they never wait for a disk. A thread writes what has changed to an SQLite
//! file a moment later. No column has room for a message's text.

mod facts;
mod file;
mod ledger;
mod writer;

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt,
    hash::Hash,
    ops::RangeInclusive,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use self::{
    facts::Facts,
    file::StateFile,
    writer::{Shared, Writer},
};
use crate::{
    config::Credits,
    ids::{AgentId, ChannelId, FileId, GuildId, MessageId},
    telemetry::Metrics,
};

pub(crate) use self::{
    facts::{ActiveChannel, before},
    file::StateError,
    ledger::{Day, SpendingKey},
};

/// Longest hash that [`State::set_commands_hash`] stores, in bytes.
pub(crate) const MAX_COMMANDS_HASH_BYTES: usize = 128;

/// Longest JSON text that [`State::set_options`] stores, in bytes.
pub(crate) const MAX_OPTIONS_BYTES: usize = 8_192;

/// How long [`State::close`] waits for the disk.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The durable facts of one bot. Clones share them; dropping the last one writes what has changed.
#[derive(Clone)]
pub(crate) struct State(Arc<Handle>);

struct Handle(Arc<Shared>);

impl State {
    /// Opens the file at `path`, or creates it with its folder, and starts the thread that writes to it.
    ///
    /// A change is written at most `flush_interval` later; a chosen agent, options and a reset mark at once. The file stays
    /// locked for this process. Blocks on the disk: for the start of the program.
    ///
    /// # Errors
    /// The file cannot be used; the error says what to do.
    pub(crate) fn open(path: &Path, flush_interval: Duration, metrics: Metrics) -> Result<Self, StateError> {
        let file = StateFile::open(path)?;
        let facts = Facts::loaded(file.load()?, SystemTime::now());
        let shared = Writer::start(file, facts, flush_interval, metrics)?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Returns the agent chosen for the channel.
    #[must_use]
    pub(crate) fn agent(&self, channel: ChannelId) -> Option<AgentId> {
        self.shared().read(|facts| facts.row(channel).agent)
    }

    /// Chooses an agent for the channel; `None` restores the default.
    pub(crate) fn set_agent(&self, channel: ChannelId, agent: Option<AgentId>) {
        self.shared().change(|facts| facts.set_agent(channel, agent));
    }

    /// Returns the channel's own answers to its agent's questions, as JSON.
    #[must_use]
    pub(crate) fn options(&self, channel: ChannelId) -> Option<Arc<str>> {
        self.shared().read(|facts| facts.row(channel).options)
    }

    /// Stores the channel's answers to its agent's questions; `None` removes them. Returns `false`, without a change, if they
    /// are longer than [`MAX_OPTIONS_BYTES`].
    pub(crate) fn set_options(&self, channel: ChannelId, options: Option<&str>) -> bool {
        let fits = options.is_none_or(|options| options.len() <= MAX_OPTIONS_BYTES);
        if fits {
            self.shared().change(|facts| facts.set_options(channel, options));
        }
        fits
    }

    /// Returns the message up to which the channel's history was reset.
    #[must_use]
    pub(crate) fn reset_mark(&self, channel: ChannelId) -> Option<MessageId> {
        self.shared().read(|facts| facts.row(channel).reset_mark)
    }

    /// Moves the reset mark forward; an older message changes nothing.
    pub(crate) fn advance_reset_mark(&self, channel: ChannelId, mark: MessageId) {
        self.shared().change(|facts| facts.advance_reset_mark(channel, mark));
    }

    /// Returns the last message up to which every message of the channel is settled. It stays before [late
    /// messages](Self::late_messages).
    #[must_use]
    pub(crate) fn handled_mark(&self, channel: ChannelId) -> Option<MessageId> {
        self.shared().read(|facts| facts.handled(channel))
    }

    /// Moves the handled mark forward; an older message changes nothing.
    pub(crate) fn advance_handled_mark(&self, channel: ChannelId, message: MessageId) {
        self.shared().change(|facts| facts.advance_handled_mark(channel, message));
    }

    /// Records a channel before its message is handled. The first time its handled mark is set just before that message and
    /// written at once, so that catch-up finds the message after a crash in the first turn. `guild`: none for a direct message.
    pub(crate) fn track_channel(&self, channel: ChannelId, message: MessageId, guild: Option<GuildId>) {
        self.shared().change(|facts| facts.track_channel(channel, message, guild));
    }

    /// Records a message that arrived after a turn for a later one had started. It is stored until it is settled, because
    /// the reply to the later message looks as if it answered both.
    pub(crate) fn add_late_message(&self, channel: ChannelId, message: MessageId) {
        self.shared().change(|facts| facts.add_late_message(channel, message));
    }

    /// Removes messages that are settled; those that were not late are ignored.
    pub(crate) fn remove_late_messages(&self, channel: ChannelId, messages: &[MessageId]) {
        self.shared().change(|facts| facts.remove_late_messages(channel, messages));
    }

    /// Returns the late messages of a channel that are not settled, oldest first.
    #[must_use]
    pub(crate) fn late_messages(&self, channel: ChannelId) -> Vec<MessageId> {
        self.shared().read(|facts| facts.late(channel).collect())
    }

    /// Records a file in Tess's storage that has to be deleted after its turn.
    pub(crate) fn add_pending_deletion(&self, file: FileId) {
        self.shared().change(|facts| facts.add_pending_deletion(file));
    }

    /// Removes a file that was deleted at Tess.
    pub(crate) fn remove_pending_deletion(&self, file: FileId) {
        self.shared().change(|facts| facts.remove_pending_deletion(file));
    }

    /// Returns the files that have to be deleted at Tess.
    #[must_use]
    pub(crate) fn pending_deletions(&self) -> Vec<FileId> {
        self.shared().read(|facts| facts.bot().pending_deletions.iter().copied().collect())
    }

    /// Returns when the bot was last known to receive messages, to the second.
    #[must_use]
    pub(crate) fn last_seen(&self) -> Option<SystemTime> {
        let seconds = self.shared().read(|facts| facts.bot().last_seen)?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Records that the bot received messages until `now`.
    pub(crate) fn set_last_seen(&self, now: SystemTime) {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.shared().change(|facts| facts.set_last_seen(seconds));
    }

    /// Returns the channels with a handled mark at `mark` or later, at most `max`, most recent first.
    #[must_use]
    pub(crate) fn active_since(&self, mark: MessageId, max: usize) -> Vec<ActiveChannel> {
        let mut active = self.shared().read(|facts| facts.active_since(mark));
        active.sort_unstable_by_key(|active| Reverse(active.handled));
        active.truncate(max);
        active
    }

    /// Returns the hash of the slash commands that were last registered with Discord.
    #[must_use]
    pub(crate) fn commands_hash(&self) -> Option<String> {
        self.shared().read(|facts| facts.bot().commands_hash.clone())
    }

    /// Stores the hash of the slash commands; one longer than [`MAX_COMMANDS_HASH_BYTES`] is ignored.
    pub(crate) fn set_commands_hash(&self, hash: &str) {
        if hash.len() <= MAX_COMMANDS_HASH_BYTES {
            self.shared().change(|facts| facts.set_commands_hash(hash));
        }
    }

    /// Adds what an execution cost. It is kept for 60 days, or shorter if very many people spend. It is written with the next
    /// flush, so that a kill may lose the last moment.
    pub(crate) fn add_spending(&self, by: SpendingKey, credits: Credits) {
        self.shared().change(|facts| facts.add_spending(by, credits));
    }

    /// Sums what was spent on `days` by the key that `group` returns for each row; rows without a key are left out. Reads
    /// every row of these days.
    #[must_use]
    pub(crate) fn spending<K: Eq + Hash>(
        &self,
        days: RangeInclusive<Day>,
        group: impl Fn(&SpendingKey) -> Option<K>,
    ) -> HashMap<K, Credits> {
        self.shared().read(|facts| facts.ledger().sums(days, group))
    }

    /// Removes the facts of a channel that is gone, except what was spent there.
    pub(crate) fn remove_channel(&self, channel: ChannelId) {
        self.shared().change(|facts| facts.remove_channel(channel));
    }

    /// Writes what has changed and closes the file. Gives up after a few seconds if the disk does not respond.
    /// Later changes stay in memory. May be called again.
    pub(crate) async fn close(&self) {
        self.shared().stop();
        let shared = Arc::clone(self.shared());
        // On a thread, so that a paused clock does not skip the disk's work.
        let ended = tokio::task::spawn_blocking(move || shared.wait_for_end(CLOSE_TIMEOUT)).await;
        if !ended.unwrap_or(false) {
            tracing::error!("state file not closed in time; the last changes may be lost");
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, thread, time::Instant};

    use tempfile::TempDir;

    use super::*;
    use crate::ids::{UserId, first_id_at};

    const CHANNEL: ChannelId = ChannelId::new(1);
    /// Longer than any test: nothing is written before it has to be.
    const NEVER: Duration = Duration::from_secs(3_600);
    const SOON: Duration = Duration::from_millis(1);

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/state.db");
        (folder, path)
    }

    fn open(path: &Path, flush_interval: Duration) -> State {
        State::open(path, flush_interval, Metrics::new()).unwrap()
    }

    /// A message of the year 2100: never too old to be kept.
    fn message(n: u64) -> MessageId {
        const YEAR_2100: Duration = Duration::from_secs(4_102_444_800);
        MessageId::new(first_id_at(UNIX_EPOCH + YEAR_2100).get() + n)
    }

    fn wait_until(mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(20), "did not happen in time");
            thread::yield_now();
        }
    }

    /// Opens the files as they are on disk now, as a start after `kill -9` would.
    fn after_a_kill<T>(path: &Path, read: impl FnOnce(&State) -> T) -> Option<T> {
        let (_folder, copy) = folder();
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        for suffix in ["", "-wal"] {
            fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", copy.display())).ok()?;
        }
        State::open(&copy, NEVER, Metrics::new()).ok().map(|state| read(&state))
    }

    #[tokio::test]
    async fn every_fact_survives_a_restart() {
        let (_folder, path) = folder();
        let state = open(&path, NEVER);
        state.set_agent(CHANNEL, Some(AgentId(7)));
        assert!(state.set_options(CHANNEL, Some(r#"{"model":"auto"}"#)));
        assert!(!state.set_options(CHANNEL, Some(&"x".repeat(MAX_OPTIONS_BYTES + 1))));
        state.advance_reset_mark(CHANNEL, MessageId::new(1));
        state.advance_handled_mark(CHANNEL, MessageId::new(2));
        state.set_commands_hash("abc");
        state.add_pending_deletion(FileId(8));
        state.add_pending_deletion(FileId(9));
        state.remove_pending_deletion(FileId(8));
        let (today, user) = (Day::of(SystemTime::now()), UserId::new(3));
        let by = SpendingKey { day: today, guild: None, channel: CHANNEL, user, agent: AgentId(7) };
        state.add_spending(by, Credits::from_micro(5));
        state.close().await;
        let state = open(&path, NEVER);
        assert_eq!(state.spending(today..=today, |by| Some(by.user)), [(user, Credits::from_micro(5))].into());
        assert_eq!(state.agent(CHANNEL), Some(AgentId(7)));
        assert_eq!(state.options(CHANNEL).as_deref(), Some(r#"{"model":"auto"}"#));
        assert_eq!(state.reset_mark(CHANNEL), Some(MessageId::new(1)));
        assert_eq!(state.handled_mark(CHANNEL), Some(MessageId::new(2)));
        assert_eq!(state.commands_hash().as_deref(), Some("abc"));
        assert_eq!(state.pending_deletions(), [FileId(9)]);
    }

    #[tokio::test]
    async fn closing_twice_and_changes_after_closing_are_harmless() {
        let (_folder, path) = folder();
        let state = open(&path, NEVER);
        state.close().await;
        state.set_agent(CHANNEL, Some(AgentId(7)));
        state.clone().close().await;
        assert_eq!(state.agent(CHANNEL), Some(AgentId(7)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_does_not_shorten_closing() {
        let (_folder, path) = folder();
        let state = open(&path, NEVER);
        state.set_agent(CHANNEL, Some(AgentId(7)));
        state.close().await;
        assert_eq!(open(&path, NEVER).agent(CHANNEL), Some(AgentId(7)));
    }

    #[test]
    fn dropping_the_last_clone_writes_the_changes() {
        let (_folder, path) = folder();
        let state = open(&path, NEVER);
        let clone = state.clone();
        clone.advance_handled_mark(CHANNEL, message(1));
        drop((state, clone));
        assert_eq!(open(&path, NEVER).handled_mark(CHANNEL), Some(message(1)));
    }

    #[test]
    fn marks_only_move_forward() {
        let (_folder, path) = folder();
        let state = open(&path, NEVER);
        for id in [5, 9, 3] {
            state.advance_handled_mark(CHANNEL, MessageId::new(id));
            state.advance_reset_mark(CHANNEL, MessageId::new(id + 1));
        }
        assert_eq!(state.handled_mark(CHANNEL), Some(MessageId::new(9)));
        assert_eq!(state.reset_mark(CHANNEL), Some(MessageId::new(10)));
    }

    #[test]
    fn active_channels_are_returned_most_recent_first() {
        let (_folder, path) = folder();
        let state = open(&path, NEVER);
        for (channel, handled) in [(1, 10), (2, 30), (3, 20), (4, 9)] {
            state.advance_handled_mark(ChannelId::new(channel), MessageId::new(handled));
        }
        let active = |most| state.active_since(MessageId::new(10), most).into_iter().map(|active| active.channel.get());
        assert_eq!(active(10).collect::<Vec<_>>(), [2, 3, 1]);
        assert_eq!(active(1).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_removed_channel_stays_removed() {
        let (_folder, path) = folder();
        let state = open(&path, NEVER);
        state.set_agent(CHANNEL, Some(AgentId(7)));
        wait_until(|| after_a_kill(&path, |state| state.agent(CHANNEL)).flatten().is_some());
        state.remove_channel(CHANNEL);
        drop(state);
        assert_eq!(open(&path, NEVER).agent(CHANNEL), None);
    }

    #[test]
    fn a_kill_loses_no_choice_and_at_most_the_flush_interval() {
        let (_folder, path) = folder();
        let lazy = open(&path, NEVER);
        lazy.advance_handled_mark(CHANNEL, message(1));
        lazy.set_agent(CHANNEL, Some(AgentId(7)));
        wait_until(|| after_a_kill(&path, |state| state.agent(CHANNEL)).flatten() == Some(AgentId(7)));
        drop(lazy);
        let eager = open(&path, SOON);
        eager.advance_handled_mark(CHANNEL, message(2));
        wait_until(|| after_a_kill(&path, |state| state.handled_mark(CHANNEL)).flatten() == Some(message(2)));
    }

    #[test]
    fn a_failed_write_is_counted_and_repeated() {
        let (folder, path) = folder();
        let metrics = Metrics::new();
        let state = State::open(&path, SOON, metrics.clone()).unwrap();
        state.set_agent(CHANNEL, Some(AgentId(7)));
        wait_until(|| after_a_kill(&path, |state| state.agent(CHANNEL)).flatten().is_some());
        // The folder goes, and something else takes its place: no file can be made there.
        let data = folder.path().join("data");
        fs::remove_dir_all(&data).unwrap();
        fs::write(&data, "").unwrap();
        state.advance_handled_mark(CHANNEL, message(1));
        wait_until(|| metrics.state_errors() >= 3);
        fs::remove_file(&data).unwrap();
        wait_until(|| after_a_kill(&path, |state| state.handled_mark(CHANNEL)).flatten() == Some(message(1)));
        assert_eq!(after_a_kill(&path, |state| state.agent(CHANNEL)), Some(Some(AgentId(7))), "all of it is written");
    }

    #[tokio::test]
    async fn closing_ends_even_if_the_file_cannot_be_written() {
        let (folder, path) = folder();
        let state = open(&path, NEVER);
        fs::remove_dir_all(folder.path().join("data")).unwrap();
        state.advance_handled_mark(CHANNEL, message(1));
        let start = Instant::now();
        state.close().await;
        assert!(start.elapsed() < CLOSE_TIMEOUT);
    }
}
