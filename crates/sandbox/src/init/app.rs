//! The command: a child of the init that gives up everything and becomes it.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};

use crate::cgroup::Handles;
use crate::seccomp::Filter;
use crate::spec::Spec;
use crate::sys::{self, Fork};
use crate::zygote::{APP_ID, Failed, Launch, OPEN_FILES_WANTED, Report, Step as _};

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const HOME: &str = "/home/app";
/// Queued signals and timers.
const SIGNALS_PENDING_MAX: u64 = 1024;
/// One queue of the default size (10 messages of 8 KiB) and its upkeep.
const MESSAGE_QUEUE_BYTES_MAX: u64 = 96 << 10;

/// The command's main process and the read ends of its output.
pub(super) struct App {
    pub(super) pid: u32,
    pub(super) out: PipeReader,
    pub(super) err: PipeReader,
}

/// The program's home directory.
pub(super) fn home(spec: &Spec) -> &str {
    variable(spec, "HOME")
        .filter(|home| home.starts_with('/'))
        .unwrap_or(HOME)
}

fn variable<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    spec.env
        .iter()
        .rev()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Starts the command; returns when it has been executed.
pub(super) fn start(launch: &Launch, handles: &Handles, filter: &Filter) -> Result<App, Report> {
    let failed = |error: io::Error| {
        Report::Failed(Failed {
            step: "pipes".to_owned(),
            error: error.to_string(),
        })
    };
    let (out, out_write) = io::pipe().map_err(failed)?;
    let (err, err_write) = io::pipe().map_err(failed)?;
    let (mut verdict, mut speak) = io::pipe().map_err(failed)?;
    // SAFETY: the init has one thread; the child becomes the command or ends below.
    match unsafe { sys::fork() }.map_err(failed)? {
        Fork::Child => {
            drop((out, err, verdict));
            let refusal = become_command(
                launch,
                Output {
                    out: out_write,
                    err: err_write,
                },
                (handles, filter),
            );
            let _ = serde_json::to_vec(&refusal).map(|bytes| speak.write_all(&bytes));
            super::exit(127)
        }
        Fork::Parent(pid, _pidfd) => {
            drop((out_write, err_write, speak));
            let mut text = Vec::new();
            // Closed by a successful exec; else it says why.
            let _ = verdict.read_to_end(&mut text);
            if text.is_empty() {
                return Ok(App { pid, out, err });
            }
            Err(serde_json::from_slice(&text).unwrap_or_else(|error| failed(error.into())))
        }
    }
}

struct Output {
    out: io::PipeWriter,
    err: io::PipeWriter,
}

/// Returns only why it did not work.
fn become_command(launch: &Launch, output: Output, (handles, filter): (&Handles, &Filter)) -> Report {
    match give_up_everything(launch, &output, handles) {
        Ok(()) => {}
        Err(failed) => return Report::Failed(failed),
    }
    let spec = &launch.spec;
    if let Err(error) = rustix::process::chdir(spec.cwd.as_str()) {
        return Report::Command {
            error: format!("cannot enter {:?}: {error}", spec.cwd),
        };
    }
    if let Err(error) = filter.install().step("seccomp") {
        return Report::Failed(error);
    }
    Report::Command {
        error: execute(spec).to_string(),
    }
}

/// The steps of isolation that belong to the command alone, in the order of docs/security.md.
fn give_up_everything(launch: &Launch, output: &Output, handles: &Handles) -> Result<(), Failed> {
    rustix::process::setsid().step("session")?;
    handles.enter().step("cgroups")?;
    // From here on its own group is the top of what it sees of groups.
    // SAFETY: changes no descriptor table.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWCGROUP) }
        .step("cgroup namespace")?;
    connect_output(output).step("output")?;
    sys::close_on_exec_from(3).step("descriptors")?;
    sys::default_signals().step("signals")?;
    limits(launch).step("resource limits")?;
    drop_power(launch.uid_base.is_some()).step("capabilities")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}

fn connect_output(output: &Output) -> io::Result<()> {
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(&output.out)?;
    rustix::stdio::dup2_stderr(&output.err)?;
    Ok(())
}

fn limits(launch: &Launch) -> io::Result<()> {
    let limits = &launch.spec.limits;
    sys::limit_resource(libc::RLIMIT_NOFILE, OPEN_FILES_WANTED)?;
    sys::limit_resource(libc::RLIMIT_CORE, 0)?;
    // Counted for the platform's user too, and so for all sandboxes together.
    sys::limit_resource(libc::RLIMIT_SIGPENDING, SIGNALS_PENDING_MAX)?;
    sys::limit_resource(libc::RLIMIT_MSGQUEUE, MESSAGE_QUEUE_BYTES_MAX)?;
    sys::limit_resource(libc::RLIMIT_FSIZE, limits.file_bytes_max)?;
    // Where groups count processes this only backs them up; without root the init is counted too.
    sys::limit_resource(libc::RLIMIT_NPROC, u64::from(limits.pids_max) + 1)
}

fn drop_power(mapped: bool) -> io::Result<()> {
    if mapped {
        use rustix::thread::{CapabilitiesSecureBits, set_capabilities_secure_bits};
        set_capabilities_secure_bits(CapabilitiesSecureBits::empty())?;
        // While it is still allowed to change ids; the capabilities go with them.
        sys::set_file_ids(0, 0)?;
        sys::drop_bounding_set()?;
        sys::become_user(APP_ID, APP_ID)?;
    } else {
        sys::drop_bounding_set()?;
    }
    sys::clear_capabilities()?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Looks `argv[0]` up as a shell would, inside; returns only the error.
fn execute(spec: &Spec) -> io::Error {
    let c_string = |text: &str| CString::new(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
    let path = variable(spec, "PATH").unwrap_or(PATH);
    let mut env: Vec<String> = spec
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for (name, value) in [("PATH", path), ("HOME", home(spec))] {
        if variable(spec, name).is_none() {
            env.push(format!("{name}={value}"));
        }
    }
    let strings = |texts: &[String]| {
        texts
            .iter()
            .map(|text| c_string(text))
            .collect::<io::Result<Vec<_>>>()
    };
    let (argv, env) = match (strings(&spec.argv), strings(&env)) {
        (Ok(argv), Ok(env)) => (argv, env),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    let command = &spec.argv[0];
    if command.contains('/') {
        return c_string(command).map_or_else(|error| error, |path| sys::execute(&path, &argv, &env));
    }
    let mut refusal = io::Error::from_raw_os_error(libc::ENOENT);
    for dir in path.split(':').filter(|dir| dir.starts_with('/')) {
        let Ok(candidate) = c_string(&format!("{dir}/{command}")) else {
            continue;
        };
        let error = sys::execute(&candidate, &argv, &env);
        // Not there, or not executable there: the next directory may do. What cannot be run at all is told.
        if error.raw_os_error() != Some(libc::ENOENT) && error.raw_os_error() != Some(libc::ENOTDIR) {
            refusal = error;
        }
    }
    refusal
}
