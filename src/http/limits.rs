//! Limits per caller, counted in this process.

use crate::{
    http::error::{Problem, Reply},
    outside::clock,
};
use aggregates::identity::actor::Actor;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use std::{hash::Hash, net::IpAddr, num::NonZeroU32, time::Duration};

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// A person or an API key.
    Caller(Actor),
    /// Everybody without a credential at one address (of IPv6, one /64).
    Address(IpAddr),
}

impl Who {
    /// Everybody at an address.
    pub(crate) fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self::Address(IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into())),
            v4 @ IpAddr::V4(_) => Self::Address(v4),
        }
    }
}

/// How a caller stands with its limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// How many requests a period has.
    pub(crate) limit: u32,
    /// How many of them are left.
    pub(crate) remaining: u32,
    /// When all of them will be there again, in Unix seconds.
    pub(crate) reset: i64,
}

/// The limits of this process.
#[derive(Debug)]
pub struct Limits {
    requests: Option<Limiter<Who>>,
    sign_ins: Option<Limiter<String>>,
    verifications: Option<Limiter<Who>>,
}

impl Limits {
    /// Limits with these numbers: requests a minute for each caller, sign-ins in ten minutes for each
    /// address; 0 turns one off.
    pub fn new(requests_per_minute: u32, sign_ins_per_ten_minutes: u32) -> Self {
        Self {
            requests: Limiter::new(requests_per_minute, Duration::from_secs(60)),
            sign_ins: Limiter::new(sign_ins_per_ten_minutes, Duration::from_secs(600)),
            verifications: Limiter::new(sign_ins_per_ten_minutes.saturating_mul(4), Duration::from_secs(600)),
        }
    }

    /// Counts an attempt to sign in by this e-mail address (in lower case) or from this network address.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub fn sign_in(&self, address: &str) -> Reply<()> {
        let Some(limiter) = &self.sign_ins else { return Ok(()) };
        let too_many = |wait| Problem::rate_limited("too many attempts to sign in; wait before the next one", wait);
        limiter.take(&address.to_owned()).map(|_| ()).map_err(|(_, wait)| too_many(wait))
    }

    /// Counts an attempt to trade a sign-in link's token, from this network address: four times as many as links may be
    /// asked for, since several people may share an address.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub fn verify(&self, address: IpAddr) -> Reply<()> {
        let Some(limiter) = &self.verifications else { return Ok(()) };
        let too_many = |wait| Problem::rate_limited("too many attempts to sign in; wait before the next one", wait);
        limiter.take(&Who::at(address)).map(|_| ()).map_err(|(_, wait)| too_many(wait))
    }

    /// Counts a request.
    pub(crate) fn request(&self, who: &Who) -> (Option<Standing>, Reply<()>) {
        let Some(limiter) = &self.requests else { return (None, Ok(())) };
        match limiter.take(who) {
            Ok(standing) => (Some(standing), Ok(())),
            Err((standing, wait)) => {
                let detail = format!("too many requests; {} a minute are allowed", limiter.limit);
                (Some(standing), Err(Problem::rate_limited(detail, wait)))
            }
        }
    }

    /// What somebody has who has asked for nothing yet: for the probes, which are not counted.
    pub(crate) fn untouched(&self) -> Option<Standing> {
        self.requests.as_ref().map(|limiter| limiter.standing(limiter.limit))
    }

    /// Forgets those who have been quiet for a while, so that memory does not grow with every visitor.
    pub(crate) fn forget_the_quiet(&self) {
        if let Some(limiter) = &self.requests {
            limiter.buckets.retain_recent();
        }
        if let Some(limiter) = &self.sign_ins {
            limiter.buckets.retain_recent();
        }
        if let Some(limiter) = &self.verifications {
            limiter.buckets.retain_recent();
        }
    }
}

/// A bucket of `limit` for each key, refilled evenly over a period.
#[derive(Debug)]
struct Limiter<K: Hash + Eq + Clone> {
    limit: u32,
    period: Duration,
    clock: DefaultClock,
    buckets: RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(limit: u32, period: Duration) -> Option<Self> {
        let burst = NonZeroU32::new(limit)?;
        let quota = Quota::with_period(period / limit)?.allow_burst(burst);
        let clock = DefaultClock::default();
        let buckets = RateLimiter::dashmap_with_clock(quota, clock.clone()).with_middleware();
        Some(Self { limit, period, clock, buckets })
    }

    /// Takes one; or says how many whole seconds there are to wait.
    fn take(&self, key: &K) -> Result<Standing, (Standing, u64)> {
        match self.buckets.check_key(key) {
            Ok(state) => Ok(self.standing(state.remaining_burst_capacity())),
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.clock.now());
                Err((self.standing(0), wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))
            }
        }
    }

    fn standing(&self, remaining: u32) -> Standing {
        let missing = u64::from(self.limit.saturating_sub(remaining));
        let seconds = (self.period.as_secs() * missing).div_ceil(u64::from(self.limit));
        let reset = clock::now().as_second().saturating_add_unsigned(seconds);
        Standing { limit: self.limit, remaining, reset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_allowed_has_to_wait() {
        let limits = Limits::new(3, 0);
        let ada = Who::at([192, 0, 2, 1].into());
        let left = |who| limits.request(who).0.map(|standing| standing.remaining);
        assert_eq!([left(&ada), left(&ada), left(&ada)], [Some(2), Some(1), Some(0)]);
        let (standing, outcome) = limits.request(&ada);
        assert_eq!(standing.unwrap().remaining, 0);
        assert_eq!(outcome.unwrap_err().code(), crate::http::error::Code::RateLimited);
        assert!(limits.request(&Who::at([192, 0, 2, 2].into())).1.is_ok(), "another caller has its own");
        assert!((0..100).all(|_| limits.sign_in("ada@example.org").is_ok()), "0 is off");
    }

    #[test]
    fn one_ipv6_network_is_one_caller() {
        let at = |text: &str| Who::at(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}
