//! A broken invariant as a story: stored, told, replayed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stateright::Model;

use crate::catalogue::Bounds;
use crate::search::Story;

/// The way from a model's first state to one that breaks an invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// The invariant.
    pub invariant: String,
    /// What is wrong in the last state.
    pub why: String,
    /// Each action, for replay, in the model's own form.
    pub actions: Vec<Value>,
    /// Each action, in words.
    pub story: Vec<String>,
}

/// A counterexample as it is stored: with all that is needed to run it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterexample {
    /// The format, 1.
    pub version: u32,
    /// The model's name in the catalogue.
    pub model: String,
    /// The planted defect, if any, such as `X9`.
    pub mutant: Option<String>,
    /// What was allowed to happen.
    pub bounds: Bounds,
    /// What happened.
    #[serde(flatten)]
    pub chapter: Chapter,
}

/// What came of doing the same again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The same invariant broke, after the last step; what happened.
    Same(Chapter),
    /// Every step was possible, but the invariant held at the end.
    Held,
    /// The model does not offer this step (counted from 1) any more.
    Refused {
        /// Which.
        step: usize,
    },
}

/// Tells the path of `actions`, which the model allows, to a state that breaks `invariant`.
pub(crate) fn tell<M: Story>(model: &M, invariant: &str, actions: Vec<M::Action>) -> Chapter {
    let mut state = first(model);
    let mut story = Vec::new();
    let mut stored = Vec::new();
    for action in actions {
        story.push(model.tell(&state, &action));
        stored.push(serde_json::to_value(&action).expect("actions are plain values"));
        state = model.next_state(&state, action).expect("the search went this way");
    }
    let why = model.why(invariant, &state);
    Chapter { invariant: invariant.to_owned(), why, actions: stored, story }
}

/// Does what `chapter` says, step by step.
///
/// # Errors
/// In words, when a step or the invariant is unknown to the model.
pub(crate) fn replay<M: Story>(model: &M, chapter: &Chapter) -> Result<Replay, String> {
    let mut state = first(model);
    let mut actions = Vec::new();
    for (idx, stored) in chapter.actions.iter().enumerate() {
        let step = idx + 1;
        let action: M::Action = serde_json::from_value(stored.clone())
            .map_err(|error| format!("step {step} is no action of this model: {error}"))?;
        let mut offered = Vec::new();
        model.actions(&state, &mut offered);
        if !offered.contains(&action) {
            return Ok(Replay::Refused { step });
        }
        actions.push(action.clone());
        let Some(next) = model.next_state(&state, action) else {
            return Ok(Replay::Refused { step });
        };
        state = next;
    }
    let properties = model.properties();
    let known = properties.iter().find(|property| property.name == chapter.invariant);
    let Some(property) = known else {
        return Err(format!("this model has no invariant {}", chapter.invariant));
    };
    if (property.condition)(model, &state) {
        return Ok(Replay::Held);
    }
    Ok(Replay::Same(tell(model, &chapter.invariant, actions)))
}

/// Every model here begins in one state.
fn first<M: Model>(model: &M) -> M::State {
    model.init_states().into_iter().next().expect("a model begins somewhere")
}
