//! The shape of the source: which module imports which, and how long functions and files are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Longest function, in lines.
const FUNCTION_LINES: usize = 60;

/// Longest file, in lines without its tests.
const FILE_LINES: usize = 400;

/// Modules that every other may use, and that use none.
const LEAVES: [&str; 2] = ["backoff", "ids"];

/// What each module may use of the others, beside [`LEAVES`]. The order is that of the layers.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "bot",
        &[
            "check",
            "clients",
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
    ("check", &["clients", "config", "discord", "state", "telemetry", "tess"]),
    ("gateway", &["config", "discord", "event", "ops", "telemetry"]),
    ("commands", &["config", "conversation", "discord", "reply", "telemetry", "tess"]),
    ("ops", &["telemetry"]),
    ("clients", &["config", "discord", "telemetry", "tess"]),
    ("internals", &["config", "history", "reply"]),
    ("conversation", &["config", "discord", "event", "history", "intake", "reply", "state", "telemetry", "tess"]),
    ("tess", &["config", "telemetry"]),
    ("discord", &["config", "telemetry"]),
    ("intake", &["config", "discord", "tess"]),
    ("history", &["config", "tess"]),
    ("reply", &["config", "tess"]),
    ("state", &["config", "telemetry", "tess"]),
    ("event", &["discord"]),
    ("config", &[]),
    ("telemetry", &["config"]),
];

/// The production code of one file of `src`.
struct Source {
    /// Path below `src`.
    path: PathBuf,
    /// The module that the file is, as segments from the root of the crate.
    module: Vec<String>,
    /// The text without the tests at its end and without comments.
    code: String,
    /// The modules that the file declares.
    children: Vec<String>,
    /// Those that it declares for tests alone.
    test_modules: Vec<String>,
}

impl Source {
    fn read(root: &Path, file: &Path) -> Self {
        let path = file.strip_prefix(root).unwrap().to_owned();
        let module = path.with_extension("");
        let module = module.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let declares_tests = |line: &&str| line.trim() == "#[cfg(test)]";
        let tests_start = (0..lines.len()).find(|at| {
            declares_tests(&lines[*at])
                && lines[at + 1..].iter().find(|line| !line.starts_with('#')).is_some_and(|line| line.ends_with('{'))
        });
        let lines = &lines[..tests_start.unwrap_or(lines.len())];
        let declared = |line: &str| Some(line.split_once("mod ")?.1.strip_suffix(';')?.to_owned());
        let children = lines.iter().filter(|line| line.starts_with("mod ") || line.starts_with("pub"));
        let children = children.filter_map(|line| declared(line)).collect();
        let test_modules = lines.windows(2).filter(|pair| declares_tests(&pair[0]));
        let test_modules = test_modules.filter_map(|pair| declared(pair[1])).collect();
        let code = lines.iter().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.flat_map(|line| [*line, "\n"]).collect();
        Self { path, module, code, children, test_modules }
    }

    fn lines(&self, root: &Path) -> usize {
        let text = fs::read_to_string(root.join(&self.path)).unwrap();
        text.find("#[cfg(test)]\nmod tests {").map_or(&*text, |at| &text[..at]).lines().count()
    }

    /// The paths that the code names, `crate` and `super` resolved.
    fn named_paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        for root in ["crate", "super", "self"].into_iter().chain(self.children.iter().map(String::as_str)) {
            for (at, _) in self.code.match_indices(&format!("{root}::")) {
                let before = &self.code[..at];
                let is_part_of_a_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
                // A module that shows its children's items does not depend on them.
                let is_re_export = root == "self" && (before.ends_with("pub use ") || before.ends_with(") use "));
                let is_visibility = before.ends_with("pub(in ");
                if is_part_of_a_name || is_re_export || is_visibility {
                    continue;
                }
                for path in expand(&self.code[at..]) {
                    paths.extend(self.resolve(&path));
                }
            }
        }
        paths
    }

    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let mut resolved = if path[0] == "crate" { Vec::new() } else { self.module.clone() };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(resolved.pop()?),
                name => resolved.push(name.to_owned()),
            }
        }
        Some(resolved)
    }
}

/// The paths of a tree such as `a::{b, c::{d, e}}` at the start of a text.
fn expand(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return split(group).into_iter().flat_map(expand).collect();
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Vec::new();
    }
    let below = rest.strip_prefix("::").map(expand).filter(|below| !below.is_empty());
    let below = below.unwrap_or_else(|| vec![Vec::new()]);
    below.into_iter().map(|path| [name.to_owned()].into_iter().chain(path).collect()).collect()
}

