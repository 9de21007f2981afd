//! Plans of servers in JavaScript.

use super::{check, package, plan};
use model::failure::Code;

#[test]
fn node_servers() {
    let table = [
        (
            r#""start": "node server.js""#,
            r#""express": "5""#,
            "node | npm ci | - | node server.js",
        ),
        (
            r#""start": "tsx src/server.ts""#,
            r#""tsx": "4""#,
            "node | npm ci | - | +bin exec tsx src/server.ts",
        ),
        (
            r#""start": "node a.js", "prestart": "node b.js""#,
            r#""a": "1""#,
            "node | npm ci | - | npm start",
        ),
        (
            r#""start": "node dist/main.js", "build": "tsc""#,
            r#""a": "1""#,
            "node | npm ci | npm run build | node dist/main.js",
        ),
        (
            r#""build": "vite build", "start": "node server.js""#,
            r#""vite": "7", "express": "5""#,
            "vite | npm ci | npm run build | node server.js",
        ),
        ("", r#""express": "5""#, "node | npm ci | - | node index.js"),
    ];
    for (scripts, dependencies, expected) in table {
        let manifest = package(scripts, dependencies);
        check(
            &[
                ("package.json", &manifest),
                ("package-lock.json", "{}"),
                ("index.js", "app.listen(3000)"),
            ],
            expected,
        );
    }
    check(
        &[("package.json", r#"{"scripts": {"start": "node x.js"}}"#)],
        "node | - | - | node x.js",
    );
    check(
        &[("package.json", r#"{"main": "./app.mjs"}"#), ("app.mjs", "")],
        "node | - | - | node app.mjs",
    );
}

#[test]
fn rendering_frameworks_beat_lying_start_scripts() {
    let table = [
        (
            r#""start": "next dev", "build": "next build""#,
            r#""next": "15""#,
            "nextjs | npm ci | npm run build | +bin exec next start",
        ),
        (
            r#""start": "next start -p 4000""#,
            r#""next": "15""#,
            "nextjs | npm ci | next build | +bin exec next start -p 4000",
        ),
        (
            r#""start": "node server.js""#,
            r#""next": "15""#,
            "nextjs | npm ci | next build | node server.js",
        ),
        (
            r#""start": "nuxt dev", "build": "nuxt build""#,
            r#""nuxt": "3""#,
            "nuxt | npm ci | npm run build | node .output/server/index.mjs",
        ),
        (
            r#""build": "nuxt generate""#,
            r#""nuxt": "3""#,
            "nuxt | npm ci | npm run build | static:.output/public",
        ),
        (
            r#""start": "nest start", "build": "nest build""#,
            r#""@nestjs/core": "11""#,
            "nestjs | npm ci | npm run build | node dist/main",
        ),
        (
            r#""start": "vite preview""#,
            r#""@sveltejs/kit": "2", "vite": "7""#,
            "sveltekit | npm ci | vite build | node build",
        ),
        (
            r#""build": "nitro build""#,
            r#""nitropack": "2""#,
            "nitro | npm ci | npm run build | node .output/server/index.mjs",
        ),
    ];
    for (scripts, dependencies, expected) in table {
        let manifest = package(scripts, dependencies);
        check(
            &[("package.json", &manifest), ("package-lock.json", "{}")],
            expected,
        );
    }
}

#[test]
fn configuration_decides_between_files_and_a_server() {
    let next = package(
        r#""build": "next build", "start": "next start""#,
        r#""next": "15""#,
    );
    let files = [
        ("package.json", next.as_str()),
        ("next.config.ts", "const c = { output: 'export' }"),
    ];
    check(&files, "nextjs | npm install | npm run build | static:out");
    let astro = package(
        r#""build": "astro build""#,
        r#""astro": "5", "@astrojs/node": "9""#,
    );
    let config = "import node from '@astrojs/node'; export default { output: 'server', adapter: node() }";
    let files = [("package.json", astro.as_str()), ("astro.config.mjs", config)];
    check(
        &files,
        "astro | npm install | npm run build | node ./dist/server/entry.mjs",
    );
    let kit = package("", r#""@sveltejs/kit": "2", "@sveltejs/adapter-static": "3""#);
    let config = "import adapter from '@sveltejs/adapter-static'; adapter({ fallback: '200.html' })";
    let files = [("package.json", kit.as_str()), ("svelte.config.js", config)];
    check(&files, "sveltekit | npm install | vite build | spa:build");
    let router = package(
        r#""build": "react-router build", "start": "react-router-serve x""#,
        r#""@react-router/dev": "7""#,
    );
    let files = [
        ("package.json", router.as_str()),
        ("react-router.config.ts", "export default { ssr: false }"),
    ];
    check(
        &files,
        "react-router | npm install | npm run build | spa:build/client",
    );
    let foreign = package("", r#""@sveltejs/kit": "2""#);
    let files = [
        ("package.json", foreign.as_str()),
        ("svelte.config.js", "import a from '@sveltejs/adapter-vercel'"),
    ];
    assert_eq!(plan(&files).unwrap_err().code, Code::StartCommandMissing);
}
