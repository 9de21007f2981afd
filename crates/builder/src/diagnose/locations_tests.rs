//! What real tools printed, and the places that are read from it.

use model::failure::Location;
use model::tree::{Entry, Node};
use model::{Digest, Tree, TreePath};

use super::*;
use crate::diagnose::rules::without_colour;

const FILES: [&str; 20] = [
    "web/src/App.tsx",
    "web/index.js",
    "lib/x.ts",
    "src/bad.ts",
    "src/syn.jsx",
    "src/imp.js",
    "src/imp2.js",
    "src/a.scss",
    "src/b.css",
    "src/A.svelte",
    "src/A.vue",
    "src/main.rs",
    "src/pages/index.astro",
    "app/page.js",
    "app/[slug]/page.tsx",
    "a.py",
    "b.py",
    "main.go",
    "render.js",
    "node_modules/a/index.js",
];

fn tree() -> Tree {
    let node = Node::File {
        digest: Digest::of(b""),
        size_bytes: 0,
        executable: false,
    };
    let entry = |path: &&str| Entry {
        path: TreePath::new(path).unwrap(),
        node: node.clone(),
    };
    Tree::new(FILES.iter().map(entry).collect()).unwrap()
}

fn places_in(output: &str, root: &str) -> Vec<Location> {
    let lines: Vec<String> = output.lines().map(without_colour).collect();
    find(&lines, Sources { tree: &tree(), root })
}

/// One line per place: `file:line:column message`.
fn shown(output: &str) -> Vec<String> {
    let line = |location: Location| {
        let message = location.message.clone().unwrap_or_default();
        format!("{location} {message}").trim_end().to_owned()
    };
    places_in(output, "").into_iter().map(line).collect()
}

#[test]
fn typescript() {
    let plain = "src/bad.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.\n\
        src/bad.ts(2,30): error TS2304: Cannot find name 'b'.";
    let wanted = [
        "src/bad.ts:1:7 TS2322: Type 'string' is not assignable to type 'number'.",
        "src/bad.ts:2:30 TS2304: Cannot find name 'b'.",
    ];
    assert_eq!(shown(plain), wanted);
    let pretty = "\u{1b}[96msrc/bad.ts\u{1b}[0m:\u{1b}[93m1\u{1b}[0m:\u{1b}[93m7\u{1b}[0m - \u{1b}[91merror\u{1b}[0m\
        \u{1b}[90m TS2322: \u{1b}[0mType 'string' is not assignable to type 'number'.\n\n\
        \u{1b}[7m1\u{1b}[0m const a: number = \"x\";\n\nFound 1 error in src/bad.ts\u{1b}[90m:1\u{1b}[0m";
    assert_eq!(shown(pretty), wanted[..1]);
}

#[test]
fn esbuild_and_what_uses_it() {
    let esbuild = "✘ [ERROR] Unexpected closing \"div\" tag does not match opening \"p\" tag\n\n    src/syn.jsx:2:19:\n\
        \x20     2 │   return <div><p></div>;\n        │                    ~~~\n        ╵                    p\n\n\
        \x20 The opening \"p\" tag is here:\n\n    src/syn.jsx:2:15:\n      2 │   return <div><p></div>;\n\n\
        ▲ [WARNING] The character \"}\" is not valid inside a JSX element\n\n    src/syn.jsx:3:0:\n      3 │ }\n\n\
        ✘ [ERROR] Unexpected end of file before a closing \"div\" tag\n\n    src/syn.jsx:5:0:\n      5 │";
    let wanted = [
        "src/syn.jsx:2:19 Unexpected closing \"div\" tag does not match opening \"p\" tag",
        "src/syn.jsx:5:0 Unexpected end of file before a closing \"div\" tag",
    ];
    assert_eq!(shown(esbuild), wanted);
    let vite = "error during build:\n[vite:build-html] Transform failed with 2 errors:\n\
        /app/src/syn.jsx:2:19: ERROR: Unexpected closing \"div\" tag does not match opening \"p\" tag\n\
        /app/src/syn.jsx:5:0: ERROR: Unexpected end of file before a closing \"div\" tag\n\
        file: /app/src/syn.jsx:2:19 (/app/index.html)\n\
        \x20   at failureErrorWithLog (/app/node_modules/esbuild/lib/main.js:1467:15)";
    assert_eq!(shown(vite), wanted);
}

