//! The unit file, as text.
//!
//! Guards against a service manager that means well: one that ends the previews with the platform, stops everything
//! because one preview ran out of memory, or hardens the platform in a way that programs in sandboxes inherit. It does
//! *not* know whether systemd is there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::environment::SYSTEM_DATA;

/// The name of the unit.
const NAME: &str = "cygni.service";
/// The first version of systemd that starts a service in a group below its own.
const SUBGROUPS_SINCE: u32 = 254;
/// What the platform never does, so that it cannot be made to. Programs in sandboxes have user namespaces of their own,
/// which this does not reach.
const NEVER: &str = "CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME CAP_SYSLOG CAP_WAKE_ALARM CAP_MAC_ADMIN \
CAP_MAC_OVERRIDE CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_SYS_PACCT CAP_SYS_TTY_CONFIG";

/// Whose service manager it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The machine's; the platform runs as root.
    Machine,
    /// That of one user, without root.
    User,
}

/// What a unit says.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) whose: Whose,
    /// The program, absolute.
    pub(crate) program: PathBuf,
    pub(crate) data: PathBuf,
    /// Further arguments of `cx serve`.
    pub(crate) arguments: Vec<String>,
    /// Of systemd; `None` where it is not known.
    pub(crate) version: Option<u32>,
}

impl Whose {
    /// Where its unit lies; `config` is the user's directory for settings.
    pub(crate) fn path(self, config: Option<&Path>) -> Option<PathBuf> {
        match self {
            Self::Machine => Some(Path::new("/etc/systemd/system").join(NAME)),
            Self::User => Some(config?.join("systemd/user").join(NAME)),
        }
    }

    /// What `systemctl` has to be told besides.
    pub(crate) fn flag(self) -> Option<&'static str> {
        (self == Self::User).then_some("--user")
    }
}

impl Unit {
    /// The file.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, lines) in [
            ("Unit", self.unit()),
            ("Service", self.service()),
            ("Install", self.install()),
        ] {
            let blank = if text.is_empty() { "" } else { "\n" };
            let lines = lines.join("\n");
            writeln!(text, "{blank}[{name}]\n{lines}").expect("writing to a string does not fail");
        }
        text
    }

    fn unit(&self) -> Vec<String> {
        let mut lines = vec!["Description=Cygni, live previews of every change".to_owned()];
        lines.push(concat!("Documentation=", env!("CARGO_PKG_REPOSITORY")).to_owned());
        if self.whose == Whose::Machine {
            lines.extend(["Wants=network-online.target", "After=network-online.target"].map(str::to_owned));
        }
        lines.push(format!(
            "RequiresMountsFor={}",
            quoted(&self.data.to_string_lossy())
        ));
        lines
    }

    fn service(&self) -> Vec<String> {
        let mut words = vec![quoted(&self.program.to_string_lossy()), "serve --data".to_owned()];
        words.push(quoted(&self.data.to_string_lossy()));
        words.extend(self.arguments.iter().map(|argument| quoted(argument)));
        let mut lines = vec![
            "# Ready once it answers; silent for a minute, it is started again.".to_owned(),
            "Type=notify".to_owned(),
            "WatchdogSec=60s".to_owned(),
            format!("ExecStart={}", words.join(" ").replace('$', "$$")),
            format!("EnvironmentFile=-{}", self.settings()),
            "Restart=on-failure".to_owned(),
            "RestartSec=1s".to_owned(),
            "TimeoutStartSec=5min".to_owned(),
            "TimeoutStopSec=45s".to_owned(),
        ];
        lines.extend(self.groups());
        lines.extend(
            [
                "# One preview without memory must not end the others.",
                "OOMPolicy=continue",
                "LimitNOFILE=1048576",
                "UMask=0077",
            ]
            .map(str::to_owned),
        );
        if self.whose == Whose::Machine {
            if self.data == Path::new(SYSTEM_DATA) {
                lines.push("StateDirectory=cygni".to_owned());
                lines.push("StateDirectoryMode=0700".to_owned());
            }
            lines.push("LimitCORE=0".to_owned());
            lines.push(
                "# Not more: programs in sandboxes would inherit it, or lose their namespaces.".to_owned(),
            );
            lines.push(format!("CapabilityBoundingSet=~{NEVER}"));
            lines.push("NoNewPrivileges=yes".to_owned());
        }
        lines
    }

    /// Sandboxes have groups of their own, in which nobody but the platform may meddle.
    fn groups(&self) -> Vec<String> {
        let subgroups = self.version.is_some_and(|version| version >= SUBGROUPS_SINCE);
        let mut lines = vec![
            "# Previews go on running when the service ends, and are taken over by the next.".to_owned(),
        ];
        if subgroups || self.whose == Whose::Machine {
            lines.push("KillMode=process".to_owned());
        } else {
            lines.pop();
            lines.push(
                "# This systemd cannot start the service again beside previews that run: they end with it."
                    .to_owned(),
            );
            lines.push("KillMode=mixed".to_owned());
        }
        lines.push("Delegate=yes".to_owned());
        if subgroups {
            lines.push(format!("DelegateSubgroup={}", sandbox::PLATFORM_GROUP));
        }
        lines.extend(
            [
                "CPUAccounting=yes",
                "MemoryAccounting=yes",
                "TasksAccounting=yes",
                "TasksMax=infinity",
            ]
            .map(str::to_owned),
        );
        lines
    }

    fn install(&self) -> Vec<String> {
        let target = match self.whose {
            Whose::Machine => "multi-user.target",
            Whose::User => "default.target",
        };
        vec![format!("WantedBy={target}")]
    }

    /// Where proxies and registries can be named.
    fn settings(&self) -> &'static str {
        match self.whose {
            Whose::Machine => "/etc/cygni.env",
            Whose::User => "%E/cygni.env",
        }
    }
}

/// A word as systemd reads it back (systemd.syntax(7), systemd.unit(5)).
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.,:=@+[]".contains(c);
    let escaped = word.replace('%', "%%");
    if !word.is_empty() && word.chars().all(plain) {
        return escaped;
    }
    format!("\"{}\"", escaped.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(whose: Whose, version: u32) -> Unit {
        Unit {
            whose,
            program: "/usr/local/bin/cx".into(),
            data: SYSTEM_DATA.into(),
            arguments: vec!["--domain".to_owned(), "previews.example.com".to_owned()],
            version: Some(version),
        }
    }

    #[test]
    fn previews_outlive_the_service() {
        for version in [252, 255] {
            let text = unit(Whose::Machine, version).text();
            assert!(text.contains("\nKillMode=process\nDelegate=yes\n"), "{text}");
            assert!(text.contains("\nOOMPolicy=continue\n"));
            assert_eq!(text.contains("DelegateSubgroup=cygni-platform"), version >= 254);
        }
        assert!(unit(Whose::User, 255).text().contains("\nKillMode=process\n"));
        assert!(unit(Whose::User, 252).text().contains("\nKillMode=mixed\n"));
    }

    #[test]
    fn the_command_line_is_what_was_given() {
        let text = unit(Whose::Machine, 252).text();
        let line = "ExecStart=/usr/local/bin/cx serve --data /var/lib/cygni --domain previews.example.com\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("\nStateDirectory=cygni\n"));
    }

    #[test]
    fn words_survive_systemd() {
        let table = [
            ("/srv/cx", "/srv/cx"),
            ("/srv/my data", "\"/srv/my data\""),
            ("100%", "\"100%%\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("", "\"\""),
        ];
        for (word, written) in table {
            assert_eq!(quoted(word), written);
        }
    }
}
