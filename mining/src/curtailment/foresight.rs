//! What somebody would have made who knew every price beforehand: the most any
//! rule can reach.

use super::Machine;
use super::backtest::{Block, Prices};

impl Machine {
    /// The best sum over all intervals of running over being stopped, less what
    /// stops cost, units.
    ///
    /// Two values go from interval to interval: the best so far that ends
    /// running and the best that ends stopped. A stretch in which running is
    /// always better, or never, acts as one interval, because nobody would
    /// switch within it.
    pub(super) fn foresight(&self, prices: &Prices) -> i128 {
        let (mut running, mut stopped) = (0_i128, -self.cycle);
        let mut step = |gain: i128| {
            (running, stopped) = (running.max(stopped) + gain, stopped.max(running - self.cycle));
        };
        let minutes = prices.minutes;
        for block in &prices.blocks {
            match (self.gain_of_all(block), self.modes.as_slice()) {
                (true, [mode]) => {
                    let count = i128::from(block.count) * mode.revenue;
                    step((count - (mode.power - self.standby) * block.sum) * minutes);
                }
                _ => prices.of(block).iter().for_each(|price| step(self.gain(*price) * minutes)),
            }
        }
        running.max(stopped)
    }

    /// Whether running is better in all of a block's intervals, or in none: with
    /// one mode the gain is a straight line over the price, so its ends tell.
    fn gain_of_all(&self, block: &Block) -> bool {
        let ends = [block.lowest, block.highest].map(|price| self.gain(price).signum());
        ends != [-1, 1] && ends != [1, -1]
    }
}
