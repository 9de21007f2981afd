//! Fetching sources from a real git server, in real sandboxes: what comes, what fails and how, and what a repository may
//! not do.

use builder::fake::{End, Script};
use builder::{BuildError, FetchRequest, Fetched, Remote};
use model::failure::{Code, Stage};
use model::tree::Node;
use model::trust::Trust;
use model::{Failure, ProjectId};
use tokio_util::sync::CancellationToken;

use crate::git_server::{AUTHORIZATION, GitServer, TOKEN, pointer};
use crate::sandboxed::{quiet, world};
use crate::world::World;
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    ("fetch_the_exact_commit_of_a_branch_that_moved_on", exact_commit),
    ("fetch_from_an_old_server_by_going_back", old_server),
    ("fetch_again_asks_for_nothing_that_is_here", again),
    ("fetch_submodules_also_private_and_nested_ones", submodules),
    ("fetch_large_files", large_files),
    ("fetch_fails_in_words_that_help", failures),
    ("fetch_says_what_the_machine_lacks", lacking),
    (
        "fetch_of_strangers_sends_the_token_for_their_repository_alone",
        strangers,
    ),
    ("fetch_refuses_submodules_that_lead_elsewhere", hostile_submodules),
    ("fetch_takes_no_links_that_lead_outside", hostile_links),
    ("fetch_runs_nothing_of_a_repository", hostile_settings),
    (
        "fetch_sends_no_token_where_a_repository_wants_it",
        hostile_large_files,
    ),
    ("fetch_that_is_cancelled_leaves_nothing", cancelled),
];

fn request(server: &GitServer, (repository, reference): (&str, &str), commit: &str) -> FetchRequest {
    FetchRequest {
        name: "b".to_owned(),
        project: ProjectId::from_random([1; 10]),
        trust: Trust::Member,
        remote: Remote {
            url: format!("{}/{repository}.git", server.url()),
            scope: format!("{}/", server.url()),
            authorization: Some(AUTHORIZATION.to_owned()),
        },
        reference: reference.to_owned(),
        commit: commit.parse().unwrap(),
        lfs: true,
    }
}

async fn fetch(world: &World, request: &FetchRequest) -> Fetched {
    let fetched = world
        .builder
        .fetch(request, &world.log, &CancellationToken::new())
        .await;
    let fetched = fetched.unwrap_or_else(|error| panic!("{error:?} {:#?}", world.log.take()));
    quiet(world);
    fetched
}

async fn failure(world: &World, request: &FetchRequest) -> Failure {
    let fetched = world
        .builder
        .fetch(request, &world.log, &CancellationToken::new())
        .await;
    quiet(world);
    match fetched {
        Err(BuildError::Failed(failure)) => {
            assert!(!format!("{failure:?}").contains(TOKEN), "{failure:?}");
            assert_eq!(failure.stage, Stage::Source);
            failure
        }
        other => panic!("{other:?} {:#?}", world.log.take()),
    }
}

/// Every path of a source with its text; `-> target` for links.
fn contents(world: &World, fetched: &Fetched) -> Vec<(String, String)> {
    let tree = world.store.tree(&fetched.tree).unwrap();
    let text = |node: &Node| match node {
        Node::File {
            digest, executable, ..
        } => {
            let text = std::io::read_to_string(world.store.open_blob(digest).unwrap()).unwrap();
            if *executable { format!("{text}*") } else { text }
        }
        Node::Symlink { target } => format!("-> {target}"),
    };
    let entries = tree.entries().iter();
    entries
        .map(|entry| (entry.path.to_string(), text(&entry.node)))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    expected.iter().map(owned).collect()
}

fn exact_commit() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let shop = server.repository("team/shop");
        shop.write("index.html", "one").write("bin/run", "#!/bin/sh\n");
        std::os::unix::fs::symlink("bin/run", shop.work.join("start")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(shop.work.join("bin/run"), mode).unwrap();
        let commit = shop.push("refs/pull/7/head");
        shop.write("index.html", "two").push("refs/pull/7/head");

        let fetched = fetch(
            &world,
            &request(&server, ("team/shop", "refs/pull/7/head"), &commit),
        )
        .await;
        let expected = [
            ("bin/run", "#!/bin/sh\n*"),
            ("index.html", "one"),
            ("start", "-> bin/run"),
        ];
        assert_eq!(contents(&world, &fetched), pairs(&expected));
        assert_eq!((fetched.files, fetched.bytes), (3, 13));
        let log = world.log.take();
        assert!(
            log.starts_with(&["> source".to_owned()]) && log.ends_with(&["< source".to_owned()]),
            "{log:#?}"
        );
        assert!(!log.join("\n").contains(TOKEN));
    });
}

