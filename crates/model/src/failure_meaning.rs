//! What each failure code means, with a message as it is shown: for the reference.

use crate::failure::Code;

/// What happened, and why it matters.
#[derive(Clone, Copy, Debug)]
pub struct Meaning {
    pub what: &'static str,
    /// A message of such a failure.
    pub example: &'static str,
}

impl Code {
    /// What it means.
    pub fn meaning(self) -> Meaning {
        let (what, example) = match self {
            Self::SourceMissing => (
                "The files of the deployment are no longer in the store, so there is nothing to build.",
                "the source sha256:4473e1… is not in the store",
            ),
            Self::GitMissing => (
                "The source is in a repository, and the server has no git to fetch it with.",
                "there is no `git` below /usr/bin",
            ),
            Self::SourceUnreachable => (
                "The forge did not hand out the repository: no connection, no answer in time, or an error of its own.",
                "https://git.example.com/team/shop could not be fetched: Could not resolve host: git.example.com",
            ),
            Self::SourceDenied => (
                "The forge refused the credentials, or says that there is no such repository, which it says of private ones too.",
                "https://git.example.com/team/shop could not be fetched: Authentication failed",
            ),
            Self::CommitGone => (
                "The commit of the change is not in the repository any more, or too far behind what its branch is now.",
                "commit 0123456 is not in https://git.example.com/team/shop",
            ),
            Self::SubmoduleFailed => (
                "A submodule could not be fetched: its address is none that may be used, it cannot be read, or its commit is not there.",
                "the submodule `vendor/ui` could not be fetched: Authentication failed",
            ),
            Self::LfsMissing => (
                "Files of the repository are kept in Git LFS, and the server has no git-lfs to fetch them with.",
                "files are kept in Git LFS, and there is no `git-lfs` below /usr/bin",
            ),
            Self::LfsFailed => (
                "Files that are kept in Git LFS could not be fetched.",
                "files kept in Git LFS could not be fetched: Object does not exist on the server",
            ),
            Self::SourceInvalid => (
                "The repository holds something that is not taken as a source: a name that is no text, a link that leads outside, a file that is too large, or too many files.",
                "the link `config` points to `/etc/config`, outside the tree",
            ),
            Self::EmptySource => (
                "No file was sent: the directory is empty, or everything in it is ignored.",
                "the source holds no files",
            ),
            Self::RootMissing => (
                "`root` in cx.toml names a directory that the source does not have.",
                "`apps/web` is not a directory of the source",
            ),
            Self::InvalidProjectFile => (
                "cx.toml cannot be read. A key that is not known is an error too, because one that is passed over is hard to find.",
                "cx.toml:2:1: unknown field `outptu`; did you mean `output`?",
            ),
            Self::NoFramework => (
                "Nothing in the files says how they are served.",
                "no framework, no index.html and no start command was found",
            ),
            Self::InvalidManifest => (
                "A file that says how to install or build cannot be read.",
                "package.json cannot be read: expected `,` or `}` at line 3 column 5",
            ),
            Self::StartCommandMissing => (
                "There is a server's package, and nothing that says how to start it.",
                "package.json has no `start` script",
            ),
            Self::ToolchainUnavailable => (
                "No version of a toolchain fits what the project asks for.",
                "no Node fits `>=99`; the newest there is is 24.1.0",
            ),
            Self::ToolchainFetchFailed => (
                "A toolchain had to be fetched and could not be.",
                "node 20.20.2 could not be fetched: the connection timed out",
            ),
            Self::InstallFailed => (
                "The command that fetches dependencies ended with an error.",
                "`npm ci` ended with exit code 1",
            ),
            Self::BuildFailed => (
                "The command that builds ended with an error. Where the tool named files and lines, the failure carries them.",
                "`npm run build` ended with exit code 2",
            ),
            Self::TimedOut => (
                "Installing and building together took longer than they may.",
                "the build was stopped after 15 minutes",
            ),
            Self::OutOfMemory => (
                "A process used more memory than its limit, and the kernel ended it.",
                "the build used more than 4.3 GB of memory",
            ),
            Self::DiskLimit => (
                "More was written than may be.",
                "the build wrote more than 4.3 GB",
            ),
            Self::OutputMissing => (
                "The build ended well, and the directory that it should have written is not there.",
                "the build did not write `dist`",
            ),
            Self::OutputInvalid => (
                "The build wrote something that cannot be served: a name that is no text, or a link that leads outside.",
                "`dist/current` points to `/tmp/build`, outside the output",
            ),
            Self::ServerExited => (
                "The server ended by itself before it could serve.",
                "the server exited with code 1",
            ),
            Self::NeverListened => (
                "The server runs, and no port of it takes connections.",
                "the server did not listen within 60 s",
            ),
            Self::HealthCheckFailed => (
                "The server takes connections and does not answer as a healthy one does.",
                "`/healthz` answered 500",
            ),
            Self::RouteUnanswered => (
                "The edge did not answer for the deployment at its address. What served before still does.",
                "the edge did not take over the new routes in time",
            ),
            Self::DiskFull => (
                "The build could not write any more because the disk of the server is full; its own limit was not reached.",
                "`npm ci` ended with exit code 228: the server's disk is full",
            ),
            Self::SandboxFailed => (
                "The machine could not isolate a process, so it was not run.",
                "step `namespaces`: Operation not permitted",
            ),
            Self::IsolationTooWeak => (
                "The machine cannot keep limits, which is not enough for the code of somebody who is not trusted.",
                "limits of memory, CPU and processes are not kept on this machine",
            ),
            Self::Cancelled => (
                "Somebody, or a newer change of the same preview, stopped it before it was ready.",
                "a newer deployment took its place",
            ),
            Self::PlatformError => (
                "Something went wrong on the server that is nobody's doing here.",
                "the state could not be read or written: disk I/O error",
            ),
        };
        Meaning { what, example }
    }
}
