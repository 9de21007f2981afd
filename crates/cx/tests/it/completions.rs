//! The scripts of `cx completions`, in the shells they are for.

use std::process::Command;

use crate::platform::run;

const CX: &str = env!("CARGO_BIN_EXE_cx");

fn script(shell: &str) -> String {
    let ran = run(Command::new(CX).args(["completions", shell]));
    assert!(ran.status.success(), "{ran:?}");
    ran.out
}

/// What bash offers for a line that ends in the word to be completed.
fn offered(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let asking = format!(
        "{}\ncomplete -p cx\nCOMP_WORDS=({line})\nCOMP_CWORD={}\n_cx cx '{last}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        script("bash"),
        words.len() - 1
    );
    let ran = run(Command::new("bash").args(["--noprofile", "--norc", "-c", &asking]));
    assert!(ran.status.success() && ran.err.is_empty(), "{ran:?}");
    let mut lines = ran.out.lines().map(str::to_owned);
    let registered = lines.next().unwrap();
    assert!(
        registered.starts_with("complete ") && registered.ends_with(" cx"),
        "{registered}"
    );
    lines.collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(offered("cx roll"), ["rollback"]);
    assert_eq!(offered("cx env se"), ["set"]);
    assert_eq!(offered("cx deploy --reb"), ["--rebuild"]);
    assert_eq!(offered("cx list --color a"), ["auto", "always"]);
    assert_eq!(offered("cx completions f"), ["fish"]);
}

#[test]
fn every_shell_has_a_script_of_its_own() {
    assert!(script("zsh").starts_with("#compdef cx"));
    assert!(script("fish").contains("complete -c cx"));
    let ran = run(Command::new(CX).args(["completions", "tcsh"]));
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
}
