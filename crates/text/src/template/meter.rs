//! The two budgets of a render: steps taken and bytes alive.
//!
//! Counting steps alone does not bound memory: doubling a string 28 times is 28 steps. So every
//! value that owns memory carries a [`Charge`], taken before its memory is allocated and given
//! back when it is dropped.

use std::cell::Cell;
use std::rc::Rc;

use super::fault::{Bound, Res, TemplateError};

/// Counts what one render uses.
pub(super) struct Meter {
    used: Cell<usize>,
    memory: usize,
    left: Cell<u64>,
    steps: u64,
}

impl Meter {
    pub(super) fn new(steps: u64, memory: usize) -> Rc<Self> {
        Rc::new(Self { used: Cell::new(0), memory, left: Cell::new(steps), steps })
    }

    /// Pays for `steps` of work.
    pub(super) fn spend(&self, steps: u64) -> Res<()> {
        match self.left.get().checked_sub(steps) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Box::new(TemplateError::Bound { bound: Bound::Steps, cap: self.steps })),
        }
    }

    /// Pays for looking at or copying `bytes`.
    pub(super) fn scan(&self, bytes: usize) -> Res<()> {
        self.spend(bytes as u64 / 64)
    }

    /// Reserves `bytes` until the charge is dropped.
    pub(super) fn charge(self: &Rc<Self>, bytes: usize) -> Res<Charge> {
        self.take(bytes)?;
        Ok(Charge { meter: Rc::clone(self), bytes })
    }

    fn take(&self, bytes: usize) -> Res<()> {
        match self.used.get().checked_add(bytes) {
            Some(used) if used <= self.memory => {
                self.used.set(used);
                Ok(())
            }
            _ => Err(Box::new(TemplateError::Bound {
                bound: Bound::Memory,
                cap: self.memory as u64,
            })),
        }
    }
}

/// Bytes reserved from a [`Meter`].
pub(super) struct Charge {
    meter: Rc<Meter>,
    bytes: usize,
}

impl Charge {
    /// Reserves so many bytes more.
    pub(super) fn grow(&mut self, more: usize) -> Res<()> {
        self.meter.take(more)?;
        self.bytes += more;
        Ok(())
    }

    pub(super) fn meter(&self) -> &Rc<Meter> {
        &self.meter
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.meter.used.set(self.meter.used.get() - self.bytes);
    }
}
