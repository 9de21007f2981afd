//! What the types of the file cannot say: ranges, paths inside the source, names of variables.

use super::{Limits, ProjectFile, Run, Variable};
use crate::EnvironmentName;
use crate::limits::{HEALTH_SECONDS_MAX, INSTANCES_MAX};

/// No server is of use with less.
const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// A key and what is wrong with its value.
type Wrong = (&'static str, String);

impl ProjectFile {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if let Some(name) = &self.project {
            crate::ProjectName::new(name).map_err(|error| ("project", error.to_string()))?;
        }
        inside("root", self.root.as_deref())?;
        inside("build.output", self.build.output.as_deref())?;
        self.run.check()?;
        self.limits.check()?;
        if self.preview.keep == Some(0) {
            return Err(("preview.keep", "at least 1 deployment is kept".to_owned()));
        }
        self.check_env()
    }

    fn check_env(&self) -> Result<(), Wrong> {
        for (name, variable) in &self.env {
            match variable {
                Variable::Environment(own) => {
                    name.parse::<EnvironmentName>()
                        .map_err(|error| ("env", error.to_string()))?;
                    own.keys().try_for_each(|name| check_variable_name(name))
                }
                Variable::Value(_) => check_variable_name(name),
            }
            .map_err(|message| ("env", message))?;
        }
        Ok(())
    }
}

impl Run {
    fn check(&self) -> Result<(), Wrong> {
        let path = self.health.path.as_deref();
        if path.is_some_and(|path| !path.starts_with('/') || path.contains(char::is_whitespace)) {
            let message = "a path starts with `/` and holds no spaces";
            return Err(("run.health.path", message.to_owned()));
        }
        let possible = 1..=u64::from(HEALTH_SECONDS_MAX);
        if self
            .health
            .timeout
            .is_some_and(|seconds| !possible.contains(&seconds))
        {
            let message = "between `1s` and `15m` is possible";
            return Err(("run.health.timeout", message.to_owned()));
        }
        if let Some(instances) = self.instances
            && !(1..=INSTANCES_MAX).contains(&instances)
        {
            let message = format!("{instances} instances are not possible, 1 to {INSTANCES_MAX} are");
            return Err(("run.instances", message));
        }
        Ok(())
    }
}

impl Limits {
    fn check(&self) -> Result<(), Wrong> {
        if self.cpu.is_some_and(|cpu| !(0.05..=64.0).contains(&cpu)) {
            return Err(("limits.cpu", "between 0.05 and 64 CPUs are possible".to_owned()));
        }
        if self.memory.is_some_and(|bytes| bytes < MEMORY_BYTES_MIN) {
            return Err(("limits.memory", "at least `16MiB` are needed".to_owned()));
        }
        Ok(())
    }
}

/// Whether `path` is a directory inside the source, or not given.
fn inside(key: &'static str, path: Option<&str>) -> Result<(), Wrong> {
    match path {
        None | Some("" | ".") => Ok(()),
        Some(path) if crate::TreePath::new(path.trim_end_matches('/')).is_ok() => Ok(()),
        Some(path) => Err((key, format!("`{path}` is not a directory inside the source"))),
    }
}

/// Whether `name` can be a variable: letters, digits and `_`, no digit first, and none of the platform's own.
pub fn check_variable_name(name: &str) -> Result<(), String> {
    let shaped = !name.is_empty()
        && name.len() <= 256
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !shaped {
        return Err(format!(
            "`{name}` cannot be the name of a variable: use letters, digits and `_`"
        ));
    }
    if name.starts_with("CYGNI_") {
        return Err(format!(
            "`{name}` is set by the platform; choose a name without `CYGNI_`"
        ));
    }
    Ok(())
}
