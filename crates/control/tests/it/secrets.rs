//! Secrets are sealed on disk, given only to what may have them, and never shown again.

use control::ops::{NewVariable, Scope};

use crate::world::{World, ask, project, server};

crate::telling::stories! {
    a_secret_is_given_to_the_server_and_nowhere_readable
    names_that_are_the_platforms_own_are_refused
}

fn files(world: &World) -> Vec<u8> {
    let names = ["state.db", "state.db-wal"];
    names
        .iter()
        .flat_map(|name| std::fs::read(world.path(name)).unwrap_or_default())
        .collect()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

async fn a_secret_is_given_to_the_server_and_nowhere_readable(world: &mut World) {
    let scope = Scope {
        project: Some(project("api")),
        ..Scope::default()
    };
    let secret = NewVariable {
        name: "TOKEN".to_owned(),
        value: "hunter2-hunter2".to_owned(),
        secret: true,
    };
    ask!(world, [scope, secret], |control| control
        .set_variable(&scope, secret))
    .unwrap();
    let plain = NewVariable {
        name: "COLOR".to_owned(),
        value: "blue".to_owned(),
        secret: false,
    };
    ask!(world, [scope, plain], |control| control
        .set_variable(&scope, plain))
    .unwrap();

    let deployment = world
        .try_deploy("api", "main", server("serve"), &[("ONCE", "only-this-time")])
        .await
        .unwrap();
    world.settle().await;
    let instance = world.provider().instances().pop().unwrap();
    let given = |name: &str| instance.variables.get(name).map(String::as_str);
    assert_eq!(given("TOKEN"), Some("hunter2-hunter2"));
    assert_eq!(given("COLOR"), Some("blue"));
    assert_eq!(given("ONCE"), Some("only-this-time"));

    let listed = ask!(world, [scope], |control| control.variables(&scope)).unwrap();
    let value = |name: &str| {
        listed
            .iter()
            .find(|variable| variable.name == name)
            .unwrap()
            .value
            .clone()
    };
    assert_eq!((value("TOKEN"), value("COLOR")), (None, Some("blue".to_owned())));
    let bytes = files(world);
    assert!(
        holds(&bytes, "TOKEN"),
        "the files that were looked at are the right ones"
    );
    assert!(!holds(&bytes, "hunter2") && !holds(&bytes, "only-this-time"));

    // A redeploy is given the same again.
    let again = world.redeploy(&deployment.id).await.instances[0].id.clone();
    let instance = world
        .provider()
        .instances()
        .into_iter()
        .find(|instance| instance.instance == again)
        .unwrap();
    assert!(instance.variables["ONCE"] == "only-this-time");
}

async fn names_that_are_the_platforms_own_are_refused(world: &mut World) {
    let error = world
        .try_deploy("api", "main", server("serve"), &[("CYGNI_URL", "x")])
        .await
        .unwrap_err();
    assert_eq!(error.code, "invalid_variable");
    assert!(world.previews().await.is_empty());
}
