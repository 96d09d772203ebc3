//! What the operator has to do after an error.

use super::error::TessError;

/// The API's addresses: the documented one and an older one. Both answer.
const KNOWN_URLS: [&str; 2] = ["https://tess.pareto.io/api", "https://api.tess.im"];

/// Returns what to do, in words that fit after a semicolon; `None` if only waiting or asking again helps.
pub(super) fn advice(error: &TessError, api_url: &str) -> Option<String> {
    let text = match error {
        TessError::Unauthorized { .. } => "make a new key in Tess under API Tokens and put it into TESS_API_KEY",
        TessError::WrongWorkspace { .. } => {
            "put the number of a workspace that the key belongs to into TESS_WORKSPACE_ID; Tess shows it under \
             Settings > Workspace"
        }
        TessError::WorkspaceRequired { .. } => {
            "set TESS_WORKSPACE_ID to the workspace's number, which Tess shows under Settings > Workspace"
        }
        TessError::AgentNotFound { .. } => {
            "the agent is gone, or the workspace does not see it: check TESS_AGENT_ID (the number in the URL of the \
             agent's page) and TESS_WORKSPACE_ID"
        }
        TessError::Refused { .. } => {
            "check TESS_MODEL, TESS_TEMPERATURE and TESS_TOOLS; `tess-discord check` compares them with the agent"
        }
        TessError::NoCredits { .. } => "top up the workspace's credits in Tess",
        TessError::StorageFull { .. } => "delete files in Tess",
        TessError::WrongHost { .. } => return Some(format!("set TESS_API_URL to {}", others(api_url))),
        TessError::NotSent { .. } | TessError::Unavailable { .. } => {
            let others = others(api_url);
            return Some(format!(
                "check the network and TESS_API_URL; if only Tess is away, try TESS_API_URL={others}"
            ));
        }
        TessError::RateLimited { .. }
        | TessError::OutcomeUnknown { .. }
        | TessError::Failed { .. }
        | TessError::Empty { .. }
        | TessError::FileRefused { .. }
        | TessError::TimedOut { .. } => return None,
    };
    Some(text.to_owned())
}

/// The known addresses other than the one that is set.
fn others(api_url: &str) -> String {
    let others: Vec<_> = KNOWN_URLS.into_iter().filter(|url| *url != api_url).collect();
    others.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AgentId;

    #[test]
    fn each_refusal_says_which_setting_to_change() {
        let detail = || String::from("x");
        for (error, setting) in [
            (TessError::Unauthorized { detail: detail() }, "TESS_API_KEY"),
            (TessError::WrongWorkspace { detail: detail() }, "TESS_WORKSPACE_ID"),
            (TessError::WorkspaceRequired { detail: detail() }, "TESS_WORKSPACE_ID"),
            (TessError::AgentNotFound { agent: AgentId(7), detail: detail() }, "TESS_AGENT_ID"),
            (TessError::Refused { detail: detail() }, "TESS_MODEL"),
            (TessError::WrongHost { detail: detail() }, "TESS_API_URL"),
            (TessError::NotSent { detail: detail() }, "TESS_API_URL"),
        ] {
            let advice = advice(&error, KNOWN_URLS[0]).unwrap();
            assert!(advice.contains(setting), "{advice}");
        }
        assert_eq!(advice(&TessError::Empty { credits: 0.0 }, KNOWN_URLS[0]), None);
    }

    #[test]
    fn the_other_host_is_suggested_where_the_set_one_fails() {
        let suggested = |url| advice(&TessError::WrongHost { detail: String::new() }, url).unwrap();
        assert_eq!(suggested("https://tess.pareto.io/api"), "set TESS_API_URL to https://api.tess.im");
        assert_eq!(suggested("https://api.tess.im"), "set TESS_API_URL to https://tess.pareto.io/api");
        assert_eq!(
            suggested("https://tess.pareto.io"),
            "set TESS_API_URL to https://tess.pareto.io/api or https://api.tess.im"
        );
    }
}
