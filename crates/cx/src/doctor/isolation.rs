//! What isolates programs: privilege, namespaces, groups, mounts, filters.

use std::path::PathBuf;

use sandbox::{Privilege, Support};

use super::Finding;

pub(super) async fn findings(privilege: Result<Privilege, String>) -> Vec<Finding> {
    let mut findings = vec![match &privilege {
        Ok(Privilege::Root) => Finding::ok(
            "privilege",
            "root: every sandbox has a range of user ids of its own",
        ),
        Ok(Privilege::Rootless { uid }) => Finding::ok(
            "privilege",
            format!("user {uid}: sandboxes nest in a user namespace of the platform's own"),
        ),
        Err(why) => Finding::bad(
            "privilege",
            why,
            "allow user namespaces (kernel.unprivileged_userns_clone, AppArmor), or run as root",
        ),
    }];
    if privilege.is_err() {
        return findings;
    }
    match sandbox::probe(PathBuf::from("/proc/self/exe")).await {
        Err(error) => findings.push(Finding::bad(
            "sandbox",
            error.to_string(),
            "correct what the message names; nothing can be built before",
        )),
        Ok(capabilities) => {
            findings.extend(capabilities.entries.into_iter().map(|entry| match entry.support {
                Support::Full => Finding::ok(&entry.name, entry.detail),
                Support::Clamped => Finding::warn(&entry.name, entry.detail, entry.advice),
                Support::Missing => Finding::bad(&entry.name, entry.detail, entry.advice),
            }))
        }
    }
    findings
}