/// The parts of a group, whose opening brace was read.
fn split(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    parts
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files of `src` but those for tests alone.
fn sources() -> Vec<Source> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = source_folder();
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let sources: Vec<_> = files.iter().map(|file| Source::read(&root, file)).collect();
    let child = |parent: &Source, name: &String| {
        let is_root = parent.module == ["lib"] || parent.module == ["main"];
        let module = if is_root { &[] } else { parent.module.as_slice() };
        module.iter().chain([name]).cloned().collect::<Vec<_>>()
    };
    let for_tests: Vec<_> =
        sources.iter().flat_map(|source| source.test_modules.iter().map(|name| child(source, name))).collect();
    sources.into_iter().filter(|source| !for_tests.iter().any(|module| source.module.starts_with(module))).collect()
}

/// The file that a path leads to: the deepest module on it, or the one that the name is re-exported from.
fn target<'s>(sources: &'s [Source], path: &[String]) -> Option<&'s Source> {
    let depth = (1..=path.len()).rev().find(|depth| sources.iter().any(|source| source.module == path[..*depth]))?;
    let module = sources.iter().find(|source| source.module == path[..depth])?;
    let Some(name) = path.get(depth) else { return Some(module) };
    let exported = module.code.match_indices("use self::");
    let exported = exported.flat_map(|(at, found)| expand(&module.code[at + found.len() - "self::".len()..]));
    let origin = exported.filter(|path| path.last() == Some(name)).find_map(|path| module.resolve(&path));
    origin.and_then(|origin| target(sources, &origin)).or(Some(module))
}

#[test]
fn imports_go_one_way() {
    let mut allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(module, uses)| (*module, uses.iter().copied().chain(LEAVES).collect())).collect();
    allowed.extend(LEAVES.map(|leaf| (leaf, BTreeSet::new())));
    let mut wrong = BTreeSet::new();
    for source in sources() {
        let module = source.module[0].as_str();
        if ["main", "lib"].contains(&module) {
            continue;
        }
        let may_use = allowed.get(module).unwrap_or_else(|| panic!("{module} is not in the table"));
        for path in source.named_paths() {
            let used = path.first().map_or("", String::as_str);
            let is_module = allowed.contains_key(used);
            if is_module && used != module && !may_use.contains(used) {
                wrong.insert(format!("{} uses {used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files that a file uses, and those that they use.
fn reachable<'s>(uses: &BTreeMap<&'s Path, BTreeSet<&'s Path>>, from: &'s Path) -> BTreeSet<&'s Path> {
    let (mut reachable, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        next.extend(uses[file].iter().filter(|file| reachable.insert(**file)));
    }
    reachable
}

#[test]
fn files_of_a_module_do_not_import_each_other_in_circles() {
    let sources = sources();
    let mut uses: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for source in &sources {
        let targets = source.named_paths();
        let targets = targets.iter().filter_map(|path| target(&sources, path));
        let targets = targets.filter(|target| target.module[0] == source.module[0] && target.path != source.path);
        uses.insert(&source.path, targets.map(|target| target.path.as_path()).collect());
    }
    let circular: Vec<_> = uses.keys().filter(|file| reachable(&uses, file).contains(**file)).collect();
    let circular: Vec<_> = circular.iter().map(|file| format!("{} uses {:?}", file.display(), uses[**file])).collect();
    assert!(circular.is_empty(), "{circular:#?}");
}

#[test]
fn functions_and_files_are_short() {
    let root = source_folder();
    let mut long = Vec::new();
    for source in sources() {
        let lines = source.lines(&root);
        if lines > FILE_LINES {
            long.push(format!("{}: {lines} lines", source.path.display()));
        }
        let code: Vec<_> = source.code.lines().collect();
        for (start, line) in code.iter().enumerate() {
            let head = line.trim_start();
            let indent = &line[..line.len() - head.len()];
            let is_function = head.split_once("fn ").is_some_and(|(before, _)| {
                before.split_whitespace().all(|word| word.starts_with("pub") || ["async", "const"].contains(&word))
            });
            let end = code[start..].iter().position(|line| line.strip_prefix(indent) == Some("}"));
            if is_function && !line.ends_with(';') && end.is_some_and(|end| end + 1 > FUNCTION_LINES) {
                long.push(format!("{}: {} has {} lines", source.path.display(), head, end.unwrap() + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn simulators_depend_on_nothing_of_the_bot_nor_on_its_discord_libraries() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sim/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    for foreign in ["tess-discord =", "serenity", "twilight"] {
        assert!(!manifest.contains(foreign), "crates/sim depends on {foreign}");
    }
}

#[test]
fn trees_of_imports_are_expanded() {
    let paths = |text: &str| expand(text).iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(
        paths("crate::{a::{self, B}, c, d::E as F};"),
        ["crate::a::self", "crate::a::B", "crate::c", "crate::d::E"]
    );
    assert_eq!(paths("super::a::b(c)"), ["super::a::b"]);
    assert_eq!(paths("super::*;"), ["super"]);
}
