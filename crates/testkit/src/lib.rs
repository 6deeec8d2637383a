//! Development only: golden files, tiny checkpoints, a plain reading of what the references left.
