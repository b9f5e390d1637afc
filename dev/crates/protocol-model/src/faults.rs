//! What goes wrong: processes killed, callbacks lost, late and repeated, bettors who hang up, a journal set back.

use crate::flaw::Flaw;
use crate::size::Size;
use crate::state::{Bettor, Callback, Replica, State};

impl State {
    /// line-provider is killed and started again. Whether a batch that was written but not synced is there
    /// afterwards is the disk's choice; it is there whole or not at all. Being down for a while is the same as not
    /// being scheduled.
    pub fn crash_provider(&mut self, batch_is_kept: bool, size: &Size) -> Option<()> {
        self.left.crashes = self.left.crashes.checked_sub(1)?;
        let provider = &mut self.provider;
        if provider.durable == provider.log.len() && batch_is_kept {
            return None;
        }
        if !batch_is_kept {
            self.seen.lost_answer |= provider.answered > provider.durable;
            provider.log.truncate(provider.durable);
        }
        provider.restart(size.events);
        self.nobody_awaits();
        Some(())
    }

    /// A write fails, and the writer goes on all the same: only with the flaw. Otherwise it is a crash.
    pub fn fail_write(&mut self, size: &Size) -> Option<()> {
        let provider = &mut self.provider;
        if size.flaw != Some(Flaw::GoesOnAfterFailedWrite) || provider.durable == provider.log.len() {
            return None;
        }
        self.left.crashes = self.left.crashes.checked_sub(1)?;
        provider.log.truncate(provider.durable);
        Some(())
    }

    /// A bet-maker is killed and started again: its transactions are undone.
    pub fn crash_replica(&mut self, replica: u8) -> Option<()> {
        self.left.crashes = self.left.crashes.checked_sub(1)?;
        let killed = std::mem::take(&mut self.replicas[replica]);
        // Whoever called back sees the connection break.
        let letter = killed.clerk.as_ref().and_then(|letter| letter.work.callback());
        if let Some(callback) = letter.filter(|callback| callback.awaited) {
            self.failed(callback.change.event.id);
        }
        (killed != Replica::default()).then_some(())
    }

    /// A callback gets lost, and its sender notices.
    pub fn lose(&mut self, event: u8) -> Option<()> {
        self.left.losses = self.left.losses.checked_sub(1)?;
        let number = self
            .flying
            .numbers()
            .find(|number| self.flying[*number].is_awaited_for(event))?;
        self.flying.remove(number);
        self.failed(event)
    }

    /// The sender of a callback gives up waiting, but the callback, or what is made of it, goes on.
    pub fn delay(&mut self, event: u8) -> Option<()> {
        self.left.losses = self.left.losses.checked_sub(1)?;
        self.failed(event)?;
        self.unawait(|callback| callback.change.event.id == event);
        Some(())
    }

    pub fn duplicate(&mut self, number: u8) -> Option<()> {
        self.left.duplicates = self.left.duplicates.checked_sub(1)?;
        let copy = Callback {
            awaited: false,
            ..self.flying[number]
        };
        self.fly(copy);
        Some(())
    }

    /// A callback that nobody waits for need not arrive.
    pub fn drop_stray(&mut self, number: u8) -> Option<()> {
        let stray = self.flying.remove(number);
        (!stray.awaited).then_some(())
    }

    /// A bettor hangs up on an attempt that goes on, and will ask again.
    pub fn hang_up(&mut self, replica: u8) -> Option<()> {
        self.left.hang_ups = self.left.hang_ups.checked_sub(1)?;
        let placing = self.replicas[replica].placing.as_mut()?;
        let was_heard = std::mem::replace(&mut placing.heard, false);
        was_heard.then_some(())
    }

    /// line-provider comes back with the first `kept` changes of its journal, or with another one.
    pub fn restore(&mut self, kept: Option<u8>, size: &Size) -> Option<()> {
        self.left.restores = self.left.restores.checked_sub(1)?;
        let provider = &mut self.provider;
        let length = kept.unwrap_or(0);
        if kept.is_some() && length >= provider.durable {
            return None;
        }
        let lost = usize::from(provider.durable - length);
        let forgotten = provider.log.first(provider.durable).rev().take(lost);
        let forgotten: Vec<_> = forgotten.map(|change| change.event).collect();
        forgotten
            .into_iter()
            .for_each(|event| self.seen.forgotten.push(event));
        self.seen.restored = true;
        provider.log.truncate(length);
        if kept.is_none() {
            provider.instance += 1;
        }
        provider.saved = provider.saved.min(length);
        provider.restart(size.events);
        self.nobody_awaits();
        Some(())
    }

    pub fn tick(&mut self) -> Option<()> {
        self.left.ticks = self.left.ticks.checked_sub(1)?;
        self.now += 1;
        Some(())
    }

    fn nobody_awaits(&mut self) {
        self.unawait(|_| true);
    }

    fn unawait(&mut self, which: impl Fn(&Callback) -> bool) {
        let taken = self
            .replicas
            .iter_mut()
            .filter_map(|replica| replica.clerk.as_mut()?.work.callback_mut());
        for callback in self.flying.iter_mut().chain(taken) {
            callback.awaited &= !which(callback);
        }
        self.flying.sort();
    }

    /// Whether that bettor waits for an answer that nobody is working on.
    pub fn asks_in_vain(&self, bettor: u8) -> bool {
        let is_worked_on = |replica: &Replica| {
            let placing = replica.placing.as_ref();
            placing.is_some_and(|placing| placing.bettor == bettor && placing.heard)
        };
        self.bettors[bettor] == Bettor::Asking && !self.replicas.iter().any(is_worked_on)
    }
}

impl Callback {
    fn is_awaited_for(&self, event: u8) -> bool {
        self.awaited && self.change.event.id == event
    }
}
