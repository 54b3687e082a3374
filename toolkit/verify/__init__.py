"""Proof by doing: an upgrade path walked on a throwaway store, with records, a writer and a judge beside it."""
