//! ClickHouse's type names, taken apart.

/// A type as the server writes it, such as `Array(Nullable(DateTime64(3, 'UTC')))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnType {
    /// What stands before the parenthesis.
    pub(crate) name: String,
    /// What stands between the commas, as written.
    pub(crate) arguments: Vec<String>,
    /// The whole.
    pub(crate) text: String,
}

impl ColumnType {
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => {
                let inside = rest.strip_suffix(')').unwrap_or(rest);
                let arguments = split(inside, ',');
                (name, arguments.into_iter().map(|part| part.trim().to_owned()).collect())
            }
            None => (text, Vec::new()),
        };
        Self {
            name: name.trim().to_owned(),
            arguments,
            text: text.to_owned(),
        }
    }

    /// The type in the parenthesis at a place.
    pub(crate) fn inner(&self, place: usize) -> Option<Self> {
        self.arguments.get(place).map(|argument| Self::parse(argument))
    }

    /// The elements of a tuple or a Nested: their names as written (quoted where they need it), and their types.
    pub(crate) fn elements(&self) -> Vec<(Option<&str>, Self)> {
        self.arguments
            .iter()
            .map(|argument| match named(argument) {
                Some((name, of)) => (Some(name), Self::parse(of)),
                None => (None, Self::parse(argument)),
            })
            .collect()
    }

    /// Without `Nullable`, `LowCardinality` and the function of a `SimpleAggregateFunction`, which change how values are kept and not what they are.
    pub(crate) fn bare(&self) -> Self {
        let inner = match self.name.as_str() {
            "Nullable" | "LowCardinality" => self.inner(0),
            "SimpleAggregateFunction" => self.inner(1),
            _ => None,
        };
        inner.map_or_else(|| self.clone(), |inner| inner.bare())
    }

    /// Whether a value can be NULL.
    pub(crate) fn is_nullable(&self) -> bool {
        match self.name.as_str() {
            "Nullable" | "Variant" | "Dynamic" | "Geometry" => true,
            "LowCardinality" => self.inner(0).is_some_and(|inner| inner.is_nullable()),
            "SimpleAggregateFunction" => self.inner(1).is_some_and(|inner| inner.is_nullable()),
            _ => false,
        }
    }

    /// Digits after the second of a `DateTime64`.
    pub(crate) fn time_digits(&self) -> Option<u32> {
        self.arguments.first().and_then(|digits| digits.parse().ok())
    }
}

/// `name type` of a tuple's element: a space outside of quotes and parentheses parts them.
fn named(argument: &str) -> Option<(&str, &str)> {
    let end = split(argument, ' ').first()?.len();
    let (name, rest) = argument.split_at(end);
    let rest = rest.trim_start();
    (!rest.is_empty()).then_some((name, rest))
}

/// Splits at a symbol that stands outside of quotes and parentheses.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut quote, mut start) = (0_usize, None, 0);
    let mut symbols = text.char_indices();
    while let Some((place, symbol)) = symbols.next() {
        match (quote, symbol) {
            // The next symbol stands for itself.
            (Some(_), '\\') => drop(symbols.next()),
            (Some(open), _) if open == symbol => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '`' | '"') => quote = Some(symbol),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if symbol == at && depth == 0 => {
                parts.push(&text[start..place]);
                start = place + symbol.len_utf8();
            }
            (None, _) => {}
        }
    }
    if start < text.len() {
        parts.push(&text[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_taken_apart_whatever_their_names_hold() {
        let of = ColumnType::parse(
            "Tuple(`a b, (` Array(Tuple(x Int8, `y``\\`` String)), c Enum8('it\\'s, )' = 1, 'b' = -2))",
        );
        let elements = of.elements();
        assert_eq!(elements.len(), 2);
        assert_eq!(elements[0].0, Some("`a b, (`"));
        assert_eq!(elements[0].1.name, "Array");
        assert_eq!(elements[1].0, Some("c"));
        assert_eq!(elements[1].1.arguments, ["'it\\'s, )' = 1", "'b' = -2"]);
    }

    #[test]
    fn elements_without_names_are_types() {
        let of = ColumnType::parse("Tuple(Int32, Array(Tuple(a Int8)), DateTime64(3, 'Asia/Tokyo'))");
        assert!(of.elements().iter().all(|(name, _)| name.is_none()));
        assert_eq!(of.inner(2).unwrap().time_digits(), Some(3));
    }

    #[test]
    fn wrappers_are_looked_through() {
        let of = ColumnType::parse("LowCardinality(Nullable(FixedString(3)))");
        assert_eq!(of.bare().text, "FixedString(3)");
        assert!(of.is_nullable());
        let sum = ColumnType::parse("SimpleAggregateFunction(sum, Decimal(38, 2))");
        assert_eq!(sum.bare().text, "Decimal(38, 2)");
        assert!(!sum.is_nullable());
    }
}
