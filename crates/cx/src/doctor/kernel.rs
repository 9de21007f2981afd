//! What the kernel lets this machine have: namespaces, watches, version. Pure; [`super::readings`] looks.

use super::{Finding, Readings};

/// Overlays can be mounted in user namespaces from here on, and owners be mapped per mount as root.
const KERNEL_MIN: (u32, u32) = (5, 12);
/// Every sandbox takes two or three.
const NAMESPACES_LOW: u64 = 1_000;
/// One for each directory that is followed.
const WATCHES_LOW: u64 = 65_536;
/// What one sandbox may take of the watchers that all of them share.
const WATCHERS_PER_SANDBOX: u64 = 16;
/// Sandboxes that should be able to take all of theirs at the same time, however few there are now.
const SANDBOXES_MIN: u64 = 64;
/// How far the clock may be off: certificates and times to live mind more.
const CLOCK_SECONDS_MAX: u64 = 60;

pub(super) fn findings(readings: &Readings) -> Vec<Finding> {
    let findings = [
        version(readings),
        namespaces(readings),
        watches(readings),
        watchers(readings),
    ];
    findings.into_iter().flatten().collect()
}

fn version(readings: &Readings) -> Option<Finding> {
    let (major, minor) = readings.kernel?;
    let detail = format!("Linux {major}.{minor}");
    let (least_major, least_minor) = KERNEL_MIN;
    Some(if (major, minor) >= KERNEL_MIN {
        Finding::ok("kernel", detail)
    } else {
        let advice = format!(
            "use Linux {least_major}.{least_minor} or later: older ones cannot share layers between sandboxes"
        );
        Finding::bad("kernel", detail, advice)
    })
}

fn namespaces(readings: &Readings) -> Option<Finding> {
    let most = readings.user_namespaces?;
    let name = "user namespaces";
    let advice = "sysctl user.max_user_namespaces=63000, and the same in a file of /etc/sysctl.d to keep it";
    Some(match most {
        0 => Finding::bad(name, "none may be made (user.max_user_namespaces is 0)", advice),
        1..NAMESPACES_LOW => Finding::warn(
            name,
            format!("{most} may be made; every preview takes some"),
            advice,
        ),
        _ => Finding::ok(name, format!("{most} may be made")),
    })
}

fn watches(readings: &Readings) -> Option<Finding> {
    let most = readings.inotify_watches?;
    let name = "file watches";
    if most >= WATCHES_LOW {
        return Some(Finding::ok(name, format!("{most} directories can be followed")));
    }
    let detail =
        format!("{most} directories can be followed (fs.inotify.max_user_watches); `cx up` follows each one");
    let advice =
        "sysctl fs.inotify.max_user_watches=524288, and the same in a file of /etc/sysctl.d to keep it";
    Some(Finding::warn(name, detail, advice))
}

/// Each sandbox is held to its share, but the kernel counts what all of them take together too.
fn watchers(readings: &Readings) -> Option<Finding> {
    let most = readings.inotify_instances?;
    let name = "file watchers";
    let wanted = WATCHERS_PER_SANDBOX * readings.sandboxes.max(SANDBOXES_MIN);
    if most >= wanted {
        return Some(Finding::ok(name, format!("{most} for all previews together")));
    }
    let detail = format!(
        "{most} for all previews together (fs.inotify.max_user_instances), and each may take {WATCHERS_PER_SANDBOX}: \
         {} that watch files can leave the others none",
        most / WATCHERS_PER_SANDBOX
    );
    let advice = format!(
        "sysctl fs.inotify.max_user_instances={}, and the same in a file of /etc/sysctl.d to keep it",
        wanted.next_power_of_two()
    );
    Some(Finding::warn(name, detail, advice))
}

/// Compares the clock with that of somebody else, both in seconds since 1970.
pub(super) fn clock(ours: u64, theirs: u64) -> Finding {
    let off = ours.abs_diff(theirs);
    if off <= CLOCK_SECONDS_MAX {
        return Finding::ok("clock", "agrees with that of the registry");
    }
    let side = if ours > theirs { "ahead of" } else { "behind" };
    let detail = format!("{off} s {side} that of the registry");
    Finding::warn(
        "clock",
        detail,
        "let the system keep the time: timedatectl set-ntp true",
    )
}

/// The numbers in `6.1.0-18-amd64`.
pub(super) fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn every_reading_has_its_level() {
        let with = |change: fn(&mut Readings)| {
            let mut readings = Readings::default();
            change(&mut readings);
            let findings = findings(&readings);
            assert_eq!(findings.len(), 1);
            assert_eq!(findings[0].level == Level::Ok, findings[0].advice.is_empty());
            findings[0].level
        };
        assert_eq!(with(|readings| readings.kernel = Some((5, 11))), Level::Bad);
        assert_eq!(with(|readings| readings.kernel = Some((6, 1))), Level::Ok);
        assert_eq!(with(|readings| readings.user_namespaces = Some(0)), Level::Bad);
        assert_eq!(with(|readings| readings.user_namespaces = Some(999)), Level::Warn);
        assert_eq!(
            with(|readings| readings.user_namespaces = Some(63_000)),
            Level::Ok
        );
        assert_eq!(
            with(|readings| readings.inotify_watches = Some(8_192)),
            Level::Warn
        );
        assert_eq!(
            with(|readings| readings.inotify_watches = Some(524_288)),
            Level::Ok
        );
        assert_eq!(
            with(|readings| readings.inotify_instances = Some(128)),
            Level::Warn
        );
        assert_eq!(
            with(|readings| readings.inotify_instances = Some(1_024)),
            Level::Ok
        );
        assert!(findings(&Readings::default()).is_empty());
    }

    #[test]
    fn more_previews_need_more_watchers() {
        let readings = Readings {
            sandboxes: 100,
            inotify_instances: Some(1_024),
            ..Readings::default()
        };
        let finding = watchers(&readings).unwrap();
        assert_eq!(finding.level, Level::Warn);
        assert!(
            finding.detail.contains("each may take 16: 64 that"),
            "{}",
            finding.detail
        );
        assert!(finding.advice.contains("=2048,"), "{}", finding.advice);
    }

    #[test]
    fn releases_are_read() {
        let table = [
            ("6.1.0-18-amd64", Some((6, 1))),
            ("5.15.0", Some((5, 15))),
            ("6.18-rc1", Some((6, 18))),
            ("x", None),
        ];
        for (text, numbers) in table {
            assert_eq!(release(text), numbers, "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_off_says_by_how_much() {
        assert_eq!(clock(1_000, 1_059).level, Level::Ok);
        let finding = clock(5_000, 1_000);
        assert_eq!(
            (finding.level, finding.detail.as_str()),
            (Level::Warn, "4000 s ahead of that of the registry")
        );
    }
}
