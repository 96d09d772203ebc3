//! The SQLite file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::{
    facts::{BotFacts, Changes, ChannelFacts, Loaded},
    ledger::{Day, LedgerChanges, SpendingKey},
};
use crate::{
    config::Credits,
    ids::{AgentId, ChannelId, FileId, GuildId, MessageId, UserId},
};

/// How long to wait for the lock: as long as a previous process may need to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// One step for each version: step `n` migrates a file from version `n` to `n + 1`. Released steps never change.
const MIGRATIONS: [&str; 5] = [
    "
    CREATE TABLE channel (
        id INTEGER PRIMARY KEY,
        handled INTEGER,
        agent INTEGER,
        reset_mark INTEGER,
        guild INTEGER
    ) STRICT;
    CREATE TABLE bot (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        commands_hash TEXT CHECK (length(commands_hash) <= 128),
        listened INTEGER
    ) STRICT;
",
    // `guild` is 0 for a direct message, since a primary key cannot be null.
    "
    CREATE TABLE spent (
        day INTEGER NOT NULL,
        guild INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        user INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        micro_credits INTEGER NOT NULL,
        PRIMARY KEY (day, guild, channel, user, agent)
    ) STRICT, WITHOUT ROWID;
",
    "ALTER TABLE channel ADD COLUMN options TEXT CHECK (octet_length(options) <= 8192);",
    "
    CREATE TABLE late (
        channel INTEGER NOT NULL,
        message INTEGER NOT NULL,
        PRIMARY KEY (channel, message)
    ) STRICT, WITHOUT ROWID;
",
    "CREATE TABLE lent (file INTEGER PRIMARY KEY) STRICT;",
];

/// Why the state file cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// The folder does not exist and cannot be created.
    #[error("the state's folder {} cannot be created ({source}): set STATE_URL to a path that the bot may write to", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be opened or written.
    #[error("the state file {} cannot be written ({source}): make it and its folder writable for the bot's user, free disk space, or set STATE_URL to another path", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another process uses the file.
    #[error("the state file {} is in use by another process: stop the other bot, or set STATE_URL to another path", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged, or of another kind.
    #[error("the state file {} is damaged or was not made by tess-discord ({detail}): restore it, or move it away to start without it", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A later version of the bot wrote the file.
    #[error("the state file {} was written by a later version of tess-discord (format {version}, this one reads up to {}): use that version, or move the file away to start without it", .path.display(), MIGRATIONS.len())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's `user_version`.
        version: i64,
    },
    /// The file was removed after it had been opened.
    #[error("the state file {} was removed", .path.display())]
    Removed {
        /// The file.
        path: PathBuf,
    },
    /// The system cannot start the thread.
    #[error("the thread that writes the state file cannot be started: {0}")]
    Thread(io::Error),
}

impl StateError {
    fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory,
            ) => Self::Unwritable { path, source },
            _ => Self::Corrupt { path, detail: source.to_string() },
        }
    }
}

/// An open file, locked for this process until it is dropped.
pub(super) struct StateFile {
    path: PathBuf,
    connection: Connection,
}

