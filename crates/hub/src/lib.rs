//! Brings models in, verified: sources, a store that is a Hugging Face cache, pins.
