//! Every way in which a build can fail, and what its author is told.

use builder::fake::{End, Script};
use model::failure::{Blame, Code, Stage};

use crate::builds::{CI, LOCK, MANIFEST, SITE, writes};
use crate::world::World;
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_failing_build_names_file_and_line",
        a_failing_build_names_file_and_line,
    ),
    ("a_failing_install_is_told_apart", a_failing_install_is_told_apart),
    (
        "a_lock_out_of_step_falls_back_with_a_warning",
        a_lock_out_of_step_falls_back_with_a_warning,
    ),
    (
        "other_failures_of_npm_ci_are_not_tried_again",
        other_failures_of_npm_ci_are_not_tried_again,
    ),
    (
        "memory_and_sandbox_have_codes_of_their_own",
        memory_and_sandbox_have_codes_of_their_own,
    ),
    (
        "a_missing_output_names_what_was_written",
        a_missing_output_names_what_was_written,
    ),
    (
        "names_that_no_browser_can_ask_for_are_refused",
        names_that_no_browser_can_ask_for_are_refused,
    ),
    ("too_much_written_ends_the_build", too_much_written_ends_the_build),
    (
        "a_layer_that_cannot_be_kept_is_the_platforms_fault",
        a_layer_that_cannot_be_kept_is_the_platforms_fault,
    ),
    (
        "a_full_disk_is_the_platforms_fault",
        a_full_disk_is_the_platforms_fault,
    ),
    (
        "a_lost_source_is_the_platforms_fault",
        a_lost_source_is_the_platforms_fault,
    ),
];

fn fails(code: i32, lines: &[&str]) -> Script {
    let prints = lines.iter().map(|line| (*line).to_owned()).collect();
    Script {
        prints,
        end: End::Exit(code),
        ..Script::default()
    }
}

