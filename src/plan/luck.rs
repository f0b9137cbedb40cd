//! The chance in random histories and simulated worlds. The same seed gives the same
//! draws.

/// The generator `SplitMix64`.
#[derive(Debug)]
pub struct Luck(u64);

impl Luck {
    pub fn new(seed: u64) -> Self {
        let mut luck = Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        luck.draw();
        luck
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// From 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.unit() * (to - from)
    }

    pub fn number(&mut self, from: u32, to: u32) -> u32 {
        from + u32::try_from(self.draw() % u64::from(to - from + 1)).expect("few")
    }

    /// One of the values, by their weights.
    pub fn weighted<T: Copy>(&mut self, choices: &[(T, u32)]) -> T {
        let all: u32 = choices.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.number(1, all);
        for (value, weight) in choices {
            if drawn <= *weight {
                return *value;
            }
            drawn -= weight;
        }
        choices[0].0
    }
}
