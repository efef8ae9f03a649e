//! From expression to number. Every step gives a finite number or says why it has none.

use std::collections::BTreeMap;

use super::{Expression, Function, NotEvaluable, Operator};

/// The longest excerpt of a formula that an error quotes, in characters.
const EXCERPT: usize = 80;

/// Up to this exponent a power is repeated multiplication. Beyond it the rounding of that many products
/// would show, and the portable routine is the better answer.
const MAX_REPEATED: f64 = 1_024.0;

pub(super) fn evaluate(expression: &Expression, variables: &BTreeMap<String, f64>) -> Result<f64, NotEvaluable> {
    let result = match expression {
        Expression::Number(number) => Ok(*number),
        Expression::Name(name) => {
            let value = variables.get(name).ok_or_else(|| NotEvaluable::UnknownName(name.clone()))?;
            if value.is_finite() { Ok(*value) } else { return Err(NotEvaluable::NotFinite(name.clone())) }
        }
        Expression::Negate(operand) => Ok(-evaluate(operand, variables)?),
        Expression::Binary(operator, left, right) => {
            binary(*operator, evaluate(left, variables)?, evaluate(right, variables)?)
        }
        Expression::Call(function, arguments) => {
            let arguments = arguments.iter().map(|argument| evaluate(argument, variables));
            call(*function, &arguments.collect::<Result<Vec<_>, _>>()?)
        }
    };
    let undefined = |reason| NotEvaluable::Undefined { reason, place: excerpt(expression) };
    match result {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(undefined("the result is too large")),
        Err(reason) => Err(undefined(reason)),
    }
}

fn excerpt(expression: &Expression) -> String {
    let whole = expression.to_string();
    match whole.char_indices().nth(EXCERPT) {
        Some((cut, _)) => format!("{}…", whole.get(..cut).unwrap_or_default()),
        None => whole,
    }
}

/// A number, possibly infinite, or the reason why there is none.
type Step = Result<f64, &'static str>;

fn binary(operator: Operator, left: f64, right: f64) -> Step {
    match operator {
        Operator::Add => Ok(left + right),
        Operator::Subtract => Ok(left - right),
        Operator::Multiply => Ok(left * right),
        Operator::Power => power(left, right),
        Operator::Divide | Operator::FloorDivide | Operator::Modulo if right == 0.0 => Err("division by zero"),
        Operator::Divide => Ok(left / right),
        Operator::FloorDivide => Ok(floor_divide(left, right)),
        Operator::Modulo => Ok(modulo(left, right)),
    }
}

/// The remainder with the divisor's sign. The remainder of two doubles is itself a double, so this is exact
/// but for the one addition.
fn modulo(left: f64, right: f64) -> f64 {
    let remainder = left % right;
    if remainder != 0.0 && (remainder < 0.0) != (right < 0.0) { remainder + right } else { remainder }
}

/// The quotient rounded down, consistent with [`modulo`]: the plain quotient can round up to the next integer.
fn floor_divide(left: f64, right: f64) -> f64 {
    let quotient = (left - modulo(left, right)) / right;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

fn power(base: f64, exponent: f64) -> Step {
    if base == 0.0 && exponent < 0.0 {
        Err("zero to a negative power")
    } else if exponent.trunc() != exponent {
        if base < 0.0 { Err("a fractional power of a negative number") } else { Ok(libm::pow(base, exponent)) }
    } else if exponent.abs() <= MAX_REPEATED {
        let magnitude = repeated_product(base, exponent.abs() as u32);
        Ok(if exponent < 0.0 { 1.0 / magnitude } else { magnitude })
    } else {
        Ok(libm::pow(base, exponent))
    }
}

/// `base` multiplied by itself, by squaring.
fn repeated_product(mut base: f64, mut exponent: u32) -> f64 {
    let mut product = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            product *= base;
        }
        exponent /= 2;
        // A square that is not needed must not overflow into the product.
        if exponent > 0 {
            base *= base;
        }
    }
    product
}

