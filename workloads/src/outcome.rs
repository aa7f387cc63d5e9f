//! From how a request ended to what is known about its effect: one table.

use std::fmt;
use std::time::Duration;

use history::Kind;
use wire::{ErrorCode, Response};

/// How a request ended.
pub type Answer = Result<Reply, NoReply>;

/// A server's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The zxid in the header, for a failed write too; 0 when the header's means nothing (0 or
    /// negative).
    pub zxid: u64,
    /// The body, for operations that have one, or the error.
    pub result: Result<Option<Response>, Refusal>,
}

/// The error code of a reply, in ZooKeeper's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal(pub i32);

impl Refusal {
    /// Whether the server closes the connection after this error, or will not do anything more
    /// for it.
    #[must_use]
    pub fn ends_connection(self) -> bool {
        use ErrorCode::{AuthFailed, SessionClosedRequireSaslAuth, SessionExpired, SessionMoved};
        let ends = [AuthFailed, SessionClosedRequireSaslAuth, SessionExpired, SessionMoved];
        ErrorCode::from_i32(self.0).is_some_and(|code| ends.contains(&code))
    }
}

impl fmt::Display for Refusal {
    /// ZooKeeper's name, such as `BadVersion`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ErrorCode::from_i32(self.0) {
            Some(code) => code.fmt(f),
            None => write!(f, "unknown error {}", self.0),
        }
    }
}

/// Why there is no reply. The connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// Not a byte of the request left this process.
    #[error("not sent: {0}")]
    Unsent(String),
    /// The connection broke after the request was sent, even partly, or its bytes made no sense.
    #[error("connection lost: {0}")]
    Lost(String),
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// Whether a request can change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `getData`, `sync` and their like.
    Read,
    /// `setData` and its like.
    Write,
}

/// What is known about a request that ended in `answer`.
///
/// | how it ended | write | read |
/// |--|--|--|
/// | success | ok | ok |
/// | an error that servers decide on before anything changes | fail | fail |
/// | an error that says nothing about the effect, or an unknown one | info | fail |
/// | no byte sent | fail | fail |
/// | connection lost, or no answer in time | info | fail |
///
/// A read without an answer is `fail` rather than `info`: it changed nothing, so nothing that it
/// may have done later matters. Which errors are which is in `definite`, below.
#[must_use]
pub fn outcome(effect: Effect, answer: &Answer) -> Kind {
    match (answer, effect) {
        (Ok(Reply { result: Ok(_), .. }), _) => Kind::Ok,
        (_, Effect::Read) | (Err(NoReply::Unsent(_)), Effect::Write) => Kind::Fail,
        (Ok(Reply { result: Err(refusal), .. }), Effect::Write) => refused(*refusal),
        (Err(NoReply::Lost(_) | NoReply::TimedOut(_)), Effect::Write) => Kind::Info,
    }
}

fn refused(refusal: Refusal) -> Kind {
    match ErrorCode::from_i32(refusal.0) {
        Some(code) if definite(code) => Kind::Fail,
        _ => Kind::Info,
    }
}

/// Whether a write that is answered with this error certainly has no effect.
#[expect(clippy::match_same_arms, reason = "each arm has its own grounds")]
fn definite(code: ErrorCode) -> bool {
    use ErrorCode as E;
    match code {
        // Decided from the state before the write, by the leader (`PrepRequestProcessor` makes an
        // error transaction of it).
        E::NoNode
        | E::NoAuth
        | E::BadVersion
        | E::NoChildrenForEphemerals
        | E::NodeExists
        | E::NotEmpty
        | E::InvalidACL
        | E::BadArguments
        | E::QuotaExceeded
        | E::EphemeralOnLocalSession
        | E::NewConfigNoQuorum
        | E::ReconfigInProgress
        | E::ReconfigDisabled
        | E::NoWatcher => true,
        // The leader did not take it, because of who asked.
        E::SessionExpired | E::SessionMoved | E::UnknownSession => true,
        // The server that was asked did not pass it on.
        E::Unimplemented
        | E::AuthFailed
        | E::NotReadOnly
        | E::SessionClosedRequireSaslAuth
        | E::ThrottledOp => true,
        // The server caught an exception while it answered (`FinalRequestProcessor` says
        // `MarshallingError`), which may be after the write was applied.
        E::MarshallingError | E::SystemError | E::RuntimeInconsistency | E::DataInconsistency => {
            false
        }
        // It took too long; it may yet happen.
        E::OperationTimeout | E::RequestTimeout => false,
        // Clients make these up, and a bound that is no error: a server that sends them tells us
        // nothing.
        E::ConnectionLoss | E::InvalidCallback | E::APIError => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: i32) -> Answer {
        Ok(Reply { zxid: 7, result: Err(Refusal(code)) })
    }

    #[test]
    fn success_is_ok() {
        let answer = Ok(Reply { zxid: 7, result: Ok(None) });
        assert_eq!(outcome(Effect::Write, &answer), Kind::Ok);
        assert_eq!(outcome(Effect::Read, &answer), Kind::Ok);
    }

    #[test]
    fn a_write_without_an_answer_may_have_happened_unless_it_never_left() {
        let write = |no_reply| outcome(Effect::Write, &Err(no_reply));
        assert_eq!(write(NoReply::Unsent("refused".into())), Kind::Fail);
        assert_eq!(write(NoReply::Lost("reset".into())), Kind::Info);
        assert_eq!(write(NoReply::TimedOut(Duration::from_secs(1))), Kind::Info);
    }

    #[test]
    fn a_read_without_an_answer_changed_nothing() {
        let read = |no_reply| outcome(Effect::Read, &Err(no_reply));
        assert_eq!(read(NoReply::Unsent("refused".into())), Kind::Fail);
        assert_eq!(read(NoReply::Lost("reset".into())), Kind::Fail);
        assert_eq!(read(NoReply::TimedOut(Duration::from_secs(1))), Kind::Fail);
    }

    /// Every code, written out once more from ZooKeeper's `KeeperException.Code`: the ones that
    /// leave a write's effect unknown, and the rest.
    #[test]
    fn every_error_code_has_its_place() {
        let unknown = [-1, -2, -3, -4, -5, -7, -100, -113, -122];
        let definite = [
            -6, -8, -12, -13, -14, -101, -102, -103, -108, -110, -111, -112, -114, -115, -118,
            -119, -120, -121, -123, -124, -125, -127,
        ];
        assert_eq!(unknown.len() + definite.len(), ErrorCode::ALL.len());
        for code in unknown {
            assert_eq!(outcome(Effect::Write, &refusal(code)), Kind::Info, "{}", Refusal(code));
        }
        for code in definite {
            assert_eq!(outcome(Effect::Write, &refusal(code)), Kind::Fail, "{}", Refusal(code));
        }
        for code in ErrorCode::ALL {
            assert_eq!(outcome(Effect::Read, &refusal(code.code())), Kind::Fail, "{code}");
        }
    }

    #[test]
    fn a_code_that_zookeeper_does_not_have_decides_nothing() {
        assert_eq!(outcome(Effect::Write, &refusal(-999)), Kind::Info);
        assert_eq!(outcome(Effect::Read, &refusal(-999)), Kind::Fail);
        assert_eq!(Refusal(-999).to_string(), "unknown error -999");
    }

    #[test]
    fn errors_of_the_session_end_the_connection() {
        let ends = ErrorCode::ALL.iter().filter(|code| Refusal(code.code()).ends_connection());
        let names: Vec<String> = ends.map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["SessionExpired", "AuthFailed", "SessionMoved", "SessionClosedRequireSaslAuth"]
        );
    }
}
