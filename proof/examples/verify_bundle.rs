//! Verifies a receipt's bundle against a key of the log, offline:
//!
//! ```sh
//! cargo run -p proof --example verify_bundle -- proof/tests/documents/bundle.json "$(cat proof/tests/documents/log.vkey)"
//! ```
//!
//! The key is a public key in base64 or a verifier key of a signed note. It must come from elsewhere than the bundle:
//! without one the program says whether the bundle holds together, and ends with 1 all the same.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use proof::{
    bundle::{Bundle, Outcome, Signer, Trust, verify},
    note::{NotAKey, PublicKey, VerifierKey},
};
use std::{error::Error, process::ExitCode};

fn key(text: &str) -> Result<PublicKey, NotAKey> {
    match text.contains('+').then(|| text.parse::<VerifierKey>()) {
        Some(Ok(key)) => Ok(key.key()),
        _ => text.parse(),
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: verify_bundle <bundle.json> [key…]")?;
    let keys = arguments.map(|text| key(&text)).collect::<Result<_, _>>()?;
    let bundle = Bundle::parse(&std::fs::read(file)?)?;
    let report = verify(&bundle, &Trust { keys, ..Trust::default() });
    for step in &report.steps {
        match step.outcome {
            Outcome::Holds => println!("  ok    {:?}: {}", step.name, step.found),
            Outcome::NotChecked => println!("  -     {:?}: {}", step.name, step.found),
            Outcome::Fails => println!("  FAILS {:?}: expected {}, found {}", step.name, step.expected, step.found),
        }
    }
    println!(
        "{}",
        match (report.consistent(), report.signer) {
            (false, _) => "The bundle does not hold.",
            (true, Signer::Known) => "Proved.",
            (true, Signer::Unknown) => "Consistent, signer unknown: give a key that you know from elsewhere.",
            (true, Signer::Other) => "Consistent, but signed by somebody else.",
        }
    );
    Ok(report.proved())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("verify_bundle: {error}");
            ExitCode::FAILURE
        }
    }
}