fn old_server() {
    wait_for(async {
        let (server, world) = (GitServer::speaking(false).await, world().await);
        let shop = server.repository("team/shop");
        let lost = shop.write("a", "lost").push("refs/heads/main");
        shop.git(&["checkout", "-q", "--orphan", "other"]);
        let commit = shop.write("a", "here").push("refs/heads/main");
        for _ in 0..3 {
            shop.push("refs/heads/main");
        }
        let fetched = fetch(
            &world,
            &request(&server, ("team/shop", "refs/heads/main"), &commit),
        )
        .await;
        assert_eq!(contents(&world, &fetched), pairs(&[("a", "here")]));

        let failure = failure(&world, &request(&server, ("team/shop", "refs/heads/main"), &lost)).await;
        assert_eq!(failure.code, Code::CommitGone, "{failure:?}");
        assert!(failure.message.contains(&lost), "{}", failure.message);
    });
}

fn again() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let shop = server.repository("team/shop");
        let first = shop.write("a", "1").push("refs/heads/main");
        let request = |commit: &str| request(&server, ("team/shop", "refs/heads/main"), commit);
        let before = fetch(&world, &request(&first)).await;
        assert!(!server.asked().is_empty());
        assert_eq!(fetch(&world, &request(&first)).await, before);
        assert_eq!(server.asked(), [], "everything was here");

        // What is here and damaged is fetched anew.
        let cache = world.dir.path().join("store/scratch");
        let cache = std::fs::read_dir(cache)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let kept = cache.filter(|path| path.extension().is_some_and(|end| end == "git"));
        let repositories = kept.flat_map(|path| std::fs::read_dir(path).unwrap());
        for repository in repositories {
            std::fs::remove_dir_all(repository.unwrap().path().join("objects")).unwrap();
        }
        assert_eq!(fetch(&world, &request(&first)).await, before);
    });
}

fn submodules() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let deep = server
            .repository("other/deep")
            .write("d", "deep")
            .push("refs/heads/main");
        let lib = server.repository("team/lib");
        lib.write("l", "lib");
        // A submodule for ssh, on the same host.
        lib.submodule("deep", ("git@127.0.0.1:other/deep.git", &deep));
        let lib = lib.push("refs/heads/main");
        let shop = server.repository("team/shop");
        shop.write("a", "shop")
            .submodule("vendor/my lib", ("../lib.git", &lib));
        shop.link("stray", &deep);
        let commit = shop.push("refs/heads/main");
        let request = request(&server, ("team/shop", "refs/heads/main"), &commit);
        let fetched = fetch(&world, &request).await;
        let mut found = contents(&world, &fetched);
        found.retain(|(path, _)| !path.ends_with(".gitmodules"));
        let expected = [
            ("a", "shop"),
            ("vendor/my lib/deep/d", "deep"),
            ("vendor/my lib/l", "lib"),
        ];
        assert_eq!(found, pairs(&expected));
        let log = world.log.take().join("\n");
        assert!(log.contains("Submodule vendor/my lib/deep"), "{log}");
        assert!(log.contains("Submodule stray has no address"), "{log}");
    });
}

fn large_files() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let shop = server.repository("team/shop");
        let picture = "large".repeat(100_000);
        shop.write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n");
        shop.write("a.png", &server.large(picture.as_bytes()));
        let commit = shop.push("refs/heads/main");
        let mut request = request(&server, ("team/shop", "refs/heads/main"), &commit);
        let fetched = fetch(&world, &request).await;
        assert_eq!(
            contents(&world, &fetched)[1],
            ("a.png".to_owned(), picture.clone())
        );

        request.lfs = false;
        let fetched = fetch(&world, &request).await;
        assert!(
            contents(&world, &fetched)[1]
                .1
                .starts_with("version https://git-lfs")
        );

        request.lfs = true;
        shop.write("b.png", &pointer(&"0".repeat(64), 10));
        request.commit = shop.push("refs/heads/main").parse().unwrap();
        let failure = failure(&world, &request).await;
        assert_eq!(failure.code, Code::LfsFailed, "{failure:?}");
        assert!(
            failure.message.contains("Object does not exist"),
            "{}",
            failure.message
        );
    });
}

