//! What a person sees: headings, commands, durations. Colour on a terminal only.

use std::{
    fmt::Display,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use longshore_tests::Failure;

/// Standard output, for people.
pub(crate) struct Console {
    colour: bool,
}

impl Console {
    pub(crate) fn new() -> Self {
        Self {
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.colour
    }

    pub(crate) fn line(&self, text: impl Display) {
        // Output that nobody reads any more is no reason to stop half-way through.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// The title of a part.
    pub(crate) fn heading(&self, text: impl Display) {
        self.line(format_args!("\n{}", self.painted("1", text)));
    }

    /// A command as it is run.
    pub(crate) fn command(&self, text: impl Display) {
        self.line(format_args!("  {}", self.painted("36", format_args!("$ {text}"))));
    }

    /// Something that was shown to be so.
    pub(crate) fn proof(&self, text: impl Display) {
        self.line(format_args!("  {} {text}", self.painted("32", "✔")));
    }

    /// Something worth knowing.
    pub(crate) fn note(&self, text: impl Display) {
        self.line(format_args!("  {text}"));
    }

    /// Something of less weight.
    pub(crate) fn aside(&self, text: impl Display) {
        self.line(format_args!("  {}", self.painted("2", text)));
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        let label = if std::io::stderr().is_terminal() {
            self.painted("31", "error:")
        } else {
            "error:".to_owned()
        };
        let _ = writeln!(std::io::stderr(), "\n{label} {failure}");
    }

    fn painted(&self, code: &str, text: impl Display) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

/// `0.8 s`, `12 s`, `3 min 5 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(200_000), "200,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }

    #[test]
    fn durations_have_as_many_digits_as_matter() {
        assert_eq!(duration(Duration::from_millis(849)), "0.8 s");
        assert_eq!(duration(Duration::from_millis(12_700)), "12 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 5 s");
    }
}
