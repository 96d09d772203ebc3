//! The direction of imports, as the crate's documentation tells it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Modules that every other may use, and that use none.
const LEAVES: [&str; 2] = ["backoff", "ids"];

/// What each module may use of the others, beside [`LEAVES`].
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let rooms: [(&str, &[&str]); 15] = [
        (
            "bot",
            &[
                "check",
                "commands",
                "config",
                "conversation",
                "discord",
                "event",
                "gateway",
                "ops",
                "state",
                "telemetry",
                "tess",
            ],
        ),
        ("check", &["config", "discord", "state", "telemetry", "tess"]),
        ("gateway", &["config", "discord", "event", "ops", "telemetry"]),
        ("commands", &["config", "conversation", "discord", "reply", "telemetry", "tess"]),
        ("ops", &["telemetry"]),
        ("conversation", &["config", "discord", "event", "history", "intake", "reply", "state", "telemetry", "tess"]),
        ("tess", &["config"]),
        ("discord", &["config", "telemetry"]),
        ("intake", &["config", "discord", "tess"]),
        ("history", &["config", "tess"]),
        ("reply", &["config", "tess"]),
        ("state", &["config", "telemetry", "tess"]),
        ("event", &["discord"]),
        ("config", &[]),
        ("telemetry", &["config"]),
    ];
    let mut allowed: BTreeMap<_, BTreeSet<_>> =
        rooms.into_iter().map(|(room, uses)| (room, uses.iter().copied().chain(LEAVES).collect())).collect();
    allowed.extend(LEAVES.map(|leaf| (leaf, BTreeSet::new())));
    allowed
}

fn sources(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a file of a room names, outside its tests and comments.
fn uses(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut uses = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => uses.extend(top_level(group)),
            None => uses.extend(word(rest)),
        }
    }
    uses
}

fn word(text: &str) -> Option<String> {
    let word: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// The first names of a `{a, b::{c, d}, e}` group.
fn top_level(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                names.extend(word(&group[start..at]));
                if letter == '}' {
                    break;
                }
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

#[test]
fn imports_go_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let allowed = allowed();
    let mut wrong = Vec::new();
    for file in files {
        let place = file.strip_prefix(&source).unwrap();
        let first = place.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs").to_owned();
        if matches!(room.as_str(), "main" | "lib" | "bin") {
            continue;
        }
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not on the map"));
        for used in uses(&fs::read_to_string(&file).unwrap()) {
            if used != room && !may.contains(used.as_str()) {
                wrong.push(format!("{} uses {used}", place.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_simulators_depend_on_nothing_of_the_bots_nor_on_its_discord_libraries() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sim/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    for foreign in ["tess-discord =", "serenity", "twilight"] {
        assert!(!manifest.contains(foreign), "crates/sim depends on {foreign}");
    }
}