#[test]
fn rollup_and_rolldown() {
    let missing = "error during build:\nCould not resolve \"./missing.js\" from \"src/imp.js\"\nfile: /app/src/imp.js\n\
        \x20   at getRollupError (file:///app/node_modules/rollup/dist/es/shared/parseAst.js:355:41)";
    assert_eq!(shown(missing), ["src/imp.js Could not resolve \"./missing.js\""]);
    let export = "src/imp2.js (1:8): \"nope\" is not exported by \"src/other.js\", imported by \"src/imp2.js\".\n\
        file: /app/src/imp2.js:1:8\n\n1: import {nope} from \"./other.js\"";
    let wanted = "src/imp2.js:1:8 \"nope\" is not exported by \"src/other.js\", imported by \"src/imp2.js\".";
    assert_eq!(shown(export), [wanted]);
    let rolldown = "\u{1b}[31m[UNRESOLVED_IMPORT] \u{1b}[0mCould not resolve './missing.js' in src/imp.js\n\
        \x20  \u{1b}[38;5;246m╭\u{1b}[0m\u{1b}[38;5;246m─\u{1b}[0m\u{1b}[38;5;246m[\u{1b}[0m src/imp.js:1:48 \u{1b}[38;5;246m]\u{1b}[0m\n";
    assert_eq!(
        shown(rolldown),
        ["src/imp.js:1:48 Could not resolve './missing.js' in src/imp.js"]
    );
}

#[test]
fn components_and_styles() {
    let vue = "[vite:vue] [plugin vite:vue] src/A.vue (1:16): Element is missing end tag.\nfile: /app/src/A.vue:1:16\n\
        SyntaxError: [plugin vite:vue] src/A.vue (1:16): Element is missing end tag.";
    assert_eq!(shown(vue), ["src/A.vue:1:16 Element is missing end tag."]);
    let svelte = "[vite-plugin-svelte] [plugin vite-plugin-svelte] src/A.svelte (1:16): /app/src/A.svelte:1:16 Unexpected token\n\
        https://svelte.dev/e/js_parse_error\nfile: /app/src/A.svelte:1:16";
    assert_eq!(shown(svelte), ["src/A.svelte:1:16 Unexpected token"]);
    let sass = "[vite:css] [sass] Undefined variable.\n  ╷\n1 │ a { color: $nope; }\n  │            ^^^^^\n  ╵\n\
        \x20 src/a.scss 1:12  root stylesheet\nfile: /app/src/a.scss";
    assert_eq!(shown(sass), ["src/a.scss:1:12 Undefined variable."]);
    let postcss = "CssSyntaxError: /app/src/b.css:2:2: Unclosed block\n    at Input.error (/app/node_modules/postcss/lib/input.js:1:2)";
    assert_eq!(shown(postcss), ["src/b.css:2:2 Unclosed block"]);
    let check = "/app/src/A.svelte:3:5\nError: 'x' is not defined (ts)";
    assert_eq!(shown(check), ["src/A.svelte:3:5 Error: 'x' is not defined (ts)"]);
    let astro = "error   Expected \">\" but found \"x\"\n  File:\n    /app/src/pages/index.astro:3:5";
    assert_eq!(
        shown(astro),
        ["src/pages/index.astro:3:5 Expected \">\" but found \"x\""]
    );
}

#[test]
fn webpack_babel_next_and_eslint() {
    let webpack = "ERROR in ./src/imp.js 2:0-29\nModule not found: Error: Can't resolve './missing.js' in '/app/src'\n\n\
        ERROR in ./src/imp.js 3:12-16\nexport 'nope' (imported as 'nope') was not found in './other.js'";
    let wanted = [
        "src/imp.js:2:0 Module not found: Error: Can't resolve './missing.js' in '/app/src'",
        "src/imp.js:3:12 export 'nope' (imported as 'nope') was not found in './other.js'",
    ];
    assert_eq!(shown(webpack), wanted);
    let babel = "ERROR in ./src/syn.jsx\nModule build failed (from ./node_modules/babel-loader/lib/index.js):\n\
        SyntaxError: /app/src/syn.jsx: Support for 'jsx' isn't currently enabled (2:10):\n\n  1 | const App = () => {";
    assert_eq!(
        shown(babel),
        ["src/syn.jsx:2:10 Support for 'jsx' isn't currently enabled"]
    );
    let next = "Failed to compile.\n\n./app/page.js\nModule not found: Can't resolve './missing'\n";
    assert_eq!(
        shown(next),
        ["app/page.js Module not found: Can't resolve './missing'"]
    );
    let swc = "./app/page.js\nError:   \u{1b}[31mx\u{1b}[0m Unexpected token.\n   ,-[\u{1b}[36;1;4m/app/app/page.js\u{1b}[0m:2:1]\n 1 | x";
    assert_eq!(shown(swc), ["app/page.js:2:1 Unexpected token."]);
    let types = "./app/[slug]/page.tsx:12:5\nType error: Type 'string' is not assignable to type 'number'.";
    assert_eq!(
        shown(types),
        ["app/[slug]/page.tsx:12:5 Type error: Type 'string' is not assignable to type 'number'."]
    );
    let eslint = "\n/app/src/imp.js\n  1:64  error  'console' is not defined  no-undef\n  2:1  warning  Unexpected x  no-x\n\n\
        /app/src/syn.jsx\n  0:0  warning  File ignored\n\n✖ 3 problems (1 error, 2 warnings)";
    assert_eq!(shown(eslint), ["src/imp.js:1:64 'console' is not defined"]);
}