fn call(function: Function, arguments: &[f64]) -> Step {
    match (function, arguments) {
        (Function::Min, [first, rest @ ..]) => Ok(rest.iter().fold(*first, |least, &next| least.min(next))),
        (Function::Max, [first, rest @ ..]) => Ok(rest.iter().fold(*first, |most, &next| most.max(next))),
        (Function::Abs, [number]) => Ok(number.abs()),
        (Function::Sqrt, [number]) if *number < 0.0 => Err("the square root of a negative number"),
        (Function::Sqrt, [number]) => Ok(number.sqrt()),
        (Function::Round, [number]) => Ok(number.round_ties_even()),
        (Function::Round, [number, decimals]) => round(*number, *decimals),
        (Function::Sum, terms) => Ok(terms.iter().sum()),
        (Function::Count, terms) => Ok(terms.len() as f64),
        (Function::Pmt, [rate, periods, present]) => payment(*rate, *periods, *present),
        (Function::Npv, [rate, flows @ ..]) => net_present_value(*rate, flows),
        (Function::Irr, flows) => internal_rate_of_return(flows),
        // The parser counts arguments, so this is for completeness.
        _ => Err("a wrong number of arguments"),
    }
}

/// Rounds to a number of decimals, a tie to the even digit; a negative count rounds to tens, hundreds and so on.
fn round(number: f64, decimals: f64) -> Step {
    if decimals.trunc() != decimals || decimals.abs() > 15.0 {
        return Err("the decimals to round to must be a whole number from -15 to 15");
    }
    if decimals > 0.0 {
        // The decimal text is rounded from the exact value, where scaling by a power of ten would round twice.
        let text = format!("{number:.*}", decimals as usize);
        text.parse().map_err(|_| "the number cannot be rounded")
    } else {
        let unit = repeated_product(10.0, -decimals as u32);
        Ok((number / unit).round_ties_even() * unit)
    }
}

/// The level payment at the end of each period that repays `present`, positive for a positive `present`.
fn payment(rate: f64, periods: f64, present: f64) -> Step {
    if periods <= 0.0 {
        return Err("a payment needs a positive number of periods");
    }
    if rate <= -1.0 {
        return Err("a rate must be above -1");
    }
    if rate == 0.0 {
        return Ok(present / periods);
    }
    // With the discount factor, not the growth factor, a long term tends to zero instead of overflowing.
    Ok(present * rate / (1.0 - 1.0 / power(1.0 + rate, periods)?))
}

/// The flows discounted to the first of them, which is not discounted.
fn net_present_value(rate: f64, flows: &[f64]) -> Step {
    if rate <= -1.0 {
        return Err("a rate must be above -1");
    }
    Ok(discounted(1.0 / (1.0 + rate), flows))
}

/// The sum of the flows, each multiplied by `factor` once more than the one before.
fn discounted(factor: f64, flows: &[f64]) -> f64 {
    flows.iter().rev().fold(0.0, |later, flow| later * factor + flow)
}

/// The rate at which the flows' present value is zero.
///
/// Flows that change sign exactly once have exactly one such rate above -1 (Descartes' rule of signs); with
/// none there is no rate, and with several there may be several, between which nothing here could choose.
fn internal_rate_of_return(flows: &[f64]) -> Step {
    let signs: Vec<bool> = flows.iter().filter(|flow| **flow != 0.0).map(|flow| *flow > 0.0).collect();
    match signs.windows(2).filter(|pair| pair.first() != pair.last()).count() {
        0 => return Err("cash flows of one sign have no rate of return"),
        1 => {}
        _ => return Err("cash flows that change sign more than once may have several rates of return"),
    }
    // Bisection over the discount factor: near zero only the earliest flow counts, far out only the latest.
    let early = signs.first() == Some(&true);
    let before_root = |factor: f64| (discounted(factor, flows) > 0.0) == early;
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..64 {
        if !before_root(high) {
            break;
        }
        (low, high) = (high, high * 2.0);
    }
    if before_root(high) || !discounted(high, flows).is_finite() {
        return Err("the rate of return is out of reach");
    }
    loop {
        let middle = low + (high - low) / 2.0;
        // No double lies between the two any more.
        if middle <= low || middle >= high {
            return Ok(1.0 / high - 1.0);
        }
        if before_root(middle) { low = middle } else { high = middle }
    }
}
