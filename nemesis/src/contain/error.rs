//! Why containment failed, at which step, and what the person at the terminal can do about it.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;

/// Containment was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainError {
    /// What was being done.
    pub step: Step,
    /// The kernel's answer.
    pub errno: Errno,
}

/// The steps of containment, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading this process' own status.
    Status,
    /// Checking that the process has one thread.
    SingleThread,
    /// New pid, mount, network, ipc and uts namespaces, with the capabilities for it.
    Namespaces,
    /// The same inside a new user namespace.
    UserNamespace,
    /// Mapping the user to root of the user namespace.
    IdMaps,
    /// Starting the inner process.
    Fork,
    /// Tying the inner process' life to the outer one's.
    ParentDeath,
    /// Making the mounts private.
    PrivateRoot,
    /// Mounting the new pid namespace's `/proc`.
    MountProc,
    /// Mounting an empty `/run`.
    MountRun,
    /// Creating a pair of virtual interfaces.
    Veth,
    /// Giving an interface an address.
    Address,
    /// Opening a packet socket.
    PacketSocket,
    /// Waiting for the child process that rehearses the other steps.
    Rehearsal,
}

impl Step {
    const ALL: [Step; 14] = [
        Step::Status,
        Step::SingleThread,
        Step::Namespaces,
        Step::UserNamespace,
        Step::IdMaps,
        Step::Fork,
        Step::ParentDeath,
        Step::PrivateRoot,
        Step::MountProc,
        Step::MountRun,
        Step::Veth,
        Step::Address,
        Step::PacketSocket,
        Step::Rehearsal,
    ];

    pub(super) fn error(self, errno: Errno) -> ContainError {
        ContainError { step: self, errno }
    }

    pub(super) fn failed(self, error: &io::Error) -> ContainError {
        self.error(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
    }

    fn describe(self) -> &'static str {
        match self {
            Step::Status => "read /proc/self/status",
            Step::SingleThread => "enter namespaces from a process with several threads",
            Step::Namespaces => "create pid, mount, network, ipc and uts namespaces",
            Step::UserNamespace => "create a user namespace",
            Step::IdMaps => "map this user to root of the user namespace",
            Step::Fork => "start the contained process",
            Step::ParentDeath => "tie the contained process to its parent",
            Step::PrivateRoot => "make the mounts private",
            Step::MountProc => "mount /proc in the namespace",
            Step::MountRun => "mount an empty /run in the namespace",
            Step::Veth => "create a virtual network interface",
            Step::Address => "give a virtual interface an address",
            Step::PacketSocket => "open a packet socket",
            Step::Rehearsal => "rehearse the containment in a child process",
        }
    }
}

impl ContainError {
    /// What to do about it, as far as this machine's settings tell.
    pub fn hint(&self) -> String {
        match (self.step, self.errno) {
            (Step::SingleThread, _) => "call it first in main, before any thread is started".into(),
            (_, Errno::ENOSPC | Errno::EUSERS) => {
                "raise the limit with `sudo sysctl -w user.max_user_namespaces=10000`, or run as root"
                    .into()
            }
            (_, Errno::EPERM | Errno::EACCES) => refusal_hint(),
            (_, Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
                "this kernel lacks namespaces or veth: use one with CONFIG_USER_NS, CONFIG_NET_NS, \
                 CONFIG_PID_NS, CONFIG_VETH and CONFIG_PACKET"
                    .into()
            }
            _ => "run as root to see whether permissions are the cause".into(),
        }
    }

    /// One byte for the step and four for the errno, so that a forked child can tell its parent.
    pub(super) fn encode(verdict: Result<(), ContainError>) -> Vec<u8> {
        let Err(error) = verdict else { return vec![u8::MAX] };
        let mut bytes = vec![error.step as u8];
        bytes.extend((error.errno as i32).to_ne_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<(), ContainError> {
        match bytes {
            [u8::MAX] => Ok(()),
            [step, errno @ ..] if errno.len() == 4 && usize::from(*step) < Step::ALL.len() => {
                let errno = i32::from_ne_bytes(errno.try_into().expect("its length was checked"));
                Err(Step::ALL[usize::from(*step)].error(Errno::from_raw(errno)))
            }
            _ => Err(Step::Rehearsal.error(Errno::ECHILD)),
        }
    }
}

impl fmt::Display for ContainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {} ({})", self.step.describe(), self.errno.desc(), self.hint())
    }
}

impl std::error::Error for ContainError {}

fn refusal_hint() -> String {
    let sysctl = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    if sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        return "AppArmor forbids it: `sudo sysctl -w \
                kernel.apparmor_restrict_unprivileged_userns=0`, or run as root"
            .into();
    }
    if sysctl("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        return "`sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run as root".into();
    }
    if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        return "this container forbids it: start it with `--privileged`, or with `--cap-add \
                SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined --security-opt \
                apparmor=unconfined`"
            .into();
    }
    "run as root, or outside the sandbox that forbids namespaces".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_survive_the_pipe() {
        assert_eq!(ContainError::decode(&ContainError::encode(Ok(()))), Ok(()));
        for (number, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, number);
            let error = step.error(Errno::EPERM);
            assert_eq!(ContainError::decode(&ContainError::encode(Err(error))), Err(error));
        }
    }

    #[test]
    fn a_child_that_says_nothing_is_a_failure() {
        for bytes in [&[][..], &[0], &[200, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0]] {
            assert_eq!(ContainError::decode(bytes).unwrap_err().step, Step::Rehearsal);
        }
    }

    #[test]
    fn messages_say_what_to_do() {
        let text = Step::UserNamespace.error(Errno::ENOSPC).to_string();
        assert!(text.contains("user.max_user_namespaces"), "{text}");
        assert!(text.starts_with("cannot create a user namespace"), "{text}");
    }
}
