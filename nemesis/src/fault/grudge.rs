//! Grudges: who drops whose packets. The word and most shapes are Jepsen's (`jepsen.nemesis`).

use std::collections::BTreeSet;

use crate::host::{Host, NodeId};
use crate::switch::Link;

/// The links whose receiver drops what their sender sends. A mutual silence is two links.
pub type Grudge = BTreeSet<Link>;

/// `a` and `b` do not hear each other.
pub fn split(a: &[NodeId], b: &[NodeId]) -> Grudge {
    deaf(a, b).into_iter().chain(deaf(b, a)).collect()
}

/// `listeners` do not hear `speakers`, who do hear them.
pub fn deaf(listeners: &[NodeId], speakers: &[NodeId]) -> Grudge {
    speakers
        .iter()
        .flat_map(|&src| listeners.iter().map(move |&dst| (src, dst)))
        .filter(|(src, dst)| src != dst)
        .map(|(src, dst)| Link { src: src.into(), dst: dst.into() })
        .collect()
}

/// `node` and all others do not hear each other.
pub fn isolate(node: NodeId, nodes: &[NodeId]) -> Grudge {
    split(&[node], nodes)
}

/// The first half of `order`, rounded down, and the rest do not hear each other: a minority, a majority.
pub fn halves(order: &[NodeId]) -> Grudge {
    let (minority, majority) = order.split_at(order.len() / 2);
    split(minority, majority)
}

/// The middle of `order` hears all; those before it and those after it do not hear each other.
pub fn bridge(order: &[NodeId]) -> Grudge {
    let middle = order.len() / 2;
    split(&order[..middle], &order[middle + 1..])
}

/// With `order` as a ring, every node hears only those nearest to it that make a majority with it.
///
/// Links work in both directions or in none, so with an even number of nodes each hears one node more
/// than a majority.
pub fn majorities_ring(order: &[NodeId]) -> Grudge {
    let n_nodes = order.len();
    let n_majority = n_nodes / 2 + 1;
    let reach = (n_majority - 1).div_ceil(2);
    let far = |i: usize, j: usize| i.abs_diff(j).min(n_nodes - i.abs_diff(j)) > reach;
    let pairs = (0..n_nodes).flat_map(|i| (0..n_nodes).map(move |j| (i, j)));
    pairs
        .filter(|&(i, j)| far(i, j))
        .map(|(i, j)| Link { src: order[i].into(), dst: order[j].into() })
        .collect()
}

/// The clients and `servers` do not hear each other. Both directions are cut, so that neither a late
/// reply nor a watch event slips out.
pub fn client_cut(servers: &[NodeId]) -> Grudge {
    servers
        .iter()
        .map(|&node| Host::Node(node))
        .flat_map(|node| {
            [Link { src: Host::Clients, dst: node }, Link { src: node, dst: Host::Clients }]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nodes that `node` still hears, itself included.
    fn heard(node: NodeId, nodes: &[NodeId], grudge: &Grudge) -> Vec<NodeId> {
        let hears = |src: NodeId| !grudge.contains(&Link { src: src.into(), dst: node.into() });
        nodes.iter().copied().filter(|&src| hears(src)).collect()
    }

    fn is_symmetric(grudge: &Grudge) -> bool {
        grudge.iter().all(|link| grudge.contains(&Link { src: link.dst, dst: link.src }))
    }

    fn ids(numbers: &[u8]) -> Vec<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn halves_are_a_minority_and_a_majority() {
        for n_nodes in 2..=9 {
            let nodes = NodeId::first(n_nodes);
            let grudge = halves(&nodes);
            let (a, b) = nodes.split_at(usize::from(n_nodes / 2));
            assert!(is_symmetric(&grudge));
            assert!(a.iter().all(|&node| heard(node, &nodes, &grudge) == a));
            assert!(b.iter().all(|&node| heard(node, &nodes, &grudge) == b));
        }
    }

    #[test]
    fn the_isolated_node_hears_itself_and_the_others_hear_each_other() {
        let nodes = NodeId::first(5);
        let grudge = isolate(NodeId(3), &nodes);
        assert_eq!(grudge.len(), 8);
        assert_eq!(heard(NodeId(3), &nodes, &grudge), ids(&[3]));
        assert_eq!(heard(NodeId(1), &nodes, &grudge), ids(&[1, 2, 4, 5]));
    }

    #[test]
    fn the_deaf_are_heard() {
        let nodes = NodeId::first(3);
        let grudge = deaf(&ids(&[1]), &nodes);
        assert_eq!(heard(NodeId(1), &nodes, &grudge), ids(&[1]));
        assert_eq!(heard(NodeId(2), &nodes, &grudge), nodes);
    }

    #[test]
    fn in_a_ring_each_hears_a_majority_and_no_two_the_same() {
        for n_nodes in 5..=12 {
            let nodes = NodeId::first(n_nodes);
            let grudge = majorities_ring(&nodes);
            assert!(!grudge.is_empty() && is_symmetric(&grudge));
            let views: BTreeSet<_> =
                nodes.iter().map(|&node| heard(node, &nodes, &grudge)).collect();
            assert_eq!(views.len(), nodes.len());
            assert!(views.iter().all(|view| view.len() * 2 > nodes.len()));
        }
    }

    #[test]
    fn only_the_bridge_hears_both_sides() {
        let nodes = NodeId::first(5);
        let grudge = bridge(&nodes);
        assert!(is_symmetric(&grudge));
        assert_eq!(heard(NodeId(3), &nodes, &grudge), nodes);
        assert_eq!(heard(NodeId(1), &nodes, &grudge), ids(&[1, 2, 3]));
        assert_eq!(heard(NodeId(5), &nodes, &grudge), ids(&[3, 4, 5]));
    }

    #[test]
    fn a_client_cut_leaves_the_servers_alone() {
        let nodes = NodeId::first(3);
        let grudge = client_cut(&ids(&[2]));
        assert_eq!(grudge.len(), 2);
        assert!(nodes.iter().all(|&node| heard(node, &nodes, &grudge) == nodes));
        assert!(grudge.contains(&Link { src: Host::Clients, dst: Host::Node(NodeId(2)) }));
    }
}
