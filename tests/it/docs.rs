//! What the documents say is what the program does.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tess_discord::Metrics;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What stands between `<!-- name -->` and `<!-- /name -->`.
fn section<'d>(document: &'d str, name: &str) -> &'d str {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let start = document.find(&open).unwrap_or_else(|| panic!("{open} is missing")) + open.len();
    document[start..document[start..].find(&close).unwrap() + start].trim()
}

#[test]
fn the_portuguese_readme_runs_nothing_that_the_english_one_does_not() {
    fn lines(text: &str) -> impl Iterator<Item = &str> {
        text.split("```sh")
            .skip(1)
            .flat_map(|block| block.split("```").next().unwrap_or_default().lines().map(str::trim))
    }
    let english = document("README.md");
    let portuguese = document("README.pt-BR.md");
    let known: Vec<&str> = lines(&english).collect();
    assert!(lines(&portuguese).count() > 3);
    assert!(lines(&portuguese).all(|line| known.contains(&line)), "{known:#?}");
    let link =
        |text: &str| text.split('`').find(|part| part.starts_with("https://discord.com/oauth2")).map(str::to_owned);
    assert_eq!(link(&portuguese), link(&english));
}

/// With `UPDATE_DOCS=1` the table is written into the document instead.
#[test]
fn operations_document_lists_every_metric() {
    let operations = document("docs/operations.md");
    let (current, table) = (section(&operations, "metrics"), Metrics::new().markdown_table());
    if env::var_os("UPDATE_DOCS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
        return fs::write(path, operations.replacen(current, table.trim(), 1)).unwrap();
    }
    assert_eq!(current, table.trim(), "to write the table: UPDATE_DOCS=1 cargo test --test it operations_document");
}

/// The Markdown documents of the repository, by path from its root.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "data", ".git"].contains(&name.as_str()) {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The targets of the links in a document, those in code blocks left out.
fn links(text: &str) -> Vec<&str> {
    let outside_code = text.split("```").step_by(2);
    outside_code
        .flat_map(|text| text.split("](").skip(1))
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .filter(|target| !target.contains("://"))
        .collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.split("```").step_by(2).flat_map(str::lines).filter(|line| line.starts_with('#'));
    let letters = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(letters).collect()
}

#[test]
fn links_between_documents_lead_to_files_and_headings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    documents(root, &mut found);
    assert!(found.len() > 10, "{found:?}");
    let mut broken = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let leads_there = target.exists()
                && anchor.is_none_or(|anchor| {
                    anchors(&fs::read_to_string(&target).unwrap()).iter().any(|known| known == anchor)
                });
            if !leads_there {
                broken.push(format!("{}: {link}", path.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_map_names_every_module() {
    let map = document("docs/architecture.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = [source.clone(), source.join("conversation"), source.join("conversation/channel")];
    let files = folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| fs::read_dir(folder).unwrap());
    let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    let is_missing = |name: &String| {
        name != "tests" && !map.contains(&format!(" {name}.rs ")) && !map.contains(&format!(" {name}/ "))
    };
    let missing: Vec<_> = names.filter(is_missing).collect();
    assert!(missing.is_empty(), "docs/architecture.md does not name {missing:?}");
}

#[test]
fn the_readme_runs_the_tests_as_ci_does() {
    let (readme, ci) = (document("README.md"), document(".ci/run"));
    assert!(readme.contains("\ncargo test --locked\n"));
    assert!(ci.contains("cargo test --locked"));
}
