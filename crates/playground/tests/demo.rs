//! The demo as a process with piped input.

use std::{process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

#[tokio::test]
async fn demo_answers_piped_lines_and_exits_with_success() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.env_remove("RUST_LOG").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut demo = demo.spawn().unwrap();
    let lines = "hello\nbob: who spoke before me?\n/agent id:46589\n/agent\n/reset\n@bot are you there?\n/dance\n";
    let mut input = demo.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).await.unwrap();
    drop(input);
    let ended = timeout(Duration::from_secs(60), demo.wait_with_output()).await.unwrap().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&ended.stderr));
    for wanted in
        ["> bob: who spoke before me?", "alice: hello", "Poeta", "only you can see this", "☑️", "no command /dance"]
    {
        assert!(shown.contains(wanted), "{wanted} is missing in:\n{shown}");
    }
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "no warning was logged");
}
