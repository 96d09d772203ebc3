//! What the demo and the soak share: the settings of a bot between the simulators, and its files.

use std::{env, fs, io, path::PathBuf};

use sim::{discord::DiscordSim, tess::TessSim};

/// Environment variables that connect a bot to a simulated Discord.
pub fn discord_settings(discord: &DiscordSim) -> Vec<(&'static str, String)> {
    vec![("DISCORD_TOKEN", discord.token()), ("DISCORD_API_URL", discord.url().to_owned())]
}

/// Environment variables that connect a bot to a simulated Tess.
pub fn tess_settings(tess: &TessSim) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("TESS_API_KEY", tess.key().to_owned()),
        ("TESS_API_URL", tess.url()),
        ("TESS_AGENT_ID", tess.default_agent().to_string()),
    ];
    settings.extend(tess.workspace().map(|workspace| ("TESS_WORKSPACE_ID", workspace.to_string())));
    settings
}

/// A folder for the files of one run, deleted on drop unless [`Self::keep`] was called.
pub struct RunFolder {
    path: PathBuf,
    is_kept: bool,
}

impl RunFolder {
    /// Creates a folder named after `program` and this process in the temporary folder.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new(program: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("tess-discord-{program}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self { path, is_kept: false })
    }

    /// The path of the folder.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The value of `STATE_URL` for a state file in this folder.
    pub fn state_url(&self) -> String {
        format!("sqlite:{}", self.path.join("state.db").display())
    }

    /// Keeps the folder, so that its files can be read after the run.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.is_kept {
            // A folder that is left in the temporary folder does no harm.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
