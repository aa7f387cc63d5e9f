//! `zoobreak bench`: what checking costs, and what the servers achieve.

mod checker;
mod model;
mod nemesis;
mod server;

use checker::Checker;
use clap::{Args, Subcommand};
use model::ModelBench;
use nemesis::NemesisBench;
use server::Server;

use super::Failure;
use ::checker::Exit;

/// Measure what checking costs, and what the servers achieve
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Checker(Checker),
    Server(Server),
    Nemesis(NemesisBench),
    Model(ModelBench),
}

impl Bench {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match &self.task {
            Task::Checker(checker) => checker.run(),
            Task::Server(server) => server.run(),
            Task::Nemesis(nemesis) => nemesis.run(),
            Task::Model(model) => model.run(),
        }
    }
}
