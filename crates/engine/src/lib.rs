//! Runs graphs for many sequences: backends, paged KV cache, scheduler, samplers.

pub mod sampler;