fn a_failing_build_names_file_and_line() {
    let world = World::new();
    world.runner.on(
        "npm run build",
        fails(2, &["src/a.ts(3,7): error TS2322: no", "done"]),
    );
    let failure = wait_for(world.failure(&world.request("b", &[SITE, ("src/a.ts", "")])));
    assert_eq!(
        (failure.code, failure.stage, failure.blame),
        (Code::BuildFailed, Stage::Build, Blame::Project)
    );
    assert_eq!(failure.message, "`npm run build` ended with exit code 2");
    let location = &failure.locations[0];
    assert_eq!(
        (location.file.as_str(), location.line, location.column),
        ("src/a.ts", Some(3), Some(7))
    );
    assert_eq!(failure.log_excerpt.last().unwrap(), "done");
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

fn a_failing_install_is_told_apart() {
    let world = World::new();
    world.runner.on(
        "npm install --replace-registry-host=always",
        fails(1, &["npm error 404 x"]),
    );
    let failure = wait_for(world.failure(&world.request("b", &[MANIFEST])));
    assert_eq!(
        (failure.code, failure.stage),
        (Code::InstallFailed, Stage::Install)
    );
    assert_eq!(failure.log_excerpt, ["npm error 404 x"]);
}

fn a_lock_out_of_step_falls_back_with_a_warning() {
    let world = World::new();
    world.runner.on(CI, fails(1, &["npm error code EUSAGE"]));
    world.runner.on(
        "npm install --replace-registry-host=always",
        writes(&[("node_modules/x/i.js", "")]),
    );
    wait_for(world.build(&world.request("b", &[MANIFEST, LOCK]))).unwrap();
    assert_eq!(world.runner.commands().len(), 2);
    assert!(world.log.take().join("\n").contains("Commit an up-to-date lock"));
}

fn other_failures_of_npm_ci_are_not_tried_again() {
    let world = World::new();
    world.runner.on(CI, fails(1, &["npm error network ETIMEDOUT"]));
    assert_eq!(
        wait_for(world.failure(&world.request("b", &[MANIFEST, LOCK]))).code,
        Code::InstallFailed
    );
    assert_eq!(world.runner.commands(), [CI]);
}

fn memory_and_sandbox_have_codes_of_their_own() {
    let world = World::new();
    world.runner.on(
        "npm run build",
        Script {
            end: End::OutOfMemory,
            ..Script::default()
        },
    );
    world.runner.on(
        "npm run build",
        Script {
            end: End::NoSandbox,
            ..Script::default()
        },
    );
    let request = world.request("b", &[SITE]);
    wait_for(async {
        let failure = world.failure(&request).await;
        assert_eq!((failure.code, failure.blame), (Code::OutOfMemory, Blame::Project));
        let failure = world.failure(&request).await;
        assert_eq!(
            (failure.code, failure.blame),
            (Code::SandboxFailed, Blame::Platform)
        );
    });
}

fn a_missing_output_names_what_was_written() {
    let world = World::new();
    world.runner.on(
        "npm run build",
        writes(&[
            ("www/index.html", ""),
            ("tmp/x", ""),
            ("node_modules/.vite/x", ""),
        ]),
    );
    let failure = wait_for(world.failure(&world.request("b", &[SITE])));
    assert_eq!(failure.code, Code::OutputMissing);
    assert_eq!(
        failure.message,
        "the build was expected to write files to `dist`; it wrote `tmp`, `www`"
    );
}

fn names_that_no_browser_can_ask_for_are_refused() {
    let world = World::new();
    world.runner.on("npm run build", writes(&[("dist/a\nb", "")]));
    let failure = wait_for(world.failure(&world.request("b", &[SITE])));
    assert_eq!(failure.code, Code::OutputInvalid);
}

fn too_much_written_ends_the_build() {
    let world = World::new();
    let big = "x".repeat(100_000);
    world.runner.on(
        "npm run build",
        Script {
            end: End::Never,
            ..writes(&[("dist/big", &big)])
        },
    );
    let mut request = world.request("b", &[SITE]);
    request.plan.limits.disk_bytes = 50_000;
    let failure = wait_for(world.failure(&request));
    assert_eq!((failure.code, failure.stage), (Code::DiskLimit, Stage::Build));
    assert_eq!(failure.message, "the build wrote more than 50.0 kB");
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

fn a_layer_that_cannot_be_kept_is_the_platforms_fault() {
    let world = World::new();
    let layers = world.dir.path().join("store/layers");
    std::fs::remove_dir_all(&layers).unwrap();
    std::fs::write(&layers, "in the way").unwrap();
    let failure = wait_for(world.failure(&world.request("b", &[MANIFEST])));
    assert_eq!(
        (failure.code, failure.blame),
        (Code::PlatformError, Blame::Platform)
    );
}

fn a_full_disk_is_the_platforms_fault() {
    let words = "npm error nospc ENOSPC: no space left on device, write";
    let small = World::on_small_disk();
    small.runner.on("npm run build", fails(228, &[words]));
    let failure = wait_for(small.failure(&small.request("b", &[SITE])));
    assert_eq!((failure.code, failure.blame), (Code::DiskFull, Blame::Platform));
    assert_eq!(failure.log_excerpt, [words]);
    let large = World::new();
    large.runner.on("npm run build", fails(228, &[words]));
    let failure = wait_for(large.failure(&large.request("b", &[SITE])));
    assert_eq!(
        failure.code,
        Code::BuildFailed,
        "its own limits are its own business"
    );
}

fn a_lost_source_is_the_platforms_fault() {
    let world = World::new();
    let mut request = world.request("b", &[SITE]);
    request.tree = model::Digest::of(b"gone");
    let failure = wait_for(world.failure(&request));
    assert_eq!(
        (failure.code, failure.blame),
        (Code::SourceMissing, Blame::Platform)
    );
    assert_eq!(
        world.builder.detect(&request.tree).unwrap_err().code,
        Code::SourceMissing
    );
}
