//! Secrets are sealed on disk, given only to what may have them, and never shown again.

use control::ops::{NewVariable, Scope};

use crate::world::{World, project, server};

fn files(world: &World) -> Vec<u8> {
    let names = ["state.db", "state.db-wal"];
    names
        .iter()
        .flat_map(|name| std::fs::read(world.directory.path().join(name)).unwrap_or_default())
        .collect()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn a_secret_is_given_to_the_server_and_nowhere_readable() {
    let world = World::new().await;
    let scope = Scope {
        project: Some(project("api")),
        ..Scope::default()
    };
    let secret = NewVariable {
        name: "TOKEN".to_owned(),
        value: "hunter2-hunter2".to_owned(),
        secret: true,
    };
    world.control.set_variable(&scope, secret).await.unwrap();
    let plain = NewVariable {
        name: "COLOR".to_owned(),
        value: "blue".to_owned(),
        secret: false,
    };
    world.control.set_variable(&scope, plain).await.unwrap();

    let deployment = world
        .try_deploy("api", "main", server("serve"), &[("ONCE", "only-this-time")])
        .await
        .unwrap();
    world.control.settle().await;
    let instance = world.provider.instances().pop().unwrap();
    let given = |name: &str| instance.variables.get(name).map(String::as_str);
    assert_eq!(given("TOKEN"), Some("hunter2-hunter2"));
    assert_eq!(given("COLOR"), Some("blue"));
    assert_eq!(given("ONCE"), Some("only-this-time"));

    let listed = world.control.variables(&scope).await.unwrap();
    let value = |name: &str| {
        listed
            .iter()
            .find(|variable| variable.name == name)
            .unwrap()
            .value
            .clone()
    };
    assert_eq!((value("TOKEN"), value("COLOR")), (None, Some("blue".to_owned())));
    let bytes = files(&world);
    assert!(
        holds(&bytes, "TOKEN"),
        "the files that were looked at are the right ones"
    );
    assert!(!holds(&bytes, "hunter2") && !holds(&bytes, "only-this-time"));

    // A redeploy is given the same again.
    let again = world.control.redeploy(&deployment.id, false).await.unwrap();
    world.control.settle().await;
    let again = world.deployment(&again.id).await.instances[0].id.clone();
    let instance = world
        .provider
        .instances()
        .into_iter()
        .find(|instance| instance.instance == again)
        .unwrap();
    assert!(instance.variables["ONCE"] == "only-this-time");
    world.assert_quiet().await;
}

#[tokio::test]
async fn names_that_are_the_platforms_own_are_refused() {
    let world = World::new().await;
    let error = world
        .try_deploy("api", "main", server("serve"), &[("CYGNI_URL", "x")])
        .await
        .unwrap_err();
    assert_eq!(error.code, "invalid_variable");
    assert!(world.control.previews().await.unwrap().is_empty());
    world.assert_quiet().await;
}
