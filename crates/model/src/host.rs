//! Host labels of previews and deployments: always one label, at most 63 characters, looked up and never parsed.
//!
//! Different previews can ask for the same label (`a-b` + `c` and `a` + `b-c`); which of them has it is settled by a
//! unique row, and the other one gets [`with_suffix`].

use crate::{DeploymentId, Digest, NamespaceName, PreviewId, ProjectName};

/// Characters of one DNS label at the most (RFC 1035, section 2.3.4).
pub const LABEL_CHARS_MAX: usize = 63;

/// Labels that the platform keeps for itself.
pub const RESERVED: &[&str] = &[
    "admin",
    "api",
    "app",
    "auth",
    "cdn",
    "cx",
    "cygni",
    "dashboard",
    "docs",
    "health",
    "localhost",
    "login",
    "mail",
    "metrics",
    "status",
    "static",
    "webhook",
    "webhooks",
    "www",
];

/// The label that a preview's alias asks for: `<namespace>-<project>`, and for `main` the project alone.
pub fn alias_label(namespace: &NamespaceName, project: &ProjectName) -> String {
    if *namespace == NamespaceName::main() {
        fit(project.as_str().to_owned())
    } else {
        fit(format!("{namespace}-{project}"))
    }
}

/// The label of one deployment: `<project>-<short id>`.
pub fn pinned_label(project: &ProjectName, deployment: &DeploymentId) -> String {
    with_suffix(project.as_str(), deployment.short())
}

/// What a preview gets when the label it asks for is taken or reserved.
pub fn alias_label_taken(label: &str, preview: &PreviewId) -> String {
    let short = preview.short();
    match with_suffix(label, &short[..4]) {
        // A long label that ends like the id by chance would be given to both.
        same if same == label => with_suffix(label, short),
        other => other,
    }
}

/// `label-suffix`, the label cut so that the whole fits.
pub fn with_suffix(label: &str, suffix: &str) -> String {
    let room = LABEL_CHARS_MAX - suffix.len() - 1;
    let cut = &label[..label.len().min(room)];
    format!("{}-{suffix}", cut.trim_end_matches('-'))
}

/// Whether `label` is kept for the platform.
pub fn is_reserved(label: &str) -> bool {
    RESERVED.contains(&label)
}

fn fit(label: String) -> String {
    if label.len() <= LABEL_CHARS_MAX {
        return label;
    }
    // Two long names that share their beginning must not share their label.
    with_suffix(&label, &Digest::of(label.as_bytes()).hex()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(namespace: &str, project: &str) -> String {
        alias_label(
            &NamespaceName::new(namespace).unwrap(),
            &ProjectName::new(project).unwrap(),
        )
    }

    #[test]
    fn main_is_the_bare_project() {
        assert_eq!(label("main", "shop"), "shop");
        assert_eq!(label("preview-12", "shop"), "preview-12-shop");
    }

    #[test]
    fn long_labels_are_cut_and_stay_different() {
        let one = label(&"n".repeat(60), &format!("{}a", "p".repeat(60)));
        let two = label(&"n".repeat(60), &format!("{}b", "p".repeat(60)));
        assert!(one.len() <= LABEL_CHARS_MAX && two.len() <= LABEL_CHARS_MAX);
        assert_ne!(one, two);
    }

    #[test]
    fn a_label_that_is_taken_is_never_given_again() {
        let preview = PreviewId::from_random([0; 10]);
        let suffix = &preview.short()[..4];
        for label in [
            format!("{}-{suffix}", "x".repeat(58)),
            format!("x-{suffix}"),
            "x".repeat(63),
        ] {
            let other = alias_label_taken(&label, &preview);
            assert!(other != label && other.len() <= LABEL_CHARS_MAX, "{label}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_two_names_give_valid_labels(namespace in ".{0,80}", project in ".{0,80}", bytes in proptest::prelude::any::<[u8; 10]>()) {
            let (namespace, project) = (NamespaceName::from_text(&namespace), ProjectName::from_text(&project));
            let alias = alias_label(&namespace, &project);
            let taken = alias_label_taken(&alias, &PreviewId::from_random(bytes));
            let pinned = pinned_label(&project, &DeploymentId::from_random(bytes));
            for label in [&alias, &taken, &pinned] {
                proptest::prop_assert!(NamespaceName::new(label).is_ok(), "{}", label);
            }
            proptest::prop_assert_ne!(alias, taken);
        }
    }

    #[test]
    fn suffixes_fit() {
        let long = with_suffix(&"x".repeat(63), "abcdefgh");
        assert_eq!(long.len(), LABEL_CHARS_MAX);
        assert_eq!(
            with_suffix(&format!("{}-{}", "x".repeat(53), "y"), "abcdefgh"),
            format!("{}-abcdefgh", "x".repeat(53))
        );
    }
}
