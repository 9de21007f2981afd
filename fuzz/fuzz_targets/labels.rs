//! Names of people and the hosts that are made of them: always one valid label, and the same for the same names.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::host::{LABEL_CHARS_MAX, alias_label, alias_label_taken, pinned_label};
use model::{DeploymentId, NamespaceName, PreviewId, ProjectName};

fuzz_target!(|texts: (&str, &str, [u8; 10])| {
    let (namespace, project) = (NamespaceName::from_text(texts.0), ProjectName::from_text(texts.1));
    assert_eq!(NamespaceName::new(namespace.as_str()), Ok(namespace.clone()));
    assert_eq!(ProjectName::new(project.as_str()), Ok(project.clone()));
    let alias = alias_label(&namespace, &project);
    let taken = alias_label_taken(&alias, &PreviewId::from_random(texts.2));
    let pinned = pinned_label(&project, &DeploymentId::from_random(texts.2));
    for label in [&alias, &taken, &pinned] {
        assert!((1..=LABEL_CHARS_MAX).contains(&label.len()), "{label}");
        assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{label}");
        assert!(!label.starts_with('-') && !label.ends_with('-'), "{label}");
    }
    assert_ne!(alias, taken);
});
