//! From a file to a sheet, collecting every problem on the way.

use super::{
    MAX_RULES, Problem, Rule, Sheet, SheetError,
    drafts::{DeterministicDraft, Draft, EvidenceDraft, HeadingDraft, MathDraft, PolicyDraft, RuleDraft, SpecDraft},
    output_schema::OutputSchema,
    rules::{
        DeterministicCheck, EvalSpec, EvidenceCheck, Example, Heading, InputSource, KnownFrom, MathCheck, PolicyRule,
        Test,
    },
};
use crate::{
    rulebooks::{
        formula::{self, Formula},
        policy::{CalculationName, Node},
        version::Version,
        vocabulary::{CapabilityTier, CheckCategory, CheckKind, Lane, RuleSeverity},
    },
    runs::audit::{STACK_FIT, text_rules::TextRule},
};
use proof::{canonical::parse_strict, digest::sha256};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The thresholds where a sheet says nothing.
const PASS_THRESHOLD: u8 = 80;
const FAIL_THRESHOLD: u8 = 60;
/// The longest file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Keys that the referee gives its own checks.
const RESERVED: [&str; 4] = ["json_valid", "required_fields_present", "schema_valid", "calculations_well_formed"];

pub(super) fn sheet(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let mut reader = Reader::default();
    let sheet = reader.sheet(bytes);
    match sheet {
        Some(sheet) if reader.problems.is_empty() => Ok(sheet),
        _ => Err(SheetError { problems: reader.problems }),
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
    /// The keys taken so far.
    keys: BTreeSet<String>,
}

/// The fields of an object that are still to be read.
struct Fields {
    /// The object's place in the file.
    within: &'static str,
    entries: Map<String, Value>,
    /// The names asked for so far.
    allowed: Vec<&'static str>,
}

impl Fields {
    fn path(&self, name: &str) -> String {
        if self.within.is_empty() { name.to_owned() } else { format!("{}.{name}", self.within) }
    }
}

impl Reader {
    fn problem(&mut self, path: &str, message: impl ToString) {
        self.problems.push(Problem { path: path.to_owned(), message: message.to_string() });
    }

    /// The value as a `T`; otherwise a problem at its exact place.
    fn typed<T: DeserializeOwned>(&mut self, path: &str, value: Value) -> Option<T> {
        match serde_path_to_error::deserialize(value) {
            Ok(typed) => Some(typed),
            Err(error) => {
                let within = error.path().to_string();
                let path = match (path.is_empty(), within.as_str()) {
                    (_, ".") => path.to_owned(),
                    (true, within) => within.to_owned(),
                    (false, within) if within.starts_with('[') => format!("{path}{within}"),
                    (false, within) => format!("{path}.{within}"),
                };
                self.problem(&path, error.into_inner());
                None
            }
        }
    }

    /// A field of an object; nothing where it is left out, and a problem where it cannot be read.
    fn field<T: DeserializeOwned>(&mut self, of: &mut Fields, name: &'static str) -> Option<T> {
        of.allowed.push(name);
        let value = of.entries.remove(name)?;
        self.typed(&of.path(name), value)
    }

    /// A field that must be there.
    fn needed<T: DeserializeOwned>(&mut self, of: &mut Fields, name: &'static str) -> Option<T> {
        if !of.entries.contains_key(name) {
            self.problem(&of.path(name), format!("the field `{name}` is missing"));
        }
        self.field(of, name)
    }

    /// What is left over once every field was asked for.
    fn nothing_else(&mut self, of: &Fields) {
        for name in of.entries.keys() {
            self.problem(&of.path(name), format!("unknown field `{name}`; allowed are {}", of.allowed.join(", ")));
        }
    }

    fn draft(&mut self, entries: Map<String, Value>) -> Draft {
        let of = &mut Fields { within: "", entries, allowed: vec![] };
        let draft = Draft {
            slug: self.needed(of, "slug"),
            name: self.needed(of, "name"),
            version: self.needed(of, "version"),
            lane: self.needed(of, "lane").unwrap_or(Lane::Other),
            summary: self.needed(of, "summary"),
            purpose: self.needed(of, "purpose"),
            assignment_instructions: self.needed(of, "assignment_instructions"),
            required_inputs: self.needed(of, "required_inputs").unwrap_or_default(),
            expected_outputs: self.needed(of, "expected_outputs").unwrap_or_default(),
            audit_checks: self.needed(of, "audit_checks").unwrap_or_default(),
            pass_threshold: self.field::<Option<u8>>(of, "pass_threshold").flatten().unwrap_or(PASS_THRESHOLD),
            fail_threshold: self.field::<Option<u8>>(of, "fail_threshold").flatten().unwrap_or(FAIL_THRESHOLD),
            min_capability_tier: self.field::<Option<CapabilityTier>>(of, "min_capability_tier").flatten(),
            eval_spec: self
                .field::<Option<Map<String, Value>>>(of, "eval_spec")
                .flatten()
                .map(|entries| self.spec_draft(entries)),
        };
        self.field::<Option<String>>(of, "$schema");
        self.nothing_else(of);
        draft
    }

    fn spec_draft(&mut self, entries: Map<String, Value>) -> SpecDraft {
        let of = &mut Fields { within: "eval_spec", entries, allowed: vec![] };
        let draft = SpecDraft {
            required_output_schema: self.field::<Option<Value>>(of, "required_output_schema").flatten(),
            deterministic_checks: self.field(of, "deterministic_checks").unwrap_or_default(),
            math_checks: self.field(of, "math_checks").unwrap_or_default(),
            evidence_checks: self.field(of, "evidence_checks").unwrap_or_default(),
            rules: self.field(of, "rules").unwrap_or_default(),
            penalty: self.field(of, "penalty").unwrap_or_default(),
            free_calculations: self.field(of, "free_calculations").unwrap_or_default(),
        };
        self.nothing_else(of);
        draft
    }

    fn sheet(&mut self, bytes: &[u8]) -> Option<Sheet> {
        if bytes.len() > MAX_BYTES {
            self.problem("", format!("the file has {} bytes; {MAX_BYTES} are allowed", bytes.len()));
            return None;
        }
        let value = match parse_strict(bytes) {
            Ok(value) => value,
            Err(error) => {
                let message = format!("{} (at {})", error.refusal, error.place);
                self.problem(&error.path, message);
                return None;
            }
        };
        let Value::Object(entries) = value else {
            self.problem("", "a flight sheet is one JSON object");
            return None;
        };
        let draft = self.draft(entries);
        let rules = draft.audit_checks.len() + draft.eval_spec.as_ref().map_or(0, SpecDraft::rules);
        if rules > MAX_RULES {
            self.problem("", format!("the sheet has {rules} rules; {MAX_RULES} are allowed"));
            return None;
        }
        self.texts(&draft);
        let listed = self.listed(&draft.audit_checks);
        if rules == 0 && draft.eval_spec.as_ref().is_none_or(|spec| spec.required_output_schema.is_none()) {
            self.problem("audit_checks", "the sheet has no rule; one at least is needed");
        }
        let judges_json = draft.eval_spec.is_some();
        let weight = draft.eval_spec.as_ref().map_or(0, SpecDraft::weight);
        let (spec, output_schema) = draft.eval_spec.map(|spec| self.spec(spec, &listed)).unwrap_or_default();
        let eval_spec = judges_json.then_some(spec);
        self.every_auto_rule_is_known(&listed);
        Some(Sheet {
            slug: draft.slug?,
            name: draft.name?,
            version: draft.version?,
            lane: draft.lane,
            summary: draft.summary?,
            purpose: draft.purpose?,
            assignment_instructions: draft.assignment_instructions?,
            required_inputs: draft.required_inputs,
            expected_outputs: draft.expected_outputs,
            audit_checks: listed,
            pass_threshold: draft.pass_threshold,
            fail_threshold: draft.fail_threshold,
            min_capability_tier: draft.min_capability_tier,
            required_output_schema: output_schema.as_ref().map(|schema| schema.source().clone()),
            eval_spec,
            output_schema,
            weight,
            content_sha256: sha256(bytes),
        })
    }

    fn texts(&mut self, draft: &Draft) {
        if draft.slug.as_ref().is_some_and(|slug| !is_slug(slug)) {
            self.problem(
                "slug",
                "must be 1 to 80 characters: lower-case letters and digits, in words joined by one `_` or `-`",
            );
        }
        for (path, text, longest) in [
            ("name", &draft.name, 200),
            ("summary", &draft.summary, 500),
            ("purpose", &draft.purpose, 4_000),
            ("assignment_instructions", &draft.assignment_instructions, 20_000),
        ] {
            text.iter().for_each(|text| self.text(path, text, longest));
        }
        if let Some(Err(error)) = draft.version.as_ref().map(|version| version.parse::<Version>()) {
            self.problem("version", error);
        }
        for (name, list) in [("required_inputs", &draft.required_inputs), ("expected_outputs", &draft.expected_outputs)]
        {
            for (place, text) in list.iter().enumerate() {
                self.text(&format!("{name}[{place}]"), text, 300);
            }
        }
        if draft.pass_threshold > 100 || draft.fail_threshold > draft.pass_threshold {
            self.problem("fail_threshold", "the thresholds must satisfy 0 ≤ fail_threshold ≤ pass_threshold ≤ 100");
        }
    }

    fn text(&mut self, path: &str, text: &str, longest: usize) {
        let length = text.chars().count();
        if text.trim().is_empty() || length > longest {
            self.problem(path, format!("must have 1 to {longest} characters and not be blank; it has {length}"));
        }
    }

    /// The rules as they are shown. Checklist keys are taken at once; those of automatic ones by what executes them.
    fn listed(&mut self, rules: &[Value]) -> Vec<Rule> {
        let mut listed: Vec<Rule> = Vec::with_capacity(rules.len());
        for (place, rule) in rules.iter().enumerate() {
            let path = format!("audit_checks[{place}]");
            let Some(draft) = self.typed::<RuleDraft>(&path, rule.clone()) else { continue };
            self.text(&format!("{path}.label"), &draft.label, 300);
            let kind = draft.kind.unwrap_or(CheckKind::Checklist);
            if listed.iter().any(|other| other.key == draft.key) {
                self.problem(&path, format!("the rule `{}` is listed twice", draft.key));
            } else if kind == CheckKind::Checklist {
                self.take(&path, &draft.key);
            }
            let text_rule = TextRule::named(&draft.key).filter(|_| kind == CheckKind::Auto);
            listed.push(Rule {
                category: draft.category.or(text_rule.map(TextRule::category)).unwrap_or(CheckCategory::Policy),
                key: draft.key,
                label: draft.label,
                kind,
                severity: draft.severity.unwrap_or(RuleSeverity::Noncritical),
            });
        }
        listed
    }

    /// Takes a key, which must be well formed and free.
    fn take(&mut self, path: &str, key: &str) {
        if !is_key(key) {
            let form = "must be 1 to 64 characters: a lower-case letter, then lower-case letters, digits and `_`";
            self.problem(path, format!("the key `{key}` {form}"));
        } else if RESERVED.contains(&key) || STACK_FIT.contains(&key) || is_generated(key) {
            self.problem(path, format!("the key `{key}` is one that the referee gives its own checks"));
        } else if !self.keys.insert(key.to_owned()) {
            self.problem(path, format!("the key `{key}` is taken by another rule"));
        }
    }

    fn every_auto_rule_is_known(&mut self, listed: &[Rule]) {
        for (place, rule) in listed.iter().enumerate().filter(|(_, rule)| rule.kind == CheckKind::Auto) {
            if self.keys.contains(&rule.key) {
                continue;
            }
            if TextRule::named(&rule.key).is_some() {
                self.take(&format!("audit_checks[{place}]"), &rule.key);
            } else {
                let message = format!(
                    "the referee cannot execute the rule `{}`: nothing in `eval_spec` has this key, and the rules of its own are {}",
                    rule.key,
                    TextRule::ALL.map(TextRule::key).join(", "),
                );
                self.problem(&format!("audit_checks[{place}]"), message);
            }
        }
    }

    fn spec(&mut self, draft: SpecDraft, listed: &[Rule]) -> (EvalSpec, Option<OutputSchema>) {
        let schema = draft.required_output_schema.and_then(|schema| match OutputSchema::compile(schema) {
            Ok(schema) => Some(schema),
            Err(error) => {
                self.problem("eval_spec.required_output_schema", error);
                None
            }
        });
        let mut spec = EvalSpec { penalty: draft.penalty, ..EvalSpec::default() };
        if draft.free_calculations.len() > MAX_RULES {
            let message = format!("{} names; {MAX_RULES} are allowed", draft.free_calculations.len());
            self.problem("eval_spec.free_calculations", message);
        }
        for (place, name) in draft.free_calculations.into_iter().enumerate() {
            let name = self.calculation(&format!("eval_spec.free_calculations[{place}]"), name, Vec::new());
            spec.free_calculations.extend(name);
        }
        for (place, entry) in draft.deterministic_checks.into_iter().enumerate() {
            let path = format!("eval_spec.deterministic_checks[{place}]");
            spec.deterministic_checks.extend(self.deterministic(&path, &format!("det_{}", place + 1), entry, listed));
        }
        for (place, entry) in draft.math_checks.into_iter().enumerate() {
            let path = format!("eval_spec.math_checks[{place}]");
            spec.math_checks.extend(self.math(&path, &format!("result_{}", place + 1), entry, listed));
        }
        self.math_checks_refer_to_each_other(&spec.math_checks);
        for (place, entry) in draft.evidence_checks.into_iter().enumerate() {
            let path = format!("eval_spec.evidence_checks[{place}]");
            if let Some((heading, draft)) =
                self.entry::<EvidenceDraft>(&path, &format!("ev_{}", place + 1), CheckCategory::Evidence, entry, listed)
            {
                let (array, field) = (draft.match_field, draft.field);
                if array.level() + field.level() > 0 {
                    self.problem(&path, format!("the paths of the rule `{}` have no `@`", heading.key));
                }
                spec.evidence_checks.push(EvidenceCheck { heading, array, field });
            }
        }
        for (place, entry) in draft.rules.into_iter().enumerate() {
            let path = format!("eval_spec.rules[{place}]");
            if let Some((heading, draft)) =
                self.entry::<PolicyDraft>(&path, &format!("rule_{}", place + 1), CheckCategory::Policy, entry, listed)
            {
                match Node::read(&draft.assert) {
                    Ok(condition) => spec.rules.push(PolicyRule { heading, condition }),
                    Err(error) => {
                        let within = error.place.strip_prefix("rule").unwrap_or_default();
                        let message = format!("the rule `{}` cannot be executed: {}", heading.key, error.message);
                        self.problem(&format!("{path}.assert{within}"), message);
                    }
                }
            }
        }
        (spec, schema)
    }

    /// An executable rule: its heading, from where it is listed or from the entry itself, and the rest as a `T`.
    fn entry<T: DeserializeOwned>(
        &mut self,
        path: &str,
        default_key: &str,
        default_category: CheckCategory,
        entry: Value,
        listed: &[Rule],
    ) -> Option<(Heading, T)> {
        let Value::Object(mut rest) = entry else {
            self.problem(path, "a rule must be an object");
            return None;
        };
        let heading: Map<String, Value> = ["key", "label", "category", "severity", "remedy"]
            .into_iter()
            .filter_map(|name| rest.remove_entry(name))
            .collect();
        let heading: HeadingDraft = self.typed(path, Value::Object(heading))?;
        let key = heading.key.unwrap_or_else(|| default_key.to_owned());
        self.take(path, &key);
        if let Some(remedy) = &heading.remedy {
            self.text(&format!("{path}.remedy"), remedy, 500);
        }
        let before = self.problems.len();
        let body = self.typed::<T>(path, Value::Object(rest));
        for problem in self.problems.iter_mut().skip(before) {
            problem.message = format!("the rule `{key}` cannot be executed: {}", problem.message);
        }
        let heading = match listed.iter().find(|rule| rule.key == key && rule.kind == CheckKind::Auto) {
            Some(rule) => {
                if heading.label.is_some() || heading.category.is_some() || heading.severity.is_some() {
                    let message = "`audit_checks` already declares its label, category and severity; they stand in one place only";
                    self.problem(path, format!("the rule `{key}`: {message}"));
                }
                let (label, category, severity) = (rule.label.clone(), rule.category, Some(rule.severity));
                Heading { key, label, category, severity, remedy: heading.remedy }
            }
            None => {
                let label = heading.label.unwrap_or_default();
                self.text(&format!("{path}.label"), &label, 300);
                let category = heading.category.unwrap_or(default_category);
                Heading { key, label, category, severity: heading.severity, remedy: heading.remedy }
            }
        };
        Some((heading, body?))
    }

    fn calculation(&mut self, path: &str, name: String, aliases: Vec<String>) -> Option<CalculationName> {
        let calculation = CalculationName::new(name, aliases);
        if calculation.is_none() {
            self.problem(path, "the name of a calculation and each alias needs a letter or a digit");
        }
        calculation
    }

    fn deterministic(
        &mut self,
        path: &str,
        default_key: &str,
        entry: Value,
        listed: &[Rule],
    ) -> Option<DeterministicCheck> {
        let shape = entry.get("type").is_some() || entry.get("required_keys").is_some();
        let category = if shape { CheckCategory::Schema } else { CheckCategory::Structure };
        let (heading, draft) = self.entry::<DeterministicDraft>(path, default_key, category, entry, listed)?;
        let mut tests = Vec::new();
        tests.extend(draft.expected_values.map(Test::OneOf));
        tests.extend(draft.expected_value.map(Test::Equals));
        tests.extend(draft.r#type.map(Test::Type));
        tests.extend(draft.required_keys.map(Test::RequiredKeys));
        if draft.minimum.is_some() || draft.maximum.is_some() {
            tests.push(Test::Within { minimum: draft.minimum, maximum: draft.maximum });
        }
        let key = &heading.key;
        let empty = match tests.as_slice() {
            [Test::OneOf(values)] => values.is_empty(),
            [Test::RequiredKeys(keys)] => keys.is_empty(),
            [Test::Within { minimum: Some(minimum), maximum: Some(maximum) }] => minimum > maximum,
            _ => false,
        };
        if empty {
            self.problem(path, format!("nothing can meet, or anything meets, the rule `{key}`"));
        }
        if draft.match_field.level() > 0 {
            self.problem(path, format!("the path of the rule `{key}` has no `@`"));
        }
        if tests.len() != 1 {
            let allowed = "expected_values, expected_value, type, required_keys, or minimum and/or maximum";
            self.problem(path, format!("the rule `{key}` cannot be executed: it needs exactly one of {allowed}"));
        }
        Some(DeterministicCheck { heading, place: draft.match_field, test: tests.pop()? })
    }

    fn math(&mut self, path: &str, default_key: &str, entry: Value, listed: &[Rule]) -> Option<MathCheck> {
        let (heading, draft) = self.entry::<MathDraft>(path, default_key, CheckCategory::Math, entry, listed)?;
        let MathDraft { calculation, aliases, formula, inputs: described, tolerance, units, example } = draft;
        let key = &heading.key;
        let mut inputs: BTreeMap<String, InputSource> = BTreeMap::new();
        for name in formula.names() {
            let source =
                InputSource { stated_as: vec![name.to_owned()], known_from: KnownFrom::RunInput(name.to_owned()) };
            inputs.insert(name.to_owned(), source);
        }
        for (written, draft) in described {
            let name = formula::normalise(&written);
            let Some(source) = inputs.get_mut(&name) else {
                self.problem(
                    path,
                    format!("the rule `{key}` describes the input `{written}`, which its formula does not use"),
                );
                continue;
            };
            source.stated_as.extend(draft.aliases.iter().map(|alias| formula::normalise(alias)));
            match (draft.run_input, draft.math_check) {
                (Some(_), Some(_)) => {
                    self.problem(path, format!("the input `{written}` of the rule `{key}` is known from `run_input` or `math_check`, not both"));
                }
                (Some(input), None) => source.known_from = KnownFrom::RunInput(formula::normalise(&input)),
                (None, Some(check)) => source.known_from = KnownFrom::MathCheck(check),
                (None, None) => {}
            }
        }
        if tolerance.is_some_and(|tolerance| !tolerance.is_finite() || tolerance < 0.0) {
            self.problem(path, format!("the tolerance of the rule `{key}` must be zero or more"));
        }
        if let Some(example) = &example
            && let Err(message) = tried(&formula, example, tolerance)
        {
            self.problem(&format!("{path}.example"), format!("the rule `{key}` fails its own example: {message}"));
        }
        let calculation = self.calculation(path, calculation, aliases)?;
        Some(MathCheck { heading, calculation, formula, inputs, tolerance, units, example })
    }

    fn math_checks_refer_to_each_other(&mut self, checks: &[MathCheck]) {
        let places: BTreeMap<&str, usize> =
            checks.iter().enumerate().map(|(place, check)| (check.heading.key.as_str(), place)).collect();
        let mut sources: Vec<Vec<usize>> = Vec::with_capacity(checks.len());
        for check in checks {
            let mut from = Vec::new();
            for source in check.inputs.values() {
                let KnownFrom::MathCheck(other) = &source.known_from else { continue };
                match places.get(other.as_str()) {
                    Some(place) if *other != check.heading.key => from.push(*place),
                    _ => {
                        let key = &check.heading.key;
                        let message =
                            format!("the rule `{key}` takes an input from `{other}`, which is no other math check");
                        self.problem("eval_spec.math_checks", message);
                    }
                }
            }
            sources.push(from);
        }
        if let Some(circle) = circle(&sources) {
            let keys: Vec<String> = circle.iter().map(|place| format!("`{}`", checks[*place].heading.key)).collect();
            let message = format!("these rules take their inputs from each other in a circle: {}", keys.join(", "));
            self.problem("eval_spec.math_checks", message);
        }
    }
}

/// Some of those that can be reached from themselves, if there are any: what is left once whatever only leads to an end
/// is taken away.
fn circle(sources: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut left: BTreeSet<usize> = (0..sources.len()).collect();
    loop {
        let ends: Vec<usize> =
            left.iter().copied().filter(|place| sources[*place].iter().all(|from| !left.contains(from))).collect();
        if ends.is_empty() {
            break;
        }
        ends.iter().for_each(|end| {
            left.remove(end);
        });
    }
    // From anything that is left one comes to a circle; walk until a place comes twice.
    let mut walk = vec![*left.first()?];
    loop {
        let next = walk.last().and_then(|last| sources[*last].iter().find(|from| left.contains(from)))?;
        if let Some(start) = walk.iter().position(|place| place == next) {
            return Some(walk.split_off(start));
        }
        walk.push(*next);
    }
}

/// Tries a formula on its example.
fn tried(formula: &Formula, example: &Example, tolerance: Option<f64>) -> Result<(), String> {
    let inputs = example.inputs.iter().map(|(name, value)| (name.as_str(), *value));
    let variables = formula::variables(inputs).map_err(|error| error.to_string())?;
    let result = formula.evaluate(&variables).map_err(|error| error.to_string())?;
    let allowed = tolerance.unwrap_or(1e-9 * example.expected_result.abs().max(1e-9));
    if (result - example.expected_result).abs() <= allowed {
        Ok(())
    } else {
        Err(format!("the formula gives {result}, the example says {}", example.expected_result))
    }
}

fn is_slug(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 80 && text.split(['_', '-']).all(|word| !word.is_empty() && word.chars().all(plain))
}

fn is_key(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether the key has the form of those that the referee gives to the submission's calculations.
fn is_generated(key: &str) -> bool {
    key.strip_prefix("math_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
