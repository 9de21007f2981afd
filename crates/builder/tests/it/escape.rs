//! Attempts by builds in real sandboxes: to change what others read, to lead the collection of output astray, to write
//! where nobody measures.

use std::fs;

use builder::BuildRequest;
use model::failure::Code;
use model::trust::Trust;
use model::{Artifact, ProjectId};

use crate::sandboxed::{quiet, world};
use crate::world::{World, files, server};
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    (
        "escape_a_forks_build_changes_no_layer_that_members_read",
        fork_layers,
    ),
    ("escape_a_forks_install_is_never_what_members_get", fork_install),
    ("escape_package_caches_of_levels_and_projects_are_apart", caches),
    ("escape_layers_of_projects_are_apart", projects),
    ("escape_output_links_to_the_host_are_never_followed", output_links),
    (
        "escape_output_that_is_swapped_while_it_is_collected",
        swapped_output,
    ),
    ("escape_output_of_pipes_sockets_and_odd_names", odd_output),
    ("escape_disk_limit_by_directories_too_deep_to_be_named", deep),
    ("escape_disk_limit_by_deleted_files", deleted_files),
    ("escape_disk_limit_in_one_breath", one_breath),
    ("escape_the_source_others_share_is_not_changed", shared_source),
];

const OFFLINE: &str = "[network]\ninstall = \"none\"\nbuild = \"none\"\n";

async fn built(world: &World, request: &BuildRequest) -> Artifact {
    let built = world.build(request).await;
    built.unwrap_or_else(|error| panic!("{error:?} {:?}", world.log.take()))
}

/// A server project of which the install and the build are shell commands.
fn commands(install: &str, build: &str) -> String {
    format!(
        "[build]\ninstall = '''{install}'''\ncommand = '''{build}'''\n[run]\ncommand = \"true\"\n{OFFLINE}"
    )
}

fn of(request: &BuildRequest, trust: Trust, name: &str) -> BuildRequest {
    BuildRequest {
        trust,
        name: name.to_owned(),
        ..request.clone()
    }
}

fn read(world: &World, artifact: &Artifact, layer: usize, path: &str) -> String {
    let layers = &server(artifact).layers;
    fs::read_to_string(world.store.layer(&layers[layer]).unwrap().join(path)).unwrap()
}

/// A stranger's build over the dependencies that a member installed: it sees them, writes over them, and nothing of it
/// is there for the member.
fn fork_layers() {
    wait_for(async {
        let world = world().await;
        let install = "mkdir deps; echo good > deps/x; date +%N > deps/made";
        let member = world.request("m", &[("cx.toml", &commands(install, "cat deps/x > seen"))]);
        let first = built(&world, &member).await;
        let made = read(&world, &first, 0, "deps/made");
        let evil = "cat deps/x > before; echo evil > deps/x; rm deps/made; ln -s /etc deps/link; chmod 777 deps; cat deps/x > seen";
        let fork = of(
            &world.request("f", &[("cx.toml", &commands(install, evil))]),
            Trust::Fork,
            "f",
        );
        let strangers = built(&world, &fork).await;
        assert_eq!(
            read(&world, &strangers, 1, "seen"),
            "evil\n",
            "the attempt is a good one"
        );
        assert_eq!(read(&world, &first, 0, "deps/x"), "good\n");
        assert_eq!(read(&world, &first, 0, "deps/made"), made);
        let again = of(&member, Trust::Member, "m2");
        let again = built(
            &world,
            &BuildRequest {
                rebuild: false,
                ..again
            },
        )
        .await;
        assert_eq!(read(&world, &again, 0, "deps/x"), "good\n");
        assert!(
            !world
                .store
                .layer(&server(&again).layers[0])
                .unwrap()
                .join("deps/link")
                .exists()
        );
        quiet(&world);
    });
}

/// The same files, first built by a stranger: the member's install and build run again.
fn fork_install() {
    wait_for(async {
        let world = world().await;
        let count = "mkdir deps; date +%s%N > deps/made";
        let request = world.request("x", &[("cx.toml", &commands(count, "date +%s%N > built"))]);
        let strangers = built(&world, &of(&request, Trust::Fork, "f")).await;
        let members = built(&world, &of(&request, Trust::Member, "m")).await;
        let (theirs, ours) = (&server(&strangers).layers, &server(&members).layers);
        assert!(
            theirs.iter().all(|layer| !ours.contains(layer)),
            "{theirs:?} {ours:?}"
        );
        assert_ne!(
            read(&world, &strangers, 0, "deps/made"),
            read(&world, &members, 0, "deps/made")
        );
        assert_ne!(
            read(&world, &strangers, 1, "built"),
            read(&world, &members, 1, "built")
        );
        // The other way round is what caches are for.
        let reader = built(
            &world,
            &BuildRequest {
                name: "f2".to_owned(),
                trust: Trust::Member,
                ..request.clone()
            },
        )
        .await;
        assert_eq!(server(&reader).layers, *ours);
        quiet(&world);
    });
}