impl StateFile {
    /// Opens or creates a file, checks it, and migrates it to the newest version.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|source| StateError::Folder { folder: folder.to_owned(), source })?;
        }
        let from_sqlite = |error| StateError::from_sqlite(path, error);
        let mut connection = Connection::open(path).map_err(from_sqlite)?;
        lock(&connection).map_err(from_sqlite)?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(from_sqlite)?;
        if found != "ok" {
            return Err(StateError::Corrupt { path: path.to_owned(), detail: found });
        }
        migrate(&mut connection, path)?;
        enable_wal(&connection).map_err(from_sqlite)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn load(&self) -> Result<Loaded, StateError> {
        self.try_load().map_err(|error| StateError::from_sqlite(&self.path, error))
    }

    fn try_load(&self) -> rusqlite::Result<Loaded> {
        let mut statement =
            self.connection.prepare("SELECT id, handled, agent, reset_mark, guild, options FROM channel")?;
        let rows = statement.query_map([], |row| {
            let id: i64 = row.get(0)?;
            let [handled, agent, reset_mark, guild]: [Option<i64>; 4] =
                [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            let message = |id: i64| (id != 0).then(|| MessageId::new(id.cast_unsigned()));
            let facts = ChannelFacts {
                handled: handled.and_then(message),
                agent: agent.map(|agent| AgentId(agent.cast_unsigned())),
                reset_mark: reset_mark.and_then(message),
                guild: guild.filter(|id| *id != 0).map(|id| GuildId::new(id.cast_unsigned())),
                options: row.get::<_, Option<String>>(5)?.map(Into::into),
            };
            Ok((id, facts))
        })?;
        let mut loaded = Loaded::default();
        for row in rows {
            let (id, row) = row?;
            // Discord has no channel 0, so that the bot did not write such a row.
            if id != 0 {
                loaded.channels.insert(ChannelId::new(id.cast_unsigned()), row);
            }
        }
        let mut statement = self.connection.prepare("SELECT commands_hash, listened FROM bot")?;
        let bot = statement.query_map([], |row| {
            let last_seen: Option<i64> = row.get(1)?;
            let last_seen = last_seen.and_then(|seconds| seconds.try_into().ok());
            Ok(BotFacts { commands_hash: row.get(0)?, last_seen, ..BotFacts::default() })
        });
        loaded.bot = bot?.next().transpose()?.unwrap_or_default();
        loaded.bot.late = self.load_late()?;
        loaded.bot.pending_deletions = self.load_pending_deletions()?;
        loaded.spent = self.load_spent()?;
        Ok(loaded)
    }

    fn load_late(&self) -> rusqlite::Result<BTreeSet<(ChannelId, MessageId)>> {
        let sql = "SELECT channel, message FROM late WHERE channel <> 0 AND message <> 0";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let id = |column: usize| row.get(column).map(i64::cast_unsigned);
            Ok((ChannelId::new(id(0)?), MessageId::new(id(1)?)))
        })?;
        rows.collect()
    }

    fn load_pending_deletions(&self) -> rusqlite::Result<BTreeSet<FileId>> {
        let mut statement = self.connection.prepare("SELECT file FROM lent")?;
        let rows = statement.query_map([], |row| row.get(0).map(i64::cast_unsigned).map(FileId))?;
        rows.collect()
    }

    fn load_spent(&self) -> rusqlite::Result<BTreeMap<SpendingKey, Credits>> {
        let sql = "SELECT day, guild, channel, user, agent, micro_credits FROM spent WHERE channel <> 0 AND user <> 0";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let id = |column: usize| row.get(column).map(i64::cast_unsigned);
            let by = SpendingKey {
                day: Day(row.get(0)?),
                guild: Some(id(1)?).filter(|id| *id != 0).map(GuildId::new),
                channel: ChannelId::new(id(2)?),
                user: UserId::new(id(3)?),
                agent: AgentId(id(4)?),
            };
            Ok((by, Credits::from_micro(id(5)?)))
        })?;
        rows.collect()
    }

    /// Writes all changes or none.
    pub(super) fn write(&mut self, changes: &Changes) -> Result<(), StateError> {
        // On Unix, writing to a removed file succeeds, and is lost.
        if !self.path.exists() {
            return Err(StateError::Removed { path: self.path.clone() });
        }
        self.try_write(changes).map_err(|error| StateError::from_sqlite(&self.path, error))
    }

    fn try_write(&mut self, changes: &Changes) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        if changes.everything {
            transaction.execute("DELETE FROM channel", [])?;
        }
        {
            let mut put =
                transaction.prepare_cached("INSERT OR REPLACE INTO channel VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            let mut remove = transaction.prepare_cached("DELETE FROM channel WHERE id = ?1")?;
            for (channel, row) in &changes.rows {
                let id = channel.get().cast_signed();
                match row {
                    Some(row) => put.execute(params![
                        id,
                        row.handled.map(|handled| handled.get().cast_signed()),
                        row.agent.map(|agent| agent.0.cast_signed()),
                        row.reset_mark.map(|mark| mark.get().cast_signed()),
                        row.guild.map(|guild| guild.get().cast_signed()),
                        row.options.as_deref(),
                    ])?,
                    None => remove.execute([id])?,
                };
            }
        }
        if let Some(bot) = &changes.bot {
            write_bot(&transaction, bot)?;
        }
        write_spent(&transaction, &changes.ledger)?;
        transaction.commit()
    }
}