#[test]
fn other_languages() {
    let rustc = "warning: unused variable: `y`\n --> src/main.rs:2:9\n  |\n\nerror[E0308]: mismatched types\n --> src/main.rs:3:18\n  |\n\
        3 |     let x: u32 = \"a\";\n\nerror[E0425]: cannot find function `nope` in this scope\n --> src/main.rs:4:5\n";
    let wanted = [
        "src/main.rs:3:18 mismatched types",
        "src/main.rs:4:5 cannot find function `nope` in this scope",
    ];
    assert_eq!(shown(rustc), wanted);
    let python = "Traceback (most recent call last):\n  File \"/app/a.py\", line 6, in <module>\n    f()\n\
        \x20 File \"/app/a.py\", line 5, in g\n    return 1/0\n           ~^~\nZeroDivisionError: division by zero";
    assert_eq!(shown(python), ["a.py:5 ZeroDivisionError: division by zero"]);
    let syntax = "***   File \"b.py\", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n";
    assert_eq!(
        shown(syntax.trim_start_matches("***")),
        ["b.py:1 SyntaxError: invalid syntax"]
    );
    let go = "# a\n./main.go:4:6: declared and not used: x\n./main.go:5:2: undefined: nope";
    assert_eq!(
        shown(go),
        [
            "main.go:4:6 declared and not used: x",
            "main.go:5:2 undefined: nope"
        ]
    );
    let node = "/app/render.js:5\n  throw new Error('no template')\n  ^\n\nError: no template\n\
        \x20   at render (/app/render.js:5:9)\n    at Object.<anonymous> (/app/web/index.js:1:1)";
    assert_eq!(shown(node), ["render.js:5:9 Error: no template"]);
    let frames = "Error: no template\n    at x (/app/node_modules/a/index.js:1:1)\n    at render (/app/render.js:5:9)\n\
        \x20   at run (/app/web/index.js:1:1)";
    assert_eq!(shown(frames), ["render.js:5:9 Error: no template"]);
}

#[test]
fn any_compiler_below_a_root() {
    let table = [
        ("src/App.tsx(12,5): TS2322: Type", "web/src/App.tsx:12:5"),
        ("src/App.tsx:3:7: ERROR: Expected \";\"", "web/src/App.tsx:3:7"),
        ("    at file:///app/web/index.js:9:1", "web/index.js:9:1"),
        ("see /app/web/index.js:4", "web/index.js:4"),
        ("    at Object.<anonymous> (/app/lib/x.ts:1:2)", "lib/x.ts:1:2"),
        ("lib/x.ts:7:1 - error", "lib/x.ts:7:1"),
    ];
    for (line, place) in table {
        let found = places_in(line, "web");
        assert_eq!(
            found.first().map(ToString::to_string).as_deref(),
            Some(place),
            "{line}"
        );
    }
}

#[test]
fn other_texts_are_no_places() {
    for line in [
        "http://localhost:3000/x",
        "/app/node_modules/a/index.js:1:1",
        "v20.1.2:3:4",
        "render.js",
        "other.js:3:4",
        "12:30:45.123 done",
        "lib/x.ts:7:1: warning: unused",
        "/etc/passwd:1:1",
        "../lib/x.ts:1:1",
    ] {
        assert_eq!(places_in(line, ""), [], "{line}");
    }
}

#[test]
fn there_are_ten_at_the_most_and_each_once() {
    let many: String = (0..50)
        .map(|n| format!("src/bad.ts({},1): error TS1: x\n", n / 2))
        .collect();
    assert_eq!(shown(&many).len(), LOCATIONS_MAX);
}

proptest::proptest! {
    #[test]
    fn no_output_panics(output in "(?s).{0,400}") {
        for location in places_in(&output, "web") {
            proptest::prop_assert!(FILES.contains(&location.file.as_str()));
        }
    }
}
