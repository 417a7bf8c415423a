//! How fast messages come to a topic: a mean that forgets.

use crate::limits::PACE_FORGETS;

/// The time of a broker, which has no clock and is told it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beat {
    /// Hundredths of a second since somebody began to count; starts over after 497 days.
    now: u32,
    /// How many of them passed between the last two times that it was told.
    step: u32,
}

/// Messages of one topic. One that comes in counts fully at first, and ever less: what the mean
/// remembers of it after [`PACE_FORGETS`] is a bit more than a third.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Messages per second, as of `since`, without those counted since.
    mean: f64,
    /// The beat that messages are being counted in.
    since: u32,
    /// Messages of that beat.
    count: u32,
}

impl Beat {
    /// The beat behind this one, so many milliseconds after the beginning.
    pub(super) fn next(self, milliseconds: u64) -> Self {
        let hundredths = milliseconds / 10 % (u64::from(u32::MAX) + 1);
        let now = u32::try_from(hundredths).expect("less than 2^32");
        Self { now, step: now.wrapping_sub(self.now) }
    }
}

impl Pace {
    /// One more message.
    #[inline]
    pub(super) fn count(&mut self, beat: Beat) {
        if self.since != beat.now {
            *self = Self { mean: self.mean(beat), since: beat.now, count: 0 };
        }
        // a beat is far too short for as many as would make it start over
        self.count = self.count.wrapping_add(1);
    }

    /// Messages in ten seconds, as many as a number holds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and what is too large becomes the largest"
    )]
    pub(super) fn tenths(&self, beat: Beat) -> u32 {
        (self.mean(beat) * 10.0).round() as u32
    }

    /// Messages per second. Those of this beat are left out, since it has not ended.
    #[cold]
    fn mean(&self, beat: Beat) -> f64 {
        let ago = beat.now.wrapping_sub(self.since);
        if ago == 0 {
            return self.mean;
        }
        let forgets = PACE_FORGETS.as_secs_f64();
        let kept = |hundredths: f64| (-hundredths / 100.0 / forgets).exp();
        // as if they had come in the middle of their beat
        let middle = f64::from(ago) - f64::from(beat.step.min(ago)) / 2.0;
        self.mean * kept(f64::from(ago)) + f64::from(self.count) / forgets * kept(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts so many messages in each beat of half a second; what the mean is then.
    fn paced(pace: &mut Pace, beat: &mut Beat, beats: u64, messages: u32) -> f64 {
        for _ in 0..beats {
            *beat = beat.next(10 * u64::from(beat.now) + 500);
            (0..messages).for_each(|_| pace.count(*beat));
        }
        pace.mean(beat.next(10 * u64::from(beat.now) + 500))
    }

    #[test]
    fn a_steady_pace_is_its_mean() {
        let (mut pace, mut beat) = (Pace::default(), Beat::default());
        let mean = paced(&mut pace, &mut beat, 100, 50);
        assert!((mean - 100.0).abs() < 1.0, "{mean}");
        // a message now and then is none for a moment
        let mean = paced(&mut pace, &mut beat, 60, 0);
        assert!(mean < 0.01, "{mean}");
    }

    #[test]
    fn it_follows_a_change_within_seconds() {
        let (mut pace, mut beat) = (Pace::default(), Beat::default());
        let forgets = 2 * PACE_FORGETS.as_secs();
        let risen = paced(&mut pace, &mut beat, forgets, 50);
        assert!((60.0..70.0).contains(&risen), "{risen}");
        let fallen = paced(&mut pace, &mut beat, forgets, 0);
        assert!((20.0..30.0).contains(&fallen), "{fallen}");
    }

    #[test]
    fn a_beat_that_has_not_ended_does_not_count_and_a_round_may_begin() {
        let (mut pace, mut beat) = (Pace::default(), Beat { now: u32::MAX - 20, step: 50 });
        pace.count(beat);
        assert!(pace.mean(beat).abs() < f64::EPSILON);
        let last = 10 * u64::from(beat.now);
        beat = beat.next(last + 500);
        assert_eq!((beat.now, beat.step), (29, 50));
        let mean = pace.mean(beat);
        assert!((0.2..0.5).contains(&mean), "{mean}");
    }
}