fn write_bot(transaction: &Transaction<'_>, bot: &BotFacts) -> rusqlite::Result<()> {
    let last_seen = bot.last_seen.and_then(|seconds| i64::try_from(seconds).ok());
    transaction.execute("INSERT OR REPLACE INTO bot VALUES (1, ?1, ?2)", params![bot.commands_hash, last_seen])?;
    // These tables have few rows, and usually none.
    transaction.execute_batch("DELETE FROM late; DELETE FROM lent")?;
    let mut put_late = transaction.prepare_cached("INSERT INTO late VALUES (?1, ?2)")?;
    for (channel, message) in &bot.late {
        put_late.execute([channel.get().cast_signed(), message.get().cast_signed()])?;
    }
    let mut put_lent = transaction.prepare_cached("INSERT INTO lent VALUES (?1)")?;
    for file in &bot.pending_deletions {
        put_lent.execute([file.0.cast_signed()])?;
    }
    Ok(())
}

fn write_spent(transaction: &Transaction<'_>, changes: &LedgerChanges) -> rusqlite::Result<()> {
    if changes.everything {
        transaction.execute("DELETE FROM spent", [])?;
    }
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO spent VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut remove = transaction.prepare_cached(
        "DELETE FROM spent WHERE day = ?1 AND guild = ?2 AND channel = ?3 AND user = ?4 AND agent = ?5",
    )?;
    for (by, credits) in &changes.rows {
        let day = i64::from(by.day.0);
        let guild = by.guild.map_or(0, |guild| guild.get().cast_signed());
        let [channel, user, agent] = [by.channel.get(), by.user.get(), by.agent.0].map(u64::cast_signed);
        match credits {
            Some(credits) => put.execute([day, guild, channel, user, agent, credits.micro().cast_signed()])?,
            None => remove.execute([day, guild, channel, user, agent])?,
        };
    }
    Ok(())
}

/// Makes the first read take the lock for good, since two bots on one file would overwrite each other.
fn lock(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_TIMEOUT)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
}