fn failures() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let commit = server
            .repository("team/shop")
            .write("a", "1")
            .push("refs/heads/main");
        let right = request(&server, ("team/shop", "refs/heads/main"), &commit);
        let with = |change: fn(&mut FetchRequest)| {
            let mut request = right.clone();
            change(&mut request);
            request
        };
        let table = [
            (
                with(|request| request.remote.authorization = None),
                Code::SourceDenied,
            ),
            (
                with(|request| request.remote.authorization = Some("Bearer other-other".to_owned())),
                Code::SourceDenied,
            ),
            (
                with(|request| request.remote.url = request.remote.url.replace("shop", "none")),
                Code::SourceDenied,
            ),
            (
                with(|request| request.commit = "1".repeat(40).parse().unwrap()),
                Code::CommitGone,
            ),
            (
                with(|request| {
                    request.commit = "1".repeat(40).parse().unwrap();
                    request.reference = "refs/pull/9/head".to_owned();
                }),
                Code::CommitGone,
            ),
            (
                with(|request| request.remote.url = "http://127.0.0.1:1/team/shop.git".to_owned()),
                Code::SourceUnreachable,
            ),
            (
                with(|request| request.remote.url = "file:///etc".to_owned()),
                Code::SourceUnreachable,
            ),
        ];
        for (request, code) in table {
            let failure = failure(&world, &request).await;
            assert_eq!(failure.code, code, "{failure:#?}");
        }
    });
}

/// The machine of the tests has both programs, so what runs is a script that ends as the real one does without them.
fn lacking() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, World::new());
        let commit = server
            .repository("team/shop")
            .write("a", "1")
            .push("refs/heads/main");
        let request = request(&server, ("team/shop", "refs/heads/main"), &commit);
        let ends = [
            (10, Code::GitMissing, "`git`"),
            (30, Code::LfsMissing, "`git-lfs`"),
        ];
        for (code, _, _) in ends {
            let script = Script {
                end: End::Exit(code),
                ..Script::default()
            };
            world.runner.on_fetch(&request.commit, script);
        }
        for (_, code, named) in ends {
            let fetched = world
                .builder
                .fetch(&request, &world.log, &CancellationToken::new())
                .await;
            let Err(BuildError::Failed(failure)) = fetched else {
                panic!("{named} is lacking");
            };
            assert_eq!((failure.code, failure.stage), (code, Stage::Source));
            assert!(
                failure.message.contains(named) && !failure.hint.is_empty(),
                "{failure:?}"
            );
        }
        assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    });
}

fn strangers() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let lib = server
            .repository("team/lib")
            .write("l", "private")
            .push("refs/heads/main");
        let shop = server.repository("team/shop");
        let plain = shop.write("a", "shop").push("refs/pull/1/head");
        let greedy = shop
            .submodule("lib", ("../lib.git", &lib))
            .push("refs/pull/1/head");
        let stranger = |commit: &str| FetchRequest {
            trust: Trust::Fork,
            ..request(&server, ("team/shop", "refs/pull/1/head"), commit)
        };
        fetch(&world, &stranger(&plain)).await;
        assert!(
            world.builder.package_caches().unwrap().is_empty(),
            "nothing is kept"
        );
        server.asked();
        let failure = failure(&world, &stranger(&greedy)).await;
        assert_eq!(failure.code, Code::SubmoduleFailed, "{failure:?}");
        let asked = server.asked();
        let of = |name: &str| {
            asked
                .iter()
                .filter(|asked| asked.path.starts_with(name))
                .collect::<Vec<_>>()
        };
        assert!(of("/team/shop").iter().all(|asked| asked.token));
        let lib = of("/team/lib");
        assert!(!lib.is_empty() && lib.iter().all(|asked| !asked.token), "{lib:?}");
    });
}

