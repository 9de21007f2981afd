//! AppArmor's restriction of user namespaces (Ubuntu 23.10 and later): programs without root may make one, and get no
//! capabilities in it, unless a profile of theirs says `userns`. Root is not concerned.
//!
//! Everything here is pure: [`super::readings`] looks at the machine.

use std::path::Path;

use super::{Finding, Readings};

/// Where the profile goes.
const PROFILE_PATH: &str = "/etc/apparmor.d/cygni";

/// Whether AppArmor stands in the way, and how to lift that.
pub(super) fn finding(readings: &Readings) -> Option<Finding> {
    if !readings.apparmor_restricts {
        return None;
    }
    let name = "AppArmor";
    if readings.root {
        let detail = "restricts user namespaces of programs without root; Cygni runs as root here";
        return Some(Finding::ok(name, detail));
    }
    if readings.isolates {
        return Some(Finding::ok(
            name,
            "restricts user namespaces, and a profile lets Cygni have them",
        ));
    }
    let advice = format!(
        "run these as root; they let this program have user namespaces, and no other:\n\n\
         cat > {PROFILE_PATH} <<'EOF'\n{}EOF\napparmor_parser -r {PROFILE_PATH}\n",
        profile(&readings.program)
    );
    let detail = "restricts user namespaces to programs with a profile (kernel.apparmor_restrict_unprivileged_userns is 1)";
    Some(Finding::bad(name, detail, advice))
}

/// The profile that lifts the restriction for `program` alone, and restricts nothing else (apparmor.d(5)).
pub(crate) fn profile(program: &Path) -> String {
    format!(
        "abi <abi/4.0>,\n\
         include <tunables/global>\n\
         \n\
         # Lets Cygni isolate programs without root.\n\
         profile cygni {} flags=(unconfined) {{\n\
         \x20 userns,\n\
         \n\
         \x20 include if exists <local/cygni>\n\
         }}\n",
        pattern(program)
    )
}

/// The path as a pattern that fits it alone.
fn pattern(path: &Path) -> String {
    let mut pattern = String::new();
    for c in path.to_string_lossy().chars() {
        if "*?[]{}^\\\"".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    if pattern.contains(char::is_whitespace) {
        format!("\"{pattern}\"")
    } else {
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn it_matters_only_without_root_and_without_a_profile() {
        let table = [
            (false, false, false, None),
            (true, true, true, Some(Level::Ok)),
            (true, false, true, Some(Level::Ok)),
            (true, false, false, Some(Level::Bad)),
        ];
        for (apparmor_restricts, root, isolates, level) in table {
            let readings = Readings {
                apparmor_restricts,
                root,
                isolates,
                ..Readings::default()
            };
            assert_eq!(
                finding(&readings).map(|finding| finding.level),
                level,
                "{readings:?}"
            );
        }
    }

    #[test]
    fn the_way_out_names_the_installed_program_and_both_commands() {
        let readings = Readings {
            apparmor_restricts: true,
            program: "/usr/local/bin/cx".into(),
            ..Readings::default()
        };
        let advice = finding(&readings).unwrap().advice;
        assert!(
            advice.contains("\nprofile cygni /usr/local/bin/cx flags=(unconfined) {\n  userns,\n"),
            "{advice}"
        );
        assert!(advice.contains("cat > /etc/apparmor.d/cygni <<'EOF'\nabi <abi/4.0>,\n"));
        assert!(advice.contains("}\nEOF\napparmor_parser -r /etc/apparmor.d/cygni\n"));
    }

    #[test]
    fn a_path_stands_for_itself() {
        assert_eq!(
            pattern(Path::new("/home/ada/my tools/cx")),
            "\"/home/ada/my tools/cx\""
        );
        assert_eq!(pattern(Path::new("/opt/{a}*/cx")), "/opt/\\{a\\}\\*/cx");
    }
}
