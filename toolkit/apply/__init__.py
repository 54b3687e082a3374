"""Bringing a live store to a wanted version: planning on what is observed, running, and looking again."""
