//! The lab (namespaces, links, processes) and the ways to hurt it.