fn caches() {
    wait_for(async {
        let world = world().await;
        // What lies in the package manager's cache is shown, then something is left there for the next one.
        let install = |mark: &str| {
            format!(
                "mkdir deps; ls ~/.cache > deps/found; echo {mark} > ~/.cache/{mark}; ls ~ /tmp > deps/other; touch ~/left /tmp/left"
            )
        };
        let source = |mark: &str| commands(&install(mark), "true");
        let build = async |mark: &str, trust: Trust, project: u8| {
            let mut request = world.request(mark, &[("cx.toml", &source(mark))]);
            (request.trust, request.project) = (trust, ProjectId::from_random([project; 10]));
            let artifact = built(&world, &request).await;
            assert!(!read(&world, &artifact, 0, "deps/other").contains("left"));
            read(&world, &artifact, 0, "deps/found")
        };
        assert_eq!(build("fork-1", Trust::Fork, 1).await, "");
        assert_eq!(
            build("member-1", Trust::Member, 1).await,
            "",
            "a stranger's cache is no member's"
        );
        assert_eq!(
            build("fork-2", Trust::Fork, 1).await,
            "",
            "nor is it kept for another stranger"
        );
        assert_eq!(
            build("owner-1", Trust::Owner, 1).await,
            "",
            "a member's cache is no owner's"
        );
        assert_eq!(
            build("other-1", Trust::Member, 2).await,
            "",
            "another project has another cache"
        );
        assert_eq!(
            build("member-2", Trust::Member, 1).await,
            "member-1\n",
            "the same level of the same project has it"
        );
        quiet(&world);
    });
}

fn projects() {
    wait_for(async {
        let world = world().await;
        let mut request = world.request(
            "a",
            &[("cx.toml", &commands("mkdir deps; date +%s%N > deps/made", "true"))],
        );
        let first = built(&world, &request).await;
        (request.project, request.name) = (ProjectId::from_random([2; 10]), "b".to_owned());
        let second = built(&world, &request).await;
        assert_ne!(server(&first).layers[0], server(&second).layers[0]);
        assert_ne!(
            read(&world, &first, 0, "deps/made"),
            read(&world, &second, 0, "deps/made")
        );
        quiet(&world);
    });
}

fn site(command: &str) -> String {
    format!("[build]\ncommand = '''{command}'''\noutput = \"dist\"\n{OFFLINE}")
}

fn output_links() {
    wait_for(async {
        let world = world().await;
        let bad = [
            "mkdir dist; ln -s /etc/passwd dist/p; echo > dist/index.html",
            "mkdir dist; ln -s ../../../../../../etc/passwd dist/p; echo > dist/index.html",
            "ln -s /etc dist",
            "ln -s / root; ln -s root/etc dist",
            "mkdir dist; ln -s /proc/self/environ dist/e; echo > dist/index.html",
        ];
        for (number, command) in bad.iter().enumerate() {
            let request = world.request(&format!("b{number}"), &[("cx.toml", &site(command))]);
            let failure = world.failure(&request).await;
            assert!(
                matches!(failure.code, Code::OutputInvalid | Code::OutputMissing),
                "{command}: {failure:?}"
            );
        }
        quiet(&world);
    });
}

