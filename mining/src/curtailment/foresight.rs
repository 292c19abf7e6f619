//! What somebody would have made who knew every price beforehand: the most any
//! rule can reach.

use super::paid::Paid;
use super::{Machine, Mode};

/// The best so far that ends running, and the best that ends stopped, units.
struct Best {
    running: i128,
    stopped: i128,
    cycle: i128,
}

impl Best {
    /// One interval on, in which running brings `gain` over being stopped.
    fn step(&mut self, gain: i128) {
        let Self { running, stopped, cycle } = *self;
        self.running = running.max(stopped) + gain;
        self.stopped = stopped.max(running - cycle);
    }
}

impl Machine {
    /// The best sum over all intervals of running over being stopped, less what
    /// stops cost, units.
    pub(super) fn foresight(&self, paid: &Paid) -> i128 {
        let mut best = Best { running: 0, stopped: -self.cycle, cycle: self.cycle };
        match self.modes.as_slice() {
            [mode] if mode.power > self.standby => self.by_blocks(*mode, paid, &mut best),
            _ => paid.prices.iter().for_each(|price| best.step(self.gain(*price) * paid.minutes)),
        }
        best.running.max(best.stopped)
    }

    /// With one way to run. A stretch in which running is always better, or
    /// never, acts as one interval, because nobody would switch within it.
    fn by_blocks(&self, mode: Mode, paid: &Paid, best: &mut Best) {
        let (revenue, saved) = (mode.revenue * paid.minutes, (mode.power - self.standby) * paid.minutes);
        let threshold = revenue.div_euclid(saved);
        for (lowest, highest, sum, prices) in paid.blocks() {
            if i128::from(highest) <= threshold || i128::from(lowest) > threshold {
                best.step(prices.len() as i128 * revenue - saved * sum);
            } else {
                for price in prices {
                    best.step(revenue - saved * i128::from(*price));
                }
            }
        }
    }
}
