//! From text to expression: a scanner over at most a thousand characters, then recursive descent with a depth count.

use super::{Expression, FormulaError, Function, MAX_DEPTH, MAX_LENGTH, MAX_NODES, Operator};

/// Which language is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// With functions, names of several words, `×` and `÷`.
    Extended,
    /// Without.
    Strict,
}

pub(super) fn parse(text: &str, dialect: Dialect) -> Result<Expression, FormulaError> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Err(FormulaError::TooLong(length));
    }
    if text.trim().is_empty() {
        return Err(FormulaError::Empty);
    }
    let tokens = Scanner { characters: text.chars().collect(), next: 0, dialect }.tokens()?;
    let mut parser = Parser { tokens, next: 0, depth: 0, nodes: 0, end: length + 1, dialect };
    let expression = parser.sum()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.unexpected("an operator or the end")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Operator(Operator),
    Open,
    Close,
    Comma,
}

impl Token {
    fn describe(&self) -> String {
        match self {
            Self::Number(number) => format!("the number {number:?}"),
            Self::Name(name) => format!("'{name}'"),
            Self::Operator(operator) => format!("'{}'", operator.symbol()),
            Self::Open => "'('".into(),
            Self::Close => "')'".into(),
            Self::Comma => "','".into(),
        }
    }
}

fn starts_word(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

/// Letters, digits and underscores, and the combining accents that some letters are written or lowercased with.
fn continues_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || ('\u{300}'..='\u{36f}').contains(&character)
}

