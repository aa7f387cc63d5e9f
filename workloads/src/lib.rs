//! What clients do: generators, clients, recipes.