fn hostile_submodules() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let lib = server
            .repository("team/lib")
            .write("l", "lib")
            .push("refs/heads/main");
        for url in [
            "file:///etc",
            "/etc",
            "ext::sh -c id% >&2",
            "-u./x",
            "--upload-pack=touch",
            "ftp://127.0.0.1/x",
            "",
            "http://127.0.0.1:1@evil.example/x",
            "https://127.0.0.1:1/x",
        ] {
            let shop = server.repository(&format!(
                "team/x{}",
                data_encoding::HEXLOWER.encode(url.as_bytes())
            ));
            let commit = shop
                .write("a", "shop")
                .submodule("lib", (url, &lib))
                .push("refs/heads/main");
            let name = shop.work.file_name().unwrap().to_str().unwrap();
            let request = request(&server, (&format!("team/{name}"), "refs/heads/main"), &commit);
            if url.is_empty() {
                fetch(&world, &request).await;
                continue;
            }
            let failure = failure(&world, &request).await;
            assert_eq!(failure.code, Code::SubmoduleFailed, "{url}: {failure:?}");
            assert!(
                failure
                    .message
                    .starts_with("the submodule `lib` could not be fetched: "),
                "{}",
                failure.message
            );
        }
    });
}

fn hostile_links() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        for (number, target) in ["/etc/passwd", "../../etc", "a/../../.."].iter().enumerate() {
            let name = format!("team/links{number}");
            let shop = server.repository(&name);
            shop.write("a/b", "shop");
            std::os::unix::fs::symlink(target, shop.work.join("link")).unwrap();
            let commit = shop.push("refs/heads/main");
            let request = request(&server, (&name, "refs/heads/main"), &commit);
            let failure = failure(&world, &request).await;
            assert_eq!(failure.code, Code::SourceInvalid, "{failure:?}");
            assert!(failure.message.contains("`link`"), "{}", failure.message);
        }
    });
}

/// Settings, hooks and filters of a repository are files like others.
fn hostile_settings() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let shop = server.repository("team/shop");
        shop.write(".gitattributes", "* filter=evil ident\n*.x filter=lfs\n")
            .write(
                ".gitconfig",
                "[core]\n\tfsmonitor = touch /app/ran\n[filter \"evil\"]\n\tsmudge = touch /app/ran\n",
            )
            .write("hooks/post-checkout", "#!/bin/sh\ntouch /app/ran\n")
            .write("config", "[core]\n\tsshCommand = touch /app/ran\n")
            .write("HEAD", "ref: refs/heads/main\n")
            .write("objects/info/alternates", "/etc\n");
        let commit = shop.push("refs/heads/main");
        let fetched = fetch(
            &world,
            &request(&server, ("team/shop", "refs/heads/main"), &commit),
        )
        .await;
        let found = contents(&world, &fetched);
        assert_eq!(found.len(), 6, "{found:?}");
        assert!(found.iter().all(|(path, _)| path != "ran"));
    });
}

/// `.lfsconfig` may say where large files are, and whoever is there is not given the token.
fn hostile_large_files() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let thief = GitServer::start().await;
        let shop = server.repository("team/shop");
        shop.write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n");
        shop.write("a.png", &pointer(&"0".repeat(64), 10));
        for url in [
            thief.url().to_owned(),
            thief.url().replace("127.0.0.1", "localhost"),
            "file:///etc".to_owned(),
        ] {
            shop.write(".lfsconfig", &format!("[lfs]\n\turl = {url}/open/x\n"));
            let commit = shop.push("refs/heads/main");
            let failure = failure(
                &world,
                &request(&server, ("team/shop", "refs/heads/main"), &commit),
            )
            .await;
            assert_eq!(failure.code, Code::LfsFailed, "{failure:?}");
            assert_eq!(thief.asked(), []);
        }
    });
}

fn cancelled() {
    wait_for(async {
        let (server, world) = (GitServer::start().await, world().await);
        let commit = server
            .repository("team/shop")
            .write("a", "1")
            .push("refs/heads/main");
        let request = request(&server, ("team/shop", "refs/heads/main"), &commit);
        let cancel = CancellationToken::new();
        cancel.cancel();
        let fetched = world.builder.fetch(&request, &world.log, &cancel).await;
        assert!(matches!(fetched, Err(BuildError::Cancelled)));
        quiet(&world);
    });
}
