//! How many instances of a server run.

use model::ServiceName;
use model::failure::Code;

use super::plan;

const SERVER: (&str, &str) = ("a.py", "");

#[test]
fn as_many_instances_as_cx_toml_says_and_otherwise_one() {
    let told = |text: &str| plan(&[SERVER, ("cx.toml", text)]).unwrap();
    let three = told("[run]\ncommand = \"python3 a.py\"\ninstances = 3\n");
    let one = told("[run]\ncommand = \"python3 a.py\"\n");
    assert_eq!(three.instances(&ServiceName::web()), 3);
    assert_eq!(three.reasons["instances"], "cx.toml says so");
    assert_eq!(one.instances(&ServiceName::web()), 1);
    assert_eq!(
        three.build_identity(),
        one.build_identity(),
        "the same build serves any number"
    );
}

#[test]
fn files_have_no_instances() {
    let failure = plan(&[("index.html", ""), ("cx.toml", "[run]\ninstances = 2\n")]).unwrap_err();
    assert_eq!(failure.code, Code::InvalidProjectFile);
    assert!(
        failure.message.contains("`[run] instances = 2`"),
        "{}",
        failure.message
    );
    assert!(failure.hint.contains("`[run] command`"), "{}", failure.hint);
    let files = plan(&[("index.html", ""), ("cx.toml", "[run]\ninstances = 1\n")]).unwrap();
    assert_eq!(files.instances(&ServiceName::web()), 0);
}