/// A process that stays behind and exchanges directories for links as fast as it can: it must be gone when output is read.
fn swapped_output() {
    let command = "mkdir -p dist/a far; echo mine > dist/a/passwd; ln -s /etc far/link; \
                   (trap '' HUP TERM INT; setsid sh -c 'while :; do mv dist/a far/real; mv far/link dist/a; mv dist/a far/link; mv far/real dist/a; done' \
                   >/dev/null 2>&1 &) ; i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo $i > dist/f$i; done";
    wait_for(async {
        let world = world().await;
        for round in 0..3 {
            let mut request = world.request(
                &format!("b{round}"),
                &[("cx.toml", &site(command)), ("round", &round.to_string())],
            );
            request.rebuild = true;
            // It was ended in the middle of an exchange or not: a link is refused, a directory is its own.
            match world.build(&request).await {
                Ok(artifact) => {
                    let found = files(&world, &artifact);
                    assert!(
                        found
                            .iter()
                            .all(|path| path.starts_with('f') || path == "a/passwd"),
                        "{found:?}"
                    );
                }
                Err(builder::BuildError::Failed(failure)) => {
                    assert_eq!(failure.code, Code::OutputInvalid, "{failure:?}")
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        quiet(&world);
    });
}

fn odd_output() {
    let command = "mkdir -p dist/d; cd dist; echo > index.html; mkfifo pipe; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'; \
                   mknod null c 1 3; mknod white c 0 0; touch d/ok; chmod 0 d; true";
    wait_for(async {
        let world = world().await;
        let request = world.request("b", &[("cx.toml", &site(command))]);
        let artifact = built(&world, &request).await;
        assert_eq!(files(&world, &artifact), ["d/ok", "index.html"]);
        let name = "mkdir dist; echo > dist/index.html; touch \"$(printf 'dist/\\377')\"";
        let failure = world
            .failure(&world.request("c", &[("cx.toml", &site(name))]))
            .await;
        assert_eq!(failure.code, Code::OutputInvalid, "{failure:?}");
        quiet(&world);
    });
}

fn limited(command: &str, disk: &str) -> String {
    format!("{}[limits]\ndisk = \"{disk}\"\n", site(command))
}

/// Deeper than a path can be long, the files are there all the same.
fn deep() {
    let script = "import os, time\nname = 'n' * 200\nfor level in range(300):\n    os.mkdir(name); os.chdir(name)\n\
                  with open('big', 'wb') as big:\n    [big.write(bytes(1 << 20)) for _ in range(48)]\nprint('written', flush=True)\ntime.sleep(50)\n";
    wait_for(async {
        let world = world().await;
        let request = world.request(
            "b",
            &[
                ("cx.toml", &limited("python3 deep.py", "32MiB")),
                ("deep.py", script),
            ],
        );
        let failure = world.failure(&request).await;
        assert_eq!(failure.code, Code::DiskLimit, "{failure:?}");
        assert!(failure.message.contains("256 deep"), "{}", failure.message);
        quiet(&world);
    });
}

fn deleted_files() {
    let script = "import os, time\nheld = []\nfor number in range(8):\n    held.append(open('big', 'wb')); os.unlink('big')\n    \
                  [held[-1].write(bytes(1 << 20)) for _ in range(8)]\n    held[-1].flush()\nprint('written', flush=True)\ntime.sleep(50)\n";
    wait_for(async {
        let world = world().await;
        let request = world.request(
            "b",
            &[
                ("cx.toml", &limited("python3 hoard.py", "32MiB")),
                ("hoard.py", script),
            ],
        );
        let failure = world.failure(&request).await;
        assert_eq!(failure.code, Code::DiskLimit, "{failure:?}");
        quiet(&world);
    });
}

/// Done before anybody looked.
fn one_breath() {
    wait_for(async {
        let world = world().await;
        let command = "mkdir dist; for i in 1 2 3 4; do head -c 20000000 /dev/zero > dist/$i; done";
        let failure = world
            .failure(&world.request("b", &[("cx.toml", &limited(command, "32MiB"))]))
            .await;
        assert_eq!(failure.code, Code::DiskLimit, "{failure:?}");
        quiet(&world);
    });
}

/// Trees are hard links to blobs, which other trees share.
fn shared_source() {
    wait_for(async {
        let world = world().await;
        let command = "mkdir dist; ln shared dist/twin; echo evil >> shared; echo evil >> dist/twin; chmod 777 shared; mv shared dist/moved";
        let request = world.request("b", &[("cx.toml", &site(command)), ("shared", "good")]);
        let artifact = built(&world, &request).await;
        assert_eq!(files(&world, &artifact), ["moved", "twin"]);
        let other = world.source(&[("elsewhere", "good")]);
        let dir = world.store.materialise(&other).unwrap();
        assert_eq!(fs::read_to_string(dir.join("elsewhere")).unwrap(), "good");
        let dir = world.store.materialise(&request.tree).unwrap();
        assert_eq!(fs::read_to_string(dir.join("shared")).unwrap(), "good");
        quiet(&world);
    });
}
