//! Plans of static files, as they are or built.

use model::failure::Code;

use super::{check, package};

#[test]
fn static_files() {
    check(&[("index.html", "")], "static | - | - | static:");
    check(
        &[("public/index.html", ""), ("README.md", "")],
        "static | - | - | static:public",
    );
    check(
        &[("dist/index.html", ""), ("src/x.ts", "")],
        "static | - | - | static:dist",
    );
    check(
        &[("Staticfile", "root: site\n"), ("site/a.html", "")],
        "static | - | - | static:site",
    );
    check(
        &[("index.html", ""), ("package.json", "{}")],
        "static | - | - | static:",
    );
    let own_script = [
        ("index.html", ""),
        ("index.js", "document.title"),
        ("package.json", r#"{"main": "index.js"}"#),
    ];
    check(&own_script, "static | - | - | static:");
}

#[test]
fn static_sites_with_a_build() {
    let table = [
        (
            r#""build": "vite build""#,
            r#""vite": "7""#,
            "vite | npm ci | npm run build | spa:dist",
        ),
        (
            r#""build": "tsc && vite build --outDir www""#,
            r#""vite": "7""#,
            "vite | npm ci | npm run build | spa:www",
        ),
        ("", r#""vite": "7""#, "vite | npm ci | vite build | spa:dist"),
        (
            r#""build": "astro build", "start": "astro dev""#,
            r#""astro": "5""#,
            "astro | npm ci | npm run build | static:dist",
        ),
        (
            r#""build": "astro build""#,
            r#""astro": "5", "vite": "7""#,
            "astro | npm ci | npm run build | static:dist",
        ),
        (
            "",
            r#""@11ty/eleventy": "3""#,
            "eleventy | npm ci | eleventy | static:_site",
        ),
        (
            r#""build": "eleventy --output=public""#,
            r#""@11ty/eleventy": "3""#,
            "eleventy | npm ci | npm run build | static:public",
        ),
        (
            r#""docs:build": "x", "build": "vitepress build""#,
            r#""vitepress": "1""#,
            "vitepress | npm ci | npm run build | static:.vitepress/dist",
        ),
        (
            "",
            r#""vitepress": "1""#,
            "vitepress | npm ci | vitepress build docs | static:docs/.vitepress/dist",
        ),
        (
            r#""start": "docusaurus start", "build": "docusaurus build""#,
            r#""@docusaurus/core": "3""#,
            "docusaurus | npm ci | npm run build | static:build",
        ),
        (
            r#""start": "gatsby develop", "build": "gatsby build""#,
            r#""gatsby": "5""#,
            "gatsby | npm ci | npm run build | static:public",
        ),
        (
            r#""start": "react-scripts start", "build": "react-scripts build""#,
            r#""react-scripts": "5""#,
            "create-react-app | npm ci | npm run build | spa:build",
        ),
        (
            r#""start": "ng serve", "build": "ng build""#,
            r#""@angular/cli": "19""#,
            "angular | npm ci | npm run build | spa:dist",
        ),
        (
            r#""serve": "vue-cli-service serve""#,
            r#""@vue/cli-service": "5""#,
            "vue-cli | npm ci | vue-cli-service build | spa:dist",
        ),
        (
            r#""start": "parcel", "build": "parcel build --dist-dir out""#,
            r#""parcel": "2""#,
            "parcel | npm ci | npm run build | spa:out",
        ),
        (
            r#""build": "node build.js""#,
            r#""marked": "1""#,
            "build-script | npm ci | npm run build | static:dist",
        ),
        (
            r#""build": "esbuild a.ts --outdir=www""#,
            r#""esbuild": "1""#,
            "build-script | npm ci | npm run build | static:www",
        ),
        (
            r#""build": "vite build", "storybook": "x""#,
            r#""vite": "7", "storybook": "8""#,
            "vite | npm ci | npm run build | spa:dist",
        ),
    ];
    for (scripts, dependencies, expected) in table {
        let manifest = package(scripts, dependencies);
        check(
            &[
                ("package.json", &manifest),
                ("package-lock.json", "{}"),
                ("index.html", ""),
            ],
            expected,
        );
    }
}

#[test]
fn configuration_decides_where_a_build_writes() {
    let vite = package(r#""build": "vite build""#, r#""vite": "7""#);
    let table = [
        ("export default { build: { outDir: 'www' } }", "spa:www"),
        (
            "export default { root: 'src', build: { outDir: '../out' } }",
            "spa:out",
        ),
        ("export default { root: 'src' }", "spa:src/dist"),
        ("export default { build: { outDir: process.env.X } }", "spa:dist"),
    ];
    for (config, serve) in table {
        let expected = format!("vite | npm install | npm run build | {serve}");
        check(&[("package.json", &vite), ("vite.config.ts", config)], &expected);
    }
    let angular = package(r#""build": "ng build""#, r#""@angular/cli": "19""#);
    let builder = "@angular-devkit/build-angular:application";
    let config = format!(
        r#"{{"projects": {{"shop": {{"architect": {{"build": {{"builder": "{builder}", "options": {{"outputPath": "dist/shop"}}}}}}}}}}}}"#
    );
    let expected = "angular | npm install | npm run build | spa:dist/shop/browser";
    check(&[("package.json", &angular), ("angular.json", &config)], expected);
}

#[test]
fn a_project_in_a_directory_is_planned_there() {
    let files = [
        ("cx.toml", "[run]\ncommand = \"of the whole\"\n"),
        ("apps/api/cx.toml", "[run]\ncommand = \"./serve\"\n"),
        ("apps/api/serve", ""),
        ("apps/docs/cx.toml", "root = \"site\"\n"),
        ("apps/docs/site/index.html", ""),
        ("apps/web/index.html", ""),
    ];
    let root = |directory: &str| super::plan_in(&files, directory).map(|plan| plan.root);
    assert_eq!(root("apps/api").unwrap(), "apps/api");
    assert_eq!(root("apps/docs").unwrap(), "apps/docs/site");
    let web = super::plan_in(&files, "apps/web").unwrap();
    assert_eq!(
        (web.root.as_str(), web.framework.as_str()),
        ("apps/web", "static")
    );
    let failure = root("apps/none").unwrap_err();
    assert_eq!(failure.code, Code::RootMissing);
    assert!(
        failure.message.contains("`apps/none` of the project"),
        "{failure:?}"
    );
}