/// Called only once the file is known to be the bot's own, because the journal mode is permanent.
fn enable_wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // With a write-ahead log, NORMAL survives a kill of the process; only a power failure can lose the last writes.
    connection.pragma_update(None, "synchronous", "NORMAL")
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StateError> {
    let from_sqlite = |error| StateError::from_sqlite(path, error);
    // Even without a step, the transaction shows whether the file can be written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(from_sqlite)?;
    let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(from_sqlite);
    let version = number("PRAGMA user_version")?;
    if version == 0 && number("SELECT count(*) FROM sqlite_schema")? > 0 {
        return Err(StateError::Corrupt { path: path.to_owned(), detail: "tables of another program".into() });
    }
    let steps = usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..));
    let Some(steps) = steps else { return Err(StateError::Newer { path: path.to_owned(), version }) };
    for step in steps {
        transaction.execute_batch(step).map_err(from_sqlite)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(from_sqlite)?;
    transaction.commit().map_err(from_sqlite)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the error of opening, without the folder.
    fn refusal(path: &Path, folder: &Path) -> String {
        let error = StateFile::open(path).map(|_| ()).unwrap_err();
        error.to_string().replace(&folder.display().to_string(), "")
    }

    #[test]
    fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let text = "just some text, ".repeat(100);
        fs::write(&path, &text).unwrap();
        insta::assert_snapshot!(refusal(&path, folder.path()), @"the state file /state.db is damaged or was not made by tess-discord (file is not a database): restore it, or move it away to start without it");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(StateFile::open(&path).unwrap());
        let mut bytes = fs::read(&path).unwrap();
        // The header of the second page; a page has 4096 bytes by default.
        bytes[4096..4196].fill(0xff);
        fs::write(&path, bytes).unwrap();
        assert!(matches!(StateFile::open(&path), Err(StateError::Corrupt { .. })));
    }

    #[test]
    fn the_file_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(refusal(&path, folder.path()).contains("tables of another program"));
    }

    #[test]
    fn the_file_of_a_later_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        insta::assert_snapshot!(refusal(&path, folder.path()), @"the state file /state.db was written by a later version of tess-discord (format 99, this one reads up to 5): use that version, or move the file away to start without it");
    }

    #[test]
    fn a_second_process_is_refused_while_the_first_uses_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let first = StateFile::open(&path).unwrap();
        insta::assert_snapshot!(refusal(&path, folder.path()), @"the state file /state.db is in use by another process: stop the other bot, or set STATE_URL to another path");
        drop(first);
        assert!(StateFile::open(&path).is_ok());
    }

    #[test]
    fn a_path_that_cannot_be_written_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        insta::assert_snapshot!(refusal(&folder.path().join("file/state.db"), folder.path()), @"the state's folder /file cannot be created (File exists (os error 17)): set STATE_URL to a path that the bot may write to");
        assert!(refusal(folder.path(), folder.path()).contains("cannot be written"));
    }

    #[test]
    fn the_only_text_columns_are_the_commands_hash_and_options() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::open(&folder.path().join("state.db")).unwrap();
        let sql = "SELECT m.name || '.' || c.name || ' ' || c.type FROM sqlite_schema m, pragma_table_info(m.name) c";
        let mut statement = file.connection.prepare(sql).unwrap();
        let columns: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let others: Vec<_> = columns.iter().filter(|column| !column.ends_with(" INTEGER")).collect();
        assert_eq!(others, ["channel.options TEXT", "bot.commands_hash TEXT"]);
        let options = "x".repeat(super::super::MAX_OPTIONS_BYTES);
        let mut put = file.connection.prepare("INSERT INTO channel (id, options) VALUES (?1, ?2)").unwrap();
        assert!(put.execute(params![1, options]).is_ok());
        assert!(put.execute(params![2, options + "x"]).is_err());
        assert!(file.connection.execute("INSERT INTO channel (id, handled) VALUES (3, 'hello')", []).is_err());
        assert!(
            file.connection
                .execute("INSERT INTO bot (only_row, commands_hash) VALUES (1, ?1)", ["x".repeat(129)])
                .is_err()
        );
    }

    #[test]
    fn a_file_of_an_earlier_version_keeps_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch("INSERT INTO channel (id, handled) VALUES (1, 5); PRAGMA user_version = 1").unwrap();
        drop(old);
        let loaded = StateFile::open(&path).unwrap().load().unwrap();
        assert_eq!(loaded.channels[&ChannelId::new(1)].handled, Some(MessageId::new(5)));
        assert!(loaded.spent.is_empty());
    }

    #[test]
    fn spending_is_written_replaced_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = StateFile::open(&folder.path().join("state.db")).unwrap();
        let guild = |id| Some(GuildId::new(id));
        let by = |guild| SpendingKey {
            day: Day(u32::MAX),
            guild,
            channel: ChannelId::new(u64::MAX),
            user: UserId::new(u64::MAX),
            agent: AgentId(u64::MAX),
        };
        let mut write = |everything, rows: &[(Option<GuildId>, Option<u64>)]| {
            let rows = rows.iter().map(|(guild, credits)| (by(*guild), credits.map(Credits::from_micro))).collect();
            file.write(&Changes { ledger: LedgerChanges { everything, rows }, ..Changes::default() }).unwrap();
            file.load().unwrap().spent.into_iter().map(|(by, credits)| (by.guild, credits.micro())).collect::<Vec<_>>()
        };
        let largest = guild(u64::MAX);
        assert_eq!(write(false, &[(None, Some(1)), (largest, Some(2))]), [(None, 1), (largest, 2)]);
        assert_eq!(write(false, &[(None, Some(3)), (largest, None)]), [(None, 3)]);
        assert_eq!(write(true, &[(guild(7), Some(u64::MAX))]), [(guild(7), u64::MAX)]);
    }

    #[test]
    fn ids_of_64_bits_are_stored_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = StateFile::open(&folder.path().join("state.db")).unwrap();
        let largest = MessageId::new(u64::MAX);
        let row = ChannelFacts {
            handled: Some(largest),
            agent: Some(AgentId(u64::MAX)),
            reset_mark: Some(largest),
            guild: Some(GuildId::new(u64::MAX)),
            options: Some(r#"{"model":"auto"}"#.into()),
        };
        let channel = ChannelId::new(u64::MAX);
        file.write(&Changes { rows: vec![(channel, Some(row.clone()))], ..Changes::default() }).unwrap();
        assert_eq!(file.load().unwrap().channels, [(channel, row)].into());
    }
}
