//! Values for tests of words.

use builder::plan::detect;
use builder::source::DirectorySource;
use control::view;
use model::deployment::State;
use model::tree::{Entry, Node};
use model::{DeploymentId, Digest, EnvironmentName, NamespaceName, Plan, ProjectName, Tree, TreePath};

/// A deployment in `state`, with nothing else to tell.
pub(crate) fn deployment(state: State) -> view::Deployment {
    view::Deployment {
        id: DeploymentId::from_random([7; 10]),
        project: ProjectName::from_text("guestbook"),
        namespace: NamespaceName::main(),
        environment: EnvironmentName::Preview,
        state,
        waiting: None,
        url: "http://guestbook-abc.localhost:7700".into(),
        preview_url: "http://guestbook.localhost:7700".into(),
        source: Some(Digest::of(b"")),
        revision: None,
        created_at_ms: 1_000,
        finished_at_ms: None,
        current: false,
        phases: Vec::new(),
        reused_build_of: None,
        plan: None,
        artifact: None,
        failure: None,
        instances: Vec::new(),
        live_directory: None,
    }
}

/// The plan of files that are served as they are.
pub(crate) fn static_plan() -> Plan {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "hello").unwrap();
    detect(&DirectorySource::walk(dir.path()).unwrap()).unwrap()
}

/// A tree of these files.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let entry = |(path, text): &(&str, &str)| Entry {
        path: TreePath::new(path).unwrap(),
        node: Node::File {
            digest: Digest::of(text.as_bytes()),
            size_bytes: text.len() as u64,
            executable: false,
        },
    };
    Tree::new(files.iter().map(entry).collect()).unwrap()
}
