//! Text to ids and back: tokenizers, chat templates, reasoning formats, message types.
