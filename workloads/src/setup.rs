//! Makes the znodes that a workload uses, before its history begins.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wire::{Acl, CreateMode, ErrorCode, Request};

use crate::client::Client;
use crate::config::{Config, Server};
use crate::outcome::{Refusal, Reply};

/// The znodes could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the znodes could not be created within {limit:?}; last, {reason}")]
pub struct SetupError {
    /// How long it was tried.
    pub limit: Duration,
    /// What the last attempt failed with, and where.
    pub reason: String,
}

/// Creates every key of `config`, empty, on whichever server takes it. Existing ones are left as
/// they are. Tries the servers in turn until one attempt succeeds.
///
/// This prepares a run and is no part of its history: the checks take empty znodes of version 0
/// as given.
///
/// # Errors
/// When `limit` is over; at most two operation timeouts later.
pub async fn setup(config: &Config, limit: Duration) -> Result<(), SetupError> {
    let end = Instant::now() + limit;
    let mut reason = "there was no server to ask".into();
    for server in config.servers.iter().cycle() {
        match create_all(config, server).await {
            Ok(()) => return Ok(()),
            Err(error) => reason = format!("{}: {error}", server.name),
        }
        if Instant::now() >= end {
            break;
        }
        sleep(BETWEEN_ATTEMPTS).await;
    }
    Err(SetupError { limit, reason })
}

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

async fn create_all(config: &Config, server: &Server) -> Result<(), String> {
    let endpoint = config.endpoint(server.addr);
    let mut client = Client::connect(&endpoint, None).await.map_err(|error| error.to_string())?;
    for key in &config.keys {
        create(&mut client, key).await.map_err(|error| format!("create {key}: {error}"))?;
    }
    Ok(())
}

/// Creates a znode, empty, unless it exists.
pub(crate) async fn create(client: &mut Client, key: &str) -> Result<(), String> {
    let request = Request::Create {
        path: key.into(),
        data: Some([].into()),
        acl: Acl::open(),
        flags: CreateMode::Persistent.flags(),
    };
    match client.call(&request).await {
        Ok(Reply { result: Ok(_), .. }) => Ok(()),
        Ok(Reply { result: Err(refusal), .. }) if refusal == NODE_EXISTS => Ok(()),
        Ok(Reply { result: Err(refusal), .. }) => Err(refusal.to_string()),
        Err(no_reply) => Err(no_reply.to_string()),
    }
}

const NODE_EXISTS: Refusal = Refusal(ErrorCode::NodeExists as i32);
