//! The `.env` file.

use std::{collections::BTreeMap, fs, io, path::Path};

use super::problems::Problems;

/// Reads the first `.env` in `folder` or a folder above it; returns no variables without such a file.
/// The last of several values of a variable counts, as with Docker.
pub(super) fn read_above(folder: &Path) -> Result<BTreeMap<String, String>, Problems> {
    let Some(path) = folder.ancestors().map(|folder| folder.join(".env")).find(|path| path.is_file()) else {
        return Ok(BTreeMap::new());
    };
    let unreadable = |error: io::Error| Problems::single(format!("{} cannot be read: {error}", path.display()));
    let text = fs::read_to_string(&path).map_err(unreadable)?;
    // Some editors write a byte order mark first, which would become a part of the first name.
    let text = text.trim_start_matches('\u{feff}');
    // The error of the library quotes the line, which may hold a secret.
    parse(text).ok_or_else(|| {
        let line = first_malformed_line(text);
        let advice = "put a value with spaces or a # in it into 'quotes'";
        Problems::single(format!("{} line {line} is not NAME=value: {advice}", path.display()))
    })
}

fn parse(text: &str) -> Option<BTreeMap<String, String>> {
    // The library rejects blanks at the very end.
    let text = format!("{}\n", text.trim_end());
    dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().ok()
}

/// Returns the line number, from 1. A quoted value may span lines, so that the shortest valid run of lines is skipped at a time.
fn first_malformed_line(text: &str) -> usize {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut start = 0;
    while let Some(end) = (start + 1..=lines.len()).find(|end| parse(&lines[start..*end].concat()).is_some()) {
        start = end;
    }
    start + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env"), text).unwrap();
        let within = folder.path().join("a/b");
        fs::create_dir_all(&within).unwrap();
        let shown = |problems: Problems| problems.to_string().replace(&folder.path().display().to_string(), "");
        read_above(&within).map_err(shown)
    }

    #[test]
    fn a_file_in_a_folder_above_is_found() {
        let vars = read("\u{feff}# comment\nA=1\n\nB='two words' # why\nA=2\n").unwrap();
        assert_eq!(vars.into_iter().collect::<Vec<_>>(), [("A".into(), "2".into()), ("B".into(), "two words".into())]);
    }

    #[test]
    fn a_malformed_line_is_reported_without_its_content() {
        insta::assert_snapshot!(read("A=1\n\nTESS_API_KEY=secret words\nB=2\n").unwrap_err(), @r"
        The configuration has a problem:
          /.env line 3 is not NAME=value: put a value with spaces or a # in it into 'quotes'
        ");
        assert!(read("A='1\n2'\nB='never closed\nC=3\n").unwrap_err().contains("line 3 "));
        assert!(read("just words\n").unwrap_err().contains("line 1 "));
    }

    #[test]
    fn blanks_at_the_end_are_ignored() {
        for text in ["A=1 ", "A=1\n  ", "A=1\n\t\n ", "A=1\r\n"] {
            assert_eq!(read(text).unwrap(), [("A".to_owned(), "1".to_owned())].into(), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env"), [b'A', b'=', 0xff]).unwrap();
        assert!(read_above(folder.path()).unwrap_err().to_string().contains("cannot be read"));
    }
}
