//! The SQLite file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::{
    facts::{Batch, Loaded, Own, Row},
    ledger::{Day, LedgerBatch, SpendingKey},
};
use crate::{
    config::Credits,
    ids::{AgentId, ChannelId, FileId, GuildId, MessageId, UserId},
};

/// How long to wait for a lock: as long as a predecessor that is just ending may need.
const BUSY_WITHIN: Duration = Duration::from_secs(2);

/// One step a version: step `n` brings a file of version `n` to `n + 1`. Steps that were released never change.
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
    // `guild` is 0 for a direct message, since a key has no room for nothing.
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
pub enum StateError {
    /// The folder is not there and cannot be made.
    #[error("the state's folder {} cannot be made ({source}): set STATE_URL to a place the bot may write to", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be opened or written.
    #[error("the state file {} cannot be written ({source}): make it and its folder writable for the bot's user, make room, or set STATE_URL to another place", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another process has it.
    #[error("the state file {} is in use by another process: stop the other bot, or give this one a STATE_URL of its own", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged, or another kind of file.
    #[error("the state file {} is damaged or was not made by tess-discord ({detail}): restore it, or move it away to start without it", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A later version of the bot wrote it.
    #[error("the state file {} was written by a later version of tess-discord (format {version}, this one knows {}): use that version, or move the file away to start without it", .path.display(), MIGRATIONS.len())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's `user_version`.
        version: i64,
    },
    /// The file is gone, though it had been opened.
    #[error("the state file {} was removed", .path.display())]
    Removed {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no thread to write it with.
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
    /// Opens or makes it, checks it, and brings it to the newest version.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|source| StateError::Folder { folder: folder.to_owned(), source })?;
        }
        let of_sqlite = |error| StateError::from_sqlite(path, error);
        let mut connection = Connection::open(path).map_err(of_sqlite)?;
        set_up(&connection).map_err(of_sqlite)?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(of_sqlite)?;
        if found != "ok" {
            return Err(StateError::Corrupt { path: path.to_owned(), detail: found });
        }
        migrate(&mut connection, path)?;
        speed_up(&connection).map_err(of_sqlite)?;
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
            let facts = Row {
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
            // Discord has no channel 0, so such a row is not the bot's.
            if id != 0 {
                loaded.channels.insert(ChannelId::new(id.cast_unsigned()), row);
            }
        }
        let mut statement = self.connection.prepare("SELECT commands_hash, listened FROM bot")?;
        let own = statement.query_map([], |row| {
            let last_seen: Option<i64> = row.get(1)?;
            let last_seen = last_seen.and_then(|seconds| seconds.try_into().ok());
            Ok(Own { commands_hash: row.get(0)?, last_seen, ..Own::default() })
        });
        loaded.own = own?.next().transpose()?.unwrap_or_default();
        loaded.own.late = self.load_late()?;
        loaded.own.pending_deletions = self.load_lent()?;
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

    fn load_lent(&self) -> rusqlite::Result<BTreeSet<FileId>> {
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

    /// All of `batch` or nothing.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), StateError> {
        // Writing into a removed file succeeds on Unix, and is lost.
        if !self.path.exists() {
            return Err(StateError::Removed { path: self.path.clone() });
        }
        self.try_write(batch).map_err(|error| StateError::from_sqlite(&self.path, error))
    }

    fn try_write(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        if batch.everything {
            transaction.execute("DELETE FROM channel", [])?;
        }
        {
            let mut put =
                transaction.prepare_cached("INSERT OR REPLACE INTO channel VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            let mut remove = transaction.prepare_cached("DELETE FROM channel WHERE id = ?1")?;
            for (channel, row) in &batch.rows {
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
        if let Some(own) = &batch.own {
            write_own(&transaction, own)?;
        }
        write_spent(&transaction, &batch.ledger)?;
        transaction.commit()
    }
}

fn write_own(transaction: &Transaction<'_>, own: &Own) -> rusqlite::Result<()> {
    let last_seen = own.last_seen.and_then(|seconds| i64::try_from(seconds).ok());
    transaction.execute("INSERT OR REPLACE INTO bot VALUES (1, ?1, ?2)", params![own.commands_hash, last_seen])?;
    // Few, and most often none.
    transaction.execute_batch("DELETE FROM late; DELETE FROM lent")?;
    let mut put_late = transaction.prepare_cached("INSERT INTO late VALUES (?1, ?2)")?;
    for (channel, message) in &own.late {
        put_late.execute([channel.get().cast_signed(), message.get().cast_signed()])?;
    }
    let mut put_lent = transaction.prepare_cached("INSERT INTO lent VALUES (?1)")?;
    for file in &own.pending_deletions {
        put_lent.execute([file.0.cast_signed()])?;
    }
    Ok(())
}

fn write_spent(transaction: &Transaction<'_>, batch: &LedgerBatch) -> rusqlite::Result<()> {
    if batch.everything {
        transaction.execute("DELETE FROM spent", [])?;
    }
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO spent VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut remove = transaction.prepare_cached(
        "DELETE FROM spent WHERE day = ?1 AND guild = ?2 AND channel = ?3 AND user = ?4 AND agent = ?5",
    )?;
    for (by, credits) in &batch.rows {
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

/// The first read takes the lock, and keeps it: two bots on one file would overwrite each other.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WITHIN)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
}

/// Only now that the file is the bot's own: the mode of its journal stays.
fn speed_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // With a write-ahead log, NORMAL survives the end of the process; only a power cut can take the last writes.
    connection.pragma_update(None, "synchronous", "NORMAL")
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StateError> {
    let of_sqlite = |error| StateError::from_sqlite(path, error);
    // Even without a step to make, this shows now whether the file can be written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(of_sqlite)?;
    let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(of_sqlite);
    let version = number("PRAGMA user_version")?;
    if version == 0 && number("SELECT count(*) FROM sqlite_schema")? > 0 {
        return Err(StateError::Corrupt { path: path.to_owned(), detail: "tables of another program".into() });
    }
    let steps = usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..));
    let Some(steps) = steps else { return Err(StateError::Newer { path: path.to_owned(), version }) };
    for step in steps {
        transaction.execute_batch(step).map_err(of_sqlite)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(of_sqlite)?;
    transaction.commit().map_err(of_sqlite)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of opening, with the folder taken out.
    fn refusal(path: &Path, folder: &Path) -> String {
        let error = StateFile::open(path).map(|_| ()).unwrap_err();
        error.to_string().replace(&folder.display().to_string(), "")
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_and_left_alone() {
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
        // The head of the second page; pages are of 4096 bytes unless told otherwise.
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
        insta::assert_snapshot!(refusal(&path, folder.path()), @"the state file /state.db was written by a later version of tess-discord (format 99, this one knows 5): use that version, or move the file away to start without it");
    }

    #[test]
    fn a_second_process_is_refused_while_the_first_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let first = StateFile::open(&path).unwrap();
        insta::assert_snapshot!(refusal(&path, folder.path()), @"the state file /state.db is in use by another process: stop the other bot, or give this one a STATE_URL of its own");
        drop(first);
        assert!(StateFile::open(&path).is_ok());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        insta::assert_snapshot!(refusal(&folder.path().join("file/state.db"), folder.path()), @"the state's folder /file cannot be made (File exists (os error 17)): set STATE_URL to a place the bot may write to");
        assert!(refusal(folder.path(), folder.path()).contains("cannot be written"));
    }

    #[test]
    fn the_only_texts_that_fit_in_are_the_hash_of_the_commands_and_a_channels_options() {
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
        assert!(file.connection.execute("INSERT INTO commands VALUES (1, ?1)", ["x".repeat(129)]).is_err());
    }

    #[test]
    fn a_file_of_an_earlier_version_keeps_what_it_has() {
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
    fn what_was_spent_is_written_replaced_and_removed() {
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
            file.write(&Batch { ledger: LedgerBatch { everything, rows }, ..Batch::default() }).unwrap();
            file.load().unwrap().spent.into_iter().map(|(by, credits)| (by.guild, credits.micro())).collect::<Vec<_>>()
        };
        let largest = guild(u64::MAX);
        assert_eq!(write(false, &[(None, Some(1)), (largest, Some(2))]), [(None, 1), (largest, 2)]);
        assert_eq!(write(false, &[(None, Some(3)), (largest, None)]), [(None, 3)]);
        assert_eq!(write(true, &[(guild(7), Some(u64::MAX))]), [(guild(7), u64::MAX)]);
    }

    #[test]
    fn ids_of_all_64_bits_survive() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = StateFile::open(&folder.path().join("state.db")).unwrap();
        let largest = MessageId::new(u64::MAX);
        let row = Row {
            handled: Some(largest),
            agent: Some(AgentId(u64::MAX)),
            reset_mark: Some(largest),
            guild: Some(GuildId::new(u64::MAX)),
            options: Some(r#"{"model":"auto"}"#.into()),
        };
        let channel = ChannelId::new(u64::MAX);
        file.write(&Batch { rows: vec![(channel, Some(row.clone()))], ..Batch::default() }).unwrap();
        assert_eq!(file.load().unwrap().channels, [(channel, row)].into());
    }
}