struct Scanner {
    characters: Vec<char>,
    next: usize,
    dialect: Dialect,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.next + ahead).copied()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(character) = self.peek(0).filter(|&character| wanted(character)) {
            taken.push(character);
            self.next += 1;
        }
        taken
    }

    /// The tokens, each with the position of its first character.
    fn tokens(mut self) -> Result<Vec<(Token, usize)>, FormulaError> {
        let mut tokens = Vec::new();
        loop {
            self.take_while(char::is_whitespace);
            let at = self.next + 1;
            let Some(character) = self.peek(0) else { return Ok(tokens) };
            let token = if character.is_ascii_digit() || character == '.' {
                self.number(at)?
            } else if starts_word(character) {
                Token::Name(self.name())
            } else {
                self.symbol(character, at)?
            };
            tokens.push((token, at));
        }
    }

    fn number(&mut self, at: usize) -> Result<Token, FormulaError> {
        let digit = |character: char| character.is_ascii_digit();
        let mut text = self.take_while(digit);
        if self.peek(0) == Some('.') {
            self.next += 1;
            text.push('.');
            text.push_str(&self.take_while(digit));
        }
        if text == "." {
            return Err(FormulaError::Unexpected { expected: "a digit beside the point", found: "'.'".into(), at });
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if self.peek(1 + sign).is_some_and(digit) {
                text.extend(self.characters.iter().skip(self.next).take(1 + sign));
                self.next += 1 + sign;
                text.push_str(&self.take_while(digit));
            }
        }
        if let Some(character) = self.peek(0).filter(|&character| continues_word(character)) {
            let (expected, at) = ("an operator after the number", self.next + 1);
            return Err(FormulaError::Unexpected { expected, found: format!("'{character}'"), at });
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Token::Number(number)),
            _ => Err(FormulaError::NumberTooLarge(at)),
        }
    }

    /// A name. In the extended language the words that follow, with only white space between, belong to it:
    /// two names in a row mean nothing else, and reports write "Gross Profit / Revenue".
    fn name(&mut self) -> String {
        let first = self.take_while(continues_word);
        if self.dialect == Dialect::Strict {
            return first;
        }
        let mut name = first.to_lowercase();
        loop {
            let here = self.next;
            let gap = self.take_while(char::is_whitespace);
            if gap.is_empty() || !self.peek(0).is_some_and(|next| next.is_alphanumeric() || next == '_') {
                self.next = here;
                return name;
            }
            name.push('_');
            name.push_str(&self.take_while(continues_word).to_lowercase());
        }
    }

    fn symbol(&mut self, character: char, at: usize) -> Result<Token, FormulaError> {
        let doubled = self.peek(1) == Some(character);
        let extended = self.dialect == Dialect::Extended;
        let (token, width) = match character {
            '+' => (Token::Operator(Operator::Add), 1),
            '-' => (Token::Operator(Operator::Subtract), 1),
            '*' if doubled => (Token::Operator(Operator::Power), 2),
            '^' => (Token::Operator(Operator::Power), 1),
            '*' => (Token::Operator(Operator::Multiply), 1),
            '×' if extended => (Token::Operator(Operator::Multiply), 1),
            '/' if doubled => (Token::Operator(Operator::FloorDivide), 2),
            '/' => (Token::Operator(Operator::Divide), 1),
            '÷' if extended => (Token::Operator(Operator::Divide), 1),
            '%' => (Token::Operator(Operator::Modulo), 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' if extended => (Token::Comma, 1),
            other => {
                let expected = "a number, a name, an operator or a parenthesis";
                return Err(FormulaError::Unexpected { expected, found: format!("'{}'", other.escape_debug()), at });
            }
        };
        self.next += width;
        Ok(token)
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    depth: usize,
    nodes: usize,
    /// The position behind the last character.
    end: usize,
    dialect: Dialect,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, at)| *at)
    }

    fn unexpected(&self, expected: &'static str) -> FormulaError {
        let found = self.peek().map_or_else(|| "its end".to_owned(), Token::describe);
        FormulaError::Unexpected { expected, found, at: self.at() }
    }

    /// The next token if it is one of these operators.
    fn operator(&mut self, wanted: &[Operator]) -> Option<Operator> {
        match self.peek() {
            Some(&Token::Operator(operator)) if wanted.contains(&operator) => {
                self.next += 1;
                Some(operator)
            }
            _ => None,
        }
    }

    fn node(&mut self, expression: Expression) -> Result<Expression, FormulaError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(FormulaError::TooLarge(self.at())) } else { Ok(expression) }
    }

    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Expression, FormulaError>,
    ) -> Result<Expression, FormulaError> {
        if self.depth == MAX_DEPTH {
            return Err(FormulaError::TooDeep(self.at()));
        }
        self.depth += 1;
        let expression = inner(self);
        self.depth -= 1;
        expression
    }

    fn left_grouping(
        &mut self,
        operators: &[Operator],
        operand: fn(&mut Self) -> Result<Expression, FormulaError>,
    ) -> Result<Expression, FormulaError> {
        let mut left = operand(self)?;
        while let Some(operator) = self.operator(operators) {
            let right = operand(self)?;
            left = self.node(Expression::Binary(operator, Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expression, FormulaError> {
        self.left_grouping(&[Operator::Add, Operator::Subtract], Self::product)
    }

    fn product(&mut self) -> Result<Expression, FormulaError> {
        use Operator::{Divide, FloorDivide, Modulo, Multiply};
        self.left_grouping(&[Multiply, Divide, FloorDivide, Modulo], Self::signed)
    }

    fn signed(&mut self) -> Result<Expression, FormulaError> {
        match self.operator(&[Operator::Add, Operator::Subtract]) {
            Some(Operator::Subtract) => {
                let operand = self.nested(Self::signed)?;
                self.node(Expression::Negate(Box::new(operand)))
            }
            Some(_) => self.nested(Self::signed),
            None => self.power(),
        }
    }

    /// Binds tighter than a sign before it, takes a sign in its exponent, and groups to the right.
    fn power(&mut self) -> Result<Expression, FormulaError> {
        let base = self.atom()?;
        if self.operator(&[Operator::Power]).is_none() {
            return Ok(base);
        }
        let exponent = self.nested(Self::signed)?;
        self.node(Expression::Binary(Operator::Power, Box::new(base), Box::new(exponent)))
    }

    fn atom(&mut self) -> Result<Expression, FormulaError> {
        let at = self.at();
        match self.peek().cloned() {
            Some(Token::Number(number)) => {
                self.next += 1;
                self.node(Expression::Number(number))
            }
            Some(Token::Name(name)) => {
                self.next += 1;
                if self.dialect == Dialect::Extended && self.peek() == Some(&Token::Open) {
                    self.call(name, at)
                } else {
                    self.node(Expression::Name(name))
                }
            }
            Some(Token::Open) => {
                self.next += 1;
                let inner = self.nested(Self::sum)?;
                self.close("an operator or ')'")?;
                Ok(inner)
            }
            _ => Err(self.unexpected("a number, a name or '('")),
        }
    }

    fn close(&mut self, expected: &'static str) -> Result<(), FormulaError> {
        if self.peek() != Some(&Token::Close) {
            return Err(self.unexpected(expected));
        }
        self.next += 1;
        Ok(())
    }

    fn call(&mut self, name: String, at: usize) -> Result<Expression, FormulaError> {
        let Some(function) = Function::named(&name) else { return Err(FormulaError::UnknownFunction { name, at }) };
        self.next += 1;
        let mut arguments = Vec::new();
        if self.peek() != Some(&Token::Close) {
            arguments.push(self.nested(Self::sum)?);
            while self.peek() == Some(&Token::Comma) {
                self.next += 1;
                arguments.push(self.nested(Self::sum)?);
            }
        }
        self.close("an operator, ',' or ')'")?;
        let given = arguments.len();
        if !function.accepts(given) {
            let (function, takes) = (function.name(), function.takes());
            return Err(FormulaError::Arguments { function, takes, given, at });
        }
        self.node(Expression::Call(function, arguments))
    }
}
