//! What this computer is and what a plan costs on it.
