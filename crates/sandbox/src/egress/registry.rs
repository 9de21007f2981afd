//! Where package managers fetch from: the names that an install may reach when it may reach nothing else.
//!
//! Data, kept in one place; an operator adds a company mirror with [`Policy::registries`](super::Policy::registries).

/// Names of the public package registries and of the hosts they send clients to.
pub const REGISTRIES: &[&str] = &[
    // npm, yarn and pnpm; jsr speaks the same protocol.
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "repo.yarnpkg.com",
    "npm.jsr.io",
    "jsr.io",
    // Node itself, for headers that native modules are compiled against.
    "nodejs.org",
    // Python
    "pypi.org",
    "files.pythonhosted.org",
    // Rust
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    "static.rust-lang.org",
    // Go
    "proxy.golang.org",
    "sum.golang.org",
    // Debian and Ubuntu
    "deb.debian.org",
    "security.debian.org",
    "archive.ubuntu.com",
    "security.ubuntu.com",
    "ports.ubuntu.com",
    // Ruby
    "rubygems.org",
    "index.rubygems.org",
    // Java
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "services.gradle.org",
    // PHP
    "packagist.org",
    "repo.packagist.org",
];
