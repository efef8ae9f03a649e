//! How far a stated number may be from the true one, and how much a larger miss weighs.

use serde::{Deserialize, Serialize};

use super::vocabulary::TierLevel;

/// A truth nearer to zero than this is taken to be this far from it when a miss is measured against it.
const SMALLEST_TRUTH: f64 = 1e-9;

/// The units that say a number is money.
const CURRENCIES: [&str; 5] = ["us dollars", "dollars", "dollar", "usd", "$"];

/// Parts of a name that say a number is money, for numbers without units.
const MONEY_WORDS: [&str; 14] = [
    "amount",
    "payment",
    "check",
    "cost",
    "price",
    "fee",
    "dollar",
    "$",
    "invoice",
    "payout",
    "refund",
    "wire",
    "balance",
    "debt service",
];

/// The bounds between a pass and the tiers of a flag. Relative ones are fractions of the true value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Declared")]
pub struct Bands {
    /// Up to this a miss passes.
    pub tol_rel: f64,
    /// From this on a miss is mid; below, low.
    pub low_rel: f64,
    /// From this on a miss is high.
    pub critical_rel: f64,
    /// A miss of this many units of money is high too, if it is also [`Self::abs_floor_rel`] of the truth.
    pub critical_abs: f64,
    /// The share of the truth below which a miss of money is not high for its amount alone.
    pub abs_floor_rel: f64,
}

/// What a comparison with the truth comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Near enough.
    Pass,
    /// Off by this much.
    Flag(TierLevel),
}

impl Default for Bands {
    fn default() -> Self {
        Self { tol_rel: 0.01, low_rel: 0.05, critical_rel: 0.10, critical_abs: 1_000.0, abs_floor_rel: 0.02 }
    }
}

impl Bands {
    /// Grades a stated number against the true one. A number that is not finite is off by any measure.
    pub fn grade(&self, stated: f64, truth: f64, monetary: bool) -> Grade {
        let absolute = (stated - truth).abs();
        // The division is part of the rule: another form of it puts 101 against 100 on the wrong side.
        let relative = absolute / truth.abs().max(SMALLEST_TRUTH);
        if relative <= self.tol_rel {
            Grade::Pass
        } else if !relative.is_finite()
            || relative >= self.critical_rel
            || (monetary && absolute >= self.critical_abs && relative >= self.abs_floor_rel)
        {
            Grade::Flag(TierLevel::High)
        } else if relative >= self.low_rel {
            Grade::Flag(TierLevel::Mid)
        } else {
            Grade::Flag(TierLevel::Low)
        }
    }
}

/// Bands as a sheet declares them: any left out has its default.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Declared {
    tol_rel: f64,
    low_rel: f64,
    critical_rel: f64,
    critical_abs: f64,
    abs_floor_rel: f64,
}

impl Default for Declared {
    fn default() -> Self {
        let Bands { tol_rel, low_rel, critical_rel, critical_abs, abs_floor_rel } = Bands::default();
        Self { tol_rel, low_rel, critical_rel, critical_abs, abs_floor_rel }
    }
}

impl TryFrom<Declared> for Bands {
    type Error = BandsError;

    fn try_from(declared: Declared) -> Result<Self, BandsError> {
        let Declared { tol_rel, low_rel, critical_rel, critical_abs, abs_floor_rel } = declared;
        let named = [
            ("tol_rel", tol_rel),
            ("low_rel", low_rel),
            ("critical_rel", critical_rel),
            ("critical_abs", critical_abs),
            ("abs_floor_rel", abs_floor_rel),
        ];
        if let Some((name, value)) = named.into_iter().find(|(_, value)| !value.is_finite() || *value < 0.0) {
            return Err(BandsError::Negative { name, value });
        }
        if tol_rel > low_rel || low_rel > critical_rel {
            return Err(BandsError::Order { tol_rel, low_rel, critical_rel });
        }
        Ok(Self { tol_rel, low_rel, critical_rel, critical_abs, abs_floor_rel })
    }
}

/// Why bands are refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BandsError {
    /// A bound below zero.
    #[error("{name} is {value}; it must be zero or more")]
    Negative {
        /// Which.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// Bounds out of order.
    #[error("tol_rel {tol_rel}, low_rel {low_rel} and critical_rel {critical_rel} must not fall in this order")]
    Order {
        /// Up to this a miss passes.
        tol_rel: f64,
        /// From this on it is mid.
        low_rel: f64,
        /// From this on it is high.
        critical_rel: f64,
    },
}

/// Whether a number is money: as its units say ("USD", "$/month", "USD per unit"), and by its name only if it has none.
///
/// Money per money, such as "USD/USD", is a ratio.
pub fn is_monetary(units: Option<&str>, name: &str) -> bool {
    let units = units.map(|units| units.trim().to_lowercase()).filter(|units| !units.is_empty());
    match units {
        Some(units) => match after_currency(&units) {
            Some(rest) => {
                let rest = rest.trim_start();
                let divisor = rest.strip_prefix('/').or_else(|| rest.strip_prefix("per "));
                divisor.is_none_or(|divisor| after_currency(divisor.trim_start()).is_none())
            }
            None => false,
        },
        None => {
            let name = name.to_lowercase();
            MONEY_WORDS.iter().any(|word| name.contains(word))
        }
    }
}

/// What follows the currency that a text starts with, if it starts with one.
fn after_currency(text: &str) -> Option<&str> {
    CURRENCIES.iter().find_map(|currency| {
        let rest = text.strip_prefix(currency)?;
        let goes_on = rest.chars().next().is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '-'));
        if goes_on && *currency != "$" { None } else { Some(rest) }
    })
}

#[cfg(test)]
mod tests;
