//! Ctrl-C: stops the answer, not the program; a second one that nobody heeds ends it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether the user wants the work to stop.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Call once.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&asked);
        ctrlc::set_handler(move || {
            if heard.swap(true, Ordering::SeqCst) {
                // The first is not heeded yet, so work hangs: leave as an interrupted program does.
                std::process::exit(130);
            }
        })?;
        Ok(Interrupt(asked))
    }

    /// Whether it was pressed since [`Interrupt::reset`].
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Forgets it.
    pub(crate) fn reset(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
