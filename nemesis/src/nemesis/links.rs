//! Bad links: made by the switch, proven by what it counted.

use serde_json::{Value, json};

use super::{Active, Nemesis};
use crate::fault::{FaultId, Grudge};
use crate::outcome::Outcome;
use crate::partition::NO_NETWORK;
use crate::switch::{Losses, Quality, Tally};

impl Nemesis {
    pub(super) fn spoil(
        &self,
        id: FaultId,
        quality: Quality,
        links: &Grudge,
        seed: u64,
    ) -> (Outcome, Value) {
        let mut evidence = json!({ "quality": quality, "links": links.len() });
        if links.is_empty() || quality == Quality::default() {
            return (Outcome::skipped("it makes no link bad"), evidence);
        }
        if !self.lab.has_network() {
            return (Outcome::skipped(NO_NETWORK), evidence);
        }
        let all: Vec<_> = links.iter().copied().collect();
        let switch = self.lab.switch();
        let shaped = switch.losses().and_then(|lost_before| {
            switch.shape(id, &all, quality, seed)?;
            Ok((lost_before, switch.shapers()?))
        });
        match shaped {
            Ok((lost_before, shapers)) if shapers.contains(&id) => {
                evidence["in_switch"] = json!(true);
                self.ledger.put(id, Active::Link { quality, lost_before });
                (Outcome::Installed, evidence)
            }
            Ok(_) => (Outcome::skipped("the switch does not know of it"), evidence),
            Err(error) => (Outcome::skipped(error.to_string()), evidence),
        }
    }

    /// Every effect that was asked for must have happened to some packet, else nobody felt it.
    pub(super) fn clear(
        &self,
        id: FaultId,
        quality: Quality,
        lost_before: Losses,
    ) -> Result<(Outcome, Value), String> {
        let switch = self.lab.switch();
        let unshaped = switch.unshape(id).map_err(|e| e.to_string())?;
        if switch.shapers().map_err(|e| e.to_string())?.contains(&id) {
            return Err("the switch still makes links bad".into());
        }
        let losses = switch.losses().map_err(|e| e.to_string())?;
        let mut total = Tally::default();
        unshaped.tallies.values().for_each(|tally| total += *tally);
        let links: Vec<_> = unshaped
            .tallies
            .iter()
            .map(|(link, tally)| json!({ "src": link.src, "dst": link.dst, "tally": tally }))
            .collect();
        let evidence = json!({
            "total": total,
            "per_link": links,
            "segments_replayed": unshaped.n_replayed,
            "lost_by_no_fault": losses - lost_before,
        });
        Ok((Outcome::unless(&quality.unfelt(&total)), evidence))
    }

    /// Faults that make links bad though none should, in words.
    pub(super) fn bad_links(&self) -> Vec<String> {
        if !self.lab.has_network() {
            return Vec::new();
        }
        match self.lab.switch().shapers() {
            Ok(faults) => faults
                .iter()
                .map(|id| format!("the switch still makes links bad for {id}"))
                .collect(),
            Err(error) => vec![error.to_string()],
        }
    }
}
